"""Fragments of IP packets put together again, within bounds."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.capture import (
    Damage,
    Datagram,
    read_datagrams,
    read_frames,
)
from isakmp.capture.fragments import MAX_DATAGRAMS
from regress.capture.packets import (
    MESSAGE,
    damage,
    found_in,
    fragments,
    ipv4,
    ipv6,
    only,
    pcap,
    udp,
)


@settings(max_examples=50, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([8, 16, 40]))
def test_fragments_join_in_any_order_and_doubled(random: object, size: int) -> None:
    pieces = list(fragments(MESSAGE, size))
    pieces += pieces[:2]
    random.shuffle(pieces)  # type: ignore[attr-defined]
    found = [item for item in found_in(pcap(*pieces)) if isinstance(item, Datagram)]
    assert found[0].message == MESSAGE


def test_ipv6_fragments_join() -> None:
    whole = udp(MESSAGE)
    first = struct.pack(">BBHI", 17, 0, 0 | 1, 99) + whole[:48]
    second = struct.pack(">BBHI", 17, 0, 48, 99) + whole[48:]
    found = only(pcap(ipv6(second, protocol=44), ipv6(first, protocol=44)))
    assert (found.message, found.frame) == (MESSAGE, 2)


def test_missing_fragments_are_told_at_the_end() -> None:
    first, second, third = list(fragments(MESSAGE, 32))
    found = damage(pcap(first, third))
    assert (found.frame, found.reason) == (1, "fragments are missing: 60 of 92 octets seen")
    assert "an unknown number" in damage(pcap(second)).reason
    other = [ipv4(udp(MESSAGE, 53, 53)[:32], 0x2000)]
    assert found_in(pcap(*other)) == []


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([ipv4(bytes(16), 0x2000), ipv4(bytes(16), 0x2001)], "overlap"),
        ([ipv4(bytes(12), 0x2000)], "12 octets that is not the last"),
        ([ipv4(b"", 0x2000)], "0 octets that is not the last"),
        ([ipv4(bytes(16), 0x1FFF)], "too many or too large"),
        ([ipv4(bytes(16), 2), ipv4(bytes(16), 0x2008)], "beyond the last"),
        ([ipv4(bytes(16), 0x2002)[:30]], "6 octets of a fragment were not captured"),
    ],
)
def test_fragments_that_do_not_fit_are_told(pieces: list[bytes], reason: str) -> None:
    assert reason in damage(pcap(*pieces)).reason


def test_a_first_fragment_that_was_cut_is_shown_as_far_as_it_goes() -> None:
    first = next(fragments(MESSAGE, 64))
    found = only(pcap(first[:40]))
    assert found.message == MESSAGE[:12]
    assert found.missing == len(MESSAGE) - 12


def test_no_more_than_so_many_datagrams_wait_for_fragments() -> None:
    frames = [ipv4(bytes(16), 0x2001, identification=number) for number in range(500)]
    reader = read_datagrams(read_frames(io.BytesIO(pcap(*frames))))
    first = next(reader)
    assert isinstance(first, Damage)
    assert len(list(reader)) == 499
    assert MAX_DATAGRAMS < 500
