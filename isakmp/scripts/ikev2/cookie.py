"""Cookies for who begins: RFC 7296 2.6. Nothing is kept of whom one was given.

Cookie = <VersionIDofSecret> | HMAC-SHA-256(<secret>, SPIi | IP version | IPi | Ni)

What varies in length comes last: no two senders have the same octets under the hash.
"""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest, digest

from isakmp.policy.spd import Address

SECRET_SIZE, SECRET_S = 32, 60.0


class Cookies:
    """Makes cookies and knows its own again: those of the secret in force and the one before."""

    def __init__(self, random: Callable[[int], bytes], now: Callable[[], float]) -> None:
        self._random, self._now = random, now
        self._version, self._since = 0, 0.0
        self._secrets: dict[int, bytes] = {}

    def make(self, ni: bytes, address: Address, spi_i: bytes) -> bytes:
        """The cookie for that first message; 33 octets."""
        self._rotate()
        return self._cookie(self._version, ni, address, spi_i)

    def check(self, cookie: bytes, ni: bytes, address: Address, spi_i: bytes) -> bool:
        """Whether we gave it, not long ago, to who sends this."""
        self._rotate()
        if not cookie or cookie[0] not in self._secrets:
            return False
        return compare_digest(cookie, self._cookie(cookie[0], ni, address, spi_i))

    def _cookie(self, version: int, ni: bytes, address: Address, spi_i: bytes) -> bytes:
        seed = spi_i + bytes([address.version]) + address.packed + ni
        return bytes([version]) + digest(self._secrets[version], seed, "sha256")

    def _rotate(self) -> None:
        """A new secret now and then; only the one before it still counts."""
        now = self._now()
        if self._secrets and now - self._since < SECRET_S:
            return
        aged = now - self._since >= 2 * SECRET_S
        last = {} if aged else {k: v for k, v in self._secrets.items() if k == self._version}
        self._version = (self._version + 1) % 256
        self._secrets = last | {self._version: self._random(SECRET_SIZE)}
        self._since = now
