"""What a peer may answer to quick mode instead of a choice."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.constants import isakmp
from isakmp.crypto import keymat
from isakmp.scripts.ikev1.informational import notify_payload
from regress.pair import connected
from regress.scripts.ikev1.test_informational import Peer

NOTIFY, QUICK_MODE = isakmp.Notify, isakmp.Exchange.QUICK_MODE


def answer(peer: Peer, payloads: list[tuple[int, Any]], seal: str = "HASH(2)") -> Any:
    """Message 2 with those payloads alone; west's exchange."""
    first = peer.caught.pop()
    (quick,) = peer.west.daemon.engine.exchanges.values()
    number, keys = first.header.message_id, peer.keys

    def hash_2(rest: bytes) -> bytes:
        return keymat.quick_hash_2(keys.prf, keys.skeyid_a, number, quick.state.ni_b, rest)

    seals = {"HASH(1)": peer.hash_1(number), "HASH(2)": hash_2, "another": lambda rest: bytes(32)}
    peer.say(QUICK_MODE, number, first.data[-16:], payloads, seals[seal])
    return quick


@pytest.mark.parametrize("seal", ["HASH(1)", "HASH(2)"])
@pytest.mark.parametrize("number", [NOTIFY.NO_PROPOSAL_CHOSEN, NOTIFY.INVALID_ID_INFORMATION, 8192])
@pytest.mark.parametrize("beside", [[], [notify_payload(NOTIFY.REPLAY_STATUS)]])
def test_an_authentic_refusal_in_the_answer_ends_the_attempt(
    seal: str, number: int, beside: list[tuple[int, Any]]
) -> None:
    """RFC 2408 3.14 and RFC 2409 5.5: at once, with its reason; other notifies may go before."""
    peer = Peer()
    quick = answer(peer, [*beside, notify_payload(number, 3, b"\0\1\2\3")], seal)
    assert quick.over
    (reason,) = [o["reason"] for o in peer.west.outcomes if o["reason"]]
    assert (reason["cause"], reason["line"]) == ("peer-refused", quick.state.connection.line)
    said = NOTIFY(number).name if number in list(NOTIFY) else str(number)
    assert said in reason["came"]
    assert not peer.west.app.larval
    assert connected(peer.west, children=0)


@pytest.mark.parametrize(
    ("payloads", "seal"),
    [
        ([notify_payload(NOTIFY.NO_PROPOSAL_CHOSEN)], "another"),
        ([notify_payload(NOTIFY.REPLAY_STATUS)], "HASH(2)"),
        ([], "HASH(2)"),
    ],
)
def test_another_answer_is_waited_out(payloads: list[tuple[int, Any]], seal: str) -> None:
    """RFC 2409 5.5: what proves nothing or says nothing ends nothing."""
    quick = answer(Peer(), payloads, seal)
    assert not quick.over
