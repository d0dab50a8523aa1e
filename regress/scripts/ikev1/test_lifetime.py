"""RESPONDER-LIFETIME, which shortens the life of an SA: RFC 2407 4.5.4 and 4.6.3.1."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.constants import isakmp
from isakmp.payloads.data_attribute import DataAttribute, build_attributes
from isakmp.scripts.ikev1.informational import notify_payload
from regress.scripts.ikev1.by_hand import Peer

NOTIFY = isakmp.Notify


def responder_lifetime(seconds: int | bytes) -> tuple[int, Any]:
    data = build_attributes([DataAttribute(1, 1), DataAttribute(2, seconds)])
    return notify_payload(NOTIFY.RESPONDER_LIFETIME, 3, b"\0\1\2\3", data)


@pytest.mark.parametrize(
    ("said", "kept"), [(300, 300), ((300).to_bytes(4, "big"), 300), (5000, 1200), (0, 1200)]
)
def test_the_responders_lifetime_shortens_ours(said: int | bytes, kept: int) -> None:
    peer = Peer()
    peer.answer_quick_mode([responder_lifetime(said)])
    assert {s.limits.hard_s for s in peer.west.app.sas.values()} <= {kept, 1200}
    assert peer.west.rows(2)[0]["hard_s"] == kept


def test_a_lifetime_that_cannot_be_read_is_ignored() -> None:
    peer = Peer()
    peer.answer_quick_mode([notify_payload(NOTIFY.RESPONDER_LIFETIME, 3, b"\0\1\2\3", b"\0")])
    assert peer.west.rows(2)[0]["hard_s"] == 1200
