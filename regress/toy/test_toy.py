"""A protocol that is no IKE on the real engine: both roles, a bad network, strangers, and an
authority that answers late, twice and never."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as FilePath
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.capture import Frame, read_frames
from isakmp.errors import MalformedPayload, Refused
from isakmp.event.job import Job
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.exchange.engine import ANSWERS_MAX
from isakmp.exchange.exchange import ExchangeOf
from isakmp.exchange.front import Front
from isakmp.exchange.script import Outgoing, Wait
from isakmp.message import Payload
from isakmp.path import Path
from isakmp.payloads.base import Codec
from isakmp.payloads.shapes import Octets
from isakmp.transport.udp import Udp
from regress.pair import Host, up
from regress.toy import wire
from regress.toy.dialect import ANSWERED_MAX, PORT, Toy
from regress.toy.join import Join, send_NONCE_PROOF
from regress.toy.wire import CODECS, Header, Kind, Type
from regress.toy.world import End, Tickets, World


def linked(world: World) -> bool:
    """Whether both ends have the same link."""
    west, east = world.west.toy.links.get("east"), world.east.toy.links.get("west")
    return west is not None and east is not None and west.key == east.key


def kinds(world: World) -> list[str]:
    return [Kind(data[1]).name for _, data in world.sent]


# --- the octets ------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_vectors(codec: Codec[Any]) -> None:
    for text, value in codec.vectors:
        assert codec.build(value) == bytes.fromhex(text)
        assert codec.parse(bytes.fromhex(text)) == value
        assert codec.describe(value)


BODIES = {
    Type.NAME: st.binary(min_size=1, max_size=64), Type.NONCE: st.binary(min_size=16, max_size=16),
    Type.TICKET: st.binary(min_size=16, max_size=255),
}  # fmt: skip
ITEMS = st.lists(
    st.sampled_from(sorted(BODIES)).flatmap(lambda type: st.tuples(st.just(type), BODIES[type])),
    max_size=wire.PAYLOADS_MAX,
)
MESSAGES = st.builds(
    lambda kind, session, items: wire.build(
        Header(kind, session), [(type, Octets(body)) for type, body in items]
    ),
    st.sampled_from(Kind), st.integers(0, 0xFFFFFFFF), ITEMS,
)  # fmt: skip


@given(kind=st.sampled_from(Kind), session=st.integers(0, 0xFFFFFFFF), items=ITEMS)
def test_what_is_built_is_read_again(
    kind: Kind, session: int, items: list[tuple[Type, bytes]]
) -> None:
    values = [(type, Octets(body)) for type, body in items]
    data = wire.build(Header(kind, session), values)
    if len(data) > wire.LENGTH_MAX:
        with pytest.raises(MalformedPayload):
            wire.parse(data)
        return
    header, payloads = wire.parse(data)
    assert (header, [(p.type, p.body) for p in payloads]) == (Header(kind, session), items)
    for end in range(len(data)):
        with pytest.raises(MalformedPayload):
            wire.parse(data[:end])


@given(data=st.binary(max_size=64))
def test_octets_are_a_message_or_malformed(data: bytes) -> None:
    try:
        _, payloads = wire.parse(data)
    except MalformedPayload as error:
        assert 0 <= error.offset <= len(data)
    else:
        assert all(isinstance(payload, Payload) for payload in payloads)


# --- both roles ------------------------------------------------------------------------------


@pytest.mark.parametrize("turned", [False, True])
def test_two_ends_join_and_leave(turned: bool) -> None:
    world = World()
    one, other = (world.east, world.west) if turned else (world.west, world.east)
    exchange = one.join(other)
    assert exchange.parked and not world.sent, "its ticket is not there yet"
    world.run(1)
    assert linked(world)
    assert exchange.finished.done and exchange.finished.error is None
    assert kinds(world) == ["JOIN", "JOINED"]
    left = one.toy.begin_leave(one.engine, one.remote_of(one.to(other)))
    world.run(1)
    assert left.finished.done and left.finished.error is None
    assert not one.toy.links and not other.toy.links
    assert one.at_rest() and other.at_rest()
    assert [outcome.ok for outcome in other.engine.outcomes.own] == [True, True]


def test_both_begin_at_once() -> None:
    world = World()
    world.west.join(world.east)
    world.east.join(world.west)
    world.run(5)
    assert len(world.west.toy.links) == len(world.east.toy.links) == 1
    assert [one.ok for one in world.west.engine.outcomes.own] == [True, True]
    assert world.west.at_rest() and world.east.at_rest()


@pytest.mark.parametrize("seed", range(60))
def test_a_bad_network(seed: int) -> None:
    """Loss, duplicates and another order: all comes to rest, and there is a link in the end."""
    world = World(seed, share=0.3, late_s=1.5)
    draw = Random(seed).random
    world.tickets.after_s, world.tickets.times = lambda: draw() * 3, 2
    begun = [world.west.join(world.east)]
    world.run(0.5)
    begun.append(world.west.join(world.east))
    world.run(300)
    assert all(exchange.finished.done for exchange in begun)
    assert world.west.at_rest() and world.east.at_rest()
    good = [exchange for exchange in begun if exchange.finished.error is None]
    assert good, "seven times in a row is not lost with these seeds"
    world.share = 0.0
    last = world.west.join(world.east)
    world.run(60)
    assert last.finished.error is None and linked(world)


def test_a_request_that_is_lost_is_repeated_until_the_peer_is_given_up() -> None:
    world = World()
    world.lose = lambda data: True
    exchange = world.west.join(world.east)
    world.run(300)
    assert isinstance(exchange.finished.error, Refused)
    assert world.west.causes() == ["timeout"]
    assert kinds(world) == ["JOIN"] * 7
    assert len({data for _, data in world.sent}) == 1
    assert world.west.at_rest() and not world.west.toy.links


def test_an_answer_that_is_lost_is_given_again_after_the_exchange_is_over() -> None:
    world = World()
    lost: list[bytes] = []

    def lose(data: bytes) -> bool:
        if data[1] == Kind.JOINED and len(lost) < 2:
            lost.append(data)
            return True
        return False

    world.lose = lose
    world.west.join(world.east)
    world.run(30)
    assert linked(world) and len(lost) == 2
    assert len(world.east.engine.outcomes.own) == 1, "one exchange, answered three times"
    assert kinds(world).count("JOINED") == 3


def test_a_message_that_comes_again_while_somebody_is_asked_asks_nobody_again() -> None:
    world = World()
    world.tickets.after_s = lambda: 3.0
    world.west.join(world.east)
    world.run(20)
    assert kinds(world).count("JOIN") > 1
    assert len(world.tickets.jobs) == 2
    assert linked(world)


# --- an answer from elsewhere ----------------------------------------------------------------


@pytest.mark.parametrize("who", ["west", "east"])
def test_whoever_never_hears_of_its_authority_gives_up(who: str) -> None:
    """And says that the peer is not to blame."""
    world = World()
    answers: list[float | None] = [None] if who == "west" else [0.1, None]
    world.tickets.after_s = lambda: answers.pop(0)
    world.west.join(world.east)
    world.run(300)
    assert world.west.at_rest() and world.east.at_rest()
    assert not world.west.toy.links and not world.east.toy.links
    end: End = getattr(world, who)
    assert end.causes() == ["not-sent" if who == "west" else "not-done"]


@pytest.mark.parametrize("ask", [0, 1])
def test_an_answer_after_the_end_changes_nothing(ask: int) -> None:
    world = World()
    answers = [0.1, 0.1]
    answers[ask] = 200.0
    world.tickets.after_s = lambda: answers.pop(0)
    world.west.join(world.east)
    world.run(300)
    assert world.tickets.jobs[ask].done
    assert not world.west.toy.links and not world.east.toy.links
    assert world.west.at_rest() and world.east.at_rest()


def test_the_second_of_two_answers_changes_nothing() -> None:
    world = World()
    world.tickets.times = 2
    world.west.join(world.east)
    world.run(5)
    assert linked(world) and kinds(world) == ["JOIN", "JOINED"]
    assert len(world.west.engine.outcomes.own) == len(world.east.engine.outcomes.own) == 1


def test_who_is_refused_hears_why_and_waits_a_while_for_better() -> None:
    world = World()
    world.west.toy.authority = Tickets(world.wire, Random("another").randbytes)
    exchange = world.west.join(world.east)
    world.run(1)
    assert not exchange.finished.done, "anybody can have said so"
    world.run(10)
    assert world.west.causes() == ["refused-by-peer"]
    assert [one.remote for one in world.east.engine.outcomes.strangers.values()] == ["192.0.2.1"]
    assert world.east.causes() == ["no-ticket"]
    assert world.west.at_rest() and world.east.at_rest()


def test_forged_answers_do_not_end_what_the_peer_will_answer() -> None:
    """The engine follows an answer that anybody can have made beside the exchange."""
    world = World()
    answers = [0.05, 2.0]
    world.tickets.after_s = lambda: answers.pop(0)
    exchange = world.west.join(world.east)
    world.run(0.2)
    path = world.west.to(world.east)
    session = exchange.message_id
    nonce, proof = Octets(bytes(16)), Octets(bytes(32))
    for items in ([(Type.NONCE, nonce), (Type.PROOF, proof)], [(Type.WHY, wire.WhyValue(9))]):
        kind = Kind.JOINED if len(items) == 2 else Kind.REFUSED
        world.west.transport.receive(path, wire.build(Header(kind, session), items))
    assert not exchange.finished.done
    world.run(60)
    assert exchange.finished.done and exchange.finished.error is None
    assert linked(world) and world.west.at_rest()


# --- strangers -------------------------------------------------------------------------------

BEGINNING = [
    (Type.NAME, Octets(b"east")), (Type.NONCE, Octets(bytes(16))),
    (Type.TICKET, Octets(bytes(16))), (Type.PROOF, Octets(bytes(32))),
]  # fmt: skip
STRANGE = Path(World().west.address, PORT, World().east.address, PORT)


def hit(end: End, data: bytes) -> None:
    before = len(end.world.sent)
    end.transport.receive(STRANGE, data)
    assert len(end.world.sent) - before <= ANSWERS_MAX


@settings(max_examples=60, deadline=None)
@given(messages=st.lists(st.binary(max_size=80) | MESSAGES, max_size=20))
def test_whatever_comes_nothing_grows(messages: list[bytes]) -> None:
    world = World()
    world.run(1)
    for data in messages:
        hit(world.west, data)
    assert len(world.west.engine.exchanges) <= len(messages)
    world.run(300)
    assert world.west.at_rest() and not world.west.toy.links
    assert len(world.west.toy.answered) <= ANSWERED_MAX
    world.west.join(world.east)
    world.run(60)
    assert linked(world)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_was_sent_and_changed_makes_no_link_of_its_own(data: st.DataObject) -> None:
    world = World()
    world.west.join(world.east)
    world.run(5)
    west, east = world.west.toy.links, world.east.toy.links
    before = dict(west), dict(east)
    _, sent = data.draw(st.sampled_from(world.sent))
    at = data.draw(st.integers(0, len(sent) - 1))
    changed = sent[:at] + bytes([data.draw(st.integers(0, 255))]) + sent[at + 1 :]
    for message in (changed, sent, sent[:at], sent + changed):
        for end, other in ((world.west, world.east), (world.east, world.west)):
            end.transport.receive(end.to(other), message)
    world.run(300)
    assert (west, east) == before
    assert world.west.at_rest() and world.east.at_rest()


def test_what_strangers_begin_is_bounded() -> None:
    world = World()
    west = world.west
    world.tickets.after_s = lambda: None
    west.engine.settings.half_open_peer_max = 10
    for session in range(500):
        hit(west, wire.build(Header(Kind.JOIN, session), BEGINNING))
        assert len(west.engine.exchanges) == len(west.engine.half_open) <= 10
    world.run(300)
    assert west.at_rest() and not world.sent
    assert len(west.engine.outcomes.strangers) <= 2


def test_who_has_proved_itself_gives_way_to_no_stranger() -> None:
    """However long its exchange has to wait here, and whoever else comes meanwhile."""
    world, job = World(), Job[None]()
    east = world.east
    east.engine.settings.half_open_peer_max = 10

    def send_late(x: ExchangeOf[Join], message: Outgoing) -> Wait:
        yield job
        send_NONCE_PROOF(x, message)

    recv = east.toy.join.responder[0]
    east.toy.join = replace(east.toy.join, responder=(recv, send_late))
    world.west.join(east)
    world.run(1)
    assert len(east.engine.exchanges) == 1 and not east.engine.half_open
    world.tickets.after_s = lambda: None
    path = Path(east.address, PORT, world.west.address, PORT)
    for session in range(100):
        east.transport.receive(path, wire.build(Header(Kind.JOIN, session), BEGINNING))
    assert len(east.engine.half_open) == 10 and len(east.engine.exchanges) == 11
    job.finish(None)
    world.run(1)
    assert linked(world)


# --- beside IKE ------------------------------------------------------------------------------


def serve(host: Host, name: str, peer: Host, tickets: Tickets) -> Toy:
    """The toy on a port of a real daemon."""
    remote = next(iter(host.daemon.catalog.remotes.values()))
    toy = Toy(name, tickets, lambda path: remote)
    host.daemon.front.serve(PORT, toy.receive)
    return toy


def test_two_daemons_speak_it_beside_ike(tmp_path: FilePath) -> None:
    """On the engines that have negotiated an IPsec tunnel, and into their captures."""
    net, west, east = up()
    tickets = Tickets(west.timers, Random(1).randbytes)
    toys = serve(west, "west", east, tickets), serve(east, "east", west, tickets)
    west.daemon.capture(tmp_path / "pcap")
    remote = next(iter(west.daemon.catalog.remotes.values()))
    path = Path(west.address, PORT, east.address, PORT)
    exchange = toys[0].begin_join(west.daemon.engine, remote, path)
    net.run(5)
    west.daemon.capture(None)
    assert exchange.finished.done and exchange.finished.error is None
    assert toys[0].links["east"].key == toys[1].links["west"].key
    assert len(west.daemon.sas.isakmp) == len(east.daemon.sas.isakmp) == 1
    assert not west.daemon.engine.exchanges and not east.daemon.engine.exchanges
    with (tmp_path / "pcap").open("rb") as file:
        frames = [frame.data for frame in read_frames(file) if isinstance(frame, Frame)]
    told = [packet.data for packet in net.history if packet.dport == PORT]
    assert [Kind(data[1]) for data in told] == [Kind.JOIN, Kind.JOINED]
    assert all(frame.endswith(data) for frame, data in zip(frames, told, strict=True))


def test_it_has_a_port_of_its_own_beside_those_of_ike() -> None:
    """Over sockets: what comes to the ports of IKE is not read as its messages, nor the reverse."""
    world = World(addresses=("127.7.9.11", "127.7.9.12"))
    loop = Loop(Timers(lambda: world.now))
    udps: list[Udp] = []
    ike: list[bytes] = []
    for end in world.ends.values():
        udp = Udp(loop, end.engine.log, listen=[end.address], port=7500, nat_t_port=7501,
                  more=(PORT,))  # fmt: skip
        end.engine.transmit = udp.send
        front = Front(end.engine, lambda engine, path, data: ike.append(data))
        front.serve(PORT, end.toy.receive)
        udp.start(front.receive, lambda path, data: None)
        udps.append(udp)
    try:
        exchange = world.west.join(world.east)
        udps[0].send(world.west.to(world.east)._replace(remote_port=7500), b"to the port of IKE")
        for _ in range(200):
            world.run(0.01)
            loop.turn(0.001)
        assert exchange.finished.done and exchange.finished.error is None
        assert linked(world)
        assert ike == [b"to the port of IKE"]
    finally:
        for udp in udps:
            udp.close()
