"""How many packets a second the key engine protects and opens, without any network.

``python -m regress.bench.esp [packets]``: for each transform, microseconds and packets a second
of packet_out() and esp_in() with clear packets of 1400 octets in tunnel mode.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from ipaddress import ip_address
from time import perf_counter

from isakmp.app.engine.packet import UDP, build
from isakmp.constants import ipsec
from regress.app.engine.pair import ALGORITHMS, Pair

SIZE = 1400
PACKETS = 20_000


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    start = perf_counter()
    call()
    return perf_counter() - start


def measure(pair: Pair, packets: int) -> tuple[float, float]:
    """Seconds that so many packets take on the way out, and on the way in."""
    clear = build(ip_address("10.1.0.1"), ip_address("10.2.0.1"), UDP, bytes(SIZE - 20))
    packet_out, sent = pair.near.engine.packet_out, pair.near.wire.sent

    def send() -> None:
        for _ in range(packets):
            packet_out(clear)

    def receive() -> None:
        esp_in = pair.far.engine.esp_in
        for esp, src, dst, encap, _, tos in sent:
            esp_in(esp, src, dst, encap, tos)

    out, back = seconds(send), seconds(receive)
    assert len(pair.far.netif.delivered) == packets
    return out, back


def main() -> None:
    packets = int(sys.argv[1]) if len(sys.argv) > 1 else PACKETS
    print(f"{'transform':32} {'out us':>8} {'packets/s':>10} {'in us':>8} {'packets/s':>10}")
    for algorithm in ALGORITHMS:
        out, back = measure(Pair(algorithm=algorithm, window=1024), packets)
        name = f"{ipsec.Esp(algorithm[0]).name.lstrip('_')} {8 * algorithm[1]}"
        if algorithm[2]:
            name += f" {algorithm[2].name}"
        columns = " ".join(f"{s / packets * 1e6:8.2f} {packets / s:10,.0f}" for s in (out, back))
        print(f"{name:32} {columns}", flush=True)


if __name__ == "__main__":
    main()
