"""Somebody on the way who answers before the peer does, in its name.

Messages of phase 1 that nothing protects, and answers of IKE_SA_INIT, have others go before them
that are made of their own octets.
"""

from __future__ import annotations

from random import Random

from isakmp.path import Path
from regress.observer import altered, is_clear
from regress.pair import Packet
from regress.sim.world import Host, World


def is_answer(packet: Packet) -> bool:
    """Whether it is one of those: of IKEv2, without those that hold notifies alone."""
    if not is_clear(packet) or packet.header.major == 1:
        return is_clear(packet)
    return any(packet.header.cky_r)


def observe(world: World, rate: float, dice: Random) -> None:
    """Watch a world's network. rate: of messages that are forged, each once or twice. Behind a NAT
    nobody watches: who changes phase 1 can hide it from both ends."""
    carry = world.carry_udp

    def watched(path: Path, data: bytes) -> None:
        packet = Packet(path.local, path.local_port, path.remote, path.remote_port, data)
        mirrored = Path(path.remote, path.remote_port, path.local, path.local_port, path.encap)
        host = world.hosts.get(path.remote)

        def arrive(there: Host, octets: bytes) -> None:
            if there.transport is not None:
                there.transport.receive(mirrored, octets)

        open_to_it = host is not None and world.nat is None and is_answer(packet)
        if host is not None and open_to_it and dice.random() < rate:
            for _ in range(dice.choice((1, 2))):
                world.counts["answers forged"] += 1
                spi = any(packet.header.cky_r) and dice.random() < 0.5
                world._deliver(host, world.clock.now, altered(packet, dice, spi=spi).data, arrive)
        carry(path, data)

    world.carry_udp = watched  # type: ignore[method-assign]
