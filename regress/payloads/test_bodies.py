"""The other payloads: sizes their types demand, bounds, and how they read."""

from __future__ import annotations

from hashlib import md5

import pytest

from isakmp import payloads
from isakmp.constants.ipsec import Id
from isakmp.constants.isakmp import ConfigAttribute, Notify, Payload
from isakmp.errors import MalformedPayload
from isakmp.payloads import vendor
from isakmp.payloads.base import Codec
from isakmp.payloads.data_attribute import describe_attribute
from isakmp.payloads.delete import MAX_SPIS
from isakmp.payloads.id import identity


def of(type: Payload) -> Codec:
    codec = payloads.codec(1, type)
    assert codec
    return codec


def shown(type: Payload, body: bytes) -> str:
    ((where, text),) = of(type).describe(of(type).parse(body))
    assert where == ""
    return text


@pytest.mark.parametrize(
    ("type", "body"),
    [
        (Payload.KE, b""),
        (Payload.HASH, b""),
        (Payload.SIG, b""),
        (Payload.CERT, b"\4"),
        (Payload.CERT_REQ, b""),
        (Payload.NONCE, bytes(7)),
        (Payload.NONCE, bytes(257)),
        (Payload.NAT_D, b""),
        (Payload.NAT_D, bytes(65)),
        (Payload.NAT_OA, b"\1\0\0\0abc"),
        (Payload.NAT_OA, b"\1\0\0\1abcd"),
        (Payload.NAT_OA, b"\2\0\0\0abcd"),
        (Payload.ID, b"\1\0\0"),
        (Payload.ID, b"\1\0\0\0abc"),
        (Payload.ID, b"\4\0\0\0abcd"),
        (Payload.ID, b"\2\0\0\0"),
        (Payload.NOTIFY, bytes(7)),
        (Payload.NOTIFY, bytes.fromhex("0000000101040010abcdef")),
        (Payload.DELETE, bytes(7)),
        (Payload.DELETE, bytes.fromhex("0000000103040000")),
        (Payload.DELETE, bytes.fromhex("000000010300ffff")),
        (Payload.DELETE, bytes.fromhex("0000000103040002deadbeef")),
        (Payload.DELETE, bytes.fromhex("0000000103040001deadbeef00")),
        (Payload.DELETE, b"\0\0\0\1\3\1" + (MAX_SPIS + 1).to_bytes(2, "big") + bytes(MAX_SPIS + 1)),
        (Payload.ATTRIBUTE, bytes.fromhex("01010001")),
        (Payload.ATTRIBUTE, bytes.fromhex("0100000100010005aabb")),
    ],
)
def test_refused(type: Payload, body: bytes) -> None:
    with pytest.raises(MalformedPayload) as caught:
        of(type).parse(body, 32)
    assert caught.value.path.split(".")[0] == type.name
    assert 32 <= caught.value.offset <= 32 + len(body)
    assert caught.value.reason


@pytest.mark.parametrize(
    ("type", "value"),
    [
        (Payload.NONCE, {"data": bytes(7)}),
        (Payload.ID, {"type": 1, "protocol": 0, "port": 0, "data": b"abc"}),
        (Payload.DELETE, {"doi": 1, "protocol_id": 3, "spis": []}),
        (Payload.DELETE, {"doi": 1, "protocol_id": 3, "spis": [b"abcd", b"abc"]}),
        (Payload.ATTRIBUTE, {"type": 1, "identifier": 1, "attributes": [{"type": 1}]}),
        (
            Payload.ATTRIBUTE,
            {"type": 1, "identifier": 1, "attributes": [{"type": 1, "value": 1}] * 65},
        ),
        (Payload.NAT_OA, {"type": 1, "data": bytes(16)}),
    ],
)
def test_what_cannot_be_built(type: Payload, value: dict[str, object]) -> None:
    with pytest.raises(MalformedPayload, match="cannot be built"):
        of(type).build(value)


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        (Id.IPV4_ADDR, bytes((10, 0, 3, 1)), "10.0.3.1"),
        (Id.IPV4_ADDR_SUBNET, bytes((10, 1, 0, 0, 255, 255, 0, 0)), "10.1.0.0/255.255.0.0"),
        (Id.IPV4_RANGE, bytes((10, 0, 0, 1, 10, 0, 0, 9)), "10.0.0.1-10.0.0.9"),
        (Id.IPV6_ADDR, bytes(15) + b"\1", "::1"),
        (Id.IPV6_ADDR_SUBNET, b"\xfd" + bytes(15) + b"\xff" * 2 + bytes(14), "fd00::/ffff::"),
        (Id.FQDN, b"moon.example.org", '"moon.example.org"'),
        (Id.KEY_ID, b"\1\2", "0102"),
    ],
)
def test_identities_read_as_people_write_them(kind: Id, data: bytes, text: str) -> None:
    assert identity(kind, data) == text
    body = bytes((kind, 0, 0, 0)) + data
    assert shown(Payload.ID, body) == f"type {kind.name} protocol 0 port 0 data {text}"


@pytest.mark.parametrize(
    ("notify", "data", "text"),
    [
        (Notify.R_U_THERE, b"\0\0\1\0", "sequence 256"),
        (Notify.R_U_THERE_ACK, b"\0", "00"),
        (
            Notify.RESPONDER_LIFETIME,
            bytes.fromhex("800100010002000400007080"),
            "LIFE_TYPE = SECONDS, LIFE_DURATION = 28800",
        ),
        (Notify.RESPONDER_LIFETIME, b"\0\2\0", "000200"),
        (Notify.INITIAL_CONTACT, b"", "-"),
    ],
)
def test_notifications_say_what_they_carry(notify: Notify, data: bytes, text: str) -> None:
    body = b"\0\0\0\1\1\0" + notify.to_bytes(2, "big") + data
    expected = f"notify {notify.name} doi IPSEC protocol_id ISAKMP spi - data {text}"
    assert shown(Payload.NOTIFY, body) == expected


def test_deletes_list_their_spis() -> None:
    body = bytes.fromhex("0000000103040002deadbeef00001001")
    assert shown(Payload.DELETE, body) == "doi IPSEC protocol_id IPSEC_ESP spis deadbeef 00001001"


def test_attributes_of_octets_too_long_for_a_number() -> None:
    attribute = {"type": 6, "value": bytes(64)}
    assert describe_attribute(attribute, 1) == f"GROUP_PRIME = {'00' * 32}... (64 octets)"


def test_mode_config_reads_and_hides_passwords() -> None:
    attributes = [
        {"type": ConfigAttribute.INTERNAL_IP4_ADDRESS, "value": bytes((10, 1, 0, 2))},
        {"type": ConfigAttribute.INTERNAL_IP4_SUBNET, "value": bytes((10, 0, 0, 0, 255, 0, 0, 0))},
        {"type": ConfigAttribute.INTERNAL_IP4_DNS, "value": b""},
        {"type": ConfigAttribute.XAUTH_STATUS, "value": 1},
        {"type": ConfigAttribute.XAUTH_USER_NAME, "value": b"jo"},
        {"type": ConfigAttribute.XAUTH_USER_PASSWORD, "value": b"hunter2"},
        {"type": ConfigAttribute.XAUTH_PASSCODE, "value": b""},
    ]
    value = {"type": 2, "identifier": 5, "attributes": attributes}
    lines = of(Payload.ATTRIBUTE).describe(value)
    assert lines[0] == ("", "type REPLY identifier 5")
    assert [text.partition(" = ")[2] for _, text in lines[1:]] == [
        "10.1.0.2",
        "10.0.0.0/255.0.0.0",
        "-",
        "1",
        '"jo"',
        "(hidden)",
        "-",
    ]


@pytest.mark.parametrize(
    ("constant", "text", "digest"),
    [
        (vendor.VENDOR_RFC3947, "RFC 3947", "4a131c81070358455c5728f20e95452f"),
        (
            vendor.VENDOR_NAT_T_02_NEWLINE,
            "draft-ietf-ipsec-nat-t-ike-02\n",
            "90cb80913ebb696e086381b5ec427b1f",
        ),
        (
            vendor.VENDOR_NAT_T_02,
            "draft-ietf-ipsec-nat-t-ike-02",
            "cd60464335df21f87cfdb2fc68b6a448",
        ),
        (
            vendor.VENDOR_NAT_T_03,
            "draft-ietf-ipsec-nat-t-ike-03",
            "7d9419a65310ca6f2c179d9215529d56",
        ),
        (vendor.VENDOR_FRAGMENTATION, "FRAGMENTATION", "4048b7d56ebce88525e7de7f00d6c2d3"),
        (vendor.VENDOR_STRONGSWAN, "strongSwan", "882fe56d6fd20dbc2251613b2ebe5beb"),
    ],
)
def test_vendor_ids_are_the_published_digests(constant: bytes, text: str, digest: str) -> None:
    assert constant.hex() == digest == md5(text.encode(), usedforsecurity=False).hexdigest()
    assert vendor.vendor_name(constant)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (vendor.VENDOR_DPD, "DPD"),
        (vendor.VENDOR_DPD[:14] + b"\1\1", "DPD"),
        (vendor.VENDOR_XAUTH, "XAUTH"),
        (vendor.VENDOR_FRAGMENTATION + b"\x80\0\0\0", "fragmentation"),
        (vendor.VENDOR_RFC3947, "RFC 3947"),
        (b"HeartBeat_Notify8k\1\0", "ScreenOS heartbeat"),
        (bytes(16), ""),
    ],
)
def test_vendor_names(data: bytes, name: str) -> None:
    assert vendor.vendor_name(data) == name
    assert shown(Payload.VENDOR, data).startswith(name or "unknown")
