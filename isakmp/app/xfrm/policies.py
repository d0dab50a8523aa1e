"""The policies we have in the kernel: each of ours is several of the kernel's.

One for each direction (what comes out of a tunnel is for us or for others behind us), and for
ranges of ports one for each pair of port and mask.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from isakmp.app.base import Direction, PolicySpec
from isakmp.app.xfrm import messages, values
from isakmp.app.xfrm.constants import Dir, Msg, NetlinkFlag
from isakmp.app.xfrm.jobs import Bodies, done, read
from isakmp.app.xfrm.layout import Values
from isakmp.app.xfrm.link import Link, Request
from isakmp.app.xfrm.values import Indices, Place
from isakmp.errors import ApplicationError
from isakmp.event.job import Job
from isakmp.policy.spd import OPAQUE_PORTS, Address, Selector
from isakmp.policy.traffic import port_masks

# The kernel's port of what has none, a later fragment for one, is 0.
_NO_PORT = [(0, 0xFFFF)]


@dataclass(slots=True)
class _Installed:
    """A policy of ours, by what number the daemon knows it, and the kernel's indices of it."""

    number: int
    spec: PolicySpec
    indices: tuple[int, ...] = ()

    def by_place(self) -> dict[Place, int]:
        """Where it stands in the kernel, and under what."""
        return dict(zip(places(self.spec), self.indices, strict=True))


class _Change(NamedTuple):
    """Requests for one policy, or why there are none. is_new: nothing of it was there."""

    made: _Installed | ApplicationError
    is_new: bool = False
    requests: Sequence[Request] = ()


class Policies:
    """The policies of one daemon. indices: which of the kernel's are its own."""

    def __init__(self, link: Link, indices: Indices = values.OURS) -> None:
        self._link, self._indices = link, indices
        self._left: dict[bytes, int] = {}
        self._installed: dict[tuple[Direction, Selector], _Installed] = {}
        self._refused: dict[tuple[Direction, Selector], PolicySpec] = {}
        self._used: set[int] = set()
        self._index = self._number = 0

    def adopt(self) -> int:
        """Know what an earlier process has left, which goes on until sweep(); how much that is."""
        for found in present(self._link):
            if self._indices.has(found["index"]):
                self._left[_key(found["dir"], found["sel"])] = found["index"]
                self._used.add(self._indices.number(found["index"]))
        return len(self._left)

    def sweep(self) -> int:
        """Take away what was left and has not been added again; how much that was."""
        left, self._left = self._left, {}
        self._delete(left.values())
        return len(left)

    def clear(self) -> None:
        """Take everything away."""
        for entry in list(self._installed.values()):
            self.delete(entry.spec)
        self.sweep()
        self._refused.clear()

    def add(self, spec: PolicySpec) -> Job[int]:
        """Install, or replace that of the same traffic; its number.

        ApplicationError where it cannot be said to the kernel, and where another's is in place;
        retry() is for that.
        """
        (asked,) = self.add_all([spec])
        entry = self._installed.get((spec.direction, spec.selector))
        return read(asked, lambda _: entry.number if entry else 0)

    def add_all(self, specs: Iterable[PolicySpec]) -> list[Job[Bodies]]:
        """Many at once, each of other traffic, and each as add() does it."""
        changes = [self._change(spec) for spec in specs]
        asked = self._link.request_all(change.requests for change in changes)
        return [self._asked(*pair) for pair in zip(changes, asked, strict=True)]

    def _change(self, spec: PolicySpec) -> _Change:
        """What has to be asked for a policy."""
        key = spec.direction, spec.selector
        self._refused.pop(key, None)
        entry, wanted, now = self._installed.get(key), places(spec), list[int]()
        left = self._left_at(spec, wanted) if self._left else {}
        before = {place: self._left[taken] for place, taken in left.items()}
        if entry is not None:
            before |= entry.by_place()
        try:
            template = values.templates(spec)
            for place in wanted:
                now.append(before.get(place) or self._take_index(place[0]))
        except ApplicationError as error:
            self._give_back(set(now).difference(before.values()))
            return _Change(error)
        for taken in left.values():
            del self._left[taken]
        if entry is None:
            self._number += 1
            entry = self._installed[key] = _Installed(self._number, spec)
        entry.spec, entry.indices = spec, tuple(now)
        if before:
            self._delete([index for place, index in before.items() if place not in wanted])
        bodies = values.policies(spec, wanted, now, self._indices.tag)
        return _Change(entry, not before, [
            (Msg.UPDPOLICY if place in before else Msg.NEWPOLICY, body + template)
            for place, body in zip(wanted, bodies, strict=True)
        ])  # fmt: skip

    def _asked(self, change: _Change, asked: Job[Bodies]) -> Job[Bodies]:
        if isinstance(change.made, ApplicationError):
            return Job.failed(change.made)
        if change.is_new:
            asked.otherwise(self._take_back, change.made)
        return asked

    def _left_at(self, spec: PolicySpec, wanted: tuple[Place, ...]) -> dict[Place, bytes]:
        """Where an earlier process has left policies of that traffic, and under what."""
        keys = {place: _key(place[0], values.selector(spec.selector, place[1])) for place in wanted}
        return {place: key for place, key in keys.items() if key in self._left}

    def _take_back(self, entry: _Installed, error: Exception) -> None:
        """What the kernel refused in part is not there at all."""
        key = entry.spec.direction, entry.spec.selector
        if self._installed.get(key) is entry:
            self._delete(self._installed.pop(key).indices)
            self._refused[key] = entry.spec

    def retry(self) -> int:
        """Install what the kernel has refused; how much of that it has now."""
        refused = list(self._refused.values())
        for spec in refused:
            self.add(spec)
        return len(refused) - len(self._refused)

    def delete(self, spec: PolicySpec) -> Job[None]:
        """Take a policy away; nothing where it is not there."""
        self._refused.pop((spec.direction, spec.selector), None)
        entry = self._installed.pop((spec.direction, spec.selector), None)
        return done(self._delete(entry.indices if entry else ()))

    def _delete(self, indices: Collection[int]) -> Job[Bodies]:
        self._give_back(indices)
        (job,) = self._link.request_all([
            [(Msg.DELPOLICY, values.policy_id(Dir(index & 7), index)) for index in indices]
        ])  # fmt: skip
        return job

    def migrate(self, spec: PolicySpec, src: Address, dst: Address) -> Job[None]:
        """Give a policy and the SAs it names new end points."""
        entry = self._installed.get((spec.direction, spec.selector))
        if entry is None or spec.src is None or spec.dst is None:
            return Job.failed(ApplicationError("there is no such policy"))
        body = values.migrate(spec, src, dst)
        (asked,) = self._link.request_all([
            [(Msg.MIGRATE, values.migrated_policy(spec, *place) + body) for place in places(spec)]
        ])  # fmt: skip
        entry.spec = entry.spec._replace(src=src, dst=dst)
        return done(asked)

    def reinstall(self, present: set[int]) -> int:
        """Install again what is not among the kernel's; how many were missing."""
        lost = [self._lost(entry, present) for entry in self._installed.values()]
        self._link.request_all(lost)
        return sum(map(len, lost))

    def _lost(self, entry: _Installed, present: set[int]) -> list[Request]:
        lost = {p: i for p, i in entry.by_place().items() if i not in present}
        template = values.templates(entry.spec)
        bodies = values.policies(entry.spec, lost, lost.values(), self._indices.tag)
        return [(Msg.NEWPOLICY, body + template) for body in bodies]

    def _take_index(self, dir: Dir) -> int:
        """An index that none of ours has."""
        used, most = self._used, self._indices.count - 1
        if len(used) >= most:
            raise ApplicationError(f"more than {most} policies")
        number = self._index % most + 1
        while number in used:
            number = number % most + 1
        used.add(number)
        self._index = number
        return self._indices.index(number, dir)

    def _give_back(self, indices: Iterable[int]) -> None:
        self._used.difference_update(self._indices.number(index) for index in indices)


def present(link: Link) -> list[Values]:
    """Every policy that the kernel has, whosever it is. KernelRefusal."""
    job = link.request(Msg.GETPOLICY, b"", NetlinkFlag.DUMP)
    if job.error is not None:
        raise job.error
    return [messages.POLICY_INFO.unpack(body) for body in job.result or ()]


def _key(dir: int, selector: Values) -> bytes:
    """What no two policies of the kernel have in common."""
    return bytes([dir]) + messages.SELECTOR.pack(selector)


def places(spec: PolicySpec) -> tuple[Place, ...]:
    """Every direction and pair of ports of a policy."""
    traffic = spec.selector
    return _places(values.directions(spec), traffic.src_ports, traffic.dst_ports)


@lru_cache(256)
def _places(
    directions: tuple[Dir, ...], src_ports: tuple[int, int], dst_ports: tuple[int, int]
) -> tuple[Place, ...]:
    return tuple(product(directions, product(_masks(src_ports), _masks(dst_ports))))


def _masks(ports: tuple[int, int]) -> list[tuple[int, int]]:
    return _NO_PORT if ports == OPAQUE_PORTS else port_masks(*ports)
