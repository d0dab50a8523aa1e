"""IP packets in IP packets: IP in IP, GRE (also of PPTP), VXLAN.

RFC 2003, RFC 2473, RFC 4213 (IPv6 in IPv4), RFC 2784 and 2890 (GRE), RFC 2637 4.1, RFC 7348 5.
"""

from __future__ import annotations

from isakmp.capture.ip import IpPacket
from isakmp.capture.link import ethernet, of_type

VXLAN_PORT = 4789
_IPV4, _IPV6, _GRE = 4, 41, 47
_CHECKSUM, _ROUTING, _KEY, _SEQUENCE, _ACKNOWLEDGEMENT = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080


def inner_packet(packet: IpPacket) -> bytes | None:
    """The IP packet that another one carries at once; None where it carries none."""
    if packet.protocol in (_IPV4, _IPV6):
        return packet.payload
    return _gre(packet.payload) if packet.protocol == _GRE else None


def _gre(data: bytes) -> bytes | None:
    if len(data) < 4:
        return None
    flags, kind = int.from_bytes(data[:2]), int.from_bytes(data[2:4])
    if flags & _ROUTING or flags & 7 > 1:  # source routes are of RFC 1701, which is history
        return None
    acknowledged = flags & 7 == 1 and flags & _ACKNOWLEDGEMENT
    fields = [flags & _CHECKSUM, flags & _KEY, flags & _SEQUENCE, acknowledged]
    return of_type(kind, data[4 + 4 * sum(map(bool, fields)) :])


def vxlan_packet(payload: bytes) -> bytes | None:
    """The IP packet in the Ethernet frame of a VXLAN datagram."""
    return ethernet(payload[8:]) if payload[:1] == b"\x08" else None
