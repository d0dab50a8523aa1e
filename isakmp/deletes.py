"""Which child SAs a peer's Delete names: RFC 2408 3.15, RFC 7296 1.4.1.

It names the SPIs that its sender receives with. Some name those that they send with, or both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from isakmp.errors import Reason
from isakmp.sa import ChildSa, SaDatabase

# How many names that nobody has are told.
SHOWN_MAX = 16


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
