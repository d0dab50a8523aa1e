"""IKEv2 payloads from who means harm: RFC 7296 3, what is refused and what is let pass.

Each table holds a whole payload's body or a chain of them. What is refused raises MalformedPayload,
with the place; what RFC 7296 2.5 wants ignored is read as if it were zero.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.constants.ikev2 import Payload as P
from isakmp.errors import MalformedPayload, Refused
from isakmp.message import HEADER_SIZE, MAX_PAYLOADS, Header, Message, parse_payloads
from isakmp.payloads import codec
from isakmp.payloads.base import Codec
from isakmp.payloads.data_attribute import MAX_ATTRIBUTES
from isakmp.policy.boxes import SELECTORS_MAX
from isakmp.policy.traffic import from_wire

SIXTEEN = "00" * 16
TRANSFORM = "0000000801000014"
V4, V6 = "0a000000" + "0a0000ff", "00" * 16 + "ff" * 16


def of(kind: P) -> Codec[Any]:
    found = codec(2, kind)
    assert found is not None
    return found


def generic(following: int, body: str, *, flags: int = 0, length: int | None = None) -> str:
    """A payload in hexadecimal, with any length in its generic header."""
    size = 4 + len(body) // 2 if length is None else length
    return f"{following:02x}{flags:02x}{size:04x}{body}"


def proposal(
    transforms: str, count: int, *, protocol: int = 1, spi: str = "", following: int = 0,
    length: int | None = None, spi_size: int | None = None,
) -> str:  # fmt: skip
    size = 8 + len(spi + transforms) // 2 if length is None else length
    spis = len(spi) // 2 if spi_size is None else spi_size
    return f"{following:02x}00{size:04x}01{protocol:02x}{spis:02x}{count:02x}{spi}{transforms}"


def selector(addresses: str, *, kind: int = 7, length: int | None = None) -> str:
    size = 8 + len(addresses) // 2 if length is None else length
    return f"{kind:02x}00{size:04x}0000ffff{addresses}"


# --- bodies that are refused -----------------------------------------------------------------

REFUSED = [
    # SA: lengths that overlap, lie or loop
    (P.SA, "", "no proposal"),
    (P.SA, "00000004", "a proposal shorter than its header"),
    (P.SA, "00000000", "a proposal of no octets"),
    (P.SA, proposal("", 0), "no transforms"),
    (P.SA, proposal("", 1), "a transform declared, none there"),
    (P.SA, proposal(TRANSFORM, 2), "more transforms declared than there are"),
    (P.SA, proposal(TRANSFORM, 0), "fewer transforms declared than there are"),
    (P.SA, proposal(TRANSFORM, 1, length=15), "a proposal that ends inside its transform"),
    (P.SA, proposal(TRANSFORM, 1, length=17), "a proposal that ends behind the payload"),
    (P.SA, proposal(TRANSFORM, 1, length=0xFFFF), "a proposal of 64 KiB"),
    (P.SA, proposal(TRANSFORM, 1) + "00", "octets behind the last proposal"),
    (P.SA, proposal(TRANSFORM, 1, following=2), "another proposal announced, none there"),
    (P.SA, proposal(TRANSFORM, 1, following=3), "a proposal followed by a transform"),
    (P.SA, proposal(TRANSFORM, 1) + proposal(TRANSFORM, 1), "a proposal behind the last one"),
    (P.SA, proposal(TRANSFORM, 1, spi_size=8), "an SPI that is the transform"),
    (P.SA, proposal(TRANSFORM, 1, spi_size=255), "an SPI that ends behind the payload"),
    (P.SA, proposal("0300000801000014", 1), "another transform announced, none there"),
    (P.SA, proposal("0200000801000014", 1), "a transform followed by a proposal"),
    (P.SA, proposal("0000000701000014", 1), "a transform of 7 octets"),
    (P.SA, proposal("0000000901000014", 1), "a transform that ends behind its proposal"),
    (P.SA, proposal("0000000a01000014800e", 1), "half an attribute"),
    (P.SA, proposal("0000000c01000014000e0001", 1), "an attribute longer than its transform"),
    (P.SA, proposal("0000000c01000014000effff", 1), "an attribute of 64 KiB"),
    (P.SA, proposal(f"0000{8 + 4 * (MAX_ATTRIBUTES + 1):04x}01000014"
                    + "800e0080" * (MAX_ATTRIBUTES + 1), 1), "too many attributes"),
    # KE, IDs, AUTH, nonces
    (P.KE, "", "no group"),
    (P.KE, "001f00", "half a header"),
    (P.KE, "001f0000", "no public value"),
    (P.IDI, "", "no type"),
    (P.IDI, "010000000a0000", "an IPv4 address of 3 octets"),
    (P.IDR, "010000000a00000100", "an IPv4 address of 5 octets"),
    (P.IDI, "050000000a000001", "an IPv6 address of 4 octets"),
    (P.IDR, "0d00000000", "ID_NULL with data"),
    (P.AUTH, "", "no method"),
    (P.AUTH, "020000", "half a header"),
    (P.AUTH, "02000000", "no data"),
    (P.CERT, "", "no encoding"),
    (P.CERTREQ, "", "no encoding"),
    (P.NONCE, "", "an empty nonce"),
    (P.NONCE, "00" * 15, "a nonce of 15 octets"),
    (P.NONCE, "00" * 257, "a nonce of 257 octets"),
    # NOTIFY and DELETE: SPI sizes
    (P.NOTIFY, "", "nothing"),
    (P.NOTIFY, "000040", "half a header"),
    (P.NOTIFY, "03044009", "an SPI announced, none there"),
    (P.NOTIFY, "03044009010203", "an SPI that ends behind the payload"),
    (P.NOTIFY, "03ff4009" + "00" * 254, "an SPI of 255 octets in 254"),
    (P.DELETE, "", "nothing"),
    (P.DELETE, "030400", "half a header"),
    (P.DELETE, "03040001", "an SPI declared, none there"),
    (P.DELETE, "0304000201020304", "two SPIs declared, one there"),
    (P.DELETE, "030400010102030405", "octets behind the last SPI"),
    (P.DELETE, "0300ffff", "65535 SPIs of no octets"),
    (P.DELETE, "01000001", "one SPI of no octets"),
    (P.DELETE, "0304000001020304", "no SPIs declared, one there"),
    (P.DELETE, "03ffffff" + "00" * 64, "16 MB of SPIs in 64 octets"),
    # traffic selectors
    (P.TSI, "", "nothing"),
    (P.TSR, "010000", "half a header"),
    (P.TSI, "01000000", "a selector declared, none there"),
    (P.TSI, "00000000" + selector(V4), "a selector not declared"),
    (P.TSI, "02000000" + selector(V4), "two declared, one there"),
    (P.TSI, "01000000" + selector(V4, length=0), "a selector of no octets"),
    (P.TSI, "01000000" + selector(V4, length=3), "a selector shorter than its header"),
    (P.TSI, "01000000" + selector(V4, length=15), "a selector that ends in its address"),
    (P.TSI, "01000000" + selector(V4, length=17), "a selector that ends behind the payload"),
    (P.TSI, "01000000" + selector(V6), "IPv4 with addresses of IPv6"),
    (P.TSI, "01000000" + selector(V4, kind=8), "IPv6 with addresses of IPv4"),
    (P.TSI, "ff000000" + "0a000004" * 256, "more selectors than can be declared"),
    # SK and SKF
    (P.SK, "", "nothing encrypted"),
    (P.SKF, "", "nothing"),
    (P.SKF, "0001", "half a header"),
    (P.SKF, "00010001", "nothing encrypted"),
    (P.SKF, "00000001aa", "fragment 0"),
    (P.SKF, "00000000aa", "fragment 0 of 0"),
    (P.SKF, "00020001aa", "fragment 2 of 1"),
    (P.SKF, "ffff0001aa", "fragment 65535 of 1"),
    # CP and EAP
    (P.CP, "", "nothing"),
    (P.CP, "0100000000", "a quarter of an attribute"),
    (P.CP, "0100000000010001", "an attribute longer than the payload"),
    (P.CP, "01000000" + "00010000" * 257, "too many attributes"),
    (P.EAP, "", "nothing"),
    (P.EAP, "010700", "half a header"),
    (P.EAP, "01070004", "a request without a type"),
    (P.EAP, "0107000301", "a length inside the header"),
    (P.EAP, "010700ff01", "a length behind the payload"),
    (P.EAP, "0307000500", "a success with data"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "body"),
    [pytest.param(kind, body, id=f"{kind.name}: {what}") for kind, body, what in REFUSED],
)
def test_a_body_that_is_refused(kind: P, body: str) -> None:
    octets = bytes.fromhex(body)
    with pytest.raises(MalformedPayload) as caught:
        of(kind).parse(octets, 100)
    assert caught.value.path.split(".")[0] == of(kind).name
    assert 100 <= caught.value.offset <= 100 + len(octets)
    assert caught.value.rfc.startswith("RFC 7")
    assert len(caught.value.reason) < 200


# --- bodies that are let pass ----------------------------------------------------------------

RESERVED = [
    (P.SA, proposal(TRANSFORM, 1), "00ff0010" + "01010001" + "00ff000801ff0014"),
    (P.KE, "001f0000aa", "001fffffaa"),
    (P.IDI, "02000000aa", "02ffffffaa"),
    (P.IDR, "02000000aa", "02ffffffaa"),
    (P.AUTH, "02000000aa", "02ffffffaa"),
    (P.TSI, "01000000" + selector(V4), "01ffffff" + selector(V4)),
    (P.TSR, "01000000" + selector(V4), "01ffffff" + selector(V4)),
    (P.CP, "0100000000010000", "01ffffff80010000"),
]


@pytest.mark.parametrize(("kind", "zero", "ones"), RESERVED, ids=lambda kind: str(kind)[:8])
def test_reserved_bits_mean_nothing(kind: P, zero: str, ones: str) -> None:
    assert zero != ones
    parsed = [of(kind).parse(bytes.fromhex(body)) for body in (zero, ones)]
    assert parsed[0] == parsed[1]
    assert of(kind).build(of(kind).parse(bytes.fromhex(ones))) == bytes.fromhex(zero)


PASSED = [
    # What is in no registry is for policy to pass over, not for the codec to refuse.
    (P.SA, proposal(TRANSFORM, 1, protocol=200), "a protocol that is unknown"),
    (P.SA, proposal("00000008fa00ffff", 1), "a transform type that is unknown"),
    (P.SA, proposal(TRANSFORM, 1, protocol=3, spi="00" * 255), "an SPI of 255 octets"),
    (P.SA, proposal("0000000c01000014000e0000", 1), "a key length of no octets"),
    (P.KE, "ffff0000aa", "a group that is unknown"),
    (P.IDI, "ff000000", "an identity of a type that is unknown"),
    (P.IDI, "02000000", "a name of no octets"),
    (P.AUTH, "ff000000aa", "a method that is unknown"),
    (P.NONCE, "00" * 16, "the shortest nonce"),
    (P.NONCE, "00" * 256, "the longest nonce"),
    (P.NOTIFY, "ff00ffff", "a protocol and a type that are unknown"),
    (P.NOTIFY, "03ff4009" + "00" * 255, "the longest SPI"),
    (P.DELETE, "01000000", "the IKE SA"),
    (P.DELETE, "0300" + "0000", "child SAs, and none of them"),
    (P.DELETE, "01080001" + "00" * 8, "an IKE SA by its SPI"),
    (P.DELETE, "03010002" + "0102", "SPIs of 1 octet"),
    (P.TSI, "00000000", "no selectors"),
    (P.TSI, "01000000" + "09000004", "a security label of no octets"),
    (P.VENDOR, "", "a vendor ID of no octets"),
    (P.CERT, "ff", "an encoding that is unknown"),
    (P.SKF, "ffffffffaa", "fragment 65535 of 65535"),
    (P.CP, "ff000000", "a type that is unknown, no attributes"),
    (P.EAP, "ff070004", "a code that is unknown"),
]


@pytest.mark.parametrize(
    ("kind", "body"),
    [pytest.param(kind, body, id=f"{kind.name}: {what}") for kind, body, what in PASSED],
)
def test_a_body_that_passes(kind: P, body: str) -> None:
    octets = bytes.fromhex(body)
    value = of(kind).parse(octets)
    assert of(kind).build(value) == octets
    assert all(text.isprintable() and len(text) < 2000 for _, text in of(kind).describe(value))


# --- traffic selectors that select nothing ---------------------------------------------------

TS_REFUSED = [
    ("07000010" + "0000ffff" + "0a0000020a000001", "addresses"),
    ("07110010" + "00500035" + "0a0000010a000001", "ports 80 to 53"),
    ("08060028" + "0000ffff" + "ff" * 16 + "00" * 16, "addresses"),
    ("07060010" + "ffff0001" + "0a0000010a000001", "ports 65535 to 1"),
]


@pytest.mark.parametrize(("body", "reason"), TS_REFUSED)
@pytest.mark.parametrize("kind", [P.TSI, P.TSR])
def test_a_selector_that_ends_before_it_starts(kind: P, body: str, reason: str) -> None:
    value = of(kind).parse(bytes.fromhex("01000000" + body))
    with pytest.raises(MalformedPayload, match=reason):
        from_wire(value)


def test_selectors_that_are_let_pass() -> None:
    opaque = "07060010" + "ffff0000" + "0a0000010a000001"
    label = "0a000006abcd"
    value = of(P.TSI).parse(bytes.fromhex("02000000" + label + opaque))
    (found,) = from_wire(value)
    assert (found.start_port, found.end_port) == (65535, 0)
    with pytest.raises(Refused):
        from_wire(of(P.TSI).parse(bytes.fromhex("01000000" + label)))
    with pytest.raises(MalformedPayload, match="no selectors"):
        from_wire(of(P.TSI).parse(bytes(4)))


def test_more_selectors_than_anybody_compares() -> None:
    value = of(P.TSI).parse(bytes.fromhex("ff000000" + selector(V4) * 255))
    assert len(from_wire(value)) == SELECTORS_MAX


# --- chains ----------------------------------------------------------------------------------

NONCE = SIXTEEN


def chain(text: str, first: int) -> tuple[list[int], int]:
    payloads, end = parse_payloads(2, first, bytes.fromhex(text))
    return [payload.type for payload in payloads], end


CHAINS = [
    (P.NONCE, generic(P.NONE, NONCE, length=0), "a length of 0"),
    (P.NONCE, generic(P.NONE, NONCE, length=3), "a length inside the generic header"),
    (P.NONCE, generic(P.NONE, NONCE, length=21), "a length behind the end"),
    (P.NONCE, generic(P.NONE, NONCE, length=0xFFFF), "a length of 64 KiB"),
    (P.NONCE, generic(P.VENDOR, NONCE), "another payload announced, none there"),
    (P.NONCE, generic(P.VENDOR, NONCE) + "0000", "half a generic header"),
    (P.NONCE, "", "nothing"),
    (P.NONCE, generic(P.NONE, "00" * 8), "a nonce that is too short"),
    (200, generic(201, "", length=3), "an unknown payload of 3 octets"),
    (P.VENDOR, generic(P.VENDOR, "") * (MAX_PAYLOADS + 1), "too many payloads"),
    (200, generic(200, "") * (MAX_PAYLOADS + 1), "too many unknown payloads"),
    (P.SK, generic(P.IDI, ""), "an SK payload of nothing"),
    (P.SK, generic(P.IDI, "aabb", length=7), "an SK payload that ends behind the end"),
    (P.SKF, generic(P.IDI, "00020001aa"), "fragment 2 of 1"),
]


@pytest.mark.parametrize(
    ("first", "text"), [pytest.param(first, text, id=what) for first, text, what in CHAINS]
)
def test_a_chain_that_is_refused(first: int, text: str) -> None:
    with pytest.raises(MalformedPayload) as caught:
        chain(text, first)
    assert HEADER_SIZE <= caught.value.offset <= HEADER_SIZE + len(text) // 2


def test_what_is_unknown_is_kept_with_its_critical_bit() -> None:
    text = generic(P.NONCE, "abcd", flags=0xFF) + generic(254, NONCE, flags=0x7F)
    payloads, end = parse_payloads(2, 200, bytes.fromhex(text + generic(P.NONE, "")))
    assert [payload.type for payload in payloads] == [200, P.NONCE, 254]
    assert [payload.critical for payload in payloads] == [True, False, False]
    assert [payload.value is None for payload in payloads] == [True, False, True]
    assert end == len(text) // 2 + 4


@pytest.mark.parametrize("kind", [P.SK, P.SKF])
def test_an_encrypted_payload_is_the_last(kind: P) -> None:
    sealed = generic(P.IDI, "00010001aabb")
    types, end = chain(sealed + generic(P.NONE, NONCE), kind)
    assert (types, end) == ([kind], len(sealed) // 2)
    data = bytes.fromhex(sealed + generic(P.NONE, NONCE))
    length = HEADER_SIZE + len(data)
    header = Header(b"initiate", b"responds", kind, 2, 0, 35, 8, 1, length)
    with pytest.raises(MalformedPayload, match="left over"):
        Message.parse(header.pack() + data)


def test_payloads_before_the_encrypted_one_are_read() -> None:
    types, _ = chain(generic(P.SK, NONCE) + generic(P.IDI, "aa"), P.NONCE)
    assert types == [P.NONCE, P.SK]


@pytest.mark.parametrize("kind", [P.GSPM, P.IDG, P.GSA, P.KD, P.PS, 1, 32, 55, 255])
def test_payloads_without_a_codec_are_opaque(kind: int) -> None:
    ((payload,), _) = parse_payloads(2, kind, bytes.fromhex(generic(P.NONE, "abcd", flags=0x80)))
    assert (payload.body, payload.value, payload.critical) == (b"\xab\xcd", None, True)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 255), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=9))
def test_payloads_never_overlap(first: int, parts: list[tuple[int, int]]) -> None:
    text = "".join(generic(kind, "5a" * 16, length=20 - cut) for kind, cut in parts)
    try:
        payloads, end = parse_payloads(2, first, bytes.fromhex(text))
    except MalformedPayload as error:
        assert HEADER_SIZE <= error.offset <= HEADER_SIZE + len(text) // 2
        return
    stops = [payload.offset + 4 + len(payload.body) for payload in payloads]
    assert all(a == b.offset for a, (_, b) in zip(stops, pairwise(payloads), strict=False))
    assert stops[-1] == HEADER_SIZE + end <= HEADER_SIZE + len(text) // 2
