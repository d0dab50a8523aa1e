"""Diffie-Hellman groups: MODP RFC 2409 6 and RFC 3526, ECP RFC 5903 and RFC 5114 2.4 and 2.5,
Brainpool RFC 6954 and RFC 6932, Curve25519 and Curve448 RFC 8031.

The one place that touches the library's finite-field Diffie-Hellman, which is deprecated since
its release 50 and moves to the decrepit corner.
"""

from __future__ import annotations

import functools
import importlib
import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm

from isakmp.constants import isakmp, name_of
from isakmp.constants.key_exchange import Method
from isakmp.crypto.primes import modp_prime
from isakmp.errors import CryptoError

Random = Callable[[int], bytes]


class KeyPair:
    """One side's ephemeral key. public: as the KE payload carries it, ``public_size`` octets;
    private: for who computes elsewhere, the group's number in 2 octets and the private value."""

    __slots__ = ("_exchange", "private", "public")

    def __init__(
        self, public: bytes, exchange: Callable[[bytes], bytes],
        private: tuple[bytes, bytes] | None = None,
    ) -> None:  # fmt: skip
        self.public, self._exchange, self.private = public, exchange, private

    def shared(self, peer_public: bytes) -> bytes:
        """g^xy: as long as the prime; of a point its x only (RFC 5903 7).

        CryptoError where the peer's value has a wrong length, is not in the group, or yields a
        secret that anybody knows: refuse it with INVALID_KEY_INFORMATION.
        """
        return self._exchange(peer_public)


class Group(ABC):
    """A group. public_size: of a public value in octets; legacy: the configuration warns of it
    (RFC 8247 2.4); slow: it takes longer than to have another process do it; encapsulates: who
    answers has no key pair, and is asked to encapsulate()."""

    slow = encapsulates = False

    def __init__(self, number: Method, public_size: int) -> None:
        self.number, self.name, self.public_size = number, number.name, public_size
        self.legacy = number in (isakmp.Group.MODP_768, isakmp.Group.MODP_1024)

    @abstractmethod
    def generate(self, random: Random = os.urandom) -> KeyPair:
        """A new key: the library's own generator for os.urandom, else made of ``random``."""

    @abstractmethod
    def secret(self, random: Random) -> bytes:
        """The private value of a new key, as from_private() takes it."""

    def shared(self, secret: bytes, peer_public: bytes) -> bytes:
        """What the key of that private value and a peer's public value make; see KeyPair."""
        return self.from_private(secret).shared(peer_public)

    @abstractmethod
    def from_private(self, secret: bytes) -> KeyPair:
        """The key of that secret: big-endian, for Curve25519 and Curve448 as RFC 7748 6 has it.
        CryptoError where the group has no such key."""

    def encapsulate(self, peer_public: bytes) -> tuple[bytes, bytes]:
        """What answers a peer's public value, and the secret, where both come at once (kem.py)."""
        raise CryptoError(f"{self.name} is answered with a key of one's own")

    def _check_size(self, public: bytes) -> None:
        if len(public) != self.public_size:
            sizes = f"{len(public)} octets where {self.public_size} are needed"
            raise CryptoError(f"a public value of {self.name} with {sizes}")

    def _outside(self) -> CryptoError:
        return CryptoError(f"a public value that is not in group {self.name}")


class _Modp(Group):
    """g = 2 and a safe prime, so an exponent of twice the strength does (RFC 7919 5.2)."""

    slow = True

    def __init__(self, number: isakmp.Group, exponent_bits: int) -> None:
        self.prime, self.exponent_bits = modp_prime(number), exponent_bits
        super().__init__(number, self.prime.bit_length() // 8)

    def generate(self, random: Random = os.urandom) -> KeyPair:
        return self.from_private(self.secret(random))

    def secret(self, random: Random) -> bytes:
        size = (self.exponent_bits + 7) // 8
        top = 1 << (self.exponent_bits - 1)
        return (int.from_bytes(random(size), "big") % top | top).to_bytes(size, "big")

    def from_private(self, secret: bytes) -> KeyPair:
        # g^x is what an exchange with the value g yields.
        exchange = self._power(self._exponent(secret))
        return KeyPair(exchange(2), lambda public: exchange(self._peer(public)))

    def shared(self, secret: bytes, peer_public: bytes) -> bytes:
        return self._power(self._exponent(secret))(self._peer(peer_public))

    def _exponent(self, secret: bytes) -> int:
        x = int.from_bytes(secret, "big")
        if x >= self.prime or x % (self.prime >> 1) == 0:
            raise CryptoError(f"a private value that is not in group {self.name}")
        return x

    @abstractmethod
    def _power(self, x: int) -> Callable[[int], bytes]:
        """What raises a value to the power of x."""

    def _peer(self, public: bytes) -> int:
        self._check_size(public)
        y = int.from_bytes(public, "big")
        if not 1 < y < self.prime - 1:
            raise self._outside()
        return y

    def _octets(self, value: int) -> bytes:
        return value.to_bytes(self.public_size, "big")


class _SmallModp(_Modp):
    """Groups 1 and 2, whose primes the library does not know by name.

    It would test them for primality whenever it meets a peer's value, 22 and 39 ms each, which
    anybody could have it do. Python's pow is not constant-time; the exponent serves once.
    """

    def _power(self, x: int) -> Callable[[int], bytes]:
        return lambda value: self._octets(pow(value, x, self.prime))


class _NamedModp(_Modp):
    """The groups that the library knows: it picks short exponents and tests no primes."""

    def __init__(self, number: isakmp.Group, exponent_bits: int) -> None:
        super().__init__(number, exponent_bits)
        try:
            self._library = _finite_field()
        except (ImportError, AttributeError) as error:
            raise _lacking(number) from error
        self._numbers = self._library.parameters(self.prime, 2)
        self._parameters = self._numbers.parameters()

    def generate(self, random: Random = os.urandom) -> KeyPair:
        if random is not os.urandom:
            return super().generate(random)
        key = self._parameters.generate_private_key()
        public = self._octets(key.public_key().public_numbers().y)
        return KeyPair(public, lambda peer: self._exchange(key, self._peer(peer)))

    def _power(self, x: int) -> Callable[[int], bytes]:
        # By the library: in constant time, and faster than pow.
        g = self._library.public(2, self._numbers)
        return functools.partial(self._exchange, self._library.private(x, g).private_key())

    def _exchange(self, key: Any, value: int) -> bytes:
        return bytes(key.exchange(self._library.public(value, self._numbers).public_key()))


class _Ecp(Group):
    """Points of a prime curve; a public value is x | y (RFC 5903 7)."""

    def __init__(self, number: isakmp.Group, curve: str) -> None:
        self._ec = importlib.import_module("cryptography.hazmat.primitives.asymmetric.ec")
        try:
            self._curve = getattr(self._ec, curve)()
            self._ec.derive_private_key(1, self._curve)
        except (AttributeError, UnsupportedAlgorithm) as error:
            raise _lacking(number) from error
        self._bits = self._curve.key_size
        super().__init__(number, (self._bits + 7) // 8 * 2)

    def generate(self, random: Random = os.urandom) -> KeyPair:
        if random is os.urandom:
            return self._wrap(self._ec.generate_private_key(self._curve))
        return self.from_private(self.secret(random))

    def secret(self, random: Random) -> bytes:
        # One bit less than the field has is less than any of the curves' orders.
        size = self.public_size // 2
        scalar = int.from_bytes(random(size), "big") % (1 << (self._bits - 1))
        return (scalar or 1).to_bytes(size, "big")

    def from_private(self, secret: bytes) -> KeyPair:
        try:
            key = self._ec.derive_private_key(int.from_bytes(secret, "big"), self._curve)
        except ValueError as error:
            raise CryptoError(f"a private value that is not in group {self.name}") from error
        return self._wrap(key)

    def _wrap(self, key: Any) -> KeyPair:
        return KeyPair(_point(key.public_key())[1:], functools.partial(self._exchange, key))

    def _exchange(self, key: Any, public: bytes) -> bytes:
        self._check_size(public)
        load = self._ec.EllipticCurvePublicKey.from_encoded_point
        try:
            return bytes(key.exchange(self._ec.ECDH(), load(self._curve, b"\4" + public)))
        except ValueError as error:
            raise self._outside() from error


class _Montgomery(Group):
    """Curve25519 and Curve448: a public value is the u coordinate (RFC 8031 2)."""

    def __init__(self, number: isakmp.Group, module: str, size: int) -> None:
        super().__init__(number, size)
        library = importlib.import_module(f"cryptography.hazmat.primitives.asymmetric.{module}")
        self._private = getattr(library, f"{module.upper()}PrivateKey")
        self._public = getattr(library, f"{module.upper()}PublicKey")
        try:
            self._private.from_private_bytes(bytes(range(1, size + 1)))
        except UnsupportedAlgorithm as error:
            raise _lacking(number) from error

    def generate(self, random: Random = os.urandom) -> KeyPair:
        if random is os.urandom:
            return self._wrap(self._private.generate())
        return self.from_private(self.secret(random))

    def secret(self, random: Random) -> bytes:
        return random(self.public_size)

    def from_private(self, secret: bytes) -> KeyPair:
        try:
            return self._wrap(self._private.from_private_bytes(secret))
        except ValueError as error:
            raise CryptoError(f"a private value that is not in group {self.name}") from error

    def _wrap(self, key: Any) -> KeyPair:
        return KeyPair(key.public_key().public_bytes_raw(), functools.partial(self._exchange, key))

    def _exchange(self, key: Any, public: bytes) -> bytes:
        self._check_size(public)
        try:
            return bytes(key.exchange(self._public.from_public_bytes(public)))
        except ValueError as error:  # the secret is all zeros
            raise self._outside() from error


class _FiniteField(NamedTuple):
    """The library's classes of numbers for finite-field Diffie-Hellman."""

    parameters: Any
    public: Any
    private: Any


# Exponents as RFC 7919 5.2 has them, below 2048 bits as the library has them.
_MAKERS: dict[isakmp.Group, Callable[[isakmp.Group], Group]] = {
    isakmp.Group.MODP_768: lambda number: _SmallModp(number, 160),
    isakmp.Group.MODP_1024: lambda number: _SmallModp(number, 160),
    isakmp.Group.MODP_1536: lambda number: _NamedModp(number, 200),
    isakmp.Group.MODP_2048: lambda number: _NamedModp(number, 225),
    isakmp.Group.MODP_3072: lambda number: _NamedModp(number, 275),
    isakmp.Group.MODP_4096: lambda number: _NamedModp(number, 325),
    isakmp.Group.MODP_6144: lambda number: _NamedModp(number, 375),
    isakmp.Group.MODP_8192: lambda number: _NamedModp(number, 400),
    isakmp.Group.ECP_256: lambda number: _Ecp(number, "SECP256R1"),
    isakmp.Group.ECP_384: lambda number: _Ecp(number, "SECP384R1"),
    isakmp.Group.ECP_521: lambda number: _Ecp(number, "SECP521R1"),
    isakmp.Group.ECP_192: lambda number: _Ecp(number, "SECP192R1"),
    isakmp.Group.ECP_224: lambda number: _Ecp(number, "SECP224R1"),
    isakmp.Group.BRAINPOOL_224: lambda number: _Ecp(number, "BrainpoolP224R1"),
    isakmp.Group.BRAINPOOL_256: lambda number: _Ecp(number, "BrainpoolP256R1"),
    isakmp.Group.BRAINPOOL_384: lambda number: _Ecp(number, "BrainpoolP384R1"),
    isakmp.Group.BRAINPOOL_512: lambda number: _Ecp(number, "BrainpoolP512R1"),
    isakmp.Group.CURVE25519: lambda number: _Montgomery(number, "x25519", 32),
    isakmp.Group.CURVE448: lambda number: _Montgomery(number, "x448", 56),
}


@functools.cache
def get_group(number: int) -> Group:
    """The group of that number. CryptoError that names it where the library lacks it, and for
    the groups over 2^n (3 and 4) and with small subgroups (22 to 24)."""
    if number not in _MAKERS:
        name = name_of(isakmp.Group, number)
        raise CryptoError(f"Diffie-Hellman group {name} ({int(number)}) is not supported")
    return _MAKERS[isakmp.Group(number)](isakmp.Group(number))


@functools.cache
def _finite_field() -> _FiniteField:
    """From the module's new place, else its old one, which in release 50 warns of every access."""
    name = "cryptography.hazmat.{}.asymmetric.dh"
    try:
        module = importlib.import_module(name.format("decrepit"))
    except ModuleNotFoundError:
        module = importlib.import_module(name.format("primitives"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        numbers = module.DHParameterNumbers, module.DHPublicNumbers, module.DHPrivateNumbers
    return _FiniteField(*numbers)


def _lacking(number: int) -> CryptoError:
    name = name_of(isakmp.Group, number)
    return CryptoError(f"the library lacks Diffie-Hellman group {name} ({int(number)})")


def _point(key: Any) -> bytes:
    """The uncompressed point, 4 | x | y (SEC 1 2.3.3)."""
    serialization = importlib.import_module("cryptography.hazmat.primitives.serialization")
    form = serialization.PublicFormat.UncompressedPoint
    return bytes(key.public_bytes(serialization.Encoding.X962, form))
