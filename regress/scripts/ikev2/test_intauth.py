"""IntAuth: what AUTH covers of IKE_INTERMEDIATE: RFC 9242 3.3.2."""

from __future__ import annotations

import hmac
from types import SimpleNamespace
from typing import Any

from isakmp.constants import ikev2
from isakmp.crypto.prf import get_prf_v2
from isakmp.message import HEADER_SIZE, Header
from isakmp.payloads.shapes import HEADER as GENERIC
from isakmp.scripts.ikev2.intauth import IntAuth

P = ikev2.Payload
PRF = get_prf_v2(ikev2.Prf.HMAC_SHA2_256)


def keys(number: int) -> Any:
    """Keys of one exchange: each has its own."""
    sk = SimpleNamespace(pi=bytes([number]) * 32, pr=bytes([0x80 | number]) * 32)
    return SimpleNamespace(prf=PRF, sk=sk)


def message(number: int, answer: bool, chain: bytes, padding: int = 20) -> bytes:
    """One with that chain encrypted, whatever its octets are then."""
    size = 4 + 8 + len(chain) + padding
    header = Header(b"initiate", b"responds", P.SK, 2, 0, ikev2.Exchange.IKE_INTERMEDIATE,
                    0x20 if answer else 0x08, number, HEADER_SIZE + size)  # fmt: skip
    return header.pack() + GENERIC.pack(P.KE, 0, size) + b"?" * (size - 4)


def prf(key: bytes, *octets: bytes) -> bytes:
    return hmac.digest(key, b"".join(octets), "sha256")


def clear(number: int, answer: bool, chain: bytes) -> bytes:
    """IntAuth_inA | IntAuth_inP: without IV, padding and ICV, and with lengths to match."""
    header = Header.unpack(message(number, answer, chain))
    whole = header._replace(length=HEADER_SIZE + 4 + len(chain)).pack()
    return whole + GENERIC.pack(P.KE, 0, 4 + len(chain)) + chain


def test_without_such_exchanges_auth_covers_nothing_of_them() -> None:
    assert IntAuth().octets == b""
    one = IntAuth()
    one.note(keys(1), True, message(1, False, b"chain"), b"chain")
    assert one.octets == b"", "an exchange counts once it is answered"


def test_one_exchange() -> None:
    one = IntAuth()
    one.note(keys(1), True, message(1, False, b"ours"), b"ours")
    one.note(keys(1), False, message(1, True, b"theirs"), b"theirs")
    i = prf(b"\1" * 32, clear(1, False, b"ours"))
    r = prf(b"\x81" * 32, clear(1, True, b"theirs"))
    assert one.octets == i + r + (2).to_bytes(4, "big")


def test_each_exchange_covers_the_one_before_under_keys_of_its_own() -> None:
    one = IntAuth()
    i = r = b""
    for number in (1, 2, 3):
        one.note(keys(number), True, message(number, False, b"ours"), b"ours")
        one.note(keys(number), False, message(number, True, b"theirs"), b"theirs")
        i = prf(bytes([number]) * 32, i, clear(number, False, b"ours"))
        r = prf(bytes([0x80 | number]) * 32, r, clear(number, True, b"theirs"))
        assert one.octets == i + r + (number + 1).to_bytes(4, "big"), "the message ID of IKE_AUTH"


def test_both_ends_have_the_same_whatever_the_padding() -> None:
    ours, theirs = IntAuth(), IntAuth()
    for one, padding in ((ours, 20), (theirs, 36)):
        one.note(keys(1), True, message(1, False, b"a", padding), b"a")
        one.note(keys(1), False, message(1, True, b"b", padding), b"b")
    assert ours.octets == theirs.octets
