"""A peer that takes less traffic than is asked for, once or for good: RFC 7296 2.9, 2.9.2."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from isakmp.app.base import Acquire, Direction
from isakmp.constants.ikev2 import Payload as P
from isakmp.exchange.exchange import Exchange
from isakmp.exchange.script import Outgoing
from isakmp.policy.boxes import Work
from isakmp.policy.spd import Connection, Selector
from isakmp.policy.traffic import Narrowed, asked, narrow, of_selector
from regress.pair import Host, Network
from regress.scripts.changed import change_sent
from regress.scripts.ikev2.pairs import gateways
from regress.traffic import stopped

WIDE, LOWER, UPPER = (Selector.of("10.1.0.0/16", f"10.{n}.0.0/{bits}")
                      for n, bits in ((2, 15), (2, 16), (3, 16)))  # fmt: skip
OTHER = ("[other]\nPhase= 2\nISAKMP-peer= west\nConfiguration= phase-2\n"
         "Local-selectors= 10.3.0.0/16\nRemote-selectors= 10.1.0.0/16\n")  # fmt: skip


def narrowed(more: str = "", **east_has: Any) -> tuple[Network, Host, Host]:
    """West asks for two networks, and east takes the first of them. more: another connection of
    east's."""
    one, other = gateways()
    net, text = Network(), replace(other, more=more, **east_has).text()
    if more:
        text = text.replace("connections= east-west", "connections= east-west, other")
    west, east = net.host(replace(one, remote="10.2.0.0/15")), net.add(other.address, text)
    net.start()
    net.run(3)
    return net, west, east


def wants(host: Host, far: str) -> None:
    """A packet to that address meets the policy of the whole connection."""
    policy = next(
        p for p in host.app.policies if (p.direction, p.selector) == (Direction.OUT, WIDE)
    )
    packet = Selector.of("10.1.0.9/32", f"{far}/32", 6, 40000, 80)
    host.daemon.acquire(Acquire(policy.reqid, packet, host.address, host.address))


def asking(host: Host) -> list[str]:
    """What a host asks for from now on, as it leaves."""
    seen: list[str] = []

    def side(value: Any) -> str:
        ends = [[str(ip_address(end)) for end in (s.start, s.end)] for s in value.selectors]
        return ", ".join(map("-".join, ends))

    def look(x: Exchange, message: Outgoing) -> None:
        said = dict(message.payloads)
        if x.initiator and P.TSI in said:
            seen.append(f"{side(said[P.TSI])} === {side(said[P.TSR])}")

    change_sent(host, look, 2)
    return seen


def row_of(host: Host) -> dict[str, Any]:
    row: dict[str, Any] = host.daemon.status()["connections"][0]
    return row


def carried(host: Host) -> list[Selector]:
    return sorted(child.selector for child in host.daemon.sas.all_children())


def passes(west: Host, east: Host, *every: Selector) -> bool:
    """Both ways."""
    ways = [(west, east, s) for s in every] + [(east, west, s.reversed()) for s in every]
    return not any(stopped(*way) for way in ways)


def widened(**west_has: Any) -> tuple[Network, Host, Host]:
    """East takes the first of the two networks for a while, and all of them after that."""
    one, other = gateways()
    net = Network()
    west = net.host(replace(one, **(west_has or {"remote": "10.2.0.0/15"})))
    east = net.host(replace(other, local="10.2.0.0/15", passive=False, general="Acquire-Only= yes"))
    find = east.daemon.catalog.find_child

    def found(*asked_for: Any) -> tuple[Connection, Narrowed]:
        connection, left = find(*asked_for)
        kept = narrow(of_selector(LOWER.reversed()), asked(left.traffic), 256, Work())
        assert kept
        return connection, kept._replace(complete=False)

    east.daemon.catalog.find_child = found  # type: ignore[method-assign, assignment]
    net.start()
    net.run(3)
    assert (carried(west), carried(east)) == ([LOWER], [LOWER.reversed()])
    east.daemon.catalog.find_child = find  # type: ignore[method-assign]
    return net, west, east


def met(host: Host, direction: Direction, packet: Selector) -> int:
    """The reqid of the policy that a packet meets, the narrowest."""
    found = [p for p in host.app.policies
             if p.direction is direction and p.selector.overlaps(packet)]  # fmt: skip
    return max(found, key=lambda p: (p.selector.src.prefixlen, p.selector.dst.prefixlen)).reqid


def arrives(sender: Host, receiver: Host, packet: Selector) -> bool:
    """Whether a packet is sent with an SA that the other end takes it with."""
    reqid = met(sender, Direction.OUT, packet)
    spis = [s.spi for s in sender.app.sas.values() if not s.inbound and s.reqid == reqid]
    theirs = [s for s in receiver.app.sas.values() if s.inbound and s.spi in spis[-1:]]
    taken = met(receiver, Direction.IN, packet)
    return [s.reqid for s in theirs] == [taken] and any(s.overlaps(packet)
                                                        for s in theirs[0].selectors)  # fmt: skip
