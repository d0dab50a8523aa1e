"""IKE over TCP: messages in a stream, whatever segments they come in. RFC 9329."""

from __future__ import annotations

import struct

import pytest

from isakmp.capture import Datagram, Tally
from isakmp.capture.stream import MAX_AHEAD, MAX_STREAMS, Streams, parse_tcp
from regress.capture.packets import MESSAGE, damage, found_in, ipv4, ipv6, only, pcap, udp

PACKET, PACKET_6 = ipv4(udp(MESSAGE)), ipv6(udp(MESSAGE))


def tcp(data: bytes, sequence: int, *, syn: bool = False, to: int = 4500) -> bytes:
    flags = 2 if syn else 0x18
    head = struct.pack(">HHIIBBHHH", 33333, to, sequence % 2**32, 1, 0x50, flags, 65535, 0, 0)
    return ipv4(head + data, protocol=6)


def framed(message: bytes, marker: bytes = bytes(4)) -> bytes:
    return struct.pack(">H", 2 + len(marker + message)) + marker + message


def messages(file: bytes) -> list[bytes]:
    found = found_in(file)
    assert all(isinstance(one, Datagram) and one.transport == "TCP" for one in found)
    return [one.message for one in found if isinstance(one, Datagram)]


IKE = bytes(24) + (40).to_bytes(4) + bytes(range(12))
STREAM = b"IKETCP" + framed(MESSAGE) + framed(b"\x11" * 24, b"") + framed(MESSAGE[::-1])


@pytest.mark.parametrize("first", [0, 2**32 - 20])
@pytest.mark.parametrize("size", [1, 7, 40, 1000])
def test_a_stream_in_segments_of_any_size(size: int, first: int) -> None:
    """RFC 9329."""
    segments = [
        tcp(STREAM[at : at + size], first + 1 + at) for at in range(0, len(STREAM), size)
    ]  # fmt: skip
    file = pcap(tcp(b"", first, syn=True), *segments)
    assert messages(file) == [MESSAGE, MESSAGE[::-1]]


def test_a_stream_out_of_order_and_doubled() -> None:
    segments = [tcp(STREAM[at : at + 50], 1 + at) for at in range(0, len(STREAM), 50)]
    shuffled = [segments[0], segments[2], segments[1], segments[1], *segments[3:], segments[0]]
    assert messages(pcap(tcp(b"", 0, syn=True), *shuffled)) == [MESSAGE, MESSAGE[::-1]]


def test_a_stream_whose_beginning_was_not_captured() -> None:
    answer = framed(IKE)
    assert messages(pcap(tcp(answer, 77), tcp(framed(MESSAGE), 77 + len(answer)))) == [IKE, MESSAGE]
    assert messages(pcap(tcp(b"\x00" + answer, 77), tcp(answer, 78 + len(answer)))) == [IKE]


def test_a_hole_costs_what_was_in_it_and_no_more() -> None:
    late = [tcp(framed(IKE), 1000 + at * len(framed(IKE))) for at in range(MAX_AHEAD + 2)]
    found = messages(pcap(tcp(b"", 0, syn=True), tcp(b"IKETCP", 1), *late))
    assert found == [IKE] * (MAX_AHEAD + 2)


def test_esp_in_tcp_is_counted() -> None:
    from io import BytesIO

    from isakmp.capture import read_datagrams, read_frames

    tally = Tally()
    file = pcap(tcp(b"", 0, syn=True), tcp(STREAM, 1))
    assert len(list(read_datagrams(read_frames(BytesIO(file)), tally=tally))) == 2
    assert list(tally.esp.values()) == [1]
    assert (tally.esp_packets, tally.frames, tally.other) == (1, 2, 1)


def test_streams_are_bounded_and_other_ports_passed_over() -> None:
    streams = Streams()
    source, to = only(pcap(PACKET)).source, only(pcap(PACKET)).destination
    for port in range(MAX_STREAMS * 3):
        head = struct.pack(">HHIIBBHHH", port + 1, 4500, 0, 0, 0x50, 2, 0, 0, 0)
        streams.add(source, to, parse_tcp(head))
    assert len(streams._streams) == MAX_STREAMS
    assert found_in(pcap(tcp(STREAM, 1, to=443))) == []


@pytest.mark.parametrize("rest", [bytes(15), bytes(8) + b"\xf0" + bytes(7)])
def test_a_broken_tcp_header_is_told_where_it_is_of_ike(rest: bytes) -> None:
    assert damage(pcap(ipv4(struct.pack(">HH", 1, 4500) + rest, protocol=6))).path == "TCP"
    assert found_in(pcap(ipv4(struct.pack(">HH", 1, 443) + rest, protocol=6))) == []
