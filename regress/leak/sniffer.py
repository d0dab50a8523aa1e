"""A sniffer on the wire between two hosts, and packets that are put on it."""

from __future__ import annotations

import socket
import struct
from collections import Counter
from contextlib import suppress
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import TracebackType

from regress.interop.namespace import Namespace

PROTECTED = ip_network("10.0.0.0/8"), ip_network("fd10::/16")
# The gateway of the clear routes: nobody is there, but what is sent to it is on the wire.
NOBODY = "02:00:00:00:00:fd"
_NOBODY = bytes.fromhex(NOBODY.replace(":", ""))
_ADDRESSES = {0x0800: (4, 26, 4), 0x86DD: (6, 22, 16)}  # IP version, place and size of the first
_ROOM = 64 << 20

Clear = Counter[str]
"""Packets in clear that went out, or were taken, by direction and IP version."""
OUT, IN = "out", "in"
CELLS = tuple(f"IPv{version} {way}" for version in (4, 6) for way in (OUT, IN))


def clear(way: str, version_4: int, version_6: int) -> Clear:
    """So many, of both IP versions."""
    return Counter({f"IPv4 {way}": version_4, f"IPv6 {way}": version_6})


class Sniffer:
    """Counts packets of protected networks that hosts send by veth0.

    What they receive is not counted: a kernel shows what came in ESP there once more, in clear.
    Nor is what a stranger puts there.
    """

    def __init__(self, *hosts: Namespace) -> None:
        self._taps = [_tap(host) for host in hosts]
        self._seen: Clear = Counter()
        self._lost = 0

    def look(self) -> None:
        """Take what there is, lest there be no room."""
        for tap in self._taps:
            _count(tap, self._seen)
            self._lost += struct.unpack("II", tap.getsockopt(263, 6, 8))[1]  # PACKET_STATISTICS

    def clear(self) -> Clear:
        """How many there were since the last time; AssertionError where some were not seen."""
        self.look()
        assert not self._lost, "the sniffer has missed packets"
        seen, self._seen = self._seen, Counter()
        return seen

    def __enter__(self) -> Sniffer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        for tap in self._taps:
            tap.close()


def _tap(host: Namespace) -> socket.socket:
    for gateway in ("192.168.77.253", "fd77::fd"):
        host.shell(f"ip neigh replace {gateway} lladdr {NOBODY} dev veth0 nud permanent")
    tap = host.packet_socket("veth0")
    tap.setsockopt(socket.SOL_SOCKET, 33, _ROOM)  # SO_RCVBUFFORCE
    tap.setblocking(False)
    return tap


def _count(tap: socket.socket, seen: Clear) -> None:
    while True:
        try:
            frame, (_, _, kind, *_) = tap.recvfrom(2048)
        except BlockingIOError:
            return
        if kind == socket.PACKET_OUTGOING and (version := _in_clear(frame)):
            seen[f"IPv{version} {OUT}"] += 1


def _in_clear(frame: bytes) -> int:
    """The IP version of a frame with protected addresses, else 0."""
    kind: int = struct.unpack_from(">H", frame, 12)[0]
    if kind not in _ADDRESSES or frame[6:12] == _NOBODY:
        return 0
    version, at, size = _ADDRESSES[kind]
    pair = (frame[n : n + size] for n in (at, at + size))
    return version * any(
        len(one) == size and any(ip_address(one) in net for net in PROTECTED) for one in pair
    )


def echo(src: str, dst: str, number: int) -> bytes:
    """An IP packet with an ICMP echo request."""
    ends = ip_address(src).packed + ip_address(dst).packed
    icmp = _request(ends, number)
    if len(ends) == 32:
        return struct.pack(">IHBB", 6 << 28, len(icmp), 58, 64) + ends + icmp
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(icmp), number, 0, 64, 1, 0) + ends
    return head[:10] + struct.pack(">H", _sum(head)) + head[12:] + icmp


def _request(ends: bytes, number: int) -> bytes:
    """The echo request between two addresses, which ICMPv6 has in its checksum."""
    six = len(ends) == 32
    icmp = struct.pack(">BBHHH", 128 if six else 8, 0, 0, 77, number)
    pseudo = ends + struct.pack(">II", len(icmp), 58) if six else b""
    return icmp[:2] + struct.pack(">H", _sum(pseudo + icmp)) + icmp[4:]


def _sum(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def echoes_taken(host: Namespace) -> Clear:
    """How many echo requests the host's stack has accepted."""
    seen = Path(f"/proc/{host.pid}/net")
    lines = (seen / "snmp").read_text().splitlines()
    names, numbers = (line.split() for line in lines if line.startswith("Icmp:"))
    more = dict(line.split() for line in (seen / "snmp6").read_text().splitlines())
    return clear(IN, int(numbers[names.index("InEchos")]), int(more["Icmp6InEchos"]))


class Stranger:
    """Who is on the wire beside a host, and puts frames there that go to another one."""

    def __init__(self, host: Namespace, destination: Namespace) -> None:
        with destination.packet_socket("veth0") as theirs:
            self._head = theirs.getsockname()[4] + _NOBODY
        self._tap = host.packet_socket("veth0")

    def put(self, packets: list[bytes]) -> None:
        """Put packets on the wire, in clear."""
        for packet in packets:
            kind = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
            self._tap.send(self._head + kind + packet)

    def close(self) -> None:
        self._tap.close()


class Pinger:
    """What a host's own stack sends from an address: echo requests, in whatever way it has."""

    def __init__(self, host: Namespace, src: str) -> None:
        self._src = src
        self._sock = host.within(self._open)

    def _open(self) -> socket.socket:
        family, protocol = (socket.AF_INET6, 58) if ":" in self._src else (socket.AF_INET, 1)
        sock = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)  # nobody reads the answers
        sock.bind((self._src, 0))
        return sock

    def send(self, dst: str, number: int) -> None:
        """One request; whether it is refused does not matter."""
        ends = ip_address(self._src).packed + ip_address(dst).packed
        with suppress(OSError):
            self._sock.sendto(_request(ends, number), (dst, 0))

    def close(self) -> None:
        self._sock.close()


def put(host: Namespace, destination: Namespace, packets: list[bytes]) -> None:
    """Put packets on the wire to another host, in clear."""
    stranger = Stranger(host, destination)
    stranger.put(packets)
    stranger.close()
