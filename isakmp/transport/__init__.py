"""How datagrams come and go. base.py says what the daemon wants of a transport."""
