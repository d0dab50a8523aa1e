"""Diffie-Hellman as an exchange does it: what takes long is given to workers (event/worker.py).

Both functions are generators for a script's step: ``pair = yield from key_pair(...)``.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

from isakmp.crypto.groups import KeyPair, Random, get_group
from isakmp.event.job import Job
from isakmp.event.worker import Work

Octets = Generator[Job[bytes], bytes, bytes]


def public_value(group: bytes, secret: bytes) -> bytes:
    """A worker's verb: the public value to a private one of a group, its number in 2 octets."""
    return get_group(int.from_bytes(group, "big")).from_private(secret).public


def shared_secret(group: bytes, secret: bytes, peer_public: bytes) -> bytes:
    """A worker's verb: what our private value and the peer's public one make. CryptoError."""
    return get_group(int.from_bytes(group, "big")).shared(secret, peer_public)


VERBS = (public_value, shared_secret)


def key_pair(
    work: Work, random: Random, number: int
) -> Generator[Job[bytes], bytes, KeyPair]:  # fmt: skip
    """A new key pair of that group. CryptoError where the library lacks it."""
    group = get_group(number)
    if not work.takes(group.slow):
        return group.generate(random)
    octets, secret = number.to_bytes(2, "big"), group.secret(random)
    public = yield work.call(public_value, octets, secret)
    return KeyPair(public, partial(group.shared, secret), (octets, secret))


def agree(work: Work, pair: KeyPair, peer_public: bytes) -> Octets:
    """The shared secret, as KeyPair.shared() has it, with its CryptoError."""
    if pair.private is None:
        return pair.shared(peer_public)
    return (yield work.call(shared_secret, *pair.private, peer_public))
