"""The security associations that are there, by whatever they are looked for.

RFC 4301 4.4.2; RFC 2408 4.3. Packets and upcalls come with SPIs and addresses, messages with
cookies, commands with names, negotiations with who their peer is.
"""

from __future__ import annotations

from typing import Any

from isakmp.constants import isakmp
from isakmp.held import Held
from isakmp.path import Path
from isakmp.policy.spd import Address, Selector
from isakmp.sa import ChildSa, IsakmpSa, Peer, Slot, State, Who, same_peer


class SaDatabase:
    """Every live SA, by the keys that packets, upcalls and commands come with.

    count: of child SAs; held: by the traffic of the far side.
    """

    def __init__(self) -> None:
        self.isakmp: dict[bytes, IsakmpSa] = {}
        self.children: dict[tuple[int, int], ChildSa] = {}
        self._by_peer: dict[Peer, list[IsakmpSa]] = {}
        self._by_who: dict[Who, list[IsakmpSa]] = {}
        self._children_of_who: dict[Who, list[ChildSa]] = {}
        self._by_remote: dict[str, dict[bytes, IsakmpSa]] = {}
        self._by_address: dict[Address, dict[bytes, IsakmpSa]] = {}
        self._by_slot: dict[Slot, list[ChildSa]] = {}
        self._by_connection: dict[str, dict[int, ChildSa]] = {}
        self._by_flow: dict[tuple[str, Selector], dict[int, ChildSa]] = {}
        self._by_reqid: dict[int, dict[int, ChildSa]] = {}
        self._children_of: dict[Peer, list[ChildSa]] = {}
        self._children_of_remote: dict[str, dict[int, ChildSa]] = {}
        self._outbound: dict[tuple[int, int, str], ChildSa] = {}
        self._identities: dict[str, dict[Who, int]] = {}
        self._selectors: dict[Who, int] = {}
        self.count = 0
        self.held: Held[ChildSa] = Held()

    def add(self, sa: IsakmpSa) -> None:
        """Keep an ISAKMP SA."""
        self.isakmp[sa.own_cookie] = sa
        self._by_peer.setdefault(sa.peer, []).append(sa)
        self._by_remote.setdefault(sa.remote.name, {})[sa.own_cookie] = sa
        self._by_who.setdefault(sa.peer[0], []).append(sa)
        self._by_address.setdefault(sa.path.remote, {})[sa.own_cookie] = sa
        self._count(sa.peer[0], 1)

    def find(self, dialect: str, cookie: bytes) -> IsakmpSa | None:
        """The one of that dialect for which we chose ``cookie``."""
        sa = self.isakmp.get(cookie)
        return sa if sa is not None and sa.dialect == dialect else None

    def remove(self, sa: IsakmpSa) -> None:
        """Forget an ISAKMP SA and stop its timers."""
        sa.state = State.DEAD
        sa.cancel()
        if self.isakmp.pop(sa.own_cookie, None) is not None:
            self._count(sa.peer[0], -1)
        _take(self._by_peer, sa.peer, sa)
        _drop(self._by_remote, sa.remote.name, sa.own_cookie)
        _take(self._by_who, sa.peer[0], sa)
        _drop(self._by_address, sa.path.remote, sa.own_cookie)

    def moved(self, sa: IsakmpSa, path: Path) -> None:
        """The peer of ``sa`` now answers from another address or port."""
        _take(self._by_peer, sa.peer, sa)
        _take(self._by_who, sa.peer[0], sa)
        _drop(self._by_address, sa.path.remote, sa.own_cookie)
        self._count(sa.peer[0], -1)
        sa.path = path
        sa.find_peer()
        self._by_address.setdefault(path.remote, {})[sa.own_cookie] = sa
        self._by_peer.setdefault(sa.peer, []).append(sa)
        self._by_who.setdefault(sa.peer[0], []).append(sa)
        self._count(sa.peer[0], 1)

    def add_child(self, child: ChildSa) -> None:
        """Keep a child SA."""
        for p in child.protocols:
            self.children[p.chosen.protocol, p.spi_in] = child
            self._outbound[p.chosen.protocol, p.spi_out, str(child.path.remote)] = child
        self._by_slot.setdefault(child.slot, []).append(child)
        self._by_connection.setdefault(child.connection.name, {})[id(child)] = child
        flow = child.connection.name, child.selector
        self._by_flow.setdefault(flow, {})[id(child)] = child
        self._by_reqid.setdefault(child.reqid, {})[id(child)] = child
        self._children_of.setdefault(child.peer, []).append(child)
        self._children_of_remote.setdefault(child.peer[0][0], {})[id(child)] = child
        self._children_of_who.setdefault(child.peer[0], []).append(child)
        self._hold(child, 1)
        self.held.add(child)

    def remove_child(self, child: ChildSa) -> None:
        """Forget a child SA and stop its timers."""
        child.state = State.DEAD
        child.cancel()
        self._take_child(child)

    def moved_child(self, child: ChildSa, path: Path, peer: Peer) -> None:
        """The peer of ``child`` now answers from another address or port; its timers go on."""
        self._take_child(child)
        child.path, child.peer = path, peer
        self.add_child(child)

    def adopt(self, child: ChildSa, sa: IsakmpSa) -> None:
        """``sa`` has taken the place of the child's IKE SA (RFC 7296 2.18)."""
        self._take_child(child)
        child.parent, child.cookies, child.peer = sa, sa.own_cookie, sa.peer
        self.add_child(child)

    def _take_child(self, child: ChildSa) -> None:
        for p in child.protocols:
            self.children.pop((p.chosen.protocol, p.spi_in), None)
            key = p.chosen.protocol, p.spi_out, str(child.path.remote)
            if self._outbound.get(key) is child:
                del self._outbound[key]
        _take(self._by_slot, child.slot, child)
        _drop(self._by_connection, child.connection.name, id(child))
        _drop(self._by_flow, (child.connection.name, child.selector), id(child))
        _drop(self._by_reqid, child.reqid, id(child))
        _take(self._children_of, child.peer, child)
        if child in self._children_of_who.get(child.who, ()):
            self._hold(child, -1)
            self.held.remove(child)
        _drop(self._children_of_remote, child.peer[0][0], id(child))
        _take(self._children_of_who, child.peer[0], child)

    def _hold(self, child: ChildSa, step: int) -> None:
        who = child.peer[0]
        self.count += step
        self._count(who, step)
        _add(self._selectors, who, step * len(child.selectors))

    def _count(self, who: Who, step: int) -> None:
        of_section = self._identities.setdefault(who[0], {})
        _add(of_section, who, step)
        if not of_section:
            del self._identities[who[0]]

    def has(self, who: Who) -> bool:
        """Whether there is any SA, of either phase, with that identity."""
        return who in self._identities.get(who[0], ())

    def identities(self, remote: str) -> int:
        """How many identities have SAs under the section of that name."""
        return len(self._identities.get(remote, ()))

    def established(self, who: Who) -> int:
        """How many ISAKMP SAs with an identity are not on their way out."""
        found = self._by_who.get(who, ())
        return sum(sa.state is State.ESTABLISHED for sa in found)

    def running(self, who: Who) -> int:
        """How many exchanges are under way under them."""
        return sum(len(sa.running) for sa in self._by_who.get(who, ()))

    def count_of(self, who: Who) -> int:
        """How many child SAs it has, those that are replaced counted."""
        return len(self._children_of_who.get(who, ()))

    def selectors_of(self, who: Who) -> int:
        """How many pairs of networks they carry together."""
        return self._selectors.get(who, 0)

    def child_by_spi(self, protocol: int, spi: int, remote: str) -> ChildSa | None:
        """The child SA that a peer at ``remote`` receives with that SPI."""
        return self._outbound.get((protocol, spi, remote))

    def sent_with(self, remote: Address, spi: bytes) -> ChildSa | None:
        """The child SA that we send to there with, as a notice names it, whatever its protocol."""
        number = int.from_bytes(spi, "big") if len(spi) == 4 else 0
        kinds = isakmp.Protocol.IPSEC_ESP, isakmp.Protocol.IPSEC_AH
        found = (self.child_by_spi(kind, number, str(remote)) for kind in kinds)
        return next(filter(None, found), None)

    def current(self, peer: Peer) -> IsakmpSa | None:
        """The ISAKMP SA to talk to ``peer`` with: the newest that is not superseded."""
        return _newest(self._by_peer.get(peer, []))

    def current_of_remote(self, remote: str) -> IsakmpSa | None:
        """The same for a configured peer, by its section's name."""
        return _newest(self._by_remote.get(remote, {}).values())

    def at(self, path: Path) -> IsakmpSa | None:
        """The same for an address, and for the port of who is behind a NAT."""
        return _newest(
            sa for sa in self._by_address.get(path.remote, {}).values()
            if not path.encap or sa.path.remote_port == path.remote_port
        )  # fmt: skip

    def serving(self, child: ChildSa) -> IsakmpSa | None:
        """The one to ask for what ``child`` carries under: that with its peer, else a successor, as
        a peer may say another identity than before, or a NAT be seen that was not."""
        return self.current(child.peer) or self.successor(child)

    def successor(self, one: IsakmpSa | ChildSa) -> IsakmpSa | None:
        """The newest that is later than ``one`` and speaks for the same peer. An older one may be
        as lost as ``one``."""
        who, there = self._by_who.get(one.who, ()), self._by_address.get(one.path.remote, {})
        return _newest(
            sa for sa in (*who, *there.values())
            if sa.established > one.established and same_peer(sa, one)
        )  # fmt: skip

    def of_peer(self, peer: Peer) -> list[IsakmpSa]:
        """Every ISAKMP SA with ``peer``."""
        return list(self._by_peer.get(peer, []))

    def everywhere(self, one: IsakmpSa | ChildSa) -> tuple[list[IsakmpSa], list[ChildSa]]:
        """Every ISAKMP SA of the identity of ``one``, and every child SA, at whatever place."""
        who = one.peer[0]
        return list(self._by_who.get(who, ())), list(self._children_of_who.get(who, ()))

    def children_of(self, sa: IsakmpSa) -> list[ChildSa]:
        """Every child SA that ``sa`` speaks for: its own, and those of its peer that have none."""
        children = self._children_of.get(sa.peer, ())
        return [child for child in children if child.parent in (None, sa)]

    def children_of_peer(self, peer: Peer) -> list[ChildSa]:
        """Every child SA with ``peer``."""
        return list(self._children_of.get(peer, ()))

    def own_children(self, sa: IsakmpSa) -> list[ChildSa]:
        """The child SAs that live and die with ``sa``."""
        return [child for child in self.children_of(sa) if child.parent is sa]

    def of_connection(self, name: str) -> list[ChildSa]:
        """Every child SA of a connection."""
        return list(self._by_connection.get(name, {}).values())

    def has_cut(self, name: str, beside: ChildSa) -> bool:
        """Whether a connection has another child SA than that with less than its peer asked for, or
        with no more than that."""
        had = beside.traffic
        found = self._by_connection.get(name, {}).values()
        return any(child.cut or child.traffic == had for child in found if child is not beside)

    def is_up(self, name: str) -> bool:
        """Whether some child SA of a connection is there that is not superseded."""
        found = self._by_connection.get(name, {}).values()
        return any(child.state is State.ESTABLISHED for child in found)

    def of_flow(self, name: str, selector: Selector) -> list[ChildSa]:
        """Every child SA of a connection that carries that traffic, whoever the peer is."""
        return list(self._by_flow.get((name, selector), {}).values())

    def newest_of_flow(self, name: str, selector: Selector) -> ChildSa | None:
        """That of them which is not superseded and was made last."""
        live = [c for c in self.of_flow(name, selector) if c.state is State.ESTABLISHED]
        return max(reversed(live), key=lambda child: child.established, default=None)

    def of_reqid(self, reqid: int) -> list[ChildSa]:
        """Every child SA with that number in the IPsec stack."""
        return list(self._by_reqid.get(reqid, {}).values())

    def knows(self, remote: str) -> bool:
        """Whether there is any SA, of either phase, with the configured peer of that name."""
        return remote in self._by_remote or remote in self._children_of_remote

    def in_slot(self, slot: Slot) -> list[ChildSa]:
        """Every child SA that serves the same traffic, oldest first."""
        return list(self._by_slot.get(slot, []))

    def all_children(self) -> list[ChildSa]:
        """Every child SA once."""
        return list(dict.fromkeys(self.children.values()))


def _newest(sas: Any) -> IsakmpSa | None:
    live = [sa for sa in sas if sa.state is State.ESTABLISHED]
    return max(live, key=lambda sa: sa.established, default=None)


def _take(table: dict[Any, list[Any]], key: Any, value: Any) -> None:
    if values := table.get(key):
        if value in values:
            values.remove(value)
        if not values:
            del table[key]


def _add(table: dict[Who, int], who: Who, step: int) -> None:
    table[who] = table.get(who, 0) + step
    if not table[who]:
        del table[who]


def _drop(table: dict[Any, dict[Any, Any]], key: Any, inner: Any) -> None:
    if values := table.get(key):
        values.pop(inner, None)
        if not values:
            del table[key]
