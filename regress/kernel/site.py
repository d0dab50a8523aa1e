"""In the guest: hosts in namespaces, each with the application of its kernel, and their wire.

    client --- b (gateway)          10.10.1.1 a --- br0 --- b 10.10.2.1 --- client 10.10.3.2

Every host has an outer address (10.1.0.x, fd01::x) and an inner one. What goes over the wire is
read at a's end of the bridge.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, NamedTuple

from isakmp.app.base import Acquire, Expire, Mapping, UnknownSpi
from isakmp.app.xfrm.backend import Xfrm
from isakmp.app.xfrm.link import Link
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from isakmp.policy.spd import Address

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3


def sh(script: str) -> str:
    """Run shell lines; AssertionError with what they said where one fails."""
    done = subprocess.run(["sh", "-ec", script], capture_output=True, text=True)
    assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """What is opened here is of that namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    assert libc.setns(there, CLONE_NEWNET) == 0
    try:
        yield
    finally:
        assert libc.setns(before, CLONE_NEWNET) == 0
        os.close(before)
        os.close(there)


class Heard:
    """The upcalls of a host, as they came."""

    def __init__(self) -> None:
        self.acquires: list[Acquire] = []
        self.expires: list[Expire] = []
        self.mappings: list[Mapping] = []

    def acquire(self, event: Acquire) -> None:
        self.acquires.append(event)

    def expire(self, event: Expire) -> None:
        self.expires.append(event)

    def unknown_spi(self, event: UnknownSpi) -> None: ...

    def mapping(self, event: Mapping) -> None:
        self.mappings.append(event)

    def gone(self, reason: object) -> None:
        raise AssertionError("a kernel is never gone")

    def restarted(self) -> None:
        raise AssertionError("a kernel does not start again")


class Host:
    """A namespace and its kernel's IPsec. number: the last of its addresses."""

    def __init__(self, name: str, number: int, loop: Loop, timers: Timers) -> None:
        self.name, self._loop, self._timers = name, loop, timers
        self.outer = ip_address(f"10.1.0.{number}"), ip_address(f"fd01::{number}")
        self.inner = ip_address(f"10.10.{number}.1"), ip_address(f"fd10:{number}::1")
        self.said: list[str] = []
        self.begin()

    def begin(self) -> None:
        """An isakmpd's application begins here."""
        log = Log(time.time, self.said.append)
        self.heard = Heard()
        with inside(self.name):
            self.app = Xfrm(Link(self._loop, log), self._timers, log, wall=time.time)
            self.app.start(self.heard)

    def udp(self, address: Address, port: int) -> socket.socket:
        """A UDP socket of this host."""
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        with inside(self.name):
            sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.bind((str(address), port))
        sock.settimeout(1.0)
        return sock

    def ip(self, command: str) -> str:
        """``ip -n`` this host's."""
        return sh(f"ip -n {self.name} {command}")


class Seen(NamedTuple):
    """A packet on the wire: the protocol in its IP header, what follows the header, and all."""

    protocol: int
    payload: bytes
    frame: bytes

    @property
    def udp_ports(self) -> tuple[int, int]:
        return struct.unpack_from(">HH", self.payload)


_BASE = """
ip -n {0} link set lo up
for f in ipv4 ipv6; do ip netns exec {0} sysctl -qw net.$f.conf.all.forwarding=1; done
ip netns exec {0} sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
    net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
    net.ipv6.conf.default.router_solicitations=0
"""
_END = """
ip link add v{0} netns {0} type veth peer name w{0}
ip link set w{0} master br0 up
ip -n {0} link set v{0} up
ip -n {0} addr add 10.1.0.{1}/24 dev v{0}
ip -n {0} addr add fd01::{1}/64 dev v{0} nodad
ip -n {0} addr add 10.10.{1}.1/32 dev lo
ip -n {0} addr add fd10:{1}::1/128 dev lo nodad
ip -n {0} route add 10.10.0.0/16 via 10.1.0.{2} src 10.10.{1}.1
ip -n {0} -6 route add fd10::/16 via fd01::{2} src fd10:{1}::1
"""
_CLIENT = """
ip link add vb2 netns b type veth peer name vc netns c
ip -n b link set vb2 up
ip -n c link set vc up
ip -n b addr add 10.10.3.1/24 dev vb2
ip -n c addr add 10.10.3.2/24 dev vc
ip -n c route add default via 10.10.3.1
"""


class Site:
    """The hosts a and b, and c behind b."""

    def __init__(self) -> None:
        for name in "abc":
            sh(f"ip netns add {name}" + _BASE.format(name))
        sh("ip link add br0 type bridge mcast_snooping 0; ip link set br0 up")
        sh(_END.format("a", 1, 2) + _END.format("b", 2, 1) + _CLIENT)
        self.timers = Timers(time.monotonic)
        self.loop = Loop(self.timers)
        self.a = Host("a", 1, self.loop, self.timers)
        self.b = Host("b", 2, self.loop, self.timers)
        self._wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._wire.bind(("wa", 0))
        self._wire.setblocking(False)

    def renew(self) -> None:
        """Nothing of the case before is left."""
        for host in (self.a, self.b):
            host.app.close()
            sh(f"ip -n {host.name} xfrm state flush; ip -n {host.name} xfrm policy flush")
            host.said.clear()
            host.begin()
        self.wire()

    def run(self, seconds: float, until: Callable[[], Any] = lambda: False) -> bool:
        """Turn the loop until something holds; whether it came to hold in that time."""
        end = time.monotonic() + seconds
        while not until():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self.loop.turn(min(left, 0.1))
        return True

    def wire(self) -> list[Seen]:
        """What went over the wire since this was asked last, without ARP and the like."""
        found: list[Seen] = []
        while True:
            try:
                frame = self._wire.recv(65535)
            except BlockingIOError:
                return found
            kind, packet = frame[12:14], frame[14:]
            if kind == b"\x08\x00":
                size = (packet[0] & 15) * 4
                length = int.from_bytes(packet[2:4], "big")
                found.append(Seen(packet[9], packet[size:length], frame))
            elif kind == b"\x86\xdd" and packet[6] not in (0, 58):
                found.append(Seen(packet[6], packet[40:], frame))

    def inject(self, frame: bytes) -> None:
        """Put a frame on the wire again, towards where it went."""
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind(("br0", 0))
            sock.send(frame)
        time.sleep(0.05)

    def echo(self, ours: socket.socket, theirs: socket.socket, count: int, size: int = 64) -> int:
        """Datagrams there and back; how many came back."""
        back = 0
        for number in range(count):
            data = bytes([number]) + bytes(size - 1)
            try:
                ours.sendto(data, theirs.getsockname()[:2])
                got, where = theirs.recvfrom(65535)
                theirs.sendto(got, where)
                back += ours.recv(65535) == data
            except OSError:
                continue
        return back
