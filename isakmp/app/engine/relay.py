"""ESP in UDP between a daemon and its key engine in another process (RFC 3948).

The daemon owns UDP port 4500, for IKE is there too; the engine has the SAs. Each datagram goes
over a SOCK_SEQPACKET socket of its own, beside that of PF_KEY: a flood of packets cannot hold a
request up, and what finds no room is lost, as on any wire. One message, in network order:

    octet 0      4 or 6: the family        1      TOS or traffic class
    2 to 5       UDP source and destination port
    6 to 37      source and destination address, 16 octets each, IPv4 ones first in theirs
    38           the ESP packet
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import NamedTuple

from isakmp.errors import MalformedPayload
from isakmp.event.loop import Loop
from isakmp.policy.spd import Address

HEADER = Struct(">BBHH16s16s")
LARGEST = 65535 + HEADER.size
READS_PER_TURN = 64


class Datagram(NamedTuple):
    """An ESP packet and the outside of its datagram."""

    esp: bytes
    src: Address
    dst: Address
    sport: int
    dport: int
    tos: int = 0


def pack(datagram: Datagram) -> bytes:
    """A datagram as the relay carries it."""
    esp, src, dst, sport, dport, tos = datagram
    return HEADER.pack(src.version, tos, sport, dport, src.packed, dst.packed) + esp


def unpack(data: bytes) -> Datagram:
    """What pack() made. MalformedPayload where it is something else."""
    if len(data) < HEADER.size:
        raise MalformedPayload("relay", 0, f"{len(data)} octets are no header")
    version, tos, sport, dport, src, dst = HEADER.unpack_from(data)
    esp = data[HEADER.size :]
    if version == 4:
        return Datagram(esp, IPv4Address(src[:4]), IPv4Address(dst[:4]), sport, dport, tos)
    if version == 6:
        return Datagram(esp, IPv6Address(src), IPv6Address(dst), sport, dport, tos)
    raise MalformedPayload("relay", 0, f"family {version}")


class Relay:
    """One end of the relay: ``received`` is called with each datagram, ``closed`` at the end.

    dropped: datagrams that found no room; malformed: messages that were none.
    """

    def __init__(
        self,
        sock: socket.socket,
        loop: Loop,
        received: Callable[[Datagram], object],
        closed: Callable[[], object],
    ) -> None:
        sock.setblocking(False)
        self._socket, self._loop = sock, loop
        self._received, self._closed = received, closed
        self.dropped = self.malformed = 0
        self._open = True
        loop.reader(sock.fileno(), self._readable)

    def send(self, datagram: Datagram) -> None:
        """Send one datagram, if there is room."""
        try:
            self._socket.send(pack(datagram))
        except OSError:
            self.dropped += 1

    def _readable(self) -> None:
        for _ in range(READS_PER_TURN):
            if not self._open:
                return
            try:
                data = self._socket.recv(LARGEST)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                self.close()
                self._closed()
                return
            try:
                datagram = unpack(data)
            except MalformedPayload:
                self.malformed += 1
            else:
                self._received(datagram)

    def close(self) -> None:
        """Give the socket back."""
        if self._open:
            self._open = False
            self._loop.reader(self._socket.fileno(), None)
            self._socket.close()
