"""The primes of the MODP groups, RFC 2409 6.1 and 6.2, RFC 3526 2 to 7.

Each RFC gives its primes by one formula, p = 2^n - 2^(n-64) - 1 + 2^64 ([2^(n-130) pi] + k), from
which they are computed here; a test compares them with the digits that the RFCs print.
"""

from __future__ import annotations

from isakmp.constants.isakmp import Group

# Group: (n bits, k)
_FORMULA = {
    Group.MODP_768: (768, 149686),
    Group.MODP_1024: (1024, 129093),
    Group.MODP_1536: (1536, 741804),
    Group.MODP_2048: (2048, 124476),
    Group.MODP_3072: (3072, 1690314),
    Group.MODP_4096: (4096, 240904),
    Group.MODP_6144: (6144, 929484),
    Group.MODP_8192: (8192, 4743158),
}
_GUARD_BITS = 64


def modp_prime(group: Group) -> int:
    """The prime of a MODP group. KeyError for any other group."""
    n, k = _FORMULA[group]
    return (1 << n) - (1 << (n - 64)) - 1 + ((_pi(n - 130) + k) << 64)


def _pi(bits: int) -> int:
    """[2^bits pi], by Machin's formula: pi = 16 arctan(1/5) - 4 arctan(1/239)."""
    one = 1 << (bits + _GUARD_BITS)
    return (16 * _arctan_inverse(5, one) - 4 * _arctan_inverse(239, one)) >> _GUARD_BITS


def _arctan_inverse(x: int, one: int) -> int:
    """one * arctan(1/x), by its power series."""
    power, total, divisor, sign = one // x, 0, 1, 1
    while power:
        total += sign * (power // divisor)
        power //= x * x
        divisor, sign = divisor + 2, -sign
    return total
