"""PF_KEYv2 (RFC 2367) with the KAME extensions: how an IPsec stack is told of SAs and policies."""
