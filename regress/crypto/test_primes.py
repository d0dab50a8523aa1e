"""The primes of the MODP groups are those that the RFCs print."""

from __future__ import annotations

import pytest

from isakmp.constants import isakmp
from isakmp.crypto.primes import modp_prime
from regress.crypto.vectors import published


@pytest.mark.parametrize("block", published("modp_primes.txt"), ids=lambda block: block["group"])
def test_primes_are_the_published_ones(block: dict[str, str]) -> None:
    """RFC 2409 6.1 and 6.2, RFC 3526."""
    assert modp_prime(isakmp.Group(int(block["group"]))) == int(block["prime"], 16)


def test_no_other_group_has_one() -> None:
    for group in (isakmp.Group.ECP_256, isakmp.Group.CURVE25519, isakmp.Group.MODP_1024_160):
        with pytest.raises(KeyError):
            modp_prime(group)


def test_they_are_safe_primes_by_their_size_and_ends() -> None:
    """RFC 2412 E: 64 ones at both ends, and p = 7 modulo 8."""
    prime = modp_prime(isakmp.Group.MODP_2048)
    assert prime.bit_length() == 2048
    assert prime >> 1984 == prime & (1 << 64) - 1 == (1 << 64) - 1
    assert pow(2, prime - 1, prime) == 1 and pow(2, (prime - 1) // 2, prime) == 1
