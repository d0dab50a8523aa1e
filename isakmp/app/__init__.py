"""Applications: what security associations are negotiated for. base.py is the protocol."""
