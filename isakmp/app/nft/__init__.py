"""What the kernel drops by nftables, over netlink."""
