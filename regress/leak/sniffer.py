"""A sniffer on the wire between two hosts, and packets that are put on it."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address, ip_network
from types import TracebackType

from regress.interop.namespace import Namespace

PROTECTED = ip_network("10.0.0.0/8")
# The gateway of the clear routes: nobody is there, but what is sent to it is on the wire.
NOBODY = "02:00:00:00:00:fd"
_IPV4 = 0x0800
_ROOM = 8 << 20


class Sniffer:
    """Counts IPv4 packets of protected networks that hosts send by veth0.

    What they receive is not counted: a kernel shows what came in ESP there once more, in clear.
    """

    def __init__(self, *hosts: Namespace) -> None:
        self._taps = [_tap(host) for host in hosts]

    def clear(self) -> int:
        """How many there were since the last time; AssertionError where some were not seen."""
        return sum(map(_count, self._taps))

    def __enter__(self) -> Sniffer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        for tap in self._taps:
            tap.close()


def _tap(host: Namespace) -> socket.socket:
    host.shell(f"ip neigh replace 192.168.77.253 lladdr {NOBODY} dev veth0 nud permanent")
    tap = host.packet_socket("veth0")
    tap.setsockopt(socket.SOL_SOCKET, 33, _ROOM)  # SO_RCVBUFFORCE
    tap.setblocking(False)
    return tap


def _count(tap: socket.socket) -> int:
    found = 0
    while True:
        try:
            frame, (_, _, kind, *_) = tap.recvfrom(2048)
        except BlockingIOError:
            break
        found += kind == socket.PACKET_OUTGOING and _is_clear(frame)
    lost = struct.unpack("II", tap.getsockopt(263, 6, 8))[1]  # PACKET_STATISTICS
    assert not lost, "the sniffer has missed packets"
    return found


def _is_clear(frame: bytes) -> bool:
    if len(frame) < 34 or struct.unpack_from(">H", frame, 12)[0] != _IPV4:
        return False
    return any(ip_address(frame[at : at + 4]) in PROTECTED for at in (26, 30))


def echo(src: str, dst: str, number: int) -> bytes:
    """An IP packet with an ICMP echo request."""
    ends = ip_address(src).packed + ip_address(dst).packed
    if len(ends) == 32:
        icmp = struct.pack(">BBHHH", 128, 0, 0, 77, number)
        sum = _sum(ends + struct.pack(">II", len(icmp), 58) + icmp)
        icmp = icmp[:2] + struct.pack(">H", sum) + icmp[4:]
        return struct.pack(">IHBB", 6 << 28, len(icmp), 58, 64) + ends + icmp
    icmp = struct.pack(">BBHHH", 8, 0, 0, 77, number)
    icmp = icmp[:2] + struct.pack(">H", _sum(icmp)) + icmp[4:]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(icmp), number, 0, 64, 1, 0) + ends
    return head[:10] + struct.pack(">H", _sum(head)) + head[12:] + icmp


def _sum(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def echoes_taken(host: Namespace) -> int:
    """How many echo requests, of both IP versions, the host's stack has accepted."""
    lines = host.run("cat", "/proc/net/snmp").stdout.splitlines()
    names, numbers = (line.split() for line in lines if line.startswith("Icmp:"))
    more = host.run("cat", "/proc/net/snmp6").stdout.split()
    return int(numbers[names.index("InEchos")]) + int(more[more.index("Icmp6InEchos") + 1])


def put(host: Namespace, destination: Namespace, packets: list[bytes]) -> None:
    """Put packets on the wire to another host, in clear."""
    link = destination.run("ip", "-br", "link", "show", "veth0").stdout.split()
    target = bytes.fromhex(link[2].replace(":", ""))
    with host.packet_socket("veth0") as tap:
        for packet in packets:
            kind = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
            tap.send(target + bytes.fromhex(NOBODY.replace(":", "")) + kind + packet)
