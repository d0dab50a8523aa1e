"""Captured messages read with the help of key tables: nothing here negotiates.

walk.py reads a payload chain past what is malformed in it; ikev1.py and ikev2.py open what is
encrypted, keeping what they need of the messages before; decoder.py puts it together. All state
is bounded: the oldest gives way.
"""

from isakmp.decode.decoder import Decoded, Decoder

__all__ = ["Decoded", "Decoder"]
