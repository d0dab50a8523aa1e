"""What holds for every IKEv1 codec: its vectors, round trips, truncation, its twin."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp import payloads
from isakmp.constants.isakmp import Payload
from isakmp.errors import MalformedPayload
from isakmp.payloads.base import Codec
from regress.payloads.values import CODECS, VALUES, bodies, outcome

ALL = pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
TWINS = pytest.mark.parametrize(
    "codec", [c for c in CODECS.values() if c.twin], ids=[c.name for c in CODECS.values() if c.twin]
)
VECTORS = [
    pytest.param(codec, bytes.fromhex(text), value, id=f"{codec.name}-{index}")
    for codec in CODECS.values()
    for index, (text, value) in enumerate(codec.vectors)
]


@pytest.mark.parametrize(("codec", "body", "value"), VECTORS)
def test_vectors(codec: Codec[Any], body: bytes, value: Any) -> None:
    """RFC 2408 3.4 to 3.16."""
    assert codec.parse(body) == value
    assert codec.specify(body) == value
    # Tuples are equal whatever they are called.
    assert repr(codec.parse(body)) == repr(codec.specify(body)) == repr(value)
    assert codec.build(value) == body
    assert codec.construct.build(value) == body
    assert codec.describe(codec.parse(body))


@ALL
def test_every_codec_has_vectors_and_a_section(codec: Codec[Any]) -> None:
    assert codec.vectors
    assert codec.rfc
    assert codec.name == Payload(codec.type).name
    assert payloads.codec(1, codec.type) is codec


def test_every_ikev1_payload_has_a_codec_but_fragments() -> None:
    nested = {Payload.NONE, Payload.PROPOSAL, Payload.TRANSFORM}
    opaque = {kind for kind in Payload if payloads.codec(1, kind) is None}
    assert opaque == nested | {Payload.FRAGMENT}


def test_versions_that_are_not_spoken() -> None:
    assert payloads.codec(9, Payload.SA) is None
    assert payloads.family(9) is None


@ALL
@given(st.data())
@settings(max_examples=40, deadline=None)
def test_round_trip(codec: Codec[Any], draws: st.DataObject) -> None:
    value = draws.draw(VALUES[codec.name])
    body = codec.build(value)
    assert codec.parse(body) == value
    assert codec.build(codec.parse(body)) == body
    assert all(isinstance(line, str) for _, line in codec.describe(codec.parse(body)))


@pytest.mark.parametrize(("codec", "body", "value"), VECTORS)
def test_truncation(codec: Codec[Any], body: bytes, value: Any) -> None:
    for size in range(len(body)):
        try:
            shorter = codec.parse(body[:size], offset=100)
        except MalformedPayload as error:
            assert error.path.startswith(codec.name)
            assert 100 <= error.offset <= 100 + size
            assert error.rfc == codec.rfc
        else:  # data without a length of its own
            assert shorter != value
            assert codec.build(shorter) == body[:size]


@pytest.mark.parametrize(("codec", "body", "value"), VECTORS)
def test_octets_left_over(codec: Codec[Any], body: bytes, value: Any) -> None:
    try:
        longer = codec.parse(body + b"\0")
    except MalformedPayload:
        return
    assert longer.data == codec.parse(body).data + b"\0"


@ALL
@given(st.data())
@settings(max_examples=40, deadline=None)
def test_whatever_comes_is_a_value_or_malformed(codec: Codec[Any], draws: st.DataObject) -> None:
    body = draws.draw(bodies(codec))
    try:
        value = codec.parse(body)
    except MalformedPayload:
        return
    assert codec.build(value) == body
    assert codec.describe(value)


@TWINS
@given(st.data())
@settings(max_examples=40, deadline=None)
def test_the_twin_parses_as_the_construct_does(codec: Codec[Any], draws: st.DataObject) -> None:
    assert codec.twin
    body = draws.draw(bodies(codec))
    assert outcome(codec.twin.parse, body) == outcome(codec.specify, body)


_WRONG: tuple[Any, ...] = (None, "text", b"", [], b"\0" * 300, -1, 0x1_0000_0000)


def _wrong(value: Any) -> st.SearchStrategy[Any]:
    """No field's value. Octets never become a number: construct would take it for octets."""
    octets = isinstance(value, bytes)
    return st.sampled_from([wrong for wrong in _WRONG if not (octets and isinstance(wrong, int))])


@st.composite
def _spoilt(draw: st.DrawFn, value: Any) -> Any:
    """A value with one field, at whatever depth, gone or wrong."""
    if names := getattr(value, "_fields", ()):
        if draw(st.integers(0, 9)) == 0:
            return value[:-1]
        name = draw(st.sampled_from(names))
        return value._replace(**{name: draw(_spoilt(getattr(value, name)))})
    if isinstance(value, tuple) and value and draw(st.booleans()):
        at = draw(st.integers(0, len(value) - 1))
        return (*value[:at], draw(_spoilt(value[at])), *value[at + 1 :])
    return draw(_wrong(value))


def _built(codec: Codec[Any], value: Any) -> bytes | None:
    try:
        return codec.build(value)
    except MalformedPayload as error:
        assert error.path.startswith(codec.name)
        return None


@TWINS
@given(st.data())
@settings(max_examples=40, deadline=None)
def test_the_twin_builds_as_the_construct_does(codec: Codec[Any], draws: st.DataObject) -> None:
    good = VALUES[codec.name]
    value = draws.draw(st.one_of(good, good.flatmap(_spoilt)))
    alone = Codec(codec.name, codec.type, codec.construct, codec.rfc, (), codec.describe)
    assert _built(codec, value) == _built(alone, value)


@pytest.mark.parametrize(
    ("codec", "body"),
    [(codec, bytes.fromhex(text)) for major in (1, 2) for codec in payloads.codecs(major)
     for text, _ in codec.vectors],
)  # fmt: skip
def test_no_part_of_a_value_changes(codec: Codec[Any], body: bytes) -> None:
    """What comes again is shared, so that whoever changed it would change another's."""
    value = codec.parse(body)
    assert hash(value) == hash(codec.specify(body))
    for name in value._fields:
        with pytest.raises(AttributeError):
            setattr(value, name, None)
