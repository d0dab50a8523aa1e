"""Key encapsulation as a key exchange: ML-KEM, FIPS 203, in IKEv2.

The roles differ. The initiator makes a key pair and sends the encapsulation key; the responder
encapsulates a secret of its own making and sends the ciphertext. A ciphertext of the right size is
never refused: a wrong one gives another secret, so that the keys of both ends differ.
"""

from __future__ import annotations

import functools
import importlib
import os
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm

from isakmp.constants import name_of
from isakmp.constants.ikev2 import KeyExchange
from isakmp.crypto.groups import Group, KeyPair, Random
from isakmp.errors import CryptoError

# Of the shared secret and of the seed that a key pair is made of (FIPS 203 7.1 and 7.2), octets.
SECRET_SIZE, SEED_SIZE = 32, 64
# Encapsulation key and ciphertext, FIPS 203 table 3.
SIZES = {
    KeyExchange.ML_KEM_512: (800, 768),
    KeyExchange.ML_KEM_768: (1184, 1088),
    KeyExchange.ML_KEM_1024: (1568, 1568),
}


class Kem(Group):
    """One parameter set. public_size: of an encapsulation key, answer_size: of a ciphertext."""

    slow = encapsulates = True

    def __init__(self, number: KeyExchange) -> None:
        public_size, self.answer_size = SIZES[number]
        super().__init__(number, public_size)
        try:
            library = importlib.import_module("cryptography.hazmat.primitives.asymmetric.mlkem")
            name = number.name.replace("ML_KEM_", "MLKEM")
            self._private = getattr(library, f"{name}PrivateKey")
            self._public = getattr(library, f"{name}PublicKey")
            self._private.from_seed_bytes(bytes(SEED_SIZE))
        except (ImportError, AttributeError, UnsupportedAlgorithm) as error:
            what = f"{number.name} ({int(number)})"
            raise CryptoError(f"the library lacks key exchange method {what}") from error

    def generate(self, random: Random = os.urandom) -> KeyPair:
        return self.from_private(self.secret(random))

    def secret(self, random: Random) -> bytes:
        return random(SEED_SIZE)

    def from_private(self, secret: bytes) -> KeyPair:
        """The key of that seed, d | z of FIPS 203 7.1."""
        try:
            key = self._private.from_seed_bytes(secret)
        except ValueError as error:
            raise CryptoError(f"no seed of a key of {self.name}") from error
        public = key.public_key().public_bytes_raw()
        return KeyPair(public, functools.partial(self._decapsulate, key))

    def _decapsulate(self, key: Any, ciphertext: bytes) -> bytes:
        if len(ciphertext) != self.answer_size:
            sizes = f"{len(ciphertext)} octets where {self.answer_size} are needed"
            raise CryptoError(f"a ciphertext of {self.name} with {sizes}")
        return bytes(key.decapsulate(ciphertext))

    def encapsulate(self, peer_public: bytes) -> tuple[bytes, bytes]:
        """A ciphertext for the peer, and the secret in it. CryptoError where the peer's key has a
        wrong size, or numbers beyond the modulus (FIPS 203 7.2)."""
        self._check_size(peer_public)
        try:
            secret, ciphertext = self._public.from_public_bytes(peer_public).encapsulate()
        except ValueError as error:
            raise CryptoError(f"a public value that is no key of {self.name}") from error
        return bytes(ciphertext), bytes(secret)


@functools.cache
def get_kem(number: int) -> Kem:
    """That of a number in SIZES. CryptoError that names it where the library lacks it."""
    if number not in SIZES:
        raise CryptoError(f"{name_of(KeyExchange, number)} ({int(number)}) is not supported")
    return Kem(KeyExchange(number))
