"""A key exchange as an exchange does it: what takes long is given to workers (event/worker.py).

All three functions are generators for a script's step: ``pair = yield from key_pair(...)``. Who
begins makes a key pair and agrees on what the answer holds; who answers makes both the answer and
the secret of the first value, whichever kind of method it is:

    initiator                            responder
    key_pair()    public  -->
                                         respond()
    agree()               <--   public
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

from isakmp.constants.key_exchange import is_new
from isakmp.crypto.groups import Group, KeyPair, Random, get_group
from isakmp.crypto.kem import SECRET_SIZE, get_kem
from isakmp.event.job import Job
from isakmp.event.worker import Work

Octets = Generator[Job[bytes], bytes, bytes]


def get_method(number: int) -> Group:
    """The key exchange method of that number. CryptoError where there is none here."""
    return get_kem(number) if is_new(number) else get_group(number)


def public_value(number: bytes, secret: bytes) -> bytes:
    """A worker's verb: the public value to a private one of a method, its number in 2 octets."""
    return get_method(int.from_bytes(number, "big")).from_private(secret).public


def shared_secret(number: bytes, secret: bytes, peer_public: bytes) -> bytes:
    """A worker's verb: what our private value and the peer's public one make. CryptoError."""
    return get_method(int.from_bytes(number, "big")).shared(secret, peer_public)


def encapsulated(number: bytes, peer_public: bytes) -> bytes:
    """A worker's verb: a ciphertext for the peer, and behind it the secret. CryptoError."""
    return b"".join(get_method(int.from_bytes(number, "big")).encapsulate(peer_public))


VERBS = (public_value, shared_secret, encapsulated)


def key_pair(
    work: Work, random: Random, number: int
) -> Generator[Job[bytes], bytes, KeyPair]:  # fmt: skip
    """A new key pair of that method. CryptoError where the library lacks it."""
    method = get_method(number)
    if not work.takes(method.slow):
        return method.generate(random)
    octets, secret = number.to_bytes(2, "big"), method.secret(random)
    public = yield work.call(public_value, octets, secret)
    return KeyPair(public, partial(method.shared, secret), (octets, secret))


def agree(work: Work, pair: KeyPair, peer_public: bytes) -> Octets:
    """The shared secret, as KeyPair.shared() has it, with its CryptoError."""
    if pair.private is None:
        return pair.shared(peer_public)
    return (yield work.call(shared_secret, *pair.private, peer_public))


def respond(
    work: Work, random: Random, number: int, peer_public: bytes
) -> Generator[Job[bytes], bytes, tuple[bytes, bytes]]:
    """The public value to answer the peer's with, and the shared secret. CryptoError where the
    peer's is none of that method."""
    method = get_method(number)
    if not method.encapsulates:
        pair = yield from key_pair(work, random, number)
        return pair.public, (yield from agree(work, pair, peer_public))
    if not work.takes(method.slow):
        return method.encapsulate(peer_public)
    both = yield work.call(encapsulated, number.to_bytes(2, "big"), peer_public)
    return both[:-SECRET_SIZE], both[-SECRET_SIZE:]
