"""IKEv2 under hostile input: strangers, those on the way, and peers that misbehave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.constants import ikev2
from isakmp.errors import Reason
from isakmp.exchange.budget import STRANGERS_PER_S
from isakmp.exchange.outcome import OUTCOMES_MAX
from isakmp.message import HEADER_SIZE, Header, Item, build_payloads
from isakmp.payloads.ikev2.delete import DeleteValue
from isakmp.payloads.ikev2.notify import NotifyValue
from isakmp.payloads.shapes import HEADER as GENERIC
from isakmp.payloads.shapes import Octets
from isakmp.policy import proposal
from isakmp.policy.boxes import SELECTORS_MAX
from isakmp.policy.spd import Proposal, Traffic, TrafficSelector
from isakmp.policy.traffic import to_wire
from isakmp.sa import IsakmpSa
from isakmp.scripts.ikev2 import fragments
from isakmp.scripts.ikev2.common import notify_value
from isakmp.scripts.ikev2.informational import delete_ike
from regress.pair import (
    Gateway,
    Host,
    Network,
    Packet,
    agree,
    connected,
    network_id,
    stranger,
)
from regress.policy.test_boxes import calls, strips
from regress.scripts.ikev2.pairs import SPOKEN, child_of, gateways, kinds, pair, sa_of

P, Notify, X = ikev2.Payload, ikev2.Notify, ikev2.Exchange
INITIATOR, RESPONSE = 8, 32
QUIET = 1.0


def forge(
    host: Host, items: list[Item], *, message_id: int | None = None, kind: int = X.INFORMATIONAL,
    first: int | None = None, inner: bytes | None = None, flags: int = INITIATOR,
) -> bytes:  # fmt: skip
    """A request under west's keys, with whatever it should not have."""
    sa = sa_of(host)
    number = sa.ids.next_out if message_id is None else message_id
    following, chain = build_payloads(2, items)
    chain = chain if inner is None else inner
    size = 4 + sa.keys.seals.sealed_size(len(chain))
    header = Header(sa.cky_i, sa.cky_r, P.SK, 2, 0, kind, flags, number, HEADER_SIZE + size)
    head = header.pack() + GENERIC.pack(following if first is None else first, 0, size)
    sealed: bytes = sa.keys.seals.seal(head, chain, host.random)
    return head + sealed


def send(net: Network, west: Host, east: Host, data: bytes) -> list[Packet]:
    """Deliver it as if from west; what east said to it."""
    before = len(net.history)
    east.receive(Packet(west.address, 500, east.address, 500, data))
    said = [p for p in net.history[before:] if p.src == east.address]
    net.flying.clear()
    return said


def opened(west: Host, packet: Packet) -> bytes:
    """What an answer to west holds."""
    inner: bytes = sa_of(west).keys.opens.open(packet.data, HEADER_SIZE + 4)
    return inner


def unharmed(net: Network, west: Host, east: Host) -> None:
    """Both still have their SAs, and can use the IKE SA."""
    net.run(QUIET)
    assert connected(west)
    assert connected(east)
    agree(west, east)


# --- on the way ------------------------------------------------------------------------------


@given(at=st.integers(0, 200), bit=st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_a_changed_bit_is_no_message(at: int, bit: int) -> None:
    net, west, east = pair()
    data = bytearray(forge(west, [delete_ike()]))
    data[at % len(data)] ^= 1 << bit
    before = sa_of(east).ids
    send(net, west, east, bytes(data))
    assert before is sa_of(east).ids
    unharmed(net, west, east)


def test_a_request_again_gets_the_same_answer_and_another_of_its_number_none() -> None:
    net, west, east = pair()
    first = forge(west, [])
    (answer,) = send(net, west, east, first)
    (again,) = send(net, west, east, first)
    assert again.data == answer.data
    other = forge(west, [delete_ike()], message_id=sa_of(west).ids.next_out)
    assert not send(net, west, east, other)
    sa_of(west).ids.take()
    sa_of(west).ids.outstanding.clear()
    unharmed(net, west, east)


@pytest.mark.parametrize("ahead", [1, 2, 1000, 2**32 - 3])
def test_numbers_beyond_the_window(ahead: int) -> None:
    net, west, east = pair()
    number = (sa_of(west).ids.next_out + ahead) % 2**32
    (told,) = send(net, west, east, forge(west, [delete_ike()], message_id=number))
    assert told.header.flags & RESPONSE == 0
    notify = bytes.fromhex("0000000c 00000009") + number.to_bytes(4, "big")
    assert opened(west, told) == notify
    assert not send(net, west, east, forge(west, [delete_ike()], message_id=number)), "not again"
    data = bytearray(forge(west, [delete_ike()], message_id=number))
    data[-1] ^= 1
    net.run(2)
    assert not send(net, west, east, bytes(data)), "not authentic"
    unharmed(net, west, east)


def test_numbers_beyond_the_window_are_told_now_and_then() -> None:
    """RFC 7296 2.2 and 2.3."""
    net, west, east = pair()
    told = 0
    for ahead in range(2, 202):
        number = sa_of(west).ids.next_out + ahead
        told += len(send(net, west, east, forge(west, [], message_id=number)))
        sa = sa_of(east)
        for exchange in list(sa.running.values()):
            east.daemon.engine.fail(exchange, Reason("test", "answered"))
    assert 1 <= told <= STRANGERS_PER_S


def test_who_is_told_of_its_window_asks_for_one_thing_at_a_time() -> None:
    net, west, east = pair("Window-size= 5")
    ids = sa_of(east).ids
    assert ids.size_out == 5
    value = notify_value(Notify.INVALID_MESSAGE_ID, bytes(4))
    (answer,) = send(net, west, east, forge(west, [(P.NOTIFY, value)]))
    assert opened(west, answer) == b""
    assert ids.size_out == 1
    assert "beyond its window" in east.said
    sa_of(west).ids.done(sa_of(west).ids.take())
    unharmed(net, west, east)


# --- under the keys --------------------------------------------------------------------------


def test_what_breaks_a_rule_is_told_so() -> None:
    net, west, east = pair()
    (answer,) = send(net, west, east, forge(west, [], first=P.DELETE, inner=b"\0\0\0\x03"))
    assert opened(west, answer)[6:8] == Notify.INVALID_SYNTAX.to_bytes(2, "big")


@pytest.mark.parametrize("kind", [1, 200, P.GSPM, P.GSA, P.PS])
@pytest.mark.parametrize("critical", [False, True])
def test_what_must_be_understood_and_is_not(kind: int, critical: bool) -> None:
    """RFC 7296 2.5."""
    net, west, east = pair()
    (answer,) = send(net, west, east, forge(west, [(kind, b"????", critical)]))
    inner = opened(west, answer)
    assert bool(inner) is critical
    if critical:
        told = Notify.UNSUPPORTED_CRITICAL_PAYLOAD.to_bytes(2, "big") + bytes([kind])
        assert inner[6:9] == told


@pytest.mark.parametrize("how", ["exchange", "payload"])
def test_who_asks_for_what_does_not_exist_pushes_no_outcome_out(how: str) -> None:
    net, west, east = pair()
    kept = [outcome for outcome in east.outcomes if outcome["ok"]]
    for number in range(300):
        kind = 200 + number % 20
        if how == "exchange":
            data = forge(west, [], kind=kind)
        else:
            data = forge(west, [(kind, b"????", True)])
        send(net, west, east, data)
        sa_of(west).ids.done(sa_of(west).ids.take())
    assert [outcome for outcome in east.outcomes if outcome["ok"]] == kept
    (refused,) = [outcome for outcome in east.outcomes if not outcome["ok"]]
    assert refused["times"] == 300


@pytest.mark.parametrize("kind", [P.VENDOR, P.CERTREQ])
def test_what_is_understood_may_be_critical(kind: int) -> None:
    net, west, east = pair()
    (answer,) = send(net, west, east, forge(west, [(kind, b"????", True)]))
    assert opened(west, answer) == b""


def test_an_empty_chain_asks_whether_we_live() -> None:
    net, west, east = pair()
    (answer,) = send(net, west, east, forge(west, []))
    assert opened(west, answer) == b""


@pytest.mark.parametrize("kind", [200, 0, 39, X.IKE_SA_INIT, X.IKE_AUTH])
def test_an_exchange_that_is_not_known_or_not_for_now_has_an_answer(kind: int) -> None:
    """Without one the peer could ask for nothing else (RFC 7296 2.1, 2.3, 3.10.1)."""
    net, west, east = pair()
    data = forge(west, [delete_ike()], kind=kind)
    (answer,) = send(net, west, east, data)
    assert answer.header.exchange_type == kind
    assert answer.header.flags & RESPONSE
    assert opened(west, answer) == bytes.fromhex("00000008 00000007")
    assert [p.data for p in send(net, west, east, data)] == [answer.data], "its ID is used up"
    assert "unknown-exchange" in east.reasons()
    sa_of(west).ids.done(sa_of(west).ids.take())
    unharmed(net, west, east)
    west.daemon.connections.rekey(child_of(west))
    unharmed(net, west, east)


def test_others_sas_cannot_be_deleted() -> None:
    net, west, east = pair()
    spis = [child_of(east).protocols[0].spi_in.to_bytes(4, "big"), b"\0\0\1\0", b"\1\2", bytes(4)]
    value = DeleteValue(3, tuple(spis[:1]))
    (answer,) = send(net, west, east, forge(west, [(P.DELETE, value)]))
    assert opened(west, answer) == b"", "it names what we receive with, which is not its to delete"
    sa_of(west).ids.done(sa_of(west).ids.take())
    unharmed(net, west, east)


def test_a_child_sa_that_is_deleted_a_hundred_times_is_deleted_once() -> None:
    net, west, east = pair()
    spi = child_of(west).protocols[0].spi_in.to_bytes(4, "big")
    ours = child_of(east).protocols[0].spi_in.to_bytes(4, "big")
    value = DeleteValue(3, (spi,) * 100)
    (answer,) = send(net, west, east, forge(west, [(P.DELETE, value)]))
    assert opened(west, answer) == bytes.fromhex("0000000c03040001") + ours
    assert not east.daemon.sas.all_children()


@pytest.mark.parametrize(("protocol", "size"), [(3, 1), (3, 8), (3, 255), (2, 4), (0, 4), (9, 4)])
def test_a_delete_that_names_nothing_of_ours(protocol: int, size: int) -> None:
    net, west, east = pair()
    spi = child_of(west).protocols[0].spi_in.to_bytes(4, "big")
    value = DeleteValue(protocol, ((spi + bytes(251))[:size],) * 3)
    (answer,) = send(net, west, east, forge(west, [(P.DELETE, value)]))
    assert opened(west, answer) == b""
    assert child_of(east)


def rekeying(spi: bytes, proposals: tuple[Proposal, ...], traffic: Traffic) -> list[Item]:
    """A request to rekey the child SA of that SPI."""
    return [
        (P.NOTIFY, NotifyValue(3, int(Notify.REKEY_SA), spi, b"")),
        (P.SA, proposal.offer(proposals, b"\1\2\3\4")),
        (P.NONCE, Octets(bytes(32))),
        (P.TSI, to_wire(traffic.local)),
        (P.TSR, to_wire(traffic.remote)),
    ]


def grid(base: str) -> tuple[TrafficSelector, ...]:
    """Of 64 selectors, that cut whatever they are compared with in many pieces."""
    first, count = ip_address(base), SELECTORS_MAX // 2
    ports = [(1000 * n, 1000 * n + 1) for n in range(count)]
    across = [TrafficSelector(first + a, first + b, 6) for a, b in ports]
    along = [TrafficSelector(first, first + 65535, 6, *pair) for pair in ports[:-1]]
    return (*across, *along, TrafficSelector(first, first + 65535, 6))


def test_whatever_a_peer_asks_for_is_compared_within_bounds() -> None:
    """A request of 2.2 kB took a second, and three where it was to rekey what such a one made."""
    net, west, east = pair()
    conn = child_of(west).connection
    before, spi = len(east.daemon.sas.all_children()), b"\1\2\3\4"

    def ask(shape: Callable[[str], tuple[TrafficSelector, ...]], *, rekey: bool) -> int:
        asked = Traffic(shape("10.1.0.0"), shape("10.2.0.0"))
        items = rekeying(spi, conn.proposals, asked)[not rekey :]
        data = forge(west, items, kind=X.CREATE_CHILD_SA)
        sa_of(west).ids.take()
        sa_of(west).ids.outstanding.clear()
        return calls(lambda: send(net, west, east, data))

    assert ask(strips, rekey=False) < 200_000
    assert len(east.daemon.sas.all_children()) == before + 1
    assert ask(grid, rekey=True) < 200_000
    assert ask(grid, rekey=False) < 200_000


@pytest.mark.parametrize("spi", [b"", b"\x01", bytes(4), bytes(8), bytes(255)])
def test_rekeying_what_is_not_there(spi: bytes) -> None:
    net, west, east = pair()
    items = rekeying(spi, child_of(west).connection.proposals, child_of(west).connection.traffic)
    (answer,) = send(net, west, east, forge(west, items, kind=X.CREATE_CHILD_SA))
    assert opened(west, answer)[6:8] == Notify.CHILD_SA_NOT_FOUND.to_bytes(2, "big")
    assert child_of(east)


def test_thousands_of_children() -> None:
    net, west, east = pair(general="Max-children= 20")
    connection = west.daemon.catalog.connection("west-east")
    for _ in range(200):
        dialect, engine = west.daemon.engine.dialects["ikev2"], west.daemon.engine
        west.daemon.connections.busy.clear()
        dialect.begin_child(engine, sa_of(west), connection, None)
        net.pump()
    assert len(east.daemon.sas.all_children()) <= 2 * 20, "each of 20 may be replaced once"
    assert "too-many-children" in east.reasons()
    assert len(east.app.sas) <= 2 * 2 * 20
    assert not east.app.larval


SOUTH = Gateway(
    "192.0.2.3", "192.0.2.2", "east", "south-east", "10.3.0.0/16", "10.2.0.0/16", peer_tags=SPOKEN
)  # fmt: skip


def test_one_peer_cannot_delete_nor_rekey_what_is_anothers() -> None:
    """Two of east's peers, and the SPI that the other one receives with."""
    north, east = gateways()
    net, both = Network(), replace(east, connection="east-west, east-south").text()
    both = both.replace("[east-west, east-south]", "[east-west]") + south_of_the_hub()
    hub, west, evil = net.add(east.address, both), net.host(north), net.host(SOUTH)
    net.start()
    net.run(5)
    assert len(hub.daemon.sas.all_children()) == 2
    spi = child_of(west).protocols[0].spi_in.to_bytes(4, "big")
    rekey = rekeying(spi, child_of(evil).connection.proposals, child_of(evil).traffic)
    lost: list[Item] = [(P.NOTIFY, notify_value(Notify.INVALID_SPI, spi))]
    delete: list[Item] = [(P.DELETE, DeleteValue(3, (spi,)))]
    for kind, items in (
        (X.INFORMATIONAL, delete), (X.INFORMATIONAL, lost), (X.CREATE_CHILD_SA, rekey),
    ):  # fmt: skip
        (answer,) = send(net, evil, hub, forge(evil, items, kind=kind))
        inner = opened(evil, answer)
        refused = Notify.CHILD_SA_NOT_FOUND.to_bytes(2, "big")
        assert inner[6:8] == refused if kind == X.CREATE_CHILD_SA else inner == b""
        sa_of(evil).ids.done(sa_of(evil).ids.take())
    net.run(5)
    assert len(hub.daemon.sas.all_children()) == 2
    assert connected(west)
    assert connected(evil)


def south_of_the_hub() -> str:
    """What east says of its other peer."""
    return (
        "[Phase 1]\n192.0.2.3= south\n"
        "[south]\nPhase= 1\nAddress= 192.0.2.3\nConfiguration= phase-1\n"
        f"Authentication= a secret of both\n{SPOKEN}\n"
        "[east-south]\nPhase= 2\nISAKMP-peer= south\nConfiguration= phase-2\n"
        "Local-ID= near\nRemote-ID= beyond\n"
    ) + network_id("beyond", "10.3.0.0/16")


def test_rekeying_what_is_not_there_without_end_grows_nothing() -> None:
    net, west, east = pair()
    connection = child_of(west).connection
    timers = len(east.timers.pending())
    for number in range(300):
        spi = (0x01000000 + number).to_bytes(4, "big")
        items = rekeying(spi, connection.proposals, connection.traffic)
        (answer,) = send(net, west, east, forge(west, items, kind=X.CREATE_CHILD_SA))
        assert opened(west, answer)[6:8] == Notify.CHILD_SA_NOT_FOUND.to_bytes(2, "big")
        sa_of(west).ids.done(sa_of(west).ids.take())
    assert (len(east.app.sas), len(east.app.larval)) == (2, 0)
    assert len(east.timers.pending()) <= timers
    assert not east.daemon.engine.exchanges
    assert len(east.outcomes) <= OUTCOMES_MAX
    unharmed(net, west, east)


@pytest.mark.parametrize("window", [1, 8])
def test_a_flood_of_requests_is_answered_one_for_one_and_grows_nothing(window: int) -> None:
    """Empty ones, notifies that say nothing, deletes of nothing; each has one answer, once."""
    net, west, east = pair(f"Window-size= {window}")
    timers = len(east.timers.pending())
    said: list[list[Item]] = [
        [], [(P.NOTIFY, notify_value(40000, b"x" * 100))] * 30,
        [(P.DELETE, DeleteValue(3, (b"\0\0\2\0",) * 100))], [(P.VENDOR, b"x" * 1000)],
        [(P.NOTIFY, notify_value(Notify.SET_WINDOW_SIZE, b"\xff" * 4))],
    ]  # fmt: skip
    for number in range(1000):
        data = forge(west, said[number % len(said)])
        assert len(send(net, west, east, data)) == 1
        sa_of(west).ids.done(sa_of(west).ids.take())
    assert len(sa_of(east).ids._answers) <= window
    assert len(east.timers.pending()) <= timers
    assert not east.daemon.engine.exchanges
    assert not sa_of(east).running
    unharmed(net, west, east)


def test_rekeying_for_ever_grows_nothing() -> None:
    net, west, east = pair()
    for _ in range(100):
        west.daemon.connections.rekey(child_of(west))
        net.run(1)
    assert len(east.app.sas) == 2
    assert len(east.daemon.engine.exchanges) == 0
    for _ in range(50):
        west.daemon.keeper.rekey_sa(sa_of(west))
        net.run(1)
    unharmed(net, west, east)
    assert len(east.timers.pending()) < 20


def test_a_peer_that_rekeys_and_deletes_nothing_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = Network()
    one, other = gateways()
    west, east = net.host(one), net.host(replace(other, general="Max-children= 3"))
    net.start()
    net.run(3)
    monkeypatch.setattr(west.daemon.keeper.children, "delete_child", lambda *_, **__: None)
    for _ in range(30):
        newest = max(west.daemon.sas.all_children(), key=lambda child: child.established)
        west.daemon.connections.replace(newest)
        net.run(1)
    assert len(east.daemon.sas.all_children()) == 6
    refused = [one["reason"] for one in east.outcomes if not one["ok"]]
    assert refused and all(one["cause"] == "too-many-children" for one in refused)


# --- fragments -------------------------------------------------------------------------------


def piece(
    host: Host, number: int, total: int, data: bytes, message_id: int,
    sa: IsakmpSa | None = None, kind: int = X.INFORMATIONAL,
) -> bytes:  # fmt: skip
    sa = sa or sa_of(host)
    size = 8 + sa.keys.seals.sealed_size(len(data))
    header = Header(sa.cky_i, sa.cky_r, P.SKF, 2, 0, kind, INITIATOR, message_id,
                    HEADER_SIZE + size)  # fmt: skip
    head = header.pack() + GENERIC.pack(P.DELETE if number == 1 else 0, 0, size)
    head += number.to_bytes(2, "big") + total.to_bytes(2, "big")
    sealed: bytes = sa.keys.seals.seal(head, data, host.random)
    return head + sealed


def test_pieces_in_any_order_doubled_and_mixed() -> None:
    net, west, east = pair()
    number = sa_of(west).ids.next_out
    chain = build_payloads(2, [delete_ike()])[1]
    assert not send(net, west, east, piece(west, 2, 3, chain[3:6], number))
    assert not send(net, west, east, piece(west, 2, 3, chain[3:6], number)), "doubled"
    assert not send(net, west, east, piece(west, 1, 2, chain, number)), "of fewer: the old ones"
    assert not send(net, west, east, piece(west, 3, 3, chain[6:], number))
    answers = send(net, west, east, piece(west, 1, 3, chain[:3], number))
    assert len(answers) == 1
    assert not east.rows(1)


def test_more_pieces_than_before_begin_anew() -> None:
    net, west, east = pair()
    number = sa_of(west).ids.next_out
    chain = build_payloads(2, [delete_ike()])[1]
    assert not send(net, west, east, piece(west, 1, 2, chain[:4], number))
    assert not send(net, west, east, piece(west, 2, 3, chain[4:6], number))
    assert not send(net, west, east, piece(west, 3, 3, chain[6:], number))
    assert len(send(net, west, east, piece(west, 1, 3, chain[:4], number))) == 1


@pytest.mark.parametrize(("number", "total"), [(0, 2), (3, 2), (0, 0), (1, 60000)])
def test_pieces_out_of_range(number: int, total: int) -> None:
    net, west, east = pair()
    assert not send(net, west, east, piece(west, number, total, b"x" * 8, sa_of(west).ids.next_out))
    unharmed(net, west, east)


def test_pieces_that_never_end_are_bounded() -> None:
    net, west, east = pair("Window-size= 16")
    first = sa_of(west).ids.next_out
    for message_id in range(first, first + 12):
        for number in range(1, 60):
            send(net, west, east, piece(west, number, 100, b"x" * 1400, message_id))
    kept = sa_of(east).fragments._incomplete
    assert len(kept) <= fragments.MESSAGES_MAX
    assert sum(pieces.octets for pieces in kept.values()) <= (
        fragments.MESSAGES_MAX * fragments.OCTETS_MAX
    )


def test_pieces_of_who_has_proved_nothing_are_less() -> None:
    """A thousand exchanges may be half open."""
    net, west, east = pair(lose=lambda packet: packet.header.exchange_type == X.IKE_AUTH)
    ours, theirs = (
        next(x.sa for x in host.daemon.engine.exchanges.values() if x.sa is not None)
        for host in (west, east)
    )
    for number in range(1, 60):
        data = piece(west, number, 60, b"x" * 1400, 1, ours, X.IKE_AUTH)
        east.receive(Packet(west.address, 500, east.address, 500, data))
        kept = theirs.fragments._incomplete.values()
        assert sum(pieces.octets for pieces in kept) <= fragments.UNPROVEN_MAX
    assert f"more than {fragments.UNPROVEN_MAX} octets" not in east.said, "strangers fill no log"
    net.lose = lambda packet: False
    net.run(30)
    unharmed(net, west, east)


# --- strangers -------------------------------------------------------------------------------


def init(net: Network, west: Host) -> bytes:
    """West's IKE_SA_INIT request."""
    return next(p.data for p in net.history if kinds([p]) == ["IKE_SA_INIT"])


def test_a_flood_is_answered_with_cookies_and_honest_peers_are_served() -> None:
    net, west, east = pair(general="Cookie-threshold= 5\nMax-half-open= 10", seconds=0.0)
    west.daemon.teardown_all()
    data = init(net, west)
    net.flying.clear()
    for number in range(500):
        spoofed = f"198.51.{number // 200}.{number % 200 + 1}"
        east.receive(stranger(number.to_bytes(8, "big") + data[8:], east, spoofed))
        net.flying.clear()
    assert len(east.daemon.engine.half_open) <= 10
    assert len(east.timers.pending()) < 60
    west.daemon.connect("west-east")
    net.run(10)
    assert connected(west)
    assert connected(east)


def test_a_flood_of_offers_that_do_not_fit_is_answered_with_cookies() -> None:
    """Refusing one costs more than accepting one, and leaves nothing to be counted."""
    net, west, east = pair(general="Cookie-threshold= 20", seconds=0.0)
    west.daemon.teardown_all()
    data = init(net, west)
    net.flying.clear()
    # Another number of its first transform: nothing fits.
    other = data.replace(bytes((1, 0, 0, 12)), bytes((1, 0, 3, 232)))
    engine = east.daemon.engine

    def flood(count: int) -> int:
        before = engine.counters.get("cookies", 0)
        for number in range(1, count + 1):
            first = number.to_bytes(8, "big") + other[8:]
            east.receive(stranger(first, east, str(west.address)))
            net.flying.clear()
        return engine.counters.get("cookies", 0) - before

    assert flood(100) == 80
    assert len(engine.half_open) == 0
    west.daemon.connect("west-east")
    net.run(10)
    assert connected(west) and connected(east)
    net.run(60)
    assert flood(10) == 0, "once it is over, nobody is asked for one"


@pytest.mark.parametrize("value", [0, 1, -1, -2], ids=["0", "1", "p-1", "p-2"])
def test_public_values_outside_the_group(value: int) -> None:
    one = {"transforms": "AES-256-SHA2-256-GRP14"}
    net, west, east = pair(west=one, east=one, seconds=0.0)
    data = bytearray(init(net, west))
    at = bytes(data).find(b"\0\x0e\0\0") + 4
    good = bytes(data[at : at + 256])
    from isakmp.constants import isakmp
    from isakmp.crypto.primes import modp_prime

    prime = modp_prime(isakmp.Group.MODP_2048)
    bad = value % prime
    assert good in bytes(data)
    data[at : at + 256] = bad.to_bytes(256, "big")
    before = len(east.daemon.engine.half_open)
    data[0] ^= 1
    east.receive(stranger(bytes(data), east, "192.0.2.1"))
    answer = net.flying.pop()
    if value == -2:
        assert len(east.daemon.engine.half_open) == before + 1, "p-2 is in the group"
    else:
        assert Notify.INVALID_SYNTAX.to_bytes(2, "big") == answer.data[34:36]
        assert len(east.daemon.engine.half_open) == before
