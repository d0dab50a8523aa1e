"""Whether traffic between two hosts of pair.py would pass, by what their applications hold.

A stack sends with the newest outbound SA of the reqid that its policy names, and takes what comes
with an inbound SA where the policy the clear packet meets names that SA's reqid.
"""

from __future__ import annotations

from isakmp.app.base import Acquire, Action, Direction, Mapping, SaId, SaSpec, UnknownSpi
from isakmp.policy.spd import Address, Selector
from regress.pair import Host, Network, Packet


def stopped(sender: Host, receiver: Host, selector: Selector) -> str:
    """Why a packet of ``selector`` does not come from one host to the other; empty: it does."""
    out = [p for p in sender.app.policies if (p.direction, p.selector) == (Direction.OUT, selector)]
    if len(out) != 1:
        return f"{sender.address} has {len(out)} policies"
    mine = [s for s in sender.app.sas.values() if not s.inbound and s.reqid == out[0].reqid]
    if not mine:
        return f"{sender.address} has no SA of its policy's reqid"
    theirs = [s for s in receiver.app.sas.values() if s.inbound and s.spi == mine[-1].spi]
    if not theirs or _keys(theirs[0]) != _keys(mine[-1]):
        return f"{receiver.address} has no such SA"
    ins = {p.reqid for p in receiver.app.policies
           if (p.direction, p.selector) == (Direction.IN, selector)}  # fmt: skip
    return "" if ins == {theirs[0].reqid} else f"{receiver.address} takes it with another SA only"


def _keys(sa: SaSpec) -> tuple[bytes, bytes]:
    return sa.enc_key, sa.auth_key


def flows(one: Host, other: Host) -> bool:
    """Whether traffic passes both ways, of every policy that one of them has."""
    found = {p.selector for p in one.app.policies if p.direction is Direction.OUT}
    ways = [(one, other, s) for s in found] + [(other, one, s.reversed()) for s in found]
    return bool(ways) and not any(stopped(*way) for way in ways)


class Stream:
    """A packet a second each way, carried as two stacks would; each hears what its would tell it.

    selector: from the host at ``one`` to the one at ``other``; senders: who sends, both at first;
    carried: whether the last packet of each of their ways came.
    """

    def __init__(self, net: Network, one: Address, other: Address, selector: Selector) -> None:
        self.net = net
        self._ways = ((one, other, selector), (other, one, selector.reversed()))
        self.senders = {one, other}
        self.carried: tuple[bool, ...] = (False, False)

    @property
    def passes(self) -> bool:
        """Whether both of the last packets have come."""
        return all(self.carried)

    def run(self, seconds: int) -> list[bool]:
        """Let time go by; for each second whether both ways passed."""
        found = []
        for _ in range(seconds):
            ways = [way for way in self._ways if way[0] in self.senders]
            ends = [tuple(self.net.hosts.get(end) for end in way[:2]) for way in ways]
            self.carried = tuple(
                sender is not None and self._send(sender, receiver, way[2])
                for (sender, receiver), way in zip(ends, ways, strict=True)
            )
            found.append(self.passes)
            self.net.run(1)
        return found

    def until_it_passes(self, within_s: int) -> int:
        """How many seconds it takes until both ways pass."""
        for second in range(within_s + 1):
            if self.run(1)[0]:
                return second
        raise AssertionError(f"no traffic after {within_s} s: {self.carried}")

    def _send(self, sender: Host, receiver: Host | None, selector: Selector) -> bool:
        policies = [p for p in sender.app.policies
                    if (p.direction, p.selector) == (Direction.OUT, selector)]  # fmt: skip
        policy = policies[0] if policies else None
        if policy is None or policy.action is not Action.IPSEC:
            return False
        mine = [s for s in sender.app.sas.values() if not s.inbound and s.reqid == policy.reqid]
        if not mine:
            sender.daemon.acquire(
                Acquire(policy.reqid, selector, sender.address, policy.dst or sender.address)
            )
            return False
        sa = mine[-1]
        sender.app.carry(sa.spi)
        packet = self._on_the_wire(sa)
        return packet is not None and receiver is not None and self._take(receiver, sa, packet)

    def _on_the_wire(self, sa: SaSpec) -> Packet | None:
        """As it arrives, through whatever NAT; None: it does not."""
        packet = Packet(sa.src, *_ports(sa)[:1], sa.dst, *_ports(sa)[1:], b"")
        if self.net.lose(packet):
            return None
        for nat in self.net.nats:
            if packet.src == nat.inside:
                return nat.out(packet)
        behind = [nat for nat in self.net.nats if packet.dst == nat.outside]
        back = filter(None, (nat.back(packet) for nat in behind))
        return next(back, None) if behind else packet

    def _take(self, receiver: Host, sa: SaSpec, packet: Packet) -> bool:
        if packet.dst != receiver.address:
            return False
        encap = (packet.sport, packet.dport) if sa.encap else None
        found = [s for s in receiver.app.sas.values() if s.inbound and s.spi == sa.spi]
        if not found or _keys(found[0]) != _keys(sa):
            receiver.daemon.unknown_spi(UnknownSpi(sa.spi, packet.src, packet.dst, encap))
            return False
        theirs = found[0]
        receiver.app.carry(theirs.spi)
        if encap and (theirs.src, theirs.encap) != (packet.src, encap):
            name = SaId(theirs.protocol, theirs.spi, theirs.src, theirs.dst)
            receiver.daemon.mapping(Mapping(name, packet.src, packet.sport))
        return any(p.direction is Direction.IN and p.reqid == theirs.reqid
                   and p.selector in theirs.selectors for p in receiver.app.policies)  # fmt: skip


def _ports(sa: SaSpec) -> tuple[int, int]:
    return sa.encap or (0, 0)
