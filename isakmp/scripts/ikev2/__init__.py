"""Exchange scripts of IKEv2, one file for each exchange."""
