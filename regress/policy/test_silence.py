"""What silence means depends on what the peer has said before."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from isakmp.policy.silence import silence
from regress.pair import Network, Packet, both, connected

MAIN, QUICK = 2, 32
PEER = "192.0.2.2", 500


def test_who_has_just_made_the_sa_has_not_lost_it() -> None:
    reason = silence("quick mode", 1, *PEER)
    assert reason.detail == "no answer to message 1 of quick mode from 192.0.2.2 port 500"
    assert "selectors" in reason.mend
    assert not any("lost" in line for line in reason.means)


@pytest.mark.parametrize("exchange", ["quick mode", "CREATE_CHILD_SA"])
def test_who_was_not_heard_since_may_have_lost_the_sa_with_all_that_was_agreed(
    exchange: str,
) -> None:
    reason = silence(exchange, 1, *PEER, lost=True)
    assert "has lost this SA" in reason.means[0]
    assert "secrets" in reason.mend and "selectors" not in reason.mend
    assert not any("cannot mean" in line for line in reason.means)
    # An IKEv2 peer answers what it has no connection for.
    assert any("this traffic" in line for line in reason.means) is (exchange == "quick mode")


def test_a_peer_that_drops_quick_mode_right_after_phase_1_has_other_traffic() -> None:
    """On a host time goes by between the two, if little: in a turn of these networks it does not.
    Nor is that peer begun with again and again at once."""
    net = Network()
    west, _ = (net.host(gateway) for gateway in both())
    ticks = count()
    west.daemon.timers.now = west.daemon.engine.now = lambda: net.now + next(ticks) * 1e-6

    def lose(packet: Packet) -> Any:
        return packet.header.exchange_type == QUICK

    net.lose = lose
    net.start()
    net.run(20)
    (reason,) = [o["reason"] for o in west.outcomes if not o["ok"]]
    assert "selectors" in reason["mend"]
    assert connected(west, 0), "the peer has just spoken under this SA"
    net.run(130)
    assert west.daemon.connections.entries["west-east"].tries > 2


@pytest.mark.parametrize("look_s", [1e-6, 0.2], ids=["fast", "slow"])
def test_a_peer_that_never_answers_quick_mode_is_asked_after_growing_pauses(look_s: float) -> None:
    """It takes every phase 1, which costs both ends a Diffie-Hellman exchange. slow: a host that
    takes seconds to begin all that is wanted of one peer."""
    net = Network()
    west, _ = (net.host(gateway) for gateway in both())
    ticks = count()
    west.daemon.timers.now = west.daemon.engine.now = lambda: net.now + next(ticks) * look_s
    net.lose = lambda packet: packet.header.exchange_type == QUICK
    net.start()
    net.run(3600)
    (row,) = west.daemon.status()["connections"]
    assert row["tries"] > 20 and row["reason"]["cause"] == "timeout"
    begun = [p for p in net.history if p.header.exchange_type == MAIN and not any(p.message[8:16])]
    assert 3 < len(begun) < 60


@pytest.mark.parametrize(("repeated", "times"), [(1, "1 time"), (3, "3 times")])
def test_while_an_answer_is_waited_for_silence_means_the_same(repeated: int, times: str) -> None:
    last, so_far = silence("IKE_AUTH", 1, *PEER), silence("IKE_AUTH", 1, *PEER, repeated=repeated)
    assert so_far.detail == (
        f"no answer yet to message 1 of IKE_AUTH from 192.0.2.2 port 500, repeated {times}"
    )
    assert (so_far.mend, so_far.means) == (last.mend, last.means)
