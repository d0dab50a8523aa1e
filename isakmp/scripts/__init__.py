"""Exchange scripts: one package for each protocol version, one file for each exchange."""
