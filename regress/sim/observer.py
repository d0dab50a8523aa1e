"""Somebody on the way who is faster than either end, in the other's name.

Messages of phase 1 and of IKE_SA_INIT that nothing protects, requests, answers and notifies, have
others go before them that are made of their own octets. Who begins an IKE_SA_INIT is asked for
cookies and groups that the peer has never thought of.
"""

from __future__ import annotations

from random import Random

from isakmp.constants import ikev2
from isakmp.path import Path
from regress.observer import Payloads, altered, edited, in_clear, is_clear
from regress.pair import Packet
from regress.sim.world import Host, World

# Those that the daemons know: some are offered, some are not.
GROUPS = (14, 19, 20, 31)


def made_up(packet: Packet, dice: Random) -> list[Packet]:
    """Answers to a first message of IKEv2 with a notify alone."""
    header = packet.header
    if header.major != 2 or header.flags & ikev2.Flag.RESPONSE:
        return []
    cookie = in_clear(packet, ikev2.Notify.COOKIE, dice.randbytes(8))
    group = dice.choice(GROUPS).to_bytes(2, "big")
    other = in_clear(packet, ikev2.Notify.INVALID_KE_PAYLOAD, group)
    return dice.choice(([], [cookie], [other], [cookie, other], [other, cookie, cookie]))


def changed(packet: Packet, dice: Random) -> Packet:
    """A true answer of IKEv2 without one of its notifies, so with the same keys."""

    def edit(payloads: Payloads) -> Payloads:
        notifies = [p for p in payloads if p[0] == ikev2.Payload.NOTIFY]
        gone = dice.choice(notifies) if notifies else None
        return [p for p in payloads if p is not gone]

    return edited(packet, edit)


def observe(world: World, rate: float, dice: Random) -> None:
    """Watch a world's network. rate: of messages that are forged, each once or twice. Behind a NAT
    nobody watches: who changes phase 1 can hide it from both ends."""
    carry = world.carry_udp

    def deliver(packet: Packet) -> None:
        path = Path(
            packet.dst, packet.dport, packet.src, packet.sport, packet.data != packet.message
        )

        def arrive(there: Host, octets: bytes) -> None:
            if there.transport is not None:
                world.wire.answered(octets)
                there.transport.receive(path, octets)

        if host := world.hosts.get(packet.dst):
            world.counts["forged in clear"] += 1
            world._deliver(host, world.clock.now, packet.data, arrive)

    def watched(path: Path, data: bytes) -> None:
        packet = Packet(path.local, path.local_port, path.remote, path.remote_port, data)
        if world.nat is None and is_clear(packet) and dice.random() < rate:
            for _ in range(dice.choice((1, 2))):
                spi = any(packet.header.cky_r) and dice.random() < 0.5
                same_keys = packet.header.major == 2 and spi and dice.random() < 0.5
                deliver(changed(packet, dice) if same_keys else altered(packet, dice, spi=spi))
            for answer in made_up(packet, dice):
                deliver(answer)
        carry(path, data)

    world.carry_udp = watched  # type: ignore[method-assign]
