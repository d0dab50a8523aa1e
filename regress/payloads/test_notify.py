"""The notification payload: what it carries, and what a peer is told of what is malformed."""

from __future__ import annotations

import pytest

from isakmp.constants.isakmp import Notify
from isakmp.errors import MalformedPayload
from isakmp.payloads.notify import CODEC, NotifyValue, notify_for
from regress.payloads.told import refused, shown, unbuildable


@pytest.mark.parametrize("body", [bytes(7), bytes.fromhex("0000000101040010abcdef"), b""])
def test_refused(body: bytes) -> None:
    refused(CODEC, body)


def test_what_cannot_be_built() -> None:
    unbuildable(CODEC, NotifyValue(1, 1, 1, bytes(256), b""))
    unbuildable(CODEC, NotifyValue(1, 1, 65536, b"", b""))


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
    assert shown(CODEC, body) == expected


@pytest.mark.parametrize(
    ("path", "notify"),
    [
        ("SA.doi", Notify.DOI_NOT_SUPPORTED),
        ("SA.situation", Notify.SITUATION_NOT_SUPPORTED),
        ("SA.proposal[0].transform[1]", Notify.BAD_PROPOSAL_SYNTAX),
        ("HDR.length", Notify.UNEQUAL_PAYLOAD_LENGTHS),
        ("HDR.version", Notify.INVALID_MAJOR_VERSION),
        ("PROPOSAL", Notify.INVALID_PAYLOAD_TYPE),
        ("KE", Notify.PAYLOAD_MALFORMED),
        ("HDR", Notify.PAYLOAD_MALFORMED),
    ],
)
def test_what_a_peer_is_told(path: str, notify: Notify) -> None:
    """RFC 2408 5.2 to 5.4."""
    assert notify_for(MalformedPayload(path, 28, "is wrong")) is notify
