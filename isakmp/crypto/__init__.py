"""What the exchanges need of cryptography: groups, ciphers, hashes, prfs and key material."""
