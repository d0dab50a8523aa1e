"""MACs made of AES: XCBC, RFC 3566 and 4434, and CMAC, RFC 4493, 4494 and 4615.

Both take a key of 16 octets; as a prf they take any key, which is made one of 16.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from cryptography.hazmat.primitives.cmac import CMAC

KEY_SIZE = 16

Mac = Callable[[bytes], bytes]


def xcbc(key: bytes) -> Mac:
    """AES-XCBC under a key of 16 octets: 16 octets for data of any length."""
    keys = _encrypt(key, b"".join(bytes([number]) * 16 for number in (1, 2, 3)))
    cipher = Cipher(AES(keys[:16]), CBC(bytes(16)))

    def mac(data: bytes) -> bytes:
        whole = (len(data) - 1) // 16 * 16 if data else 0
        last = data[whole:]
        if len(last) == 16:
            last = _xor(last, keys[16:32])
        else:
            last = _xor((last + b"\x80").ljust(16, b"\0"), keys[32:48])
        return cipher.encryptor().update(data[:whole] + last)[-16:]

    return mac


def cmac(key: bytes) -> Mac:
    """AES-CMAC under a key of 16 octets: 16 octets for data of any length."""
    algorithm = AES(key)

    def mac(data: bytes) -> bytes:
        context = CMAC(algorithm)
        context.update(data)
        return context.finalize()

    return mac


def xcbc_key(key: bytes) -> bytes:
    """What XCBC takes as a prf for a key of any length (RFC 4434 2)."""
    return key.ljust(16, b"\0") if len(key) <= 16 else xcbc(bytes(16))(key)


def cmac_key(key: bytes) -> bytes:
    """What CMAC takes as a prf for a key of any length (RFC 4615 3)."""
    return key if len(key) == 16 else cmac(bytes(16))(key)


def _encrypt(key: bytes, blocks: bytes) -> bytes:
    return Cipher(AES(key), ECB()).encryptor().update(blocks)


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(16, "big")
