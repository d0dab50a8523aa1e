"""The struct twins of IKEv2's payloads are their constructs, on good and on bad input."""

from __future__ import annotations

from typing import Any

import pytest
from construct import ConstructError
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.constants.ikev2 import Payload
from isakmp.errors import MalformedPayload
from isakmp.payloads import codec
from isakmp.payloads.base import Codec, Misfit
from isakmp.payloads.data_attribute import DataAttribute
from isakmp.payloads.ikev2.delete import DeleteValue
from isakmp.payloads.ikev2.notify import NotifyValue
from isakmp.payloads.ikev2.sa import SaValue, TransformValue
from isakmp.payloads.ikev2.ts import OpaqueValue, RangeValue, TsValue
from isakmp.payloads.shapes import ProposalValue

octet, word = st.integers(0, 0xFF), st.integers(0, 0xFFFF)


def of(kind: Payload) -> Codec[Any]:
    found = codec(2, kind)
    assert found is not None and found.twin is not None
    return found


def some(one: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(one, max_size=most).map(tuple)


attributes = st.builds(DataAttribute, st.integers(0, 0x8000), word | st.binary(max_size=4))
transforms = st.builds(
    TransformValue, st.integers(0, 0x100), st.integers(0, 0x10000), some(attributes, 3)
)
proposals = st.builds(ProposalValue, octet, octet, st.binary(max_size=9), some(transforms, 4))
ranges = st.sampled_from([(7, 4), (8, 16), (7, 16), (8, 3)]).flatmap(
    lambda kind: st.builds(
        RangeValue,
        st.just(kind[0]),
        octet,
        word,
        word,
        st.binary(min_size=kind[1], max_size=kind[1]),
        st.binary(min_size=kind[1], max_size=kind[1]),
    )
)
labels = st.builds(OpaqueValue, st.sampled_from([7, 9, 10]), octet, st.binary(max_size=9))


VALUES: dict[Payload, st.SearchStrategy[Any]] = {
    Payload.SA: st.builds(SaValue, some(proposals, 3)),
    Payload.TSI: st.builds(TsValue, some(ranges | labels, 4)),
    Payload.DELETE: st.builds(DeleteValue, octet, some(st.binary(max_size=5), 4)),
    Payload.NOTIFY: st.builds(
        NotifyValue, octet, st.integers(0, 0x10000), st.binary(max_size=9), st.binary(max_size=20)
    ),
}


def specified(found: Codec[Any], value: Any) -> bytes | None:
    """What the construct builds; None where it cannot."""
    try:
        return bytes(found.construct.build(value))
    except (ConstructError, KeyError):
        return None


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.name)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_both_build_the_same_or_nothing(kind: Payload, data: st.DataObject) -> None:
    found, value = of(kind), data.draw(VALUES[kind])
    body = specified(found, value)
    if body is None:
        with pytest.raises(MalformedPayload, match="cannot be built"):
            found.build(value)
        return
    assert found.build(value) == body
    assert found.parse(body) == value


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.name)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_both_read_the_same_and_find_the_same_fault(kind: Payload, data: st.DataObject) -> None:
    found = of(kind)
    good = data.draw(VALUES[kind].map(lambda value: specified(found, value)).filter(bool))
    assert good is not None
    body = bytearray(good)
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, 120), octet), max_size=3)):
        if at < len(body):
            body[at] = value
    cut = data.draw(st.sampled_from([None, None, len(body) // 2, -1, -2]))
    hostile = bytes(body[:cut]) + data.draw(st.sampled_from([b"", b"", b"\0", b"\3\0\0\4"]))
    try:
        expected = found.specify(hostile)
    except Misfit as misfit:
        with pytest.raises(MalformedPayload) as caught:
            found.parse(hostile)
        assert caught.value.path == found.name + misfit.where
        assert caught.value.offset == misfit.at
        return
    assert found.parse(hostile) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Payload.SA, SaValue((ProposalValue(1, 1, b"", (TransformValue(1, 12, ()),)),) * 256)),
        (Payload.SA, SaValue((ProposalValue(1, 1, b"", (TransformValue(1, 12, ()),) * 256),))),
        (Payload.TSI, TsValue((OpaqueValue(10, 0, b""),) * 256)),
    ],
)  # fmt: skip
def test_more_than_there_may_be(kind: Payload, value: Any) -> None:
    found = of(kind)
    with pytest.raises(MalformedPayload):
        found.build(value)
    with pytest.raises(ConstructError):
        found.construct.build(value)


@pytest.mark.parametrize(
    ("kind", "body", "path"),
    [
        (Payload.SA, "02000010" "01010001" "0000000801000001" * 1, "SA.proposal[1]"),
        (Payload.TSI, "ff000000" + "0a000004" * 256, "TSi.selector[255]"),
        (Payload.SA, ("02000010" "01010001" "0000000801000001") * 256, "SA.proposal[255]"),
        (Payload.SA, "0000080801010000" + "0300000801000001" * 256,
         "SA.proposal[0].transform[255]"),
    ],
)  # fmt: skip
def test_where_there_is_one_too_many(kind: Payload, body: str, path: str) -> None:
    with pytest.raises(MalformedPayload) as caught:
        of(kind).parse(bytes.fromhex(body))
    with pytest.raises(Misfit) as misfit:
        of(kind).specify(bytes.fromhex(body))
    assert caught.value.path == path == of(kind).name + misfit.value.where
