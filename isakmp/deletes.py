"""Which child SAs a peer's Delete names: RFC 2408 3.15, RFC 7296 1.4.1.

It names the SPIs that its sender receives with. Some name those that they send with, or both: the
pair is gone there all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from isakmp.errors import Reason
from isakmp.sa import ChildSa, SaDatabase


class Named(NamedTuple):
    """children: what is deleted, each once; unknown: SPIs of nothing; wrong: who broke the rule."""

    children: list[ChildSa]
    unknown: list[int]
    wrong: list[Reason]


def named(
    sas: SaDatabase, remote: str, spis: Iterable[tuple[int, int]],
    speaks_for: Callable[[ChildSa], bool],
) -> Named:  # fmt: skip
    """What somebody at ``remote`` deletes by protocol and SPI. speaks_for: whether it may."""
    left: list[tuple[int, int]] = []
    found: dict[ChildSa, Reason | None] = {}
    for protocol, spi in dict.fromkeys(spis):
        child = sas.child_by_spi(protocol, spi, remote)
        if child is not None and speaks_for(child):
            found[child] = None
        else:
            left.append((protocol, spi))
    unknown = []
    for protocol, spi in left:
        child = sas.children.get((protocol, spi))
        if child is not None and speaks_for(child):
            found.setdefault(child, _wrong_half(child, spi))
        else:
            unknown.append(spi)
    return Named(list(found), unknown, [reason for reason in found.values() if reason])


def _wrong_half(child: ChildSa, spi: int) -> Reason:
    theirs = " ".join(f"0x{p.spi_out:08x}" for p in child.protocols)
    return Reason(
        "wrong-spi", f"the peer deletes {child} by the SPI that it sends with; it ends here, too",
        came=f"0x{spi:08x}", acceptable=theirs, line=child.connection.line,
    )  # fmt: skip
