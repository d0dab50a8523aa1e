"""Messages of one version never reach exchanges and SAs of the other, whatever state these are in.

A pair speaks one version from its first message to its last. Before each message is delivered, its
host gets every message of the other version: recorded ones, those of this very session with
another major version, and made-up ones; each as it is and with cookies and numbers that are in use.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from isakmp.exchange.candidates import family
from isakmp.message import HEADER_SIZE, Header, parse_header
from isakmp.sa import IsakmpSa
from regress.pair import Gateway, Host, Network, Packet, both, connected

ENCRYPTION, INITIATOR, RESPONSE = 1, 8, 32
# Started as the first version, and either is answered.
SPOKEN = {1: "Key-exchange= ikev1, ikev2", 2: "Key-exchange= ikev2, ikev1"}
SESSIONS = [(1, "ID_PROT"), (1, "AGGRESSIVE"), (2, "ID_PROT")]


def gateways(version: int, exchange: str) -> tuple[Gateway, Gateway]:
    return both(peer_tags=SPOKEN[version], exchange=exchange)


def play(net: Network, west: Host, version: int) -> Iterator[None]:
    """A session: it comes up, is probed, rekeyed, and taken down; stops where time goes by."""
    net.start()
    yield
    assert connected(west)
    daemon = west.daemon
    (sa,) = daemon.sas.isakmp.values()
    dialect = daemon.engine.dialects[f"ikev{version}"]
    dialect.probe(daemon.engine, sa, 1)
    yield
    daemon.connections.replace(daemon.sas.all_children()[0])
    yield
    dialect.rekey_sa(daemon.engine, sa)
    yield
    daemon.teardown_all()
    yield


@cache
def recorded(version: int, exchange: str) -> list[bytes]:
    """Every message of such a session, once."""
    net = Network()
    west = [net.host(gateway) for gateway in gateways(version, exchange)][0]
    for _ in play(net, west, version):
        net.run(0.5)
    assert len(net.history) > 10
    return [packet.message for packet in net.history]


def foreign(version: int) -> list[bytes]:
    """Messages of the other version than ``version``, and some that no version would send."""
    messages = [m for spoken, how in SESSIONS if spoken != version for m in recorded(spoken, how)]
    for kind in (2, 4, 5, 32, 34, 35, 36, 37):
        for flags in (0, ENCRYPTION, INITIATOR, RESPONSE, INITIATOR | RESPONSE):
            for body in (b"", bytes(16), b"\0\0\0\5x"):
                head = Header(bytes(8), bytes(8), 41, 1, 0, kind, flags, 0, HEADER_SIZE + len(body))
                messages.append(head.pack() + body)
    return messages


def disguised(data: bytes, version: int, cookies: tuple[bytes, bytes], number: int) -> bytes:
    """The message with another major version, and what finds an exchange."""
    header = parse_header(data)._replace(
        cky_i=cookies[0], cky_r=cookies[1], major=version, message_id=number, length=len(data)
    )
    return header.pack() + data[HEADER_SIZE:]


def in_use(host: Host) -> set[tuple[bytes, bytes, int]]:
    """The cookies and message IDs that a host listens to, and first messages of the same."""
    engine = host.daemon.engine
    every = [each for root in engine.exchanges.values() for each in family(root)]
    found = {(x.cky_i, x.cky_r, max(0, x.message_id)) for x in every}
    found |= {(x.cky_i, bytes(8), 0) for x in engine.exchanges.values()}
    for sa in host.daemon.sas.isakmp.values():
        found |= {(sa.cky_i, sa.cky_r, number) for number in (0, 1, 2, 5)}
    return found


def ids_of(sa: IsakmpSa) -> list[Any]:
    return [repr(getattr(sa.ids, name)) for name in sa.ids.__slots__]


def state_of(host: Host, version: int) -> dict[Any, Any]:
    """All that a message may change of what belongs to one version."""
    daemon = host.daemon
    found: dict[Any, Any] = {}
    for x in [each for root in daemon.engine.exchanges.values() for each in family(root)]:
        if x.dialect.name == f"ikev{version}":
            found[id(x)] = (
                x.number, x.script.name, x.step, x.parked, x.over, x.resting, x.retries,
                x.last_in, x.last_out, x.hint, x.protection, x.path, x.cky_r, sorted(x.events),
                repr(x.state), x in daemon.engine.half_open,
            )  # fmt: skip
    for own, sa in daemon.sas.isakmp.items():
        found[own] = (
            sa.state, sa.path, sa.last_heard, sa.dpd_sequence, sa.dpd_waiting, sorted(sa.events),
            ids_of(sa), sorted(sa.running), len(sa.waiting), len(sa.heirs),
        )  # fmt: skip
    for child in daemon.sas.all_children():
        found[id(child)] = child.state, str(child), sorted(child.events), child.receives_only
    return found


def attack(host: Host, packet: Packet, version: int, messages: list[bytes]) -> None:
    """Give ``host`` all of it in the place of that packet; nothing may come of it."""
    other = 3 - version
    marker = packet.data[: len(packet.data) - len(packet.message)]
    flipped = packet._replace(data=marker + disguised(packet.message, other, (
        packet.header.cky_i, packet.header.cky_r), packet.header.message_id))  # fmt: skip
    host.receive(flipped)
    for number, (cky_i, cky_r, message_id) in enumerate(sorted(in_use(host))):
        # Every message comes with everything that is in use in the course of the session.
        for data in messages[number % 3 :: 3]:
            fake = disguised(data, other, (cky_i, cky_r), message_id)
            host.receive(packet._replace(data=marker + fake))


@pytest.mark.parametrize(("version", "exchange"), SESSIONS)
def test_no_message_of_one_version_reaches_the_other(version: int, exchange: str) -> None:
    net = Network()
    west, east = (net.host(gateway) for gateway in gateways(version, exchange))
    messages = foreign(version)
    delivered = 0
    for _ in play(net, west, version):
        for _ in range(100):
            if not net.flying:
                break
            packet = net.flying.popleft()
            host = net.hosts[packet.dst]
            before, others = state_of(host, version), list(net.flying)
            attack(host, packet, version, messages)
            after = state_of(host, version)
            assert {key: after.get(key) for key in before} == before, packet.header
            # What was said to strangers is nobody's here.
            net.flying.clear()
            net.flying.extend(others)
            net.deliver(packet)
            delivered += 1
    assert delivered >= 10
    assert not east.rows(2)
    assert "bug:" not in west.said + east.said


@pytest.mark.parametrize("body", [b"", b"\0\0\0\5x", bytes(16)])
def test_a_header_of_ikev1_does_not_end_a_half_open_ikev2(body: bytes) -> None:
    """It costs nothing but 28 octets and the peer's address: the true IKE_AUTH still counts."""
    net = Network()
    one, other = both(peer_tags="Key-exchange= ikev2")
    west, east = net.host(one), net.host(replace(other))
    net.start()
    net.lose = lambda packet: packet.header.exchange_type == 35
    net.pump()
    held = net.history[-1]
    (waiting,) = east.daemon.engine.half_open
    fake = Header(held.header.cky_i, bytes(8), 35, 1, 0, 35, 0, 0, HEADER_SIZE + len(body))
    east.receive(held._replace(data=fake.pack() + body))
    assert waiting in east.daemon.engine.half_open
    net.lose = lambda packet: False
    net.deliver(held)
    net.pump()
    assert connected(west) and connected(east)
