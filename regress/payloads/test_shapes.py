"""Shapes that payload bodies share: what came before is known again, within bounds."""

from __future__ import annotations

import pytest

from isakmp.payloads.base import Misfit, Value
from isakmp.payloads.shapes import KNOWN_MAX, KNOWN_OCTETS, remembering


def _counting() -> tuple[list[bytes], object]:
    parsed: list[bytes] = []

    def parse(body: bytes) -> Value:
        parsed.append(body)
        if body.startswith(b"bad"):
            raise Misfit("", 0, "bad")
        return Value(data=body)

    return parsed, remembering(parse)


def test_a_body_that_came_before_is_not_parsed_again() -> None:
    parsed, parse = _counting()
    assert callable(parse)
    assert parse(b"one") is parse(bytes(bytearray(b"one")))
    assert parse(b"two") == {"data": b"two"}
    assert parsed == [b"one", b"two"]


def test_long_bodies_and_bad_ones_are_not_kept() -> None:
    parsed, parse = _counting()
    assert callable(parse)
    longest = bytes(KNOWN_OCTETS)
    for body in (longest, longest, longest + b"\0", longest + b"\0"):
        assert parse(body) == {"data": body}
    for _ in range(2):
        with pytest.raises(Misfit):
            parse(b"bad")
    assert [len(body) for body in parsed] == [KNOWN_OCTETS, *2 * [KNOWN_OCTETS + 1], 3, 3]


def test_so_many_are_kept() -> None:
    parsed, parse = _counting()
    assert callable(parse)
    for number in (*range(KNOWN_MAX + 1), KNOWN_MAX, 0):
        parse(number.to_bytes(2, "big"))
    assert len(parsed) == KNOWN_MAX + 2, "the first had gone, the last had not"
