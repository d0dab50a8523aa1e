"""What proves itself counts, whatever becomes of what it says: RFC 2409 5.5, RFC 3947 7."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.constants import DOI_IPSEC, isakmp
from isakmp.crypto import keymat
from isakmp.payloads.sa import SaValue, TransformValue
from isakmp.payloads.shapes import ProposalValue
from isakmp.scripts.ikev1.informational import notify_payload
from regress.scripts.ikev1.by_hand import Peer

P = isakmp.Payload
NEW = 20001
ESP = ProposalValue(1, isakmp.Protocol.IPSEC_ESP, b"\0\1\2\3", (TransformValue(1, 12, ()),))
OFFER = SaValue(DOI_IPSEC, 1, (ESP,))
UNFIT: list[tuple[int, Any]] = [(P.SA, OFFER), (P.NONCE, b"r" * 16)]


@pytest.mark.parametrize(
    "says", [[notify_payload(isakmp.Notify.NO_PROPOSAL_CHOSEN)], UNFIT[:1], UNFIT],
    ids=["no", "lacks a nonce", "unfit"],
)  # fmt: skip
def test_a_peer_whose_answer_is_refused_is_where_that_came_from(says: list[Any]) -> None:
    """Its HASH covers our nonce, or a message ID of ours, so that it is new."""
    peer = Peer()
    (sa,) = peer.west.daemon.sas.isakmp.values()
    sa.nat.remote, sa.last_heard = True, 0.0
    asked, peer.port = peer.caught.pop(), NEW
    number = asked.header.message_id
    ni_b = peer.opened(asked, peer.keys.phase_2_iv(number))[2].body
    peer.say(
        isakmp.Exchange.QUICK_MODE, number, asked.data[-16:], says,
        lambda rest: keymat.quick_hash_2(peer.keys.prf, peer.keys.skeyid_a, number, ni_b, rest),
    )  # fmt: skip
    assert peer.west.reasons(), "it is refused"
    assert (sa.path.remote_port, sa.last_heard) == (NEW, peer.net.now)


def test_a_first_message_that_is_refused_says_only_that_its_peer_lives() -> None:
    """It may have been recorded and kept back."""
    peer, number = Peer(), 0x1234
    (sa,) = peer.west.daemon.sas.isakmp.values()
    sa.nat.remote, sa.last_heard, peer.port = True, 0.0, NEW
    iv = peer.keys.phase_2_iv(number)
    peer.say(isakmp.Exchange.QUICK_MODE, number, iv, UNFIT, peer.hash_1(number))
    assert peer.west.reasons(), "it is refused"
    assert (sa.path.remote_port, sa.last_heard) == (500, peer.net.now)
