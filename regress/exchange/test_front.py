"""Front: each datagram goes to the protocol that has its port; IKE's to the version it names."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import pytest

from isakmp.errors import MalformedPayload
from isakmp.exchange.engine import Engine
from isakmp.exchange.front import Front, Ike
from isakmp.message import Header
from isakmp.path import Path
from regress.toy.world import World

PEER = ip_address("198.51.100.7")


def path(port: int) -> Path:
    return Path(ip_address("192.0.2.1"), port, PEER, 500)


def message(major: int, body: bytes = b"") -> bytes:
    """A message of that major version, and octets behind its header."""
    return Header(b"initiate", bytes(8), 0, major, 0, 34, 8, 0, 28 + len(body)).pack() + body


@dataclass
class Spoken:
    """A version that notes what it is given."""

    major: int
    came: list[bytes] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)

    def receive(self, engine: Engine, path: Path, header: Header, datagram: bytes) -> None:
        if datagram.endswith(b"bad"):
            raise MalformedPayload("HDR", 0, "is bad")
        self.came.append(datagram)

    def unspoken(self, engine: Engine, path: Path, header: Header) -> None:
        self.refused.append(header.major)


def engine() -> Engine:
    return World().west.engine


def test_a_port_of_another_protocol_is_its_alone() -> None:
    seen: list[tuple[str, int, bytes]] = []

    def reader(name: str) -> Any:
        return lambda engine, path, data: seen.append((name, path.local_port, data))

    front = Front(engine(), reader("ike"))
    front.serve(910, reader("kink"))
    for port in (500, 910, 4500):
        front.receive(path(port), b"data")
    assert seen == [("ike", 500, b"data"), ("kink", 910, b"data"), ("ike", 4500, b"data")]


def test_what_is_malformed_is_counted_and_raises_nothing() -> None:
    ours = engine()
    front = Front(ours, Ike([Spoken(1)]).receive)
    for datagram in (b"", bytes(27), message(1)[:-1], message(1) + b"\0", message(1, b"bad")):
        front.receive(path(500), datagram)
    assert ours.counters["dropped"] == 5


@pytest.mark.parametrize(("major", "place"), [(1, 0), (2, 1)])
def test_a_message_goes_to_its_version(major: int, place: int) -> None:
    versions = [Spoken(1), Spoken(2)]
    Ike(versions).receive(engine(), path(500), message(major))
    assert versions[place].came == [message(major)]
    assert not versions[1 - place].came


@pytest.mark.parametrize("major", [0, 3, 15])
def test_the_newest_version_refuses_what_nobody_speaks(major: int) -> None:
    """RFC 7296 2.5: INVALID_MAJOR_VERSION is of the highest version that is spoken."""
    newest, older = Spoken(2), Spoken(1)
    Ike([newest, older]).receive(engine(), path(500), message(major))
    assert newest.refused == [major] and not older.refused
    assert not newest.came and not older.came


def test_of_several_messages_a_bad_one_does_not_stop_the_next() -> None:
    ours, version = engine(), Spoken(1)
    together = message(1, b"one") + message(1, b"-bad") + message(1, b"two")
    Ike([version]).receive(ours, path(500), together)
    assert version.came == [message(1, b"one"), message(1, b"two")]
    assert ours.counters == {"dropped": 1}
