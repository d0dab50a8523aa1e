"""Raw sockets over the loopback device."""

from __future__ import annotations

import errno
import os
import random as pseudo
import select
import socket
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from isakmp.app.engine.base import Encap
from isakmp.app.engine.packet import UDP, build, fix_checksum
from isakmp.app.engine.wire import RawWire
from isakmp.errors import ApplicationError
from isakmp.policy.spd import Address

LOOPBACK = {4: ip_address("127.0.0.1"), 6: ip_address("::1")}


class Udp:
    """Keeps what would go out in UDP."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Address, int, Address, int]] = []

    def __call__(self, data: bytes, src: Address, sport: int, dst: Address, dport: int) -> None:
        self.sent.append((data, src, sport, dst, dport))


@pytest.fixture
def udp() -> Udp:
    return Udp()


@pytest.fixture
def wire(udp: Udp) -> Iterator[RawWire]:
    if os.geteuid() != 0:
        pytest.skip("needs root, for raw sockets")
    wire = RawWire(udp)
    yield wire
    wire.close()


def received(wire: RawWire, spi: bytes) -> list[tuple[bytes, Address, Address, int]]:
    """What comes with one SPI; others' packets are passed over."""
    packets: list[tuple[bytes, Address, Address, int]] = []

    def esp_in(
        packet: bytes, src: Address, dst: Address, encap: Encap | None = None, tos: int = 0
    ) -> None:
        assert encap is None
        if packet.startswith(spi):
            packets.append((packet, src, dst, tos))

    while not packets:
        ready, _, _ = select.select(wire.fds(), [], [], 10)
        assert ready
        for fd in ready:
            wire.receive(fd, esp_in)
    return packets


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("rigid", [True, False])
def test_a_packet_comes_back(wire: RawWire, version: int, rigid: bool) -> None:
    end, spi = LOOPBACK[version], os.urandom(4)
    packet = spi + pseudo.Random(1).randbytes(1000)
    for tos in (0, 0xB9, 0xB9, 0):
        wire.send(packet, end, end, None, rigid, tos)
        assert (packet, end, end, tos) in received(wire, spi)


def test_what_must_not_be_fragmented_is_refused(wire: RawWire) -> None:
    end = LOOPBACK[4]
    assert wire.path_mtu(end, end) > 1500
    with pytest.raises(OSError) as caught:
        wire.send(bytes(65535), end, end, None, True, 0)
    assert caught.value.errno == errno.EMSGSIZE


def test_ports_lead_through_the_daemon(wire: RawWire, udp: Udp) -> None:
    ends = LOOPBACK[4], ip_address("127.0.0.2")
    wire.send(b"esp", *ends, (4500, 31337), True, 0)
    assert udp.sent == [(b"esp", ends[0], 4500, ends[1], 31337)]


@pytest.mark.parametrize("version", [4, 6])
def test_clear_packets_go_as_they_are(wire: RawWire, version: int) -> None:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    end = LOOPBACK[version]
    with socket.socket(family, socket.SOCK_DGRAM) as peer:
        peer.bind((str(end), 0))
        peer.settimeout(10)
        port = peer.getsockname()[1]
        payload = port.to_bytes(2, "big") * 2 + b"\0\x0c\0\0" + b"text"
        if version == 6:
            payload = fix_checksum(end, end, UDP, payload)
        wire.forward(build(end, end, UDP, payload), end)
        assert peer.recv(100) == b"text"


def test_a_host_without_ipv6_does_without(
    monkeypatch: pytest.MonkeyPatch, wire: RawWire, udp: Udp
) -> None:
    make = socket.socket

    def without(family: int, *rest: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return make(family, *rest)

    monkeypatch.setattr("isakmp.app.engine.wire.socket.socket", without)
    lone = RawWire(udp)
    try:
        assert len(lone.fds()) == 1
        for action in (
            lambda: lone.send(b"esp", LOOPBACK[6], LOOPBACK[6], None, False, 0),
            lambda: lone.forward(b"packet", LOOPBACK[6]),
        ):
            with pytest.raises(OSError, match="family"):
                action()  # type: ignore[no-untyped-call]
    finally:
        lone.close()


def test_a_process_without_rights_is_told(monkeypatch: pytest.MonkeyPatch, udp: Udp) -> None:
    def refuse(*_: int) -> socket.socket:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("isakmp.app.engine.wire.socket.socket", refuse)
    with pytest.raises(ApplicationError, match="raw sockets"):
        RawWire(udp)
