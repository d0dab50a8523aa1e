"""What is no IKE: a protocol of keys with a header of its own, and one of neighbours."""
