"""IKE messages out of frames: UDP ports 500 and 4500, the non-ESP marker taken off.

RFC 7296 2 and 3.1, RFC 3948 2.2 (marker) and 2.3 (keepalives).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from isakmp.capture.fragments import MAX_DATAGRAMS, Incomplete, Reassembler
from isakmp.capture.ip import UDP, Address, BadPacket, IpPacket, parse_ip, parse_udp
from isakmp.capture.link import ip_packet
from isakmp.capture.pcap import Damage, Frame
from isakmp.constants import ISAKMP_PORT, NAT_T_PORT

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


def read_datagrams(frames: Iterable[Frame | Damage]) -> Iterator[Datagram | Damage]:
    """The IKE messages in ``frames``, in order, and what is damaged where one may have been."""
    fragments = Reassembler()
    for frame in frames:
        if isinstance(frame, Damage):
            yield frame
            continue
        try:
            found = _from_frame(frame, fragments)
        except BadPacket as bad:
            yield Damage(frame.number, frame.time_ns, bad.path, bad.offset, bad.reason, bad.rfc)
        else:
            if found is not None:
                yield found
        for lost in fragments.give_up(keep=MAX_DATAGRAMS):
            yield from _incomplete(lost)
    for lost in fragments.give_up():
        yield from _incomplete(lost)


def _from_frame(frame: Frame, fragments: Reassembler) -> Datagram | None:
    data = ip_packet(frame.link, frame.data)
    packet = parse_ip(data) if data is not None else None
    if packet is None or packet.protocol != UDP:
        return None
    cut_first = packet.fragment is not None and not packet.fragment.offset and packet.missing
    if packet.fragment is not None and not cut_first:  # what was cut off cannot be joined
        packet = fragments.add(packet, frame.number, frame.time_ns)
    return _from_packet(packet, frame) if packet is not None else None


def _from_packet(packet: IpPacket, frame: Frame) -> Datagram | None:
    udp = parse_udp(packet.payload, packet.missing)
    ports = (udp.source_port, udp.destination_port)
    message, marker = udp.payload, False
    if NAT_T_PORT in ports:
        marker = message[:4] == _NON_ESP_MARKER
        if not marker:  # ESP, or a keepalive
            return None
        message = message[4:]
    elif ISAKMP_PORT not in ports or message == _KEEPALIVE:
        return None
    return Datagram(
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


def _incomplete(lost: Incomplete) -> Iterator[Damage]:
    """Say so of a datagram that was or may have been IKE: the ports are in its first piece."""
    first = lost.pieces.get(0)
    if first is not None and len(first) >= 4:
        ports = {int.from_bytes(first[:2]), int.from_bytes(first[2:4])}
        if not ports & {ISAKMP_PORT, NAT_T_PORT}:
            return
    size = lost.size if lost.size is not None else "an unknown number of"
    have = sum(map(len, lost.pieces.values()))
    reason = f"fragments are missing: {have} of {size} octets seen"
    yield Damage(lost.frame, lost.time_ns, "IP fragments", 0, reason, "RFC 791 3.2")
