"""Which child SAs a peer's Delete names, and who hears of ours: RFC 2408 3.15, RFC 7296 1.4.1.

It names the SPIs that its sender receives with. Some name those that they send with, or both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from isakmp.constants import IKEV1
from isakmp.errors import Reason
from isakmp.sa import ChildSa, IsakmpSa, Place, State
from isakmp.sa_database import SaDatabase

# How many names that nobody has are told.
SHOWN_MAX = 16
# At how many places an end is told where the peer may have gone: devices without number may have
# its identity.
HEARERS_MAX = 4


class Named(NamedTuple):
    """children: what is deleted, each once; doubtful: what only its other half was named of;
    unknown: SPIs of nothing."""

    children: list[ChildSa]
    doubtful: dict[ChildSa, Reason]
    unknown: list[int]


def named(
    sas: SaDatabase, remotes: Sequence[str], spis: Iterable[tuple[int, int]],
    speaks_for: Callable[[ChildSa], bool],
) -> Named:  # fmt: skip
    """What somebody deletes by protocol and SPI. remotes: where we may send to it; speaks_for:
    whether it may."""
    found, left = dict[ChildSa, None](), []
    for protocol, spi in dict.fromkeys(spis):
        sent = (sas.child_by_spi(protocol, spi, remote) for remote in remotes)
        its = [child for child in sent if child is not None and speaks_for(child)]
        if its:
            found[its[0]] = None
        else:
            left.append((protocol, spi))
    doubtful, unknown = dict[ChildSa, Reason](), []
    for protocol, spi in left:
        child = sas.children.get((protocol, spi))
        if child is None or not speaks_for(child):
            unknown.append(spi)
        elif child not in found:
            doubtful[child] = _wrong_half(child, spi)
    return Named(list(found), doubtful, unknown)


def addresses(sas: SaDatabase, sa: IsakmpSa) -> list[str]:
    """Where we may send to what the identity of ``sa`` receives with, that of ``sa`` first: a child
    SA of no IKE SA may send to where it was before."""
    _, children = sas.everywhere(sa)
    return list(dict.fromkeys(map(str, (sa.path.remote, *(c.path.remote for c in children)))))


def speaks_for(sas: SaDatabase, sa: IsakmpSa, child: ChildSa) -> bool:
    """Whether the peer of ``sa`` has a say in what has no IKE SA: the same peer, or its identity,
    where that may have left the child's place. Nothing else of it is there, or the child SA has
    only moved along, or the traffic is that of a child SA of the same device."""
    if child.peer == sa.peer:
        return True
    if child.parent is not None or child.who != sa.who:
        return False
    if sas.current(child.peer) is None or child.place != child.kin.proven:
        return True
    alike = sas.of_flow(child.connection.name, child.selector)
    return any(other.kin.lineage is sa.kin.lineage for other in alike)


def received_with(sas: SaDatabase, sa: IsakmpSa, protocol: int, spi: int) -> ChildSa | None:
    """The child SA that the peer of ``sa`` receives with that SPI, and has a say in."""
    found = (sas.child_by_spi(protocol, spi, remote) for remote in addresses(sas, sa))
    return next((child for child in found if child and speaks_for(sas, sa, child)), None)


def hearers(sas: SaDatabase, child: ChildSa) -> list[IsakmpSa]:
    """Under which IKE SAs its peer is sure to hear of its end; the first has to carry that.

    The parent, or what is at its place. Where its peer may have left that, the newest of each place
    to which it may have gone: our SPI means nothing to whose it is not. Of one that its address
    tells from others, and that has its section for itself, the newest.
    """
    if child.parent is not None:
        return [child.parent]
    current = sas.current(child.peer)
    if current is not None and current.place == child.place:
        return [current]
    found: dict[Place, IsakmpSa] = {}
    for sa in sorted(sas.everywhere(child)[0], key=lambda each: each.established, reverse=True):
        if sa.state in (State.ESTABLISHED, State.SUPERSEDED) and _may_have(sa, child):
            found.setdefault(sa.place, sa)
    if not found and child.who[2]:
        last = sas.current_of_remote(child.connection.remote)
        if last and not last.remote.shared and _is_its(last, child):
            return [last]
    return list(found.values())[:HEARERS_MAX]


def _may_have(sa: IsakmpSa, child: ChildSa) -> bool:
    """Whether the peer of ``child`` may have gone to where ``sa`` is: it was made later, or is of
    the same device, and the child SA did not move along."""
    return sa.established > child.established or sa.kin.lineage is child.kin.lineage


def _is_its(sa: IsakmpSa, child: ChildSa) -> bool:
    """Whether ``sa`` is with the same name of a peer, at whatever address."""
    return sa.dialect == IKEV1 and sa.who[:2] == child.who[:2]


def shown(spis: Sequence[int | bytes]) -> str:
    """A line of the first of them: a peer may name thousands."""
    first = (spi.hex() if isinstance(spi, bytes) else f"{spi:08x}" for spi in spis[:SHOWN_MAX])
    more = len(spis) - SHOWN_MAX
    return " ".join(first) + (f" and {more} more" if more > 0 else "")


def _wrong_half(child: ChildSa, spi: int) -> Reason:
    theirs = " ".join(f"0x{p.spi_out:08x}" for p in child.protocols)
    return Reason(
        "wrong-spi", f"the peer deletes {child} by the SPI that it sends with",
        came=f"0x{spi:08x}", acceptable=theirs, line=child.connection.line,
    )  # fmt: skip
