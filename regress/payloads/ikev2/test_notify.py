"""The notify payload: an SPI of the size that it says, and data. RFC 7296 3.10."""

from __future__ import annotations

import pytest

from isakmp.constants.ikev2 import Hash, Notify
from isakmp.payloads.ikev2.notify import CODEC, NotifyValue
from regress.payloads.told import refused, shown, unbuildable


def body(notify: int, data: bytes, spi: bytes = b"", protocol: int = 0) -> bytes:
    return bytes([protocol, len(spi)]) + notify.to_bytes(2, "big") + spi + data


def test_an_spi_and_data() -> None:
    value = NotifyValue(3, 16393, b"\xde\xad\xbe\xef", b"more")
    whole = body(16393, b"more", b"\xde\xad\xbe\xef", 3)
    assert CODEC.build(value) == whole and CODEC.parse(whole) == value


@pytest.mark.parametrize("octets", [b"", b"\0\0\x40", b"\3\4\x40\x09abc"])
def test_refused(octets: bytes) -> None:
    refused(CODEC, octets)


def test_what_cannot_be_built() -> None:
    unbuildable(CODEC, NotifyValue(0, 65536, b"", b""))
    unbuildable(CODEC, NotifyValue(0, 1, bytes(256), b""))


@pytest.mark.parametrize(
    ("notify", "data", "text"),
    [
        (Notify.INVALID_KE_PAYLOAD, b"\0\x1f", "CURVE25519"),
        (Notify.INVALID_KE_PAYLOAD, b"\x1f", "1f"),
        (Notify.SIGNATURE_HASH_ALGORITHMS, b"\0\2\0\4", f"{Hash(2).name}, {Hash(4).name}"),
        (Notify.SIGNATURE_HASH_ALGORITHMS, b"\0\2\0", "000200"),
        (Notify.ADDITIONAL_IP4_ADDRESS, b"\n\0\0\1", "10.0.0.1"),
        (Notify.COOKIE, b"\xab\xcd", "abcd"),
        (Notify.MOBIKE_SUPPORTED, b"", "-"),
    ],
)
def test_what_it_carries_is_shown(notify: Notify, data: bytes, text: str) -> None:
    said = shown(CODEC, body(notify, data))
    assert said.startswith(f"{notify.name} protocol_id ") and said.endswith(f" data {text}")


def test_what_nobody_knows_has_its_number() -> None:
    assert shown(CODEC, body(9999, b"\1", b"\2", 3)) == (
        "UNKNOWN(9999) protocol_id ESP spi 02 data 01"
    )
