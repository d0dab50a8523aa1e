"""The network closed before isakmpd runs, as its configuration has it, and given back by command.

What is installed is what an isakmpd of that configuration that blocks when it is stopped leaves, so
the next one takes it over.
"""

from __future__ import annotations

from typing import NamedTuple

from isakmp.app.base import Acquire, Expire, Mapping, UnknownSpi
from isakmp.app.make import barrier_place, make_barrier
from isakmp.conf.check import judge
from isakmp.conf.spelling import refuse_lost
from isakmp.conf.store import Conf
from isakmp.errors import ConfError, Reason
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.keeper.flows import Flows, fixed, kept_back, unnegotiated
from isakmp.log.log import Log
from isakmp.policy.catalog import Catalog
from isakmp.policy.identity import Resolve
from isakmp.policy.reader import passive_names
from isakmp.policy.readings import Readings
from isakmp.policy.traffic import selectors_of


class _Nobody:
    """Whom an application belongs to that only has to be closed."""

    def acquire(self, event: Acquire) -> None: ...

    def expire(self, event: Expire) -> None: ...

    def mapping(self, event: Mapping) -> None: ...

    def unknown_spi(self, event: UnknownSpi) -> None: ...

    def gone(self, reason: Reason) -> None: ...

    def restarted(self) -> None: ...


class Closed(NamedTuple):
    """What was closed. number: of how many connections; everybody: the passive ones whose traffic
    with everybody is not, which would cut this host off."""

    number: int
    everybody: list[str]

    def __str__(self) -> str:
        what = "1 connection is" if self.number == 1 else f"{self.number} connections are"
        told = f"{what} closed until isakmpd runs, or isakmpd --open"
        if not self.everybody:
            return told
        names = ", ".join(self.everybody)
        return f"{told}; not closed, as it is with everybody and passive: {names}"


def close_network(conf: Conf, resolve: Resolve, timers: Timers, log: Log) -> Closed:
    """Drop the traffic of every connection from now on, but for what would cut this host off.

    ApplicationError where that cannot be done, in part: an error in the log; ConfError, once all
    others are closed, where the traffic of some cannot be read.
    """
    refuse_lost(conf)
    readings = Readings(conf, resolve)
    catalog = Catalog(conf, resolve, faults=judge(conf, resolve, readings).faults)
    catalog.load(readings)
    for name, error in catalog.left_out:
        log.internal_warn("left out: %s: %s", name, error)
    app = make_barrier(conf, loop=Loop(timers), timers=timers, log=log)
    app.start(_Nobody())
    traffic = catalog.closed | {n: selectors_of(one) for n, one in catalog.connections.items()}
    passive, flows = passive_names(conf), Flows(app, log)
    kept = {name: kept_back(each, passive=name in passive) for name, each in traffic.items()}
    with flows.together():
        for name, specs in unnegotiated(catalog):
            flows.put((name, None), specs)
        for name in catalog.connections:
            flows.put((name, None), fixed(kept[name]))
    app.sweep()
    app.close(block=True)
    if catalog.unread:
        raise ConfError(f"not closed: {', '.join(sorted(catalog.unread))}; all others are",
                        hint="mend these sections, and close again")  # fmt: skip
    everybody = [name for name, each in traffic.items() if len(kept[name]) < len(each)]
    return Closed(sum(map(bool, kept.values())), everybody)


def open_network(conf: Conf, timers: Timers, log: Log) -> str:
    """Give back what close_network() has closed, or an isakmpd that was killed or has blocked; what
    that was, for people.

    ApplicationError where that cannot be done.
    """
    app = make_barrier(conf, loop=Loop(timers), timers=timers, log=log)
    app.start(_Nobody())
    found = app.sweep()
    app.close()
    place = barrier_place(conf)
    whose = f"by the key engine of {place}" if place else "by the kernel's IPsec stack"
    told = f"nothing {'is' if found else 'was'} kept closed {whose}" + " any more" * bool(found)
    if found or not place:
        return told
    return (
        f"{told}; what an isakmpd keeps closed that has another Run-directory or Engine-socket is"
        " not looked at: isakmpd --open -c its configuration opens that"
    )
