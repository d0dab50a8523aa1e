"""A NAT moves a peer while it is silent, and what comes first from its new place is a phase 1.

Of IKEv1, where child SAs outlive what they were made under: whatever Unique-ids says, whoever sends
after that, and however peers are asked whether they live, traffic passes again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address

import pytest

from isakmp.policy.spd import Selector
from regress.pair import Gateway, Host, Nat, Network, Packet
from regress.scripts.ikev1.test_nat import INSIDE, OUTSIDE
from regress.traffic import Stream

FLOW = Selector.of("10.1.0.0/16", "10.2.0.0/16")
NOWHERE = ip_address("198.51.100.44")
# A peer is asked after two minutes of silence, is dead half a minute later, and called once more.
FOUND_S = 300
LIVES = "Default-phase-1-lifetime= 86400,60:86400\nDefault-phase-2-lifetime= 86400,60:86400\n"
KINDS = {
    "main": ("ID_PROT", "ikev1"),
    "aggressive": ("AGGRESSIVE", "ikev1"),
    "ikev2": ("ID_PROT", "ikev2"),
}
UNIQUE = pytest.mark.parametrize("unique", ["replace", "keep", "no", "never"])


@dataclass
class Road:
    """A gateway, west, behind a NAT, and another one, east, that takes it from anywhere."""

    net: Network
    west: Host
    east: Host
    nat: Nat
    stream: Stream

    def move(self, what: str) -> None:
        """West is elsewhere, and neither end knows."""
        self.nat.rebind()
        if what == "address":
            self.nat.outside = NOWHERE

    @property
    def gone_to(self) -> set[tuple[object, int]]:
        """Where east sends to with child SAs."""
        sas = [sa for sa in self.east.app.sas.values() if not sa.inbound and sa.encap]
        return {(sa.dst, sa.encap[1]) for sa in sas if sa.encap}

    @property
    def is_at(self) -> tuple[object, int]:
        """Where west is."""
        return self.nat.outside, self.nat._ports[4500]


def road(kind: str, unique: str, dpd: str) -> Road:
    """Both are up, and packets have passed both ways."""
    exchange, version = KINDS[kind]
    asked = f"DPD-check-interval= {dpd}\n" if dpd else ""
    general = f"{LIVES}{asked}Unique-ids= {unique}\n"

    def like(gateway: Gateway) -> Gateway:
        tags = f"{gateway.peer_tags}\nKey-exchange= {version}"
        return replace(gateway, exchange=exchange, general=general, peer_tags=tags)

    net, nat = Network(), Nat("192.0.2.1", "203.0.113.1")
    net.nats.append(nat)
    anywhere = like(OUTSIDE).text().replace("203.0.113.1= west", "Default= west")
    west = net.host(like(INSIDE))
    east = net.add(OUTSIDE.address, anywhere.replace("Address= 203.0.113.1\n", ""))
    net.start()
    net.run(5)
    stream = Stream(net, west.address, east.address, FLOW)
    stream.until_it_passes(5)
    return Road(net, west, east, nat, stream)


@UNIQUE
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["port", "address"])
@pytest.mark.parametrize("renews", ["west", "east"])
@pytest.mark.parametrize("talks", ["west", "east", "both"])
@pytest.mark.parametrize("dpd", ["", "10", "0"])
def test_traffic_passes_again(
    kind: str, unique: str, what: str, renews: str, talks: str, dpd: str
) -> None:
    world = road(kind, unique, dpd)
    world.move(what)
    host, peer = (world.west, "east") if renews == "west" else (world.east, "west")
    host.daemon.rekey(peer, "main")
    world.net.run(2)
    senders = {"west": [world.west], "east": [world.east]}.get(talks, [world.west, world.east])
    world.stream.senders = {sender.address for sender in senders}
    world.stream.run(FOUND_S)
    # West says nothing that is taken, and nobody is to ask whether it is there.
    refused = unique == "keep" and kind != "ikev2"
    unheard = dpd == "0" and talks == "east" and (renews == "east" or refused)
    assert world.stream.passes is not unheard
    world.stream.senders = {world.west.address, world.east.address}
    world.stream.run(30)
    assert world.stream.passes and world.gone_to == {world.is_at}
