"""The kernel's IPsec stack over NETLINK_XFRM (Linux)."""
