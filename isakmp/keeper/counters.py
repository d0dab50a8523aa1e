"""Counters: what child SAs have carried, and when that was, as the IPsec stack tells it."""

from __future__ import annotations

from isakmp.app.base import Usage
from isakmp.event.job import Job
from isakmp.keeper.shared import Shared
from isakmp.sa import ChildSa

# A rounding of the clock is no time that goes by.
LEAST_S = 0.1


def count(shared: Shared, children: list[ChildSa]) -> Job[None]:
    """Ask the application what these have carried; done when their ``usage`` is up to date.

    Each is compared with itself: one that ends or is inherited has carried nothing for that.
    """
    names = [name for c in children for name in (c.inbound()[0], c.outbound()[0])]
    done: Job[None] = Job()

    def answered(job: Job[list[Usage | None]]) -> None:
        found, now = iter(job.result or []), shared.timers.now()
        for child in children:
            # Of what has no answer nothing else is known than before.
            before = child.usage
            child.usage = next(found, None) or before[0], next(found, None) or before[1]
            came, went = (
                _when(child, now, *both) for both in zip(before, child.usage, strict=True)
            )
            child.came_at, child.went_at = max(child.came_at, came), max(child.went_at, went)
            child.counted = now
        done.finish(None)

    Job.gather([shared.app.usage(name) for name in names]).then(answered)
    return done


def carried(children: list[ChildSa]) -> tuple[float, float]:
    """When packets last came with any of these, and went out."""
    came = max((child.came_at for child in children), default=0.0)
    return came, max((child.went_at for child in children), default=0.0)


def _when(child: ChildSa, now: float, before: Usage | None, usage: Usage | None) -> float:
    """When the last packet was, by our clock; 0 where there was none since the last count. It was
    after that: where the stack's clock was set, or it does not tell, it may have been any time
    since, and in whole seconds it may lie a little before."""
    if usage is None or usage.packets <= (before.packets if before is not None else 0):
        return 0.0
    when = now - usage.idle_s if usage.idle_s is not None else now
    return min(now, max(child.counted + LEAST_S, when)) if when > child.counted - 1 else now
