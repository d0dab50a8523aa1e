"""Datagrams of a capture to messages: everything in them that can be read, and what cannot."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from isakmp.capture import Datagram
from isakmp.decode.decoder import Decoded, Decoder
from isakmp.keytable import KeyTable
from isakmp.message import HEADER_SIZE, Header, build_payloads

NONCE, VENDOR = 10, 13


def datagram(data: bytes, frame: int = 1, missing: int = 0, last: int = 1) -> Datagram:
    here, there = ip_address(f"192.0.2.{last}"), ip_address("192.0.2.9")
    return Datagram(frame, 0, here, 500, there, 500, data, missing)


def message(body: bytes = b"nonce-nonce", major: int = 1, **change: int) -> bytes:
    first, chain = build_payloads(1, [(NONCE, body), (VENDOR, b"who")])
    header = Header(b"initiate", bytes(8), first, major, 0, 2, 0, 0, HEADER_SIZE + len(chain))
    return header._replace(**change).pack() + chain  # type: ignore[arg-type]


def only(data: bytes, missing: int = 0) -> Decoded:
    (found,) = Decoder(KeyTable()).decode(datagram(data, missing=missing))
    return found


def test_what_is_in_clear_is_read() -> None:
    found = only(message())
    assert found.message is not None and not found.errors and not found.encrypted
    assert [payload.type for payload in found.message.payloads] == [NONCE, VENDOR]
    header = found.header_dict()
    assert header is not None and header["exchange"] == "ID_PROT"


def test_what_is_too_short_has_no_header() -> None:
    found = only(message()[: HEADER_SIZE - 1])
    assert found.header is None and found.header_dict() is None
    assert [error.path for error in found.errors] == ["HDR"]


def test_a_version_that_is_not_spoken_is_shown_by_numbers() -> None:
    found = only(message(major=7))
    assert found.message is None and [e.path for e in found.errors] == ["HDR.version"]
    header = found.header_dict()
    assert header is not None and (header["version"], header["exchange"]) == ("7.0", "2")


def test_of_what_was_cut_off_the_rest_is_read() -> None:
    whole = message()
    found = only(whole[:-2], missing=2)
    assert found.errors[0].path == "HDR.length"
    assert "2 more were not captured" in found.errors[0].reason
    assert found.message is not None and found.message.payloads[0].type == NONCE


def test_several_in_one_go_are_told_apart() -> None:
    one, two = message(b"first-nonce"), message(b"other-nonce")
    found = Decoder(KeyTable()).decode(datagram(one + two))
    assert [decoded.data for decoded in found] == [one, two]


def test_behind_what_is_malformed_nothing_is_taken_for_another() -> None:
    bad = bytearray(message())
    bad[HEADER_SIZE + 2 : HEADER_SIZE + 4] = b"\xff\xff"
    found = Decoder(KeyTable()).decode(datagram(bytes(bad) + message()))
    assert len(found) == 1 and found[0].errors[0].path == "HDR.length"


def test_the_same_again_of_the_same_sender_says_where_it_was() -> None:
    decoder, data = Decoder(KeyTable()), message()
    repeats = [
        decoder.decode(datagram(data, frame, last=last))[0].repeats
        for frame, last in ((3, 1), (4, 2), (5, 1), (6, 1), (7, 2))
    ]
    assert repeats == [0, 0, 3, 3, 4]


def test_without_the_keys_it_is_said_why_it_was_not_opened() -> None:
    found = only(message(flags=1))
    assert found.encrypted and not found.decrypted and found.note
    assert found.message is not None and found.message.encrypted == message()[HEADER_SIZE:]


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_nothing_is_raised(cut: int) -> None:
    assert Decoder(KeyTable()).decode(datagram(message()[:cut]))
