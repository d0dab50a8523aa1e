"""Forged answers: whoever sees a message and answers it first, in the peer's name, costs no more
than the time that the peer takes, in either version and at any message that nothing protects."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from random import Random
from typing import Any

import pytest

from isakmp.constants.ikev2 import Notify
from isakmp.exchange.answers import ROUND_TRIP_S
from isakmp.exchange.candidates import FOLLOWED_MAX, HINT_S, WAITING_MAX, family
from isakmp.scripts.ikev2.initial import Initial
from regress.exchange.states import state_of
from regress.observer import Observer, altered, impostor, in_clear, is_clear, numbered
from regress.pair import Host, Network, Packet, agree, both, connected

IKEV2 = "Key-exchange= ikev2"
MODES: dict[str, dict[str, Any]] = {
    "main mode": {}, "aggressive mode": {"exchange": "AGGRESSIVE"}, "IKEv2": {"peer_tags": IKEV2},
}  # fmt: skip
ELSEWHERE = ip_address("198.51.100.9")


WHERE = pytest.mark.parametrize("elsewhere_s", [None, 0.002], ids=["here", "elsewhere"])


def hosts(
    mode: str, elsewhere_s: float | None = None, **changes: Any
) -> tuple[Network, Host, Host]:
    """elsewhere_s: their key exchanges are computed by others, and take that long."""
    net = Network()
    ends = both(**{**MODES[mode], **changes})
    west, east = (net.host(gateway, elsewhere_s=elsewhere_s) for gateway in ends)
    return net, west, east


def came_up(west: Host, east: Host, *, outcomes: int = 2) -> None:
    """One attempt, and nothing left of any other."""
    assert connected(west) and connected(east)
    agree(west, east)
    assert [o["ok"] for o in west.outcomes] == [True] * outcomes
    for host in (west, east):
        assert not any("bug" in line for line in host.lines)
        assert not host.app.larval
    assert not west.daemon.engine.exchanges
    assert not [e.name for e in west.timers.pending() if e.name in ("answers", "retransmit")]


def outcomes_of(mode: str) -> int:
    return 1 if mode == "IKEv2" else 2


# --- an impostor with a Diffie-Hellman of its own ---------------------------------------------


@pytest.mark.parametrize("delay_s", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("mode", MODES)
def test_who_answers_first_without_the_secret_delays_nothing(mode: str, delay_s: float) -> None:
    net, west, east = hosts(mode)
    impostor(net, west, both(**MODES[mode])[1], delay_s)
    net.start()
    net.run(8 * ROUND_TRIP_S + 3 * delay_s)
    came_up(west, east, outcomes=outcomes_of(mode))


@pytest.mark.parametrize(
    ("tags", "general"),
    [("", "Cookie-threshold= 0"), ("IKE-proposals= aes256-sha256-ecp256-x25519", "")],
    ids=["cookie", "group"],
)
def test_the_peers_own_wishes_are_heard_behind_an_impostor(tags: str, general: str) -> None:
    """East wants a cookie, or another group than west begins with."""
    net = Network()
    west = net.host(both(peer_tags=f"{IKEV2}\n{tags}")[0])
    only = "IKE-proposals= aes256-sha256-x25519" if tags else ""
    east = net.host(both(peer_tags=f"{IKEV2}\n{only}", general=general)[1])
    impostor(net, west, both(peer_tags=f"{IKEV2}\n{tags}")[1])
    net.start()
    net.run(5)
    came_up(west, east, outcomes=1)


def test_where_only_an_impostor_answers_its_refusal_is_the_reason() -> None:
    net, west, east = hosts("IKEv2")
    impostor(net, west, both(peer_tags=IKEV2)[1])
    net.start()
    del net.hosts[east.address]
    net.run(1.9)
    (outcome,) = west.outcomes
    assert "AUTHENTICATION_FAILED" in str(outcome["reason"])
    assert not east.outcomes


# --- the honest refusal ----------------------------------------------------------------------


def test_a_wrong_secret_is_shown_at_once_and_ends_the_attempt_soon() -> None:
    net = Network()
    west = net.host(both(peer_tags=IKEV2)[0])
    east = net.host(both(peer_tags=IKEV2, secret="another")[1])
    net.start()
    net.run(0.1)
    (row,) = west.daemon.status()["exchanges"]
    assert "AUTHENTICATION_FAILED" in row["reason"]["detail"]
    assert not west.reasons(), "what says so may be anybody: it has its own key exchange"
    net.run(1.1)
    assert len(west.reasons()) == 1
    (line,) = [line for line in west.lines if "AUTHENTICATION_FAILED" in line]
    assert "PROTO_ERR" in line, "one line, with the severity of what has failed"
    (outcome,) = west.outcomes
    assert outcome["exchange"] == "IKE_AUTH"
    assert "AUTHENTICATION_FAILED" in str(outcome["reason"])
    assert "different answers" not in str(outcome["reason"])
    assert not west.daemon.engine.exchanges and not west.app.larval
    assert east.reasons() == ["authentication-failed"]


def test_the_reason_says_how_many_have_answered() -> None:
    net = Network()
    west = net.host(both(peer_tags=IKEV2)[0])
    net.host(both(peer_tags=IKEV2, secret="another")[1])
    draw = Random(1)
    Observer(net, numbered(2), lambda packet: [altered(packet, draw, spi=True)])
    net.start()
    net.run(20)
    assert "2 different answers came" in str(west.outcomes[0]["reason"])


# --- messages made of true ones --------------------------------------------------------------

COUNTS = {"main mode": 4, "aggressive mode": 2, "IKEv2": 2}
EVERY = [(mode, number) for mode, count in COUNTS.items() for number in range(1, count + 1)]
WITH_SPI = [(*one, False) for one in EVERY] + [(*one, True) for one in EVERY if one[1] == 2]


@WHERE
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("mode", "number", "spi"), WITH_SPI)
def test_another_message_in_the_place_of_any_does_not_end_it(
    mode: str, number: int, spi: bool, after: bool, elsewhere_s: float | None
) -> None:
    net, west, east = hosts(mode, elsewhere_s)
    draw = Random(number)
    observer = Observer(
        net, numbered(number), lambda packet: [altered(packet, draw, spi=spi)], after
    )
    net.start()
    net.run(3)
    assert observer.forged == 1
    came_up(west, east, outcomes=outcomes_of(mode))


@WHERE
@pytest.mark.parametrize("mode", MODES)
def test_another_one_in_the_place_of_every_message_does_not_end_it(
    mode: str, elsewhere_s: float | None
) -> None:
    net, west, east = hosts(mode, elsewhere_s)
    draw = Random(7)
    observer = Observer(net, is_clear, lambda packet: [altered(packet, draw)])
    net.start()
    net.run(6)
    assert observer.forged >= COUNTS[mode]
    came_up(west, east, outcomes=outcomes_of(mode))


def broken(packet: Packet) -> list[Packet]:
    """What cannot be read, or what no key exchange takes: cut, without payloads, zeros in KE."""
    cut = packet.data[:-5]
    zeros = packet.data[:28] + bytes(len(packet.data) - 28)
    whole = altered(packet, Random(3), values=False)
    flat = whole.data[:60] + bytes(len(whole.data) - 60)
    return [packet._replace(data=each) for each in (cut, zeros, flat)]


@pytest.mark.parametrize(("mode", "number"), [one for one in EVERY if one[1] > 1])
def test_messages_that_cannot_be_read_do_not_end_it(mode: str, number: int) -> None:
    net, west, east = hosts(mode)
    Observer(net, numbered(number), broken)
    net.start()
    net.run(3)
    came_up(west, east, outcomes=outcomes_of(mode))


# --- floods ----------------------------------------------------------------------------------


def sizes(host: Host) -> tuple[int, int]:
    """How many exchanges there are of the only attempt, and how many answers wait."""
    (root,) = [x for x in host.daemon.engine.exchanges.values() if x.stem is None]
    every = list(family(root))
    return len(every), sum(len(x.answers.waiting) for x in every if x.answers)


@pytest.mark.parametrize(("mode", "number"), [("IKEv2", 2), ("main mode", 2), ("main mode", 3),
                                              ("main mode", 4)])  # fmt: skip
def test_a_flood_before_the_true_answer_is_bounded(mode: str, number: int) -> None:
    net, west, east = hosts(mode)
    draw = Random(5)
    victim = east if number == 3 else west
    met: list[tuple[int, int]] = []

    def forge(packet: Packet) -> list[Packet]:
        return [altered(packet, draw, spi=number == 2) for _ in range(1000)]

    Observer(net, numbered(number), forge)
    deliver = net.deliver

    def counted(packet: Packet) -> None:
        deliver(packet)
        if is_clear(packet) and victim.daemon.engine.exchanges:
            met.append(sizes(victim))

    net.deliver = counted  # type: ignore[method-assign]
    net.start()
    net.run(4)
    assert max(waiting for _, waiting in met) == WAITING_MAX
    assert max(count for count, _ in met) <= 2 * (FOLLOWED_MAX + 1)
    came_up(west, east, outcomes=outcomes_of(mode))


def test_answers_from_elsewhere_give_way_first() -> None:
    """West is sent 1,000 answers from another address behind the peer's."""
    net, west, east = hosts("IKEv2")
    draw = Random(6)

    def forge(packet: Packet) -> list[Packet]:
        first = altered(packet, draw, spi=True)
        many = [altered(packet, draw, spi=True)._replace(src=ELSEWHERE) for _ in range(1000)]
        return [first, packet, *many]

    Observer(net, numbered(2), forge)
    net.start()
    net.run(3)
    came_up(west, east, outcomes=1)


def test_what_lost_is_forgotten() -> None:
    """No keys, no SPI, no timer of a candidate that was not the peer's are kept."""
    net, west, east = hosts("IKEv2")
    draw = Random(8)
    Observer(net, numbered(2), lambda packet: [altered(packet, draw, spi=True)])
    net.start()
    net.run(0.1)
    (root,) = [x for x in west.daemon.engine.exchanges.values() if x.stem is None]
    _, loser = family(root)
    assert loser.sa and loser.sa.keys is not None
    assert len(west.app.larval) == 1
    west.log.set_level(None, 20)
    net.run(2)
    came_up(west, east, outcomes=1)
    assert root.over and not state_of(root, Initial).asked
    assert loser.over and loser.sa.keys is None and not loser.events
    assert "another-answer: the peer of another one is proven" in west.said


@pytest.mark.parametrize("loser_first", [True, False])
def test_one_attempt_is_seen(loser_first: bool) -> None:
    net, west, east = hosts("IKEv2")
    draw = Random(9)
    Observer(net, numbered(2), lambda packet: [altered(packet, draw, spi=True)],
             after=not loser_first)  # fmt: skip
    net.start()
    net.run(0.05)
    rows = [(r["id"], r["exchange"]) for r in west.daemon.status()["exchanges"]]
    assert rows == ([(1, "IKE_AUTH")] if loser_first else [])
    net.run(3)
    assert [o["id"] for o in west.outcomes] == [1]
    assert west.daemon.connections.entries["west-east"].tries == 0


# --- a forged wish, and a true answer that gets lost ------------------------------------------


def once(cares: Callable[[Packet], bool]) -> Callable[[Packet], bool]:
    """Loses the first of them."""
    lost: list[Packet] = []

    def loses(packet: Packet) -> bool:
        if not lost and cares(packet):
            lost.append(packet)
            return True
        return False

    return loses


def is_choice(packet: Packet) -> bool:
    """East's answer with its SA."""
    return (
        is_clear(packet) and bool(packet.header.flags & 0x20) and packet.header.next_payload == 33
    )


def test_a_group_that_was_asked_for_already_is_asked_for_again() -> None:
    """Somebody wants another group, and the answer to the first message gets lost."""
    tags = f"{IKEV2}\nIKE-proposals= aes256-sha256-x25519"
    net = Network()
    west = net.host(both(peer_tags=f"{tags}-ecp256")[0])
    east = net.host(both(peer_tags=tags)[1])
    net.lose = once(is_choice)
    group = (19).to_bytes(2, "big")
    Observer(net, numbered(1), lambda first: [in_clear(first, 17, group)], after=True)
    net.start()
    net.run(6)
    came_up(west, east, outcomes=1)


def test_what_goes_with_a_cookie_is_repeated_though_somebody_has_refused_us() -> None:
    net = Network()
    west = net.host(both(peer_tags=IKEV2)[0])
    east = net.host(both(peer_tags=IKEV2, general="Cookie-threshold= 0")[1])
    net.lose = once(is_choice)
    Observer(net, numbered(1), lambda first: [in_clear(first, 14)], after=True)
    net.start()
    net.run(6)
    came_up(west, east, outcomes=1)


# --- unproven refusals -----------------------------------------------------------------------


def test_a_true_answer_behind_a_forged_refusal_has_all_its_time() -> None:
    """The short time that a refusal leaves is no limit for who answers after it."""
    net, west, east = hosts("IKEv2")
    net.lose = lambda packet: packet.header.exchange_type == 35 and net.now < HINT_S + 1
    notify = b"\0\0\0\x08\0\0\0\x0e"

    def refuse(packet: Packet) -> list[Packet]:
        head = packet.header._replace(next_payload=41, length=28 + len(notify), cky_r=bytes(8))
        return [packet._replace(data=head.pack() + notify)]

    Observer(net, numbered(2), refuse)
    net.start()
    net.run(16)
    came_up(west, east, outcomes=1)
    (line,) = [line for line in west.lines if "NO_PROPOSAL_CHOSEN" in line]
    assert "PROTO_WARN" in line, "the attempt went on"


def test_of_several_refusals_each_is_told() -> None:
    """The end of the attempt tells of the last one alone."""
    net, west, east = hosts("IKEv2")

    def refuse(first: Packet) -> list[Packet]:
        return [in_clear(first, Notify.NO_PROPOSAL_CHOSEN), in_clear(first, Notify.INVALID_SYNTAX)]

    Observer(net, numbered(1), refuse)
    net.start()
    del net.hosts[east.address]
    net.run(HINT_S + 1)
    told = [line for line in west.lines if "the peer said" in line]
    assert ["PROTO_WARN" in line for line in told] == [True, False]
    assert "NO_PROPOSAL_CHOSEN" in told[0] and "INVALID_SYNTAX" in told[1]


def test_an_answer_is_followed_alone_from_when_its_keys_are_computed_for() -> None:
    """What takes a while is no failure: the next answer waits as it does for one that is quick."""
    net, west, _ = hosts("IKEv2", 0.2)
    seen = Observer(net, numbered(2), lambda packet: [altered(packet, Random(5))], True)
    net.start()
    net.run(0.7)
    assert seen.forged == 1
    (root,) = [x for x in west.daemon.engine.exchanges.values() if x.initiator]
    assert len([x for x in family(root.root) if x is not root.root]) == 1
