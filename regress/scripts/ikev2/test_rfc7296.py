"""What RFC 7296 says of errors and of those who misbehave, clause by clause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network
from random import Random
from typing import Any

import pytest

from isakmp.constants import ikev2
from isakmp.exchange.script import Outgoing
from isakmp.message import HEADER_SIZE, Item, parse_payloads
from isakmp.payloads.ikev2.ke import KeValue
from isakmp.payloads.ikev2.notify import NotifyValue
from isakmp.payloads.ikev2.ts import TsValue
from isakmp.payloads.shapes import Octets
from isakmp.policy import proposal, traffic
from isakmp.policy.spd import Selector, Traffic
from isakmp.policy.traffic import of_network, to_wire
from isakmp.sa import State
from isakmp.scripts.ikev2 import child as negotiation
from isakmp.scripts.ikev2 import common, ike_auth
from isakmp.scripts.ikev2.child import Child
from isakmp.scripts.ikev2.ike_sa_init import MESSAGES_MAX
from regress.observer import Observer, altered, in_clear, is_clear
from regress.pair import WEST, Host, Nat, Network, Packet, agree, connected
from regress.payloads.values import first_changed
from regress.scripts.ikev2.pairs import child_of, gateways, kinds, pair, sa_of
from regress.scripts.ikev2.test_hostile import forge, opened, send

P, Notify, X = ikev2.Payload, ikev2.Notify, ikev2.Exchange
RESPONSE = 0x20
TRANSPORT = "QM-ESP-TRP-AES-128-SHA2-256-SUITE"
HOSTS = {
    "west": {"local": "192.0.2.1", "remote": "192.0.2.2"},
    "east": {"local": "192.0.2.2", "remote": "192.0.2.1"},
}


def request(west: Host, **changes: Any) -> list[Item]:
    """What west's request for another child SA holds; changes: bodies by the payload's name."""
    connection = west.daemon.catalog.connection("west-east")
    traffic = connection.traffic
    values: dict[str, Any] = {
        "SA": proposal.offer(connection.proposals, b"\1\2\3\4"),
        "NONCE": Octets(bytes(32)),
        "TSI": to_wire(traffic.local),
        "TSR": to_wire(traffic.remote),
        **changes,
    }
    return [(P[name], value) for name, value in values.items()]


def notifies(inner: bytes, first: int = P.NOTIFY) -> list[Any]:
    """The notifies of a chain."""
    return [p.value for p in parse_payloads(2, first, inner)[0] if p.type == P.NOTIFY]


def answers(net: Network, west: Host, kind: int) -> list[Packet]:
    """The answers that west got of a type."""
    return [p for p in net.history
            if p.dst == west.address and p.header.exchange_type == kind
            and p.header.flags & RESPONSE]  # fmt: skip


# --- 2.1: answers are repeated ---------------------------------------------------------------


def test_who_is_refused_in_ike_auth_learns_it_though_the_answer_is_lost() -> None:
    lost: list[Packet] = []

    def lose(packet: Packet) -> bool:
        if kinds([packet]) == ["IKE_AUTH'"] and not lost:
            lost.append(packet)
            return True
        return False

    net, west, _ = pair(west={"secret": "another"}, lose=lose, seconds=4)
    assert west.outcomes[-1]["reason"]["came"] == "AUTHENTICATION_FAILED"
    first, again = answers(net, west, X.IKE_AUTH)[:2]
    assert first.data == again.data


# --- 2.21.3: what is badly formatted is fatal ------------------------------------------------


def test_a_request_that_breaks_a_rule_ends_the_ike_sa() -> None:
    net, west, east = pair()
    data = forge(west, [], first=P.DELETE, inner=b"\0\0\0\x03")
    (answer,) = send(net, west, east, data)
    assert notifies(opened(west, answer))[0].notify == Notify.INVALID_SYNTAX
    assert not east.rows(1) + east.rows(2)
    (again,) = send(net, west, east, data)
    assert again.data == answer.data, "the answer may have been lost"


@pytest.mark.parametrize("kind", [X.INFORMATIONAL, X.CREATE_CHILD_SA])
def test_who_is_told_so_ends_it_too(kind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    net, west, east = pair()
    old = sa_of(west)
    monkeypatch.setattr("isakmp.scripts.ikev2.common.NONCE_SIZE", 8)
    if kind == X.INFORMATIONAL:
        from isakmp.scripts.ikev2.informational import tell

        tell(west.daemon.engine, west.daemon.engine.dialects["ikev2"], old, [(P.NONCE, b"short")])
    else:
        west.daemon.connections.rekey(child_of(west))
    net.pump()
    assert old.state is State.DEAD
    assert not west.rows(2) + east.rows(2)


def test_a_key_exchange_outside_its_group_ends_the_ike_sa() -> None:
    net, west, east = pair(connection_tags="ESP-proposals= aes128gcm16-modp2048")
    ke = KeValue(14, bytes(255) + b"\1")
    (answer,) = send(net, west, east, forge(west, request(west, KE=ke), kind=X.CREATE_CHILD_SA))
    assert notifies(opened(west, answer))[0].notify == Notify.INVALID_SYNTAX
    assert not east.rows(1)


# --- 1.3.1: what the initiator does not accept it deletes ------------------------------------


@pytest.mark.parametrize("childless", ["", "Childless= force"])
def test_tunnel_mode_where_transport_mode_is_wanted_is_deleted(childless: str) -> None:
    """RFC 7296 1.3.1."""
    west, east = {**HOSTS["west"], "suites": TRANSPORT}, HOSTS["east"]
    _, near, far = pair(childless, west=west, east=east, seconds=1)
    assert "transport-mode-refused" in near.reasons()
    assert connected(near, children=0)
    assert connected(far, children=0)
    assert not near.app.larval + far.app.larval
    agree(near, far)


# --- 2.15, 2.16: who is who -------------------------------------------------------------------


def test_a_secret_of_somebody_else_does_not_make_a_responder() -> None:
    """West knows mallory, but asks for east."""
    one, other = gateways()
    net = Network()
    west = net.host(replace(one, more="[mallory]\nAuthentication= of mallory\n"))
    east = net.host(replace(other, peer_tags="Key-exchange= ikev2\nID= me",
                            more="[me]\nID-type= FQDN\nName= mallory\n"))  # fmt: skip
    said = iter([b"a secret of both", b"of mallory"])
    east.daemon.catalog.secret = lambda *_: next(said)  # type: ignore[method-assign]
    net.start()
    net.run(1)
    assert west.reasons() == ["authentication-failed"]
    assert not west.rows(1) + west.rows(2) + east.rows(1) + east.rows(2)


# --- 3.10: what a notify names ----------------------------------------------------------------


def test_the_child_sa_that_is_not_found_is_named() -> None:
    """RFC 7296 2.25."""
    net, west, east = pair()
    rekey = NotifyValue(3, int(Notify.REKEY_SA), b"\0\1\2\3", b"")
    items: list[Item] = [(P.NOTIFY, rekey), *request(west)]
    (answer,) = send(net, west, east, forge(west, items, kind=X.CREATE_CHILD_SA))
    (told,) = notifies(opened(west, answer))
    assert (told.notify, told.protocol_id, told.spi) == (
        Notify.CHILD_SA_NOT_FOUND, 3, b"\0\1\2\3",
    )  # fmt: skip


def test_an_error_that_is_not_known_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7296 3.10.1: 3.10.1: the request has failed entirely, whatever else the answer holds."""
    add = negotiation.add_answer

    def add_more(c: Child, message: Outgoing) -> None:
        add(c, message)
        common.add_notify(message, 8000)

    monkeypatch.setattr(negotiation, "add_answer", add_more)
    _, west, _ = pair("Childless= force", seconds=1)
    assert west.reasons() == ["peer-refused"]
    assert not west.rows(2)


# --- 1.2, 2.6, 2.7: answers that may be forged ------------------------------------------------


def began(tags: str = "", **changes: Any) -> tuple[Network, Host, Host, Packet]:
    """Two daemons, and the first message on its way."""
    one, other = gateways(tags, **changes)
    net = Network()
    west, east = net.host(one), net.host(other)
    net.start()
    return net, west, east, net.flying[0]


def test_a_group_that_nobody_has_asked_for_does_no_harm() -> None:
    net, west, east, first = began("IKE-proposals= aes256-sha256-x25519-ecp256")
    west.receive(in_clear(first, Notify.INVALID_KE_PAYLOAD, b"\0\x13"))
    net.run(1)
    assert connected(west)
    assert connected(east)
    agree(west, east)
    assert {sa_of(host).chosen.group for host in (west, east)} == {31}, "what the peer prefers"


def forger(
    net: Network, west: Host, notify: int, data: Callable[[], list[bytes]]
) -> None:  # fmt: skip
    """Somebody on the way who is faster than the peer: whatever west asks first, it answers."""
    deliver = net.deliver

    def forge(packet: Packet) -> None:
        if packet.src == west.address and kinds([packet]) == ["IKE_SA_INIT"]:
            for each in data():
                west.receive(in_clear(packet, notify, each))
        deliver(packet)

    net.deliver = forge  # type: ignore[method-assign]


def forged(count: int) -> Callable[[], list[bytes]]:
    """So many cookies at a time, always others."""
    numbers = iter(range(1, 1 << 20))
    return lambda: [next(numbers).to_bytes(16, "big") for _ in range(count)]


def first_messages(net: Network) -> int:
    """How many different first messages have gone out."""
    return len({packet.data for packet in net.history if kinds([packet]) == ["IKE_SA_INIT"]})


@pytest.mark.parametrize("cookies", [1, 1000])
def test_forged_cookies_cost_nothing_where_the_peer_wants_none(cookies: int) -> None:
    net, west, east, _ = began()
    forger(net, west, Notify.COOKIE, forged(cookies))
    net.run(1)
    assert connected(west)
    assert connected(east)
    agree(west, east)
    assert first_messages(net) == 1
    assert not west.reasons() + east.reasons()


@pytest.mark.parametrize("always", [True, False], ids=["others", "the same"])
def test_the_peers_cookie_is_found_among_forged_ones(always: bool) -> None:
    """RFC 7296 2.6."""
    net, west, east, _ = began(general="Cookie-threshold= 0")
    forger(net, west, Notify.COOKIE, forged(1) if always else lambda: [b"forged"])
    net.run(5)
    assert connected(west)
    agree(west, east)
    assert first_messages(net) == 3, "without, with the forged one, with the peer's"
    assert not west.reasons() + east.reasons()


def altered_answers(net: Network) -> Callable[[], list[Packet]]:
    """Somebody answers before each answer to a first message; what there was to change."""
    draw, met = Random(1), list[Packet]()

    def cares(packet: Packet) -> bool:
        if is_clear(packet) and any(packet.header.cky_r):
            met.append(packet)
            return True
        return False

    Observer(net, cares, lambda packet: [altered(packet, draw)])
    return lambda: met


@pytest.mark.parametrize(
    ("notify", "data"),
    [(Notify.COOKIE, b"forged"), (Notify.INVALID_KE_PAYLOAD, b"\0\x13")],
    ids=["cookie", "group"],
)
@pytest.mark.parametrize("threshold", [0, 100])
def test_the_message_that_was_answered_is_signed(
    threshold: int, notify: int, data: bytes
) -> None:  # fmt: skip
    """RFC 7296 2.6, 2.15. The peer's answer waits behind a forged one while forged notifies make
    us send more."""
    net, west, east, _ = began(
        "IKE-proposals= aes256-sha256-x25519-ecp256",
        general=f"Cookie-threshold= {threshold}",
    )
    forger(net, west, notify, lambda: [data])
    met = altered_answers(net)
    net.run(4)
    assert connected(west)
    agree(west, east)
    assert met()
    assert not west.reasons() + east.reasons()


@pytest.mark.parametrize("threshold", [0, 100])
@pytest.mark.parametrize("way_s", [0.1, 0.4, 0.9])
def test_forged_cookies_on_a_long_way(threshold: int, way_s: float) -> None:
    """RFC 7296 2.6, 2.15. Other messages have gone out before the answer to one is there."""
    net, west, east, _ = began(general=f"Cookie-threshold= {threshold}")
    deliver = net.deliver

    def late(packet: Packet) -> None:
        west.timers.add("on its way", way_s, lambda: deliver(packet))

    net.deliver = late  # type: ignore[method-assign]
    forger(net, west, Notify.COOKIE, forged(1))
    net.run(20)
    assert connected(west)
    agree(west, east)
    assert not west.reasons()


@pytest.mark.parametrize("threshold", [0, 100])
def test_forgers_of_everything_have_few_messages_sent(threshold: int) -> None:
    """And the next attempt is another chance, once they are tired."""
    net, west, east, _ = began(
        "IKE-proposals= aes256-sha256-x25519-ecp256-ecp384",
        general=f"Retransmits= 2\nCookie-threshold= {threshold}",
    )
    net.lose = lambda packet: packet.src == east.address
    forger(net, west, Notify.COOKIE, forged(100))
    forger(net, west, Notify.INVALID_KE_PAYLOAD, lambda: [b"\0\x13", b"\0\x14", b"\0\x1f"])
    net.until(west.reasons, 60)
    assert west.reasons() == ["too-many-restarts"]
    assert first_messages(net) <= MESSAGES_MAX
    assert kinds(net.history).count("IKE_SA_INIT") <= 2 * MESSAGES_MAX
    assert len(west.daemon.engine.exchanges) == 0
    net.lose, net.deliver = (lambda packet: False), Network.deliver.__get__(net)  # type: ignore[method-assign]
    net.run(120)
    assert connected(west)
    agree(west, east)


def test_a_cookie_and_then_the_group_of_before() -> None:
    """RFC 7296 2.6.1 and 2.7.

    Of a peer that asks for a cookie and for the group that we had begun with."""
    net, west, east, first = began(
        "IKE-proposals= aes256-sha256-x25519-ecp256", general="Cookie-threshold= 0"
    )
    west.receive(in_clear(first, Notify.INVALID_KE_PAYLOAD, b"\0\x13"))
    net.run(5)
    assert connected(west)
    agree(west, east)
    assert not west.reasons() + east.reasons()


def test_an_error_in_clear_is_not_believed_while_the_peer_answers() -> None:
    """RFC 7296 2.4 and 2.21.1."""
    net, west, east, first = began()
    west.receive(in_clear(first, Notify.NO_PROPOSAL_CHOSEN))
    net.run(1)
    assert connected(west)
    agree(west, east)


def test_the_choice_and_the_key_exchange_have_one_group(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = proposal.answer

    def other_group(choice: proposal.Choice, spi: bytes) -> Any:
        value = answer(choice, spi)
        transforms = tuple(
            t._replace(transform_id=19) if t.type == ikev2.Transform.KE else t
            for t in value.proposals[0].transforms
        )
        return first_changed(value, transforms=transforms)

    monkeypatch.setattr(proposal, "answer", other_group)
    net, west, _, _ = began("IKE-proposals= aes256-sha256-x25519-ecp256")
    net.run(1)
    assert not west.rows(1)
    assert "IKE_AUTH" not in kinds(net.history)


def test_two_peers_behind_one_nat_may_have_the_same_spi() -> None:
    """2.1: the whole message tells, not the initiator's SPI and address."""
    net, _, east, first = began()
    other = bytearray(first.data)
    other[-1] ^= 1
    for data in (first.data, bytes(other), bytes(other)):
        east.receive(first._replace(data=data))
    said = [p.data for p in net.flying if p.src == east.address]
    assert len(said) == 3
    assert said[1] == said[2] != said[0]
    net.run(300)
    assert not east.daemon.engine.half_open


def test_a_cookie_is_for_a_message_that_could_be_answered() -> None:
    net, west, east, first = began(general="Cookie-threshold= 0")
    bare = first.header._replace(next_payload=0, length=HEADER_SIZE).pack()
    assert not send(net, west, east, bare)


# --- 2.4: initial contact ---------------------------------------------------------------------


def test_initial_contact_may_come_in_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7296 2.4."""
    add = ike_auth.add_auth

    def add_more(x: Any, message: Outgoing) -> None:
        add(x, message)
        if not x.initiator:
            common.add_notify(message, Notify.INITIAL_CONTACT)

    monkeypatch.setattr(ike_auth, "add_auth", add_more)
    net, west, _, _ = began()
    told: list[Any] = []
    west.daemon.keeper.places.initial_contact = told.append  # type: ignore[assignment]
    net.run(1)
    assert told == [sa_of(west)]


# --- 2.9.2, 2.25: rekeying --------------------------------------------------------------------


def test_the_packet_that_waits_is_not_named_when_rekeying(monkeypatch: pytest.MonkeyPatch) -> None:
    net, west, _ = pair()
    sizes: list[int] = []

    def count(selectors: Any) -> TsValue:
        sizes.append(len(selectors))
        return to_wire(selectors)

    monkeypatch.setattr(traffic, "to_wire", count)
    packet = Selector.of("10.1.0.5", "10.2.0.7", 6, 1234, 80)
    west.daemon.connections.packets._last["west-east"] = packet
    west.daemon.connections.rekey(child_of(west))
    net.run(1)
    assert sizes == [1, 1, 1, 1]


def test_what_is_replaced_is_not_narrowed_whatever_else_is_asked_for() -> None:
    """RFC 7296 2.9.2: However many selectors come before it."""
    near, far = "10.2.0.0/16", "10.1.0.0/24, 10.1.2.0/24"
    net, west, east = pair(
        west={"connection_tags": f"Local-selectors= {far}\nRemote-selectors= {near}"},
        east={"connection_tags": f"Local-selectors= {near}\nRemote-selectors= {far}"},
    )
    old = child_of(east)
    spi = old.protocols[0].spi_out.to_bytes(4, "big")
    rekey_sa = NotifyValue(3, int(Notify.REKEY_SA), spi, b"")
    wanted = [ip_network(f"10.1.0.{number}") for number in range(1, 64)]
    wanted.append(ip_network("10.1.0.0/16"))
    items = [(P.NOTIFY, rekey_sa), *request(west, TSI=to_wire(list(map(of_network, wanted))))]
    (answer,) = send(net, west, east, forge(west, items, kind=X.CREATE_CHILD_SA))
    assert opened(west, answer)
    (new,) = old.heirs
    assert new.traffic == old.traffic


def test_a_peer_that_gives_less_when_rekeying_is_found_out() -> None:
    net, west, east = pair()
    theirs = child_of(east)
    less = Traffic(theirs.traffic.local, (theirs.traffic.remote[0]._replace(
        end=ip_address("10.1.0.255")),))  # fmt: skip
    theirs.connection = replace(theirs.connection, traffic=less)
    west.daemon.connections.rekey(child_of(west))
    net.run(5)
    assert child_of(west).traffic == Traffic(less.remote, less.local)
    agree(west, east)
    (reason,) = [o["reason"] for o in west.outcomes if not o["ok"]]
    assert reason["cause"] == "narrowed-rekey"
    assert reason["came"] == "10.1.0.0/24 === 10.2.0.0/16"
    assert reason["acceptable"] == "10.1.0.0/16 === 10.2.0.0/16"


def test_the_last_child_sa_that_there_may_be_can_be_rekeyed() -> None:
    net, west, east = pair(general="Max-children= 1")
    old = child_of(west)
    west.daemon.connections.rekey(old)
    net.run(10)
    assert not east.reasons()
    assert child_of(west) is not old


# --- 2.15: what is signed ---------------------------------------------------------------------


def test_the_identity_is_signed_as_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7296 2.15: RestOfInitIDPayload has reserved octets, which are ignored otherwise (2.5)."""
    made: list[Any] = []

    def body(identity: Any) -> bytes:
        made.append(identity)
        return bytes([identity.type, 1, 2, 3]) + bytes(identity.data)

    monkeypatch.setattr(ike_auth, "id_body", body)
    _, west, east = pair(seconds=1)
    assert connected(west)
    assert connected(east)
    assert len(made) == 2, "each end makes its own"


# --- 2.21.4, 2.23: under no SA, and from elsewhere --------------------------------------------


def test_a_request_that_overtakes_the_answer_of_ike_auth_is_no_strangers() -> None:
    net, west, east, _ = began()
    net.lose = lambda packet: kinds([packet]) == ["IKE_AUTH'"]
    net.pump()
    net.lose = lambda packet: False
    east.daemon.engine.dialects["ikev2"].probe(east.daemon.engine, sa_of(east), 1)
    net.pump()
    assert kinds(net.history)[-1] == "INFORMATIONAL"
    net.run(5)
    assert connected(west)
    agree(west, east)


@pytest.mark.parametrize(
    ("local", "reached", "moves"), [(False, False, True), (True, False, False), (True, True, True)]
)
def test_behind_a_nat_no_peer_is_followed(local: bool, reached: bool, moves: bool) -> None:
    """RFC 7296 2.23: Unless our own NAT lets the peer reach us first."""
    net, west, east = pair()
    nat = sa_of(west).nat
    nat.remote, nat.local, nat.reached = True, local, reached
    data = forge(east, [], flags=0)
    before = sa_of(west).path
    west.receive(Packet(ip_address("198.51.100.9"), 500, west.address, 500, data))
    net.flying.clear()
    assert (sa_of(west).path != before) is moves


# --- RFC 6023 ---------------------------------------------------------------------------------


def test_no_childless_ike_sa_with_who_does_not_say_to_take_one() -> None:
    """RFC 6023."""
    net, west, east = pair("Childless= no")
    peer = west.daemon.catalog.remote("east")
    west.daemon.connections.begin_sa(peer, sa_of(west).path)
    net.run(10)
    assert not west.reasons() + east.reasons()
    assert connected(west)
    assert connected(east)


# --- 2.21.3, RFC 6989: answers that cannot be used --------------------------------------------


def test_an_answer_that_breaks_a_rule_is_not_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    net, west, east = pair()
    old = sa_of(west)
    backwards = bytes.fromhex("01000000070000100000ffff0a0100090a010001")
    monkeypatch.setattr(negotiation, "add_answer", lambda c, message: (
        message.add(P.TSI, backwards), message.add(P.TSR, backwards)
    ))  # fmt: skip
    west.daemon.connections.rekey(child_of(west))
    net.pump()
    assert old.state is State.DEAD
    assert west.reasons()[0] == "malformed-message"
    assert not west.rows(2) + east.rows(2)


@pytest.mark.parametrize("of_child", [True, False])
def test_a_bad_public_value_in_an_answer_ends_the_ike_sa(
    of_child: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 6989."""
    net, west, east = pair(
        "IKE-proposals= aes256-sha256-modp2048",
        connection_tags="ESP-proposals= aes128gcm16-modp2048",
    )
    old, value = sa_of(west), common.ke_value

    def outside(group: int, pair: Any) -> KeValue:
        answers = len([p for p in net.history if p.header.exchange_type == X.CREATE_CHILD_SA])
        return KeValue(group, bytes(255) + b"\1") if answers else value(group, pair)

    monkeypatch.setattr(common, "ke_value", outside)
    if of_child:
        west.daemon.connections.rekey(child_of(west))
    else:
        west.daemon.keeper.rekey_sa(old)
    net.pump()
    assert old.state is State.DEAD
    assert "invalid-key-exchange" in west.reasons()


# --- 2.23.1: transport mode behind NAT --------------------------------------------------------


def behind_nat(
    east_suites: str = TRANSPORT, remote: str = "192.0.2.1"
) -> tuple[Network, Host, Host]:
    """West has a NAT before it."""
    one, other = gateways()
    one = replace(one, address="10.0.0.9", local="10.0.0.9", remote="192.0.2.2", suites=TRANSPORT)
    net = Network()
    west = net.host(one)
    east = net.host(replace(other, local="192.0.2.2", remote=remote, suites=east_suites))
    net.nats.append(Nat("10.0.0.9", "192.0.2.1"))
    return net, west, east


def test_the_server_answers_with_the_addresses_that_it_sees(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RFC 7296 2.23.1."""
    net, west, east = behind_nat()
    sent: list[list[str]] = []

    def note(selectors: Any) -> TsValue:
        sent.append([str(s.start) for s in selectors])
        return to_wire(selectors)

    monkeypatch.setattr(traffic, "to_wire", note)
    net.start()
    net.run(2)
    assert sent == [["10.0.0.9"], ["192.0.2.2"], ["192.0.2.1"], ["192.0.2.2"]]
    assert child_of(west).selector == Selector.of("10.0.0.9", "192.0.2.2")
    assert child_of(east).selector == Selector.of("192.0.2.2", "192.0.2.1")
    for host in (west, east):
        old = child_of(host)
        host.daemon.connections.rekey(old)
        net.run(5)
        assert child_of(host) is not old
        assert connected(west)
        assert connected(east)
    assert not west.reasons() + east.reasons()


def test_a_server_without_transport_mode_looks_for_the_addresses_that_came() -> None:
    """RFC 7296 2.23.1: where nothing is for the address that it sees, tunnel mode may be for the
    one behind the NAT."""
    net, west, east = behind_nat(WEST.suites, remote="10.0.0.9")
    net.start()
    net.run(2)
    assert "ts-unacceptable" not in east.reasons()
    assert "transport-mode-refused" in west.reasons()


# --- 1.3.1: fragments -------------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "said"), [("yes", 2), ("no", 0)])
def test_later_fragments_are_taken_where_both_say_so(
    asked: str, said: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 7296 1.3.1."""
    told: list[int] = []
    add = common.add_notify

    def note(message: Outgoing, notify: int, *more: Any) -> None:
        told.append(notify)
        add(message, notify, *more)

    monkeypatch.setattr(common, "add_notify", note)
    pair(west={"connection_tags": f"Non-first-fragments= {asked}"},
         east={"connection_tags": "Non-first-fragments= yes"}, seconds=1)  # fmt: skip
    assert told.count(Notify.NON_FIRST_FRAGMENTS_ALSO) == said
