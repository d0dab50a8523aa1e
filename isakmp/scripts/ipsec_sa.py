"""What the scripts of every protocol do alike where they make child SAs: SPIs, bounds, lifetimes.

RFC 2409 5.5, RFC 7296 1.3 and 2.17. ``x`` is the exchange that makes them.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from isakmp.app.base import Limits, SaId, SaSpec, SpiRequest
from isakmp.constants import isakmp
from isakmp.errors import Refused
from isakmp.event.job import Job
from isakmp.exchange.exchange import Exchange
from isakmp.path import Path
from isakmp.policy.spd import Address, Connection, Selector
from isakmp.sa import IsakmpSa, soft_limit


def reserve_spi(
    x: Exchange, protocol: isakmp.Protocol, connection: Connection, reqid: int
) -> Generator[Job[Any], Any, int]:
    """An SPI of ours for an inbound SA, or a CPI."""
    mode = connection.suites[0].protocols[0].transforms[0].encapsulation
    request = SpiRequest(protocol, x.path.remote, x.path.local, mode, reqid)
    number: int = yield x.host.app.get_spi(request)
    return number


def give_back(
    x: Exchange, protocol: isakmp.Protocol, spi: int, specs: Sequence[SaSpec]
) -> None:  # fmt: skip
    """An SPI of ours that serves nothing. specs: of what was made with it for where the peer was
    then."""
    made = (s for s in specs if s.inbound and (s.protocol, s.spi) == (protocol, spi))
    if spec := next(made, None):
        name = SaId(protocol, spi, spec.src, spec.dst)
    else:
        name = SaId(protocol, spi, x.path.remote, x.path.local)
    x.host.app.delete_sa(name)


def check_room(
    x: Exchange, sa: IsakmpSa, connection: Connection, selectors: Sequence[Selector],
    notify: int, *, replacing: bool = False,
) -> None:  # fmt: skip
    """A peer that has proved itself may still ask for too much. Refused then, with ``notify``."""
    there = bool(x.host.sas.in_slot((connection.name, sa.peer, selectors[0])))
    if reason := x.host.bounds.child(sa, selectors, replacing=replacing or there):
        raise Refused(reason, notify)


def check_traffic(
    x: Exchange, sa: IsakmpSa, connection: Connection, selectors: Sequence[Selector],
    notify: int,
) -> None:  # fmt: skip
    """Nobody else has the traffic. Refused otherwise, with ``notify``."""
    if taken := x.host.bounds.traffic(sa, connection, selectors):
        reason, holder = taken
        if holder is not None:
            x.host.owner.ask_holder(holder)
        raise Refused(reason, notify)


def limits(x: Exchange, seconds: int, kilobytes: int, packets: int) -> Limits:
    """The lifetimes of an SA; soft ones drawn so that the initiator comes first. 0: none."""
    draw, margin = x.host.random(1)[0] / 256, x.host.settings.rekey_margin_percent
    octets = 1024 * kilobytes
    return Limits(
        soft_limit(seconds, draw, x.initiator, margin), seconds,
        soft_limit(octets, draw, x.initiator, margin), octets,
        soft_limit(packets, draw, x.initiator, margin), packets,
    )  # fmt: skip


def ends(path: Path, *, inbound: bool) -> tuple[tuple[Address, Address], tuple[int, int]]:
    """Source and destination of an SA, and their ports for its packets in UDP."""
    here, there = (path.local, path.local_port), (path.remote, path.remote_port)
    (src, sport), (dst, dport) = (there, here) if inbound else (here, there)
    return (src, dst), (sport, dport)
