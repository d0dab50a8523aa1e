"""Every IKEv2 codec: its vectors, the way back, each cut, and its struct twin."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.constants.ikev2 import Payload
from isakmp.constants.key_exchange import method_name
from isakmp.errors import MalformedPayload
from isakmp.message import build_payloads, parse_payloads
from isakmp.payloads import codec, codecs, family
from isakmp.payloads.base import Codec, Misfit
from isakmp.payloads.ikev2 import FAMILY
from isakmp.payloads.ikev2.cp import CpAttribute, CpValue
from isakmp.payloads.ikev2.delete import DeleteValue
from isakmp.payloads.ikev2.eap import EapValue
from isakmp.payloads.ikev2.ke import KeValue
from isakmp.payloads.ikev2.notify import NotifyValue
from isakmp.payloads.ikev2.sa import SaValue
from isakmp.payloads.ikev2.ts import OpaqueValue, TsValue
from isakmp.payloads.shapes import Octets

CODECS = list(FAMILY.codecs.values())
VECTORS = [(codec, bytes.fromhex(text), value) for codec in CODECS for text, value in codec.vectors]


def of(type: Payload) -> Codec[Any]:
    found = codec(2, type)
    assert found is not None
    return found


def test_the_registry_knows_them() -> None:
    assert family(2) is FAMILY
    assert codecs(2) == CODECS
    assert codecs(9) == []
    opaque = {Payload.NONE, Payload.GSPM, Payload.IDG, Payload.GSA, Payload.KD, Payload.PS}
    assert {found.type for found in CODECS} == set(Payload) - opaque


@pytest.mark.parametrize(("codec", "body", "value"), VECTORS)
def test_vectors(codec: Codec[Any], body: bytes, value: dict[str, Any]) -> None:
    """RFC 7296 3.3 to 3.16."""
    assert codec.parse(body) == value
    assert codec.specify(body) == value
    # Tuples are equal whatever they are called.
    assert repr(codec.parse(body)) == repr(codec.specify(body)) == repr(value)
    assert codec.build(value) == body
    assert bytes(codec.construct.build(value)) == body


@pytest.mark.parametrize(("codec", "body", "value"), VECTORS)
def test_a_body_that_is_cut_is_refused_or_means_less(
    codec: Codec[Any], body: bytes, value: dict[str, Any]
) -> None:
    for size in range(len(body)):
        try:
            less = codec.parse(body[:size], 100)
        except MalformedPayload as error:
            assert error.path.split(".")[0] == codec.name
            assert error.offset >= 100
            assert error.rfc == codec.rfc
        else:
            assert codec.build(less) == body[:size]
            assert less != value


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_body_is_read_the_same_by_both_forms(codec: Codec[Any], data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from([bytes.fromhex(hex) for hex, _ in codec.vectors])))
    for at, octet in data.draw(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)))):
        if at < len(body):
            body[at] = octet
    body = body[: data.draw(st.integers(0, 100))]
    try:
        specified = codec.specify(bytes(body))
    except Misfit:
        with pytest.raises(MalformedPayload):
            codec.parse(bytes(body))
        return
    value = codec.parse(bytes(body))
    assert value == specified
    assert codec.parse(codec.build(value)) == value
    assert all(text.isprintable() for _, text in codec.describe(value))


@pytest.mark.parametrize(
    ("type", "body", "path", "offset", "reason"),
    [
        (Payload.SA, "00000008010100", "SA.proposal[0]", 0, "8 octets declared, 7 left"),
        (Payload.SA, "0200000801010000", "SA.proposal[0].transform[0]", 8, ""),
        (Payload.KE, "001f0000", "KE", 0, "no key exchange data"),
        (Payload.IDI, "01000000c00002", "IDi", 0, "IPV4_ADDR of 3 octets, not 4"),
        (Payload.IDR, "0d00000000", "IDr", 0, "NULL of 1 octets, not 0"),
        (Payload.AUTH, "02000000", "AUTH", 0, "no authentication data"),
        (Payload.NONCE, "00" * 15, "NONCE", 0, "15 octets of data: 16 to 256"),
        (Payload.NONCE, "00" * 257, "NONCE", 0, "257 octets of data"),
        (Payload.DELETE, "0300ffff", "DELETE", 0, "SPIs of no octets"),
        (Payload.DELETE, "0304000101020304ff", "DELETE", 0, "1 octets left over"),
        (Payload.NOTIFY, "03080001", "NOTIFY", 0, ""),
        (Payload.TSI, "020000000700001000000000" + "00" * 8, "TSi", 0, "2 selectors declared, 1"),
        (Payload.TSR, "0100000007000003", "TSr.selector[0]", 4, ""),
        (Payload.TSR, "010000000700000f" + "00" * 11, "TSr.selector[0]", 4, ""),
        (Payload.SK, "", "SK", 0, "0 octets of data"),
        (Payload.SKF, "00030002aa", "SKF", 0, "fragment 3 of 2"),
        (Payload.SKF, "00000000aa", "SKF", 0, "fragment 0 of 0"),
        (Payload.SKF, "00010001", "SKF", 0, "no encrypted data"),
        (Payload.CP, "010000000001ffff", "CP.attribute[0]", 4, ""),
        (Payload.EAP, "01070006", "EAP", 0, ""),
        (Payload.EAP, "0107000601", "EAP", 0, "an EAP length of 6 octets, 5 there"),
        (Payload.EAP, "03070005aa", "EAP", 0, "SUCCESS with data"),
    ],
)
def test_what_is_wrong_is_said_of_its_place(
    type: Payload, body: str, path: str, offset: int, reason: str
) -> None:
    with pytest.raises(MalformedPayload) as caught:
        of(type).parse(bytes.fromhex(body))
    assert (caught.value.path, caught.value.offset) == (path, offset)
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("type", "value"),
    [
        (Payload.SA, SaValue(())),
        (Payload.KE, KeValue(31, b"")),
        (Payload.DELETE, DeleteValue(3, (b"1234", b"12"))),
        (Payload.DELETE, DeleteValue(3, (b"", b""))),
        (Payload.CP, CpValue(1, (CpAttribute(0x8001, b""),))),
        (Payload.EAP, EapValue(3, 1, None, b"x")),
        (Payload.TSI, TsValue((OpaqueValue(7, 0, b""),))),
    ],
)
def test_what_cannot_be_is_not_built(type: Payload, value: dict[str, Any]) -> None:
    with pytest.raises(MalformedPayload):
        of(type).build(value)


def test_up_to_its_fault_an_sa_can_be_shown() -> None:
    good, ill = "0000000801000014", "03000008020000050000000c0300000c00ffffff"
    offers = "0200001001010001" + good, "0000001c02010002" + ill
    value = of(Payload.SA).salvage(bytes.fromhex("".join(offers)))
    assert value is not None
    first, second = value.proposals
    assert [t.transform_id for t in first.transforms] == [20]
    assert [t.transform_id for t in second.transforms] == [5, 12]
    assert of(Payload.SA).describe(value)


def test_reserved_octets_are_ignored() -> None:
    """RFC 7296 2.5."""
    for type, body in (
        (Payload.SA, "00ff00100101000100ff000801ff000c"),
        (Payload.KE, "001fffff01"),
        (Payload.IDI, "02ffffff61"),
        (Payload.AUTH, "02ffffff61"),
        (Payload.TSI, "00ffffff"),
        (Payload.CP, "01ffffff80010000"),
    ):
        value = of(type).parse(bytes.fromhex(body))
        assert of(type).parse(of(type).build(value)) == value


def test_an_encrypted_payload_ends_the_chain_and_the_critical_bit_is_kept() -> None:
    items = [(Payload.NONCE, Octets(bytes(16)), True), (Payload.SK, Octets(b"secret"))]
    first, chain = build_payloads(2, items, Payload.IDI)  # type: ignore[arg-type]
    payloads, end = parse_payloads(2, first, chain)
    assert end == len(chain)
    assert [payload.critical for payload in payloads] == [True, False]
    assert payloads[-1].next_type == Payload.IDI


def test_dumps_are_symbolic() -> None:
    lines = of(Payload.SA).describe(VECTORS[0][2])
    assert lines[1] == (".proposal[0].transform[0]", "ENCR AES_CBC KEY_LENGTH = 256")
    assert lines[4] == (".proposal[0].transform[3]", "KE MODP_2048")
    notify = NotifyValue(0, 17, b"", b"\x00\x13")
    ((_, text),) = of(Payload.NOTIFY).describe(notify)
    assert text == "INVALID_KE_PAYLOAD protocol_id NONE spi - data ECP_256"
    notify = notify._replace(notify=16431, data=b"\x00\x02\x00\x05")
    ((_, text),) = of(Payload.NOTIFY).describe(notify)
    assert text.endswith("data SHA2_256, IDENTITY")
    ((_, text), _) = of(Payload.TSI).describe(of(Payload.TSI).parse(VECTORS_TS))
    assert text == "IPV6_ADDR_RANGE protocol 0 ports 500-500 ::-" + ":".join(["ffff"] * 8)
    assert of(Payload.CP).describe(CpValue(2, (CpAttribute(1, b"\x0a\x01\x01\x01"),))) == [
        ("", "type REPLY"),
        (".attribute[0]", "INTERNAL_IP4_ADDRESS = 10.1.1.1"),
    ]
    named = CpValue(1, (CpAttribute(7, b"isakmpd"),))
    assert of(Payload.CP).describe(named)[1][1] == 'APPLICATION_VERSION = "isakmpd"'
    notify = notify._replace(notify=16397, data=b"\x0a\0\0\1")
    ((_, text),) = of(Payload.NOTIFY).describe(notify)
    assert text == "ADDITIONAL_IP4_ADDRESS protocol_id NONE spi - data 10.0.0.1"
    for data, told in ((b"\2ours-1", "FIXED ours-1"), (b"\1\xff", "OPAQUE 0xff"), (b"", "-")):
        notify = notify._replace(notify=16436, data=data)
        ((_, text),) = of(Payload.NOTIFY).describe(notify)
        assert text == f"PPK_IDENTITY protocol_id NONE spi - data {told}"
    spis = DeleteValue(3, (bytes(4),) * 40)
    ((_, text),) = of(Payload.DELETE).describe(spis)
    assert text.endswith("00000000 ... (40 SPIs)")
    assert method_name(0) == "NONE"
    assert method_name(36) == "ML_KEM_768"


VECTORS_TS = bytes.fromhex(of(Payload.TSI).vectors[1][0])
