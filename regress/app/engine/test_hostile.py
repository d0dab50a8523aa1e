"""Whatever bytes come, from the wire or the host: counted, and never an exception."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.app.engine.packet import build
from regress.app.engine.pair import ALGORITHMS, MODE, OUTER, Pair

ENDS = {v: (ip_address(OUTER[v][0]), ip_address(OUTER[v][1])) for v in (4, 6)}
PACKETS = st.builds(
    lambda head, rest: head + rest,
    st.sampled_from(
        [
            b"",
            b"\x45",
            b"\x4f",
            b"\x60",
            (0x1000).to_bytes(4, "big"),
            build(ip_address("10.1.0.1"), ip_address("10.2.0.1"), 17, b"")[:-2],
            build(ip_address("fd01::1"), ip_address("fd02::1"), 0, b""),
            build(*ENDS[4], 6, b""),
            build(*ENDS[6], 44, b""),
        ]
    ),
    st.binary(max_size=120),
)
PAIRS = [
    pytest.param(algorithm, mode, version, id=f"{algorithm[0]}-{mode.name}-{version}")
    for algorithm in (ALGORITHMS[0], ALGORITHMS[9], ALGORITHMS[12])
    for mode in (MODE.TUNNEL, MODE.TRANSPORT)
    for version in (4, 6)
]


@pytest.mark.parametrize(("algorithm", "mode", "version"), PAIRS)
def test_random_octets_from_both_sides(algorithm, mode, version) -> None:  # type: ignore[no-untyped-def]
    pair = Pair(algorithm=algorithm, mode=mode, outer=version, inner=version, encap=(4500, 4500))
    near, far = pair.near.engine, pair.far.engine

    @settings(max_examples=40, deadline=None)
    @given(PACKETS, st.sampled_from([None, (4500, 4500), (1, 2)]), st.integers(0, 255))
    def check(data: bytes, encap: tuple[int, int] | None, tos: int) -> None:
        near.packet_out(data)
        far.packet_out(data)
        far.esp_in(data, *ENDS[version], encap, tos)
        near.esp_in(data, *ENDS[version], encap, tos)
        pair.carry()

    check()
    if algorithm[2] is not None or algorithm is ALGORITHMS[0]:
        for clear in pair.far.netif.delivered:
            assert clear[0] >> 4 == version


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("mode", [MODE.TUNNEL, MODE.TRANSPORT])
def test_random_octets_with_the_right_key(mode, version: int) -> None:  # type: ignore[no-untyped-def]
    pair = Pair(mode=mode, outer=version, inner=version)
    seal = pair.begun().seal
    far = pair.far.engine

    @settings(max_examples=100, deadline=None)
    @given(PACKETS, st.sampled_from([4, 41, 6, 17, 59, 0, 44]), st.booleans(), st.integers(0, 3))
    def check(payload: bytes, next_header: int, in_udp: bool, tos: int) -> None:
        encap = (4500, 4500) if in_udp else None
        far.esp_in(seal(payload, next_header), *ENDS[version], encap, tos)

    check()


def test_lengths_at_the_edge() -> None:
    pair = Pair(mode=MODE.TRANSPORT, encap=(4500, 4500))
    seal = pair.begun().seal
    for size in range(65535 - 60, 65535 + 60):
        pair.far.engine.esp_in(seal(bytes(size), 17), *ENDS[4], (4500, 4500))
    for size in (*range(40), *range(65500, 65600)):
        pair.far.engine.esp_in(bytes(size), *ENDS[4])
        pair.near.engine.packet_out(b"\x45" + bytes(size))
        pair.near.engine.packet_out(b"\x60" + bytes(size))
