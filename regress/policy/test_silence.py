"""What silence means depends on what the peer has said before."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from isakmp.exchange.exchange import ScriptOf
from isakmp.policy.silence import silence
from isakmp.scripts.ikev1.aggressive import AGGRESSIVE
from isakmp.scripts.ikev1.informational import INFORMATIONAL as IKEV1_INFORMATIONAL
from isakmp.scripts.ikev1.main_mode import MAIN_MODE
from isakmp.scripts.ikev1.quick_mode import QUICK_MODE, QUICK_MODE_COMMIT
from isakmp.scripts.ikev2.create_child_sa import CREATE_CHILD_SA
from isakmp.scripts.ikev2.ike_auth import IKE_AUTH
from isakmp.scripts.ikev2.ike_followup_ke import IKE_FOLLOWUP_KE
from isakmp.scripts.ikev2.ike_intermediate import IKE_INTERMEDIATE
from isakmp.scripts.ikev2.ike_sa_init import IKE_SA_INIT
from isakmp.scripts.ikev2.informational import INFORMATIONAL
from regress.pair import Host, Network, Packet, both, connected
from regress.scripts.ikev2.pairs import gateways

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


# --- every step --------------------------------------------------------------------------------

FOLLOWING = (IKE_INTERMEDIATE, IKE_AUTH, IKE_FOLLOWUP_KE)
SCRIPTS = (
    MAIN_MODE, AGGRESSIVE, QUICK_MODE, QUICK_MODE_COMMIT, IKEV1_INFORMATIONAL,
    IKE_SA_INIT, CREATE_CHILD_SA, INFORMATIONAL, *FOLLOWING,
)  # fmt: skip
UNHEARD = {(MAIN_MODE.name, 1), (AGGRESSIVE.name, 1), (IKE_SA_INIT.name, 1)}


def waits(script: ScriptOf[Any]) -> list[int]:
    """The steps at which one end waits for the other's message."""
    initiator = range(1, len(script.initiator), 2)
    responder = range(0 if script in FOLLOWING else 2, len(script.responder), 2)
    return [*initiator, *responder]


WAITS = [(script.name, step) for script in SCRIPTS for step in waits(script)]


@pytest.mark.parametrize(("exchange", "step"), list(dict.fromkeys(WAITS)))
def test_nobody_who_was_heard_is_asked_for_as_if_he_might_not_be_there(
    exchange: str, step: int
) -> None:
    reason = silence(exchange, step, *PEER)
    unheard = (exchange, step) in UNHEARD
    assert ("does it know us?" in reason.mend) is unheard
    assert bool(reason.means) is not unheard
    again = silence(exchange, step, *PEER, after=exchange)
    assert "does it know us?" not in again.mend and again.means


def half_open(general: str, east_tags: str = "", west_tags: str = "") -> tuple[Network, Host, Host]:
    """A responder that has answered IKE_SA_INIT, and what comes then is lost."""
    ours, theirs = gateways(general=general)
    ours = replace(ours, peer_tags=f"{ours.peer_tags}\n{west_tags}")
    theirs = replace(theirs, peer_tags=f"{theirs.peer_tags}\n{east_tags}")
    net = Network()
    west, east = net.host(ours), net.host(theirs)
    net.lose = lambda packet: packet.header.exchange_type in (35, 43)
    net.start()
    return net, west, east


@pytest.mark.parametrize("more", [False, True], ids=["IKE_AUTH", "IKE_INTERMEDIATE"])
def test_a_responder_tells_what_the_silence_after_its_answer_can_mean(more: bool) -> None:
    ke = "-ke1_x25519" * more
    tags = f"IKE-proposals= aes256-sha256-ecp256{ke}"
    net, _, east = half_open("Exchange-max-time= 20", tags, tags)
    net.run(1)
    (row,) = east.daemon.status()["exchanges"]
    assert row["reason"] is None, "it may come yet"
    net.run(4)
    (row,) = east.daemon.status()["exchanges"]
    following = "IKE_INTERMEDIATE" if more else "IKE_AUTH"
    assert row["reason"]["detail"] == (
        "nothing yet after our answer to IKE_SA_INIT from 192.0.2.1 port 500, which is to go on "
        f"with {following}"
    )
    net.run(20)
    reason = east.outcomes[0]["reason"]
    assert reason["detail"].startswith("nothing after our answer to IKE_SA_INIT from 192.0.2.1 ")
    assert "UDP port 4500" in reason["mend"]
    assert not any("PPK" in line for line in reason["means"]), "none was asked for"


def test_a_responder_names_the_ppk_that_the_peer_may_insist_on() -> None:
    ppk = f"PPK-ID= a\nPPK= 0x{'5a' * 32}\nPPK-required= yes"
    net, west, east = half_open("Exchange-max-time= 20", west_tags=ppk)
    net.run(5)
    assert west.outcomes[0]["reason"]["cause"] == "ppk-not-used"
    (row, *_) = east.daemon.status()["exchanges"]
    told = [row["reason"]]
    net.run(20)
    told.append(east.outcomes[0]["reason"])
    for reason in told:
        assert reason["means"][0].startswith(
            "can mean: the peer has said USE_PPK, and [west] has no PPK"
        )
        assert reason["mend"].startswith("set PPK-ID and its key in [west]")
        assert "[west]" in reason["line"]


def test_a_responder_of_main_mode_tells_it_too() -> None:
    net = Network()
    west, east = (net.host(gateway) for gateway in both())
    sent = count()
    net.lose = lambda packet: str(packet.src) == "192.0.2.1" and next(sent) >= 2
    net.start()
    net.run(10)
    (row, *_) = east.daemon.status()["exchanges"]
    assert row["reason"]["detail"].startswith("no answer yet to message 4 of main mode from ")
    assert "compare the secrets" in row["reason"]["mend"]
    assert west.daemon.status()["exchanges"]


@pytest.mark.parametrize("limit", ["Cookie-threshold= 0", ""], ids=["cookie", "group"])
def test_who_has_asked_for_another_first_message_has_been_heard(limit: str) -> None:
    """It answers, and then no more."""
    ours, theirs = gateways(general=limit)
    if not limit:
        ours = replace(
            ours, peer_tags=f"{ours.peer_tags}\nIKE-proposals= aes256-sha256-x25519-ecp256"
        )
        theirs = replace(
            theirs, peer_tags=f"{theirs.peer_tags}\nIKE-proposals= aes256-sha256-ecp256"
        )
    net = Network()
    west, _ = net.host(ours), net.host(theirs)
    answers = count()
    net.lose = lambda packet: str(packet.src) == "192.0.2.2" and next(answers) >= 1
    net.start()
    net.run(40)
    reason = next(o["reason"] for o in west.outcomes if not o["ok"])
    assert reason["cause"] == "timeout" and reason["detail"].startswith("no answer to message 1 of")
    assert "does it know us?" not in reason["mend"] and reason["means"]
