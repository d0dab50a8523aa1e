"""What a peer may answer to quick mode instead of a choice."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.constants import isakmp
from isakmp.crypto import keymat
from isakmp.scripts.ikev1.informational import notify_payload
from isakmp.scripts.ikev1.quick import Quick
from regress.exchange.states import state_of
from regress.pair import EAST, WEST, Network, connected
from regress.scripts.changed import change_sent
from regress.scripts.ikev1.by_hand import Peer

P, NOTIFY, QUICK_MODE = isakmp.Payload, isakmp.Notify, isakmp.Exchange.QUICK_MODE


def answer(peer: Peer, payloads: list[tuple[int, Any]], seal: str = "HASH(2)") -> Any:
    """Message 2 with those payloads alone; west's exchange."""
    first = peer.caught.pop()
    (quick,) = peer.west.daemon.engine.exchanges.values()
    number, keys = first.header.message_id, peer.keys
    ni_b = state_of(quick, Quick).ni_b

    def hash_2(rest: bytes) -> bytes:
        return keymat.quick_hash_2(keys.prf, keys.skeyid_a, number, ni_b, rest)

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
    assert quick.over and quick.sa.ids.spoken
    (reason,) = [o["reason"] for o in peer.west.outcomes if o["reason"]]
    connection = quick.state.connection
    proposals = number == NOTIFY.NO_PROPOSAL_CHOSEN
    line = connection.suites[0].line if proposals else connection.line
    assert (reason["cause"], reason["line"]) == ("peer-refused", line)
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


# --- what comes by itself --------------------------------------------------------------------


def test_a_responder_whose_choice_is_refused_gives_it_up() -> None:
    """RFC 2408 3.14 and 5.4: the notify names our SPI; nothing is repeated to somebody who has
    refused it."""
    net = Network()
    _, east = net.host(WEST), net.host(EAST)

    def another(x: Any, message: Any) -> None:
        """Message 2 is about another network."""
        if x.script.name == "quick mode" and x.step == 1:
            ids = iter((bytes.fromhex("040000000a090000ffff0000"), x.state.id_bodies[1]))
            message.payloads = [(k, next(ids) if k == P.ID else v) for k, v in message.payloads]

    change_sent(east, another)
    net.start()
    net.pump()
    assert not east.daemon.engine.exchanges
    assert not east.app.larval and not east.app.sas
    assert "INVALID_ID_INFORMATION" in str(east.outcomes)


def test_an_spi_of_an_offer_may_be_what_is_invalid() -> None:
    """RFC 2408 5.4 and 5.14: of no SA that is there, but of one that is asked for."""
    peer = Peer()
    (quick,) = peer.west.daemon.engine.exchanges.values()
    (spi,) = state_of(quick, Quick).spis.values()
    for number, named in ((99, spi ^ 1), (100, spi)):
        note = notify_payload(NOTIFY.INVALID_SPI, 3, named.to_bytes(4, "big"))
        peer.say(5, number, peer.keys.phase_2_iv(number), [note], peer.hash_1(number))
        assert quick.over is (named == spi)
    assert "INVALID_SPI" in str(peer.west.outcomes)
