"""IKE_FOLLOWUP_KE: additional key exchanges of what CREATE_CHILD_SA makes, RFC 9370 2.2.4."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.constants import ikev2
from isakmp.constants.isakmp import Group
from isakmp.crypto.groups import get_group
from isakmp.errors import Reason
from isakmp.exchange.exchange import UNNUMBERED, Exchange
from isakmp.exchange.script import Outgoing
from isakmp.payloads.ikev2.ke import KeValue
from isakmp.sa import State
from isakmp.scripts.ikev2 import common
from isakmp.scripts.ikev2.creation import Create
from isakmp.scripts.ikev2.dialect import RESUME_S
from regress.exchange.states import state_of
from regress.pair import Host, Network, agree, connected
from regress.scripts.changed import change_sent
from regress.scripts.ikev2.pairs import child_of, gateways, kinds, pair, sa_of
from regress.scripts.ikev2.test_hostile import forge, send
from regress.scripts.ikev2.test_ike_intermediate import change_ke, needs_ml_kem

P, Notify, X = ikev2.Payload, ikev2.Notify, ikev2.Exchange
KE, NOTIFY = int(P.KE), int(P.NOTIFY)
CREATE = ["CREATE_CHILD_SA", "CREATE_CHILD_SA'"]
FOLLOWUP = ["IKE_FOLLOWUP_KE", "IKE_FOLLOWUP_KE'"]
DELETE = ["INFORMATIONAL", "INFORMATIONAL'"]

TAGS = "IKE-proposals= aes128-sha256-x25519-ke1_ecp256-ke2_ecp384"
ESP = "ESP-proposals= aes128gcm16-x25519-ke1_ecp256-ke3_ecp521"
NAMES = {"child": ["ECP_256", "ECP_521"], "ike": ["ECP_256", "ECP_384"]}


def link_of(x: Exchange) -> bytes:
    return state_of(x, Create).link


def ends(seconds: float = 3.0) -> tuple[Network, Host, Host]:
    return pair(TAGS, connection_tags=ESP, seconds=seconds)


def rekey(host: Host, what: str) -> Exchange:
    """Begin it, and say what was begun."""
    engine, sa = host.daemon.engine, sa_of(host)
    before = set(sa.running)
    if what == "ike":
        engine.dialects["ikev2"].rekey_sa(engine, sa)
    else:
        child = child_of(host)
        engine.dialects["ikev2"].begin_child(engine, sa, child.connection, child)
    (number,) = set(sa.running) - before
    begun: Exchange = sa.running[number]
    return begun


def good(net: Network, west: Host, east: Host, seconds: float = 1.0) -> None:
    """One IKE SA, one child SA, of the same keys, and nothing under way."""
    net.run(seconds)
    assert connected(west) and connected(east)
    agree(west, east)
    assert sa_of(west).keys.sk == sa_of(east).keys.sk
    for host in (west, east):
        assert not host.daemon.engine.under_way() and not host.app.larval
        assert len(host.rows(1)) == len(host.rows(2)) == 1


@pytest.mark.parametrize("what", ["child", "ike"])
@pytest.mark.parametrize("by", ["west", "east"])
def test_a_rekeying_goes_on_for_each_method(what: str, by: str) -> None:
    """RFC 9370 2.2.4."""
    net, west, east = ends()
    old, mark = (child_of(west), sa_of(west)), len(net.history)
    begun = rekey(west if by == "west" else east, what)
    net.run(1)
    assert begun.finished.done and begun.finished.error is None
    assert kinds(net.history[mark:]) == CREATE + FOLLOWUP * 2 + DELETE
    good(net, west, east)
    assert (child_of(west) is not old[0], sa_of(west) is not old[1]) == (
        what == "child", what == "ike",
    )  # fmt: skip
    row = west.rows(1 if what == "ike" else 2)[0]
    assert row["additional"] == NAMES[what]


def test_one_after_the_other() -> None:
    """RFC 9370 2.2.4: the keys of a rekeyed IKE SA serve the next rekeying."""
    net, west, east = ends()
    for host, what in ((west, "ike"), (east, "ike"), (east, "child"), (west, "ike")):
        rekey(host, what)
        good(net, west, east)


@pytest.mark.parametrize("what", ["child", "ike"])
@pytest.mark.parametrize("lost", range(6))
def test_whatever_is_lost_is_repeated(what: str, lost: int) -> None:
    net, west, east = ends()
    mark = len(net.history)
    net.lose = lambda packet: len(net.history) == mark + lost + 1
    rekey(west, what)
    good(net, west, east, 15)


def test_what_comes_twice_counts_once() -> None:
    net, west, east = ends()
    rekey(west, "child")
    for _ in range(40):
        if not net.flying:
            net.run(0.05)
            continue
        packet = net.flying.popleft()
        net.deliver(packet)
        net.deliver(packet)
    good(net, west, east)


@pytest.mark.parametrize("what", ["child", "ike"])
def test_both_at_once_decide_as_ever(what: str) -> None:
    """RFC 9370 2.2.4, RFC 7296 2.8.1: by the nonces of the CREATE_CHILD_SA exchanges."""
    for seed in range(4):
        net, west, east = ends(seconds=3.0 + seed)
        rekey(west, what)
        rekey(east, what)
        good(net, west, east, 90)


@pytest.mark.parametrize("what", ["child", "ike"])
@pytest.mark.parametrize("delay", range(1, 5))
def test_one_while_the_other_goes_on(what: str, delay: int) -> None:
    """The peer begins the same between two of our requests."""
    net, west, east = ends()
    rekey(west, what)
    for _ in range(delay):
        net.deliver(net.flying.popleft())
    rekey(east, what)
    good(net, west, east, 90)


def test_other_requests_may_come_in_between() -> None:
    """The link says which negotiation goes on, whatever number its request has."""
    net, west, east = ends()
    engine, sa = west.daemon.engine, sa_of(west)
    rekey(west, "child")
    net.deliver(net.flying.popleft())
    (waiting,) = east.daemon.engine.under_way()
    assert waiting.message_id == UNNUMBERED and waiting.script.name == "IKE_FOLLOWUP_KE"
    answer = net.flying.popleft()
    for _ in range(3):
        number = sa.ids.take()
        (said,) = send(net, west, east, forge(west, [], message_id=number))
        assert said.header.exchange_type == X.INFORMATIONAL
        sa.ids.done(number)
    assert engine.under_way()
    net.flying.append(answer)
    good(net, west, east)


def begun_at(east: Host, net: Network, west: Host, what: str = "child") -> Exchange:
    """West has asked and goes no further; what waits at east."""
    rekey(west, what)
    net.deliver(net.flying.popleft())
    net.flying.clear()
    net.lose = lambda packet: packet.src == west.address
    (waiting,) = east.daemon.engine.under_way()
    return waiting


@pytest.mark.parametrize("what", ["child", "ike"])
def test_who_does_not_go_on_is_forgotten(what: str) -> None:
    """RFC 9370 2.2.4: after 5 to 20 s."""
    net, west, east = ends()
    waiting = begun_at(east, net, west, what)
    net.run(RESUME_S - 1)
    assert east.daemon.engine.under_way() == [waiting]
    net.run(2)
    assert 5 <= RESUME_S <= 20
    assert not east.daemon.engine.under_way() and not east.app.larval
    assert "not-resumed" in east.reasons()
    assert connected(east)
    (said,) = send(net, west, east, forge(west, [
        (KE, KeValue(19, bytes(64))),
        (NOTIFY, common.notify_value(Notify.ADDITIONAL_KEY_EXCHANGE, link_of(waiting))),
    ], message_id=sa_of(east).ids._lowest, kind=X.IKE_FOLLOWUP_KE))  # fmt: skip
    assert said.header.exchange_type == X.IKE_FOLLOWUP_KE
    assert east.reasons()[-1] == "state-not-found"
    assert connected(east)


@pytest.mark.parametrize("link", [None, b"", b"another one"])
def test_an_unknown_link_is_refused(link: bytes | None) -> None:
    """RFC 9370 2.2.4: STATE_NOT_FOUND; what waits goes on waiting."""
    net, west, east = ends()
    waiting = begun_at(east, net, west)
    items: list[Any] = [(KE, KeValue(int(Group.ECP_256), bytes(64)))]
    if link is not None:
        items.append((NOTIFY, common.notify_value(Notify.ADDITIONAL_KEY_EXCHANGE, link)))
    number = sa_of(east).ids._lowest
    (said,) = send(net, west, east, forge(west, items, message_id=number, kind=X.IKE_FOLLOWUP_KE))
    inner = sa_of(west).keys.opens.open(said.data, 32)
    assert inner[6:8] == Notify.STATE_NOT_FOUND.to_bytes(2, "big")
    assert east.daemon.engine.under_way() == [waiting]
    assert connected(east)


def test_one_link_serves_once() -> None:
    """Two requests with it: the second one finds nothing."""
    net, west, east = ends()
    waiting = begun_at(east, net, west)
    link, number = link_of(waiting), sa_of(east).ids._lowest

    def items() -> list[Any]:
        public = get_group(19).generate().public
        notify = common.notify_value(Notify.ADDITIONAL_KEY_EXCHANGE, link)
        return [(KE, KeValue(19, public)), (NOTIFY, notify)]

    for nth in range(2):
        data = forge(west, items(), message_id=number + nth, kind=X.IKE_FOLLOWUP_KE)
        send(net, west, east, data)
    assert east.reasons()[-1] == "state-not-found"
    assert east.daemon.engine.under_way() == [waiting] and link_of(waiting) not in (
        b"",
        link,
    )


def test_what_waits_ends_with_its_ike_sa() -> None:
    net, west, east = ends()
    begun_at(east, net, west)
    assert east.app.larval
    east.daemon.keeper.delete_sa(sa_of(east), tell=False)
    assert not east.daemon.engine.under_way() and not east.app.larval


@pytest.mark.parametrize("what", ["child", "ike"])
@pytest.mark.parametrize("who", ["initiator", "responder"])
def test_a_wrong_value_ends_it_with_the_ike_sa(what: str, who: str) -> None:
    """RFC 9370 2.2.4, RFC 7296 2.21.3: as one in CREATE_CHILD_SA does."""
    net, west, east = ends()
    at_fault, judge = (west, east) if who == "initiator" else (east, west)
    change_sent(at_fault, change_ke(lambda data: data[:-1], kind=X.IKE_FOLLOWUP_KE), 2)
    old = sa_of(judge)
    rekey(west, what)
    net.run(1)
    assert "invalid-key-exchange" in judge.reasons()
    assert old.state is State.DEAD
    assert not east.app.larval and not west.app.larval


@pytest.mark.parametrize("what", ["child", "ike"])
@pytest.mark.parametrize("more", [False, True])
def test_who_counts_differently_is_refused(more: bool, what: str) -> None:
    """An answer that says that more follows, or does not, against what was chosen."""
    net, west, east = ends()
    old = sa_of(west)
    notify = common.notify_value(Notify.ADDITIONAL_KEY_EXCHANGE, b"more")

    def change(x: Exchange, message: Outgoing) -> None:
        if x.initiator or x.script.exchange_type != X.IKE_FOLLOWUP_KE:
            return
        links = [item for item in message.payloads if item[0] == NOTIFY]
        if more and not links:
            message.payloads.append((NOTIFY, notify))
        if not more:
            message.payloads = [item for item in message.payloads if item[0] != NOTIFY]

    change_sent(east, change, 2)
    begun = rekey(west, what)
    net.run(20)
    assert begun.finished.error is not None
    assert "bad-choice" in west.reasons()
    assert not east.app.larval and not west.app.larval
    if what == "ike" and not more:
        assert old.state is State.DEAD


def test_rekeying_one_thing_twice_waits() -> None:
    """A peer that begins anew before it has gone on has to wait until that is forgotten."""
    net, west, east = ends()
    begun_at(east, net, west, "ike")
    net.lose = lambda packet: False
    sa = sa_of(west)
    for x in list(sa.running.values()):
        west.daemon.engine.fail(x, Reason("failed", "given up"))
    sa.ids.outstanding.clear()
    sa.ids.next_out = sa_of(east).ids._lowest
    again = rekey(west, "ike")
    net.run(1)
    assert again.finished.error is not None
    assert "temporary-failure" in east.reasons()
    net.run(60)
    good(net, west, east)


def test_what_is_optional_is_left_out() -> None:
    one = {"connection_tags": "ESP-proposals= aes128gcm16-x25519-ke1_ecp256-ke1_none"}
    other = {"connection_tags": "ESP-proposals= aes128gcm16-x25519"}
    net, west, east = pair(TAGS, west=one, east=other)
    mark = len(net.history)
    rekey(west, "child")
    net.run(1)
    assert kinds(net.history[mark:]) == CREATE + DELETE
    assert west.rows(2)[0]["additional"] == []


def test_others_may_compute_all_of_it() -> None:
    """Each key exchange is waited for, in both roles, with what comes meanwhile."""
    needs_ml_kem()
    one, other = gateways(
        "IKE-proposals= aes128-sha256-x25519-ke1_mlkem768-ke2_ecp256",
        connection_tags="ESP-proposals= aes128gcm16-x25519-ke1_mlkem768-ke2_ecp384",
    )
    net = Network()
    west, east = net.host(one, elsewhere_s=0.05), net.host(other, elsewhere_s=0.07)
    net.start()
    good(net, west, east, 4)
    for host, what in ((west, "child"), (east, "child"), (west, "ike"), (east, "ike")):
        rekey(host, what)
        good(net, west, east, 4)
    assert not west.reasons() + east.reasons()


def test_a_link_is_of_its_own_exchange_alone() -> None:
    """In any other request the notify says nothing, and what waits goes on waiting."""
    net, west, east = ends()
    waiting = begun_at(east, net, west)
    items: list[Any] = [
        (
            NOTIFY,
            common.notify_value(Notify.ADDITIONAL_KEY_EXCHANGE, link_of(waiting)),
        )
    ]
    number = sa_of(east).ids._lowest
    (said,) = send(net, west, east, forge(west, items, message_id=number))
    assert said.header.exchange_type == X.INFORMATIONAL
    assert connected(east) and not waiting.over and waiting.message_id == UNNUMBERED
