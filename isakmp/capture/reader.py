"""IKE messages out of frames: UDP and TCP, ports 500 and 4500 and others that are named.

RFC 7296 2 and 3.1, RFC 3948 2.2 (marker) and 2.3 (keepalives), RFC 9329 (TCP).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from isakmp.capture.fragments import MAX_DATAGRAMS, Incomplete, Reassembler
from isakmp.capture.ip import ESP, TCP, UDP, Address, BadPacket, IpPacket, parse_ip, parse_udp
from isakmp.capture.link import ip_packet, is_read
from isakmp.capture.pcap import Damage, Frame
from isakmp.capture.stream import Streams, parse_tcp
from isakmp.capture.tally import Tally
from isakmp.capture.tunnel import VXLAN_PORT, inner_packet, vxlan_packet
from isakmp.constants import ISAKMP_PORT, NAT_T_PORT

MAX_TUNNELS = 4
"""Packets within packets that are looked into."""
_NON_ESP_MARKER = bytes(4)
_KEEPALIVE = b"\xff"


@dataclass(frozen=True, slots=True)
class Datagram:
    """One IKE message as captured. frame: that completes it; missing: octets not captured."""

    frame: int
    time_ns: int
    source: Address
    source_port: int
    destination: Address
    destination_port: int
    message: bytes = field(repr=False)
    missing: int = 0
    non_esp_marker: bool = False
    transport: str = "UDP"


def read_datagrams(
    frames: Iterable[Frame | Damage], ports: Iterable[int] = (), tally: Tally | None = None
) -> Iterator[Datagram | Damage]:
    """The IKE messages in ``frames``, in order, and what is damaged where one may have been.

    ports: where else IKE is; tally: counts what is seen.
    """
    reader = _Reader(frozenset(ports), tally or Tally())
    for frame in frames:
        if isinstance(frame, Damage):
            yield frame
            continue
        try:
            yield from reader.read(frame)
        except BadPacket as bad:
            yield Damage(frame.number, frame.time_ns, bad.path, bad.offset, bad.reason, bad.rfc)
        for lost in reader.fragments.give_up(keep=MAX_DATAGRAMS):
            yield from reader.incomplete(lost)
    for lost in reader.fragments.give_up():
        yield from reader.incomplete(lost)


class _Reader:
    """What is known of one capture so far. ports: of IKE with or without the marker."""

    def __init__(self, ports: frozenset[int], tally: Tally) -> None:
        self._others, self._ports = ports, ports | {ISAKMP_PORT, NAT_T_PORT}
        self._tally = tally
        self.fragments, self._streams = Reassembler(), Streams()

    def read(self, frame: Frame) -> Iterator[Datagram]:
        """The IKE messages that a frame holds or completes. Raises BadPacket."""
        self._tally.frames += 1
        if not is_read(frame.link):
            self._tally.unread[frame.link] += 1
            return
        esp, found = self._tally.esp_packets, False
        for datagram in self._packet(ip_packet(frame.link, frame.data), frame, MAX_TUNNELS):
            found = True
            yield datagram
        if not found and esp == self._tally.esp_packets:
            self._tally.other += 1

    def _packet(self, data: bytes | None, frame: Frame, depth: int) -> Iterator[Datagram]:
        packet = parse_ip(data) if data is not None and depth else None
        if packet is None:
            return
        cut_first = packet.fragment is not None and not packet.fragment.offset and packet.missing
        if packet.fragment is not None and not cut_first:  # what was cut off cannot be joined
            packet = self.fragments.add(packet, frame.number, frame.time_ns)
        if packet is None:
            return
        if packet.protocol == UDP:
            yield from self._udp(packet, frame, depth)
        elif packet.protocol == TCP:
            yield from self._tcp(packet, frame)
        elif packet.protocol == ESP:
            self._esp(packet, packet.payload)
        else:
            yield from self._packet(inner_packet(packet), frame, depth - 1)

    def _udp(self, packet: IpPacket, frame: Frame, depth: int) -> Iterator[Datagram]:
        udp = parse_udp(packet.payload, packet.missing)
        ports = {udp.source_port, udp.destination_port}
        if udp.destination_port == VXLAN_PORT and not ports & self._others:
            yield from self._packet(vxlan_packet(udp.payload), frame, depth - 1)
            return
        if not ports & self._ports or udp.payload == _KEEPALIVE:
            return
        message, marker = udp.payload, False
        if NAT_T_PORT in ports or (ports & self._others and message[:4] == _NON_ESP_MARKER):
            marker = message[:4] == _NON_ESP_MARKER
            if not marker:
                self._esp(packet, message)
                return
            message = message[4:]
        yield Datagram(
            frame=frame.number,
            time_ns=frame.time_ns,
            source=packet.source,
            source_port=udp.source_port,
            destination=packet.destination,
            destination_port=udp.destination_port,
            message=message,
            missing=udp.missing,
            non_esp_marker=marker,
        )

    def _tcp(self, packet: IpPacket, frame: Frame) -> Iterator[Datagram]:
        head = packet.payload
        if not {int.from_bytes(head[:2]), int.from_bytes(head[2:4])} & (
            self._others | {NAT_T_PORT}
        ):
            return  # whatever is wrong with it
        segment = parse_tcp(head)
        for data in self._streams.add(packet.source, packet.destination, segment):
            if data[:4] != _NON_ESP_MARKER:
                self._esp(packet, data)
                continue
            yield Datagram(
                frame.number, frame.time_ns, packet.source, segment.source_port,
                packet.destination, segment.destination_port, data[4:], non_esp_marker=True,
                transport="TCP",
            )  # fmt: skip

    def _esp(self, packet: IpPacket, data: bytes) -> None:
        """ESP begins with its SPI; what is shorter than its header is none."""
        if len(data) >= 8:
            self._tally.count_esp(packet.source, packet.destination, int.from_bytes(data[:4]))

    def incomplete(self, lost: Incomplete) -> Iterator[Damage]:
        """Say so of a datagram that was or may have been IKE: the ports are in its first piece."""
        first = lost.pieces.get(0)
        if first is not None and len(first) >= 4:
            ports = {int.from_bytes(first[:2]), int.from_bytes(first[2:4])}
            if not ports & self._ports:
                return
        size = lost.size if lost.size is not None else "an unknown number of"
        have = sum(map(len, lost.pieces.values()))
        reason = f"fragments are missing: {have} of {size} octets seen"
        yield Damage(lost.frame, lost.time_ns, "IP fragments", 0, reason, "RFC 791 3.2")
