"""The key engine in user space: SAD, SPD and ESP over a TUN device (RFC 4301, RFC 4303)."""
