"""IKEv1: RFC 2407, 2408, 2409, with RFC 3706 (dead peers) and RFC 3947 (NAT traversal)."""
