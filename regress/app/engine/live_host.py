"""One host of the live test: a key engine on real sockets in the namespace it is started in.

Argument: a JSON list of [local, remote, inner local network, inner remote network, mode], one
for each pair of SAs. Ends at SIGTERM, and then prints what came in by each and what was dropped.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import zlib
from ipaddress import ip_address

from isakmp.app.base import Acquire, Direction, Expire, Mapping, SaSpec, UnknownSpi
from isakmp.app.engine.engine import KeyEngine
from isakmp.app.engine.netif import Tun
from isakmp.app.engine.sad import sa_id
from isakmp.app.engine.wire import RawWire
from isakmp.constants import ipsec
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from isakmp.policy.spd import Address, Selector
from regress.app.engine.pair import make_policy, make_spec


class Silent:
    """Nobody listens."""

    def acquire(self, event: Acquire) -> None: ...

    def expire(self, event: Expire) -> None: ...

    def unknown_spi(self, event: UnknownSpi) -> None: ...

    def mapping(self, event: Mapping) -> None: ...


def make_sa(src: str, dst: str, selector: Selector, inbound: bool, tunnel: bool) -> SaSpec:
    """An SA whose SPI and keys both hosts know from the order of its ends."""
    mode = ipsec.Encapsulation.TUNNEL if tunnel else ipsec.Encapsulation.TRANSPORT
    way = zlib.crc32(f"{src} {selector}".encode()) | 0x1000
    spec = make_spec(inbound=inbound, spi=way, selector=selector, mode=mode, key=way)
    return spec._replace(src=ip_address(src), dst=ip_address(dst), esn=True)


def no_udp(data: bytes, src: Address, sport: int, dst: Address, dport: int) -> None:
    """There is no NAT here."""


def add_tunnel(engine: KeyEngine, ends: list[str]) -> SaSpec:
    """SAs and policies both ways; the inbound SA."""
    local, remote, inner_local, inner_remote, mode = ends
    selector = Selector.of(inner_local, inner_remote)
    outbound = make_sa(local, remote, selector, False, mode == "tunnel")
    inbound = make_sa(remote, local, selector.reversed(), True, mode == "tunnel")
    engine.add_policy(make_policy(outbound))
    engine.add_policy(make_policy(inbound, Direction.IN))
    engine.add(inbound)
    engine.add(outbound)
    return inbound


def main() -> None:
    timers = Timers(time.monotonic)
    engine = KeyEngine(
        timers=timers,
        random=os.urandom,
        wire=RawWire(no_udp),
        netif=Tun(Log(time.time, print)),
        events=Silent(),
        log=Log(time.time, lambda line: print(line, file=sys.stderr)),
    )
    loop, specs = Loop(timers), list[SaSpec]()
    try:
        specs = [add_tunnel(engine, ends) for ends in json.loads(sys.argv[1])]
        engine.attach(loop)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        print("ready", flush=True)
        loop.run()
    finally:
        packets = [engine.usage(sa_id(spec)).packets for spec in specs]
        engine.close()
        print(json.dumps({"packets": packets, "drops": engine.drops.to_dict()}), flush=True)


if __name__ == "__main__":
    main()
