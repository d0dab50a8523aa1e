"""Shapes that payload bodies share: what came before is known again, within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from isakmp.payloads.base import Codec, Misfit
from isakmp.payloads.data_attribute import DataAttribute
from isakmp.payloads.ikev2.sa import CODEC as SA_2
from isakmp.payloads.sa import CODEC as SA_1
from isakmp.payloads.shapes import (
    KNOWN_MAX,
    KNOWN_OCTETS,
    Octets,
    Shared,
    remembering,
    written_again,
)
from regress.payloads.values import first_changed


def _counting() -> tuple[list[bytes], object]:
    parsed: list[bytes] = []

    def parse(body: bytes) -> Octets:
        parsed.append(body)
        if body.startswith(b"bad"):
            raise Misfit("", 0, "bad")
        return Octets(body)

    return parsed, remembering(parse)


def test_a_body_that_came_before_is_not_parsed_again() -> None:
    parsed, parse = _counting()
    assert callable(parse)
    assert parse(b"one") is parse(bytes(bytearray(b"one")))
    assert parse(b"two") == Octets(b"two")
    assert parsed == [b"one", b"two"]


def test_long_bodies_and_bad_ones_are_not_kept() -> None:
    parsed, parse = _counting()
    assert callable(parse)
    longest = bytes(KNOWN_OCTETS)
    for body in (longest, longest, longest + b"\0", longest + b"\0"):
        assert parse(body) == Octets(body)
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


def test_what_is_shared_is_written_once() -> None:
    written: list[object] = []

    def build(value: Sequence[int]) -> bytes:
        written.append(value)
        return bytes(value)

    again = written_again(build)
    plain = (1, 2)
    one, other = Shared(plain), Shared(plain)
    for value in (one, one, other, plain, plain):
        assert again(value) == b"\1\2"
    assert written == [one, other, plain, plain]


def test_so_many_written_ones_are_kept() -> None:
    written: list[object] = []

    def build(value: tuple[int, ...]) -> bytes:
        written.append(value)
        return bytes(4)

    again = written_again(build)
    every = [Shared((n,)) for n in range(KNOWN_MAX + 1)]
    for value in (*every, every[0], every[-1]):
        again(value)
    assert written == [*every, every[0]]


def test_long_ones_are_written_anew() -> None:
    """A stranger's transform is written as it came (RFC 2408 4.2), with whatever is in it."""
    written: list[int] = []

    def build(value: tuple[int, ...]) -> bytes:
        written.append(value[0])
        return bytes(value[0])

    again = written_again(build)
    longest, longer = (Shared((size,)) for size in (KNOWN_OCTETS, KNOWN_OCTETS + 1))
    for value in (longest, longest, longer, longer):
        assert len(again(value)) == value[0]
    assert written == [KNOWN_OCTETS, *2 * [KNOWN_OCTETS + 1]]


@pytest.mark.parametrize(
    ("codec", "attributes", "shared"),
    [(SA_1, 114, True), (SA_1, 126, False), (SA_2, 116, True), (SA_2, 126, False)],
)
def test_what_is_known_again_is_bounded_in_octets(
    codec: Codec[Any], attributes: int, shared: bool
) -> None:
    """Whatever is kept beside an object is found again by it alone: it has to come again."""
    _, value = codec.vectors[0]
    (proposal,) = value.proposals
    (transform, *_) = proposal.transforms
    half = tuple(DataAttribute(99, n) for n in range(attributes // 2))
    transforms = (transform._replace(attributes=half),) * 2
    body = codec.build(first_changed(value, transforms=transforms))
    assert (len(body) <= KNOWN_OCTETS) is shared
    came = codec.parse(body)
    assert isinstance(came.proposals, Shared) is shared
    assert isinstance(came.proposals[0].transforms, Shared) is shared


@pytest.mark.parametrize("codec", [SA_1, SA_2], ids=["1", "2"])
def test_transforms_behind_another_spi_are_the_same_object(codec: Codec[Any]) -> None:
    _, value = codec.vectors[-1]
    offers = [first_changed(value, spi=bytes([n]) * 4) for n in (1, 2)]
    came = [codec.parse(codec.build(one)) for one in offers]
    first, second = (one.proposals[0] for one in came)
    assert (first.spi, second.spi) == (b"\1" * 4, b"\2" * 4)
    assert first.transforms is second.transforms
    assert first.transforms == codec.specify(codec.build(came[0])).proposals[0].transforms
