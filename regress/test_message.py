"""Messages: the header, the walk over the chain, several in a datagram, captures of others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp import payloads as codecs
from isakmp.capture import Datagram, open_capture, read_datagrams, read_frames
from isakmp.constants.isakmp import Exchange, Flag, Payload
from isakmp.errors import MalformedPayload
from isakmp.message import (
    HEADER_SIZE,
    MAX_MESSAGES,
    MAX_PAYLOADS,
    Header,
    Item,
    Message,
    build_message,
    build_payloads,
    parse_header,
    parse_payloads,
    split,
    values_of,
)
from isakmp.payloads.shapes import Octets
from isakmp.payloads.vendor import VENDOR_DPD
from regress.payloads.values import CODECS, VALUES, damaged

HEADER = Header(b"initiato", b"responde", 0, 1, 0, Exchange.ID_PROT, 0, 0)
NONCE: Item = (Payload.NONCE, Octets(b"12345678"))
VENDOR: Item = (Payload.VENDOR, Octets(VENDOR_DPD))
SA: Item = (Payload.SA, CODECS["SA"].vectors[0][1])


def message(*items: Item) -> bytes:
    return build_message(HEADER, items)


def changed(data: bytes, at: int, *octets: int) -> bytes:
    return data[:at] + bytes(octets) + data[at + len(octets) :]


def test_header() -> None:
    """RFC 2408 3.1, RFC 7296 3.1."""
    header = Header(b"initiato", b"responde", 1, 1, 0, 2, 3, 0xDEADBEEF, 28)
    packed = bytes.fromhex("696e69746961746f726573706f6e646501100203deadbeef0000001c")
    assert header.pack() == packed
    assert Header.unpack(packed) == header == parse_header(packed)


@pytest.mark.parametrize(
    "field",
    [
        {"cky_i": 1},
        {"cky_r": b"short"},
        {"exchange_type": 256},
        {"message_id": -1},
        {"length": 1 << 32},
    ],
)
def test_a_header_that_cannot_be_built(field: dict[str, object]) -> None:
    with pytest.raises(MalformedPayload, match="cannot be built"):
        HEADER._replace(**field).pack()  # type: ignore[arg-type]


def test_a_message_reads_as_it_was_built() -> None:
    data = message(SA, NONCE, VENDOR)
    got = Message.parse(data)
    assert got.header == HEADER._replace(next_payload=Payload.SA, length=len(data))
    assert [payload.type for payload in got.payloads] == [1, 10, 13]
    assert [payload.next_type for payload in got.payloads] == [10, 13, 0]
    assert got.payloads[0].offset == HEADER_SIZE
    assert data[got.payloads[1].offset :][4:12] == got.payloads[1].body == b"12345678"
    assert got.build() == data


def test_payloads_are_found_by_type() -> None:
    got = Message.parse(message(VENDOR, NONCE, (Payload.VENDOR, b"other")))
    assert [payload.body for payload in got.all(Payload.VENDOR)] == [VENDOR_DPD, b"other"]
    first = got.first(Payload.VENDOR)
    assert first and first.of(codecs.VENDOR).data == VENDOR_DPD
    assert got.first(Payload.SA) is None
    assert got.all(Payload.SA) == []


def test_values_are_had_by_their_codec_and_by_no_other() -> None:
    got = Message.parse(message(VENDOR, NONCE, (77, b"whatever")))
    assert values_of(got.payloads, codecs.NONCE) == [Octets(b"12345678")]
    assert values_of(got.payloads, codecs.KE) == []
    vendor, _, opaque = got.payloads
    for payload in (vendor, opaque, vendor._replace(type=Payload.NONCE, value=None)):
        with pytest.raises(MalformedPayload, match="cannot be read as NONCE") as caught:
            payload.of(codecs.NONCE)
        assert caught.value.offset == payload.offset


def test_a_message_without_payloads() -> None:
    data = message()
    assert len(data) == HEADER_SIZE
    assert Message.parse(data).payloads == []
    assert Message.parse(data).build() == data


def test_an_unknown_payload_is_opaque() -> None:
    data = message(NONCE, (77, b"whatever"))
    opaque = Message.parse(data).payloads[1]
    assert (opaque.type, opaque.value, opaque.body) == (77, None, b"whatever")
    assert Message.parse(data).build() == data
    assert Message.parse(data).dump()[-1] == f"UNKNOWN(77): {b'whatever'.hex()}"
    with pytest.raises(MalformedPayload, match="opaque"):
        build_payloads(1, [(77, Octets(b"whatever"))])


def test_an_encrypted_message_keeps_its_octets() -> None:
    header = HEADER._replace(next_payload=Payload.ID, flags=Flag.ENCRYPTION, length=44)
    got = Message.parse(header.pack() + bytes(16))
    assert got.payloads == [] and got.encrypted == bytes(16)
    assert got.build() == header.pack() + bytes(16)
    assert got.dump()[-1] == f"encrypted: {'00' * 16}"
    assert got.to_dict()["encrypted"] == "00" * 16


def test_the_chain_tells_where_it_ends() -> None:
    first, chain = build_payloads(1, [NONCE, VENDOR])
    payloads, end = parse_payloads(1, first, chain + bytes(9), offset=28)
    assert end == len(chain)
    assert [payload.offset for payload in payloads] == [28, 40]
    assert parse_payloads(1, 0, b"padding") == ([], 0)


CHAIN = build_payloads(1, [NONCE, VENDOR])[1]


@pytest.mark.parametrize(
    ("data", "path", "offset"),
    [
        (CHAIN[:3], "NONCE", 28),
        (CHAIN[:11], "NONCE", 28),
        (CHAIN[:12], "VENDOR", 40),
        (CHAIN[:14], "VENDOR", 40),
        (CHAIN[:-1], "VENDOR", 40),
        (changed(CHAIN, 1, 1), "NONCE", 28),
        (changed(CHAIN, 2, 0, 3), "NONCE", 28),
        (changed(CHAIN, 2, 0, 0), "NONCE", 28),
        (changed(CHAIN, 2, 255, 255), "NONCE", 28),
        (changed(CHAIN, 0, Payload.PROPOSAL), "PROPOSAL", 40),
        (changed(CHAIN, 0, Payload.NONE + 99), "UNKNOWN(99)", 60),
        (changed(CHAIN, 12, Payload.SA), "SA", 60),
        (changed(CHAIN, 0, Payload.ID)[:-8] + b"\1", "ID", 40),
        (changed(CHAIN, 0, Payload.NAT_OA), "NAT_OA", 44),
    ],
)
def test_a_broken_chain_is_told_by_payload_and_octet(data: bytes, path: str, offset: int) -> None:
    """RFC 2408 3.2, RFC 7296 3.2."""
    if path == "UNKNOWN(99)":  # opaque, so that the chain goes on behind it
        data = changed(data, 12, 99)
    with pytest.raises(MalformedPayload) as caught:
        parse_payloads(1, Payload.NONCE, data, 28)
    assert (caught.value.path, caught.value.offset) == (path, offset)
    assert caught.value.rfc
    assert str(caught.value).startswith(f"{path} at octet {offset}: ")


def test_the_number_of_payloads_is_bounded() -> None:
    first, chain = build_payloads(1, [(Payload.VENDOR, b"")] * MAX_PAYLOADS)
    assert len(parse_payloads(1, first, chain)[0]) == MAX_PAYLOADS
    first, chain = build_payloads(1, [(Payload.VENDOR, b"")] * (MAX_PAYLOADS + 1))
    with pytest.raises(MalformedPayload, match="more than 64"):
        parse_payloads(1, first, chain)
    with pytest.raises(MalformedPayload, match="more than 2"):
        parse_payloads(1, first, chain, max_payloads=2)


def test_a_payload_larger_than_its_length_field() -> None:
    assert len(build_payloads(1, [(Payload.CERT, bytes(0xFFFF - 4))])[1]) == 0xFFFF
    with pytest.raises(MalformedPayload, match="65536 octets"):
        build_payloads(1, [(Payload.CERT, bytes(0xFFFF - 3))])


@pytest.mark.parametrize("major", [0, 9, 15])
def test_a_version_that_is_not_spoken(major: int) -> None:
    data = HEADER._replace(major=major, length=28).pack()
    assert parse_header(data).major == major
    with pytest.raises(MalformedPayload, match="major version") as caught:
        Message.parse(data)
    assert caught.value.path == "HDR.version"


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b"", "HDR"),
        (message(NONCE)[:27], "HDR"),
        (message(NONCE)[:-1], "HDR.length"),
        (message(NONCE) + b"\0", "HDR.length"),
        (HEADER._replace(length=27).pack(), "HDR.length"),
        (HEADER._replace(length=28, flags=1).pack(), "HDR"),
        (HEADER._replace(length=29).pack() + b"\0", "HDR"),
    ],
)
def test_a_message_of_a_length_that_cannot_be(data: bytes, path: str) -> None:
    with pytest.raises(MalformedPayload) as caught:
        Message.parse(data)
    assert caught.value.path == path


def test_several_messages_in_a_datagram() -> None:
    one, two = message(NONCE), message(VENDOR)
    assert split(one) == [one]
    assert split(one + two) == [one, two]
    assert split(one * 9) == [one] * (MAX_MESSAGES - 1) + [one * (10 - MAX_MESSAGES)]


@pytest.mark.parametrize("rest", [b"\0", bytes(27), bytes(28)])
def test_octets_that_are_no_message_are_refused(rest: bytes) -> None:
    first, *others = split(message(NONCE) + rest)
    refused = others[-1] if others else first
    with pytest.raises(MalformedPayload):
        parse_header(refused)


@pytest.mark.parametrize("data", [b"", bytes(27), bytes(28), bytes(80), b"\xff" * 80])
def test_splitting_loses_nothing(data: bytes) -> None:
    assert b"".join(split(data)) == data


def test_the_dump_is_symbolic() -> None:
    data = build_message(HEADER._replace(flags=0x81, exchange_type=99), [SA, NONCE, VENDOR])
    header, *lines = Message.parse(changed(data, 19, 0x88)).dump()
    assert header == (
        "HDR: cky_i 696e69746961746f cky_r 726573706f6e6465 next_payload SA version 1.0 "
        f"exchange UNKNOWN(99) flags 0x88 message_id 00000000 length {len(data)}"
    )
    assert lines[0] == "SA: doi IPSEC situation IDENTITY_ONLY"
    assert lines[3] == "SA.proposal[0].transform[0].attribute[0]: ENCRYPTION_ALGORITHM = 3DES_CBC"
    assert lines[-2:] == [
        f"NONCE: data {b'12345678'.hex()}",
        f"VENDOR: DPD data {VENDOR_DPD.hex()}",
    ]
    encrypted = Message.parse(HEADER._replace(flags=3, length=36).pack() + bytes(8))
    assert " flags ENCRYPTION|COMMIT " in encrypted.dump()[0]


def test_a_message_in_json_keeps_every_octet() -> None:
    got = json.loads(json.dumps(Message.parse(message(SA, NONCE)).to_dict()))
    assert got["header"]["exchange"] == "ID_PROT"
    sa, nonce = got["payloads"]
    assert (nonce["name"], nonce["body"]) == ("NONCE", b"12345678".hex())
    assert nonce["value"] == {"data": b"12345678".hex()}
    assert sa["value"]["proposals"][0]["transforms"][0]["attributes"][0] == {"type": 1, "value": 5}
    assert sa["dump"][0] == "SA: doi IPSEC situation IDENTITY_ONLY"


_item = st.sampled_from(sorted(CODECS)).flatmap(
    lambda name: st.tuples(st.just(int(CODECS[name].type)), VALUES[name])
)


@given(st.lists(_item, max_size=5))
@settings(max_examples=60, deadline=None)
def test_round_trip(items: list[Item]) -> None:
    data = build_message(HEADER, items)
    got = Message.parse(data)
    assert [(payload.type, payload.value) for payload in got.payloads] == items
    assert got.build() == data


@given(st.lists(_item, min_size=1, max_size=4), st.data())
@settings(max_examples=120, deadline=None)
def test_a_damaged_message_is_read_or_malformed(items: list[Item], draws: st.DataObject) -> None:
    data = draws.draw(damaged(build_message(HEADER, items)))
    try:
        got = Message.parse(data)
    except MalformedPayload as error:
        assert 0 <= error.offset <= max(len(data), HEADER_SIZE)
        return
    assert got.build() == data
    assert got.dump()


def test_truncation_at_every_octet() -> None:
    data = message(SA, NONCE, VENDOR)
    for size in range(len(data)):
        with pytest.raises(MalformedPayload):
            Message.parse(data[:size])
        if size >= HEADER_SIZE:  # the header tells the truth, so that the chain is looked at
            with pytest.raises(MalformedPayload) as caught:
                Message.parse(changed(data[:size], 24, *size.to_bytes(4, "big")))
            assert HEADER_SIZE <= caught.value.offset <= size


def recorded(shared: Path) -> Iterator[tuple[str, bytes]]:
    """Every datagram of other implementations, and the file it is from."""
    vectors = shared / "vectors"
    for file in sorted((vectors / "captures").rglob("*.pcap*")):
        with open_capture(file) as stream:
            for found in read_datagrams(read_frames(stream)):
                if isinstance(found, Datagram):
                    yield file.name, found.message
    for file in sorted((vectors / "packets").rglob("*")):
        if file.is_file():
            yield file.name, file.read_bytes()
    for handshake in json.loads(
        (vectors / "handshakes" / "ikev1_psk_aggressive_and_main.json").read_text()
    ):
        for sent in handshake["messages"]:
            yield handshake["name"], bytes.fromhex(sent["hex"])


BROKEN = {
    "isakmp-no-none-np.pcapng",
    "isakmp-pointer-loop.pcap",
    "isakmpv1-attr-oobr.pcap",
    "pkt-custom-proposal.dat",
}
"""Recordings with messages that break RFC 2408 on purpose."""


def test_what_others_sent_is_rebuilt_bit_for_bit(shared: Path) -> None:
    read, malformed = 0, set()
    for name, datagram in recorded(shared):
        if datagram[17:18] != b"\x10":
            continue
        for data in split(datagram):
            try:
                got = Message.parse(data)
            except MalformedPayload as error:
                assert error.path and error.reason and error.rfc
                malformed.add(name)
            else:
                read += 1
                assert got.build() == data, name
                assert len(got.dump()) > len(got.payloads)
                json.dumps(got.to_dict())
    assert read > 80
    assert malformed == BROKEN
