"""The policies we have in the kernel: each of ours is several of the kernel's.

One for each direction (what comes out of a tunnel is for us or for others behind us), and for
ranges of ports one for each pair of port and mask.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product

from isakmp.app.base import Direction, PolicySpec
from isakmp.app.xfrm import messages, values
from isakmp.app.xfrm.constants import Dir, Msg, NetlinkFlag
from isakmp.app.xfrm.jobs import all_done
from isakmp.app.xfrm.layout import Values
from isakmp.app.xfrm.link import Link
from isakmp.app.xfrm.values import Indices, Ports
from isakmp.errors import ApplicationError
from isakmp.job import Job
from isakmp.policy.spd import OPAQUE_PORTS, Address, Selector
from isakmp.policy.traffic import port_masks

Place = tuple[Dir, Ports]

# The kernel's port of what has none, a later fragment for one, is 0.
_NO_PORT = [(0, 0xFFFF)]


@dataclass(slots=True)
class _Installed:
    """A policy of ours, by what number the daemon knows it, and the kernel's indices of it."""

    number: int
    spec: PolicySpec
    indices: dict[Place, int] = field(default_factory=dict)


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
        for index in left.values():
            self._link.request(Msg.DELPOLICY, values.policy_id(Dir(index & 7), index))
        self._give_back(left.values())
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
        key = spec.direction, spec.selector
        self._refused.pop(key, None)
        entry = self._installed.get(key)
        if entry is None:
            self._number += 1
            entry = _Installed(self._number, spec)
        before, now = entry.indices, {}
        keys = {place: _key(place[0], values.selector(spec.selector, place[1]))
                for place in places(spec)}  # fmt: skip
        before = {p: self._left[k] for p, k in keys.items() if k in self._left} | before
        try:
            template = values.templates(spec)
            for place in keys:
                now[place] = before.get(place) or self._take_index(place[0])
        except ApplicationError as error:
            self._give_back(index for place, index in now.items() if place not in before)
            return Job.failed(error)
        for taken in keys.values():
            self._left.pop(taken, None)
        entry.spec, entry.indices = spec, now
        self._installed[key] = entry
        jobs = [
            self._link.request(
                Msg.UPDPOLICY if place in before else Msg.NEWPOLICY,
                values.policy(spec, *place, index, self._indices.tag) + template,
            )
            for place, index in now.items()
        ]
        self._delete({place: index for place, index in before.items() if place not in now})
        done = all_done(jobs, entry.number)
        if not before:
            done.then(partial(self._take_back, key, entry))
        return done

    def _take_back(self, key: tuple[Direction, Selector], entry: _Installed, job: Job[int]) -> None:
        """What the kernel refused in part is not there at all."""
        if job.error is not None and self._installed.get(key) is entry:
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
        return all_done(self._delete(entry.indices) if entry else [], None)

    def _delete(self, indices: dict[Place, int]) -> list[Job[list[bytes]]]:
        self._give_back(indices.values())
        return [
            self._link.request(Msg.DELPOLICY, values.policy_id(place[0], index))
            for place, index in indices.items()
        ]

    def migrate(self, spec: PolicySpec, src: Address, dst: Address) -> Job[None]:
        """Give a policy and the SAs it names new end points."""
        entry = self._installed.get((spec.direction, spec.selector))
        if entry is None or spec.src is None or spec.dst is None:
            return Job.failed(ApplicationError("there is no such policy"))
        body = values.migrate(spec, src, dst)
        jobs = [
            self._link.request(Msg.MIGRATE, values.migrated_policy(spec, *place) + body)
            for place in entry.indices
        ]
        entry.spec = replace(entry.spec, src=src, dst=dst)
        return all_done(jobs, None)

    def reinstall(self, present: set[int]) -> int:
        """Install again what is not among the kernel's; how many were missing."""
        missing = 0
        for entry in self._installed.values():
            if lost := {p: i for p, i in entry.indices.items() if i not in present}:
                missing += len(lost)
                template = values.templates(entry.spec)
                for place, index in lost.items():
                    body = values.policy(entry.spec, *place, index, self._indices.tag) + template
                    self._link.request(Msg.NEWPOLICY, body)
        return missing

    def _take_index(self, dir: Dir) -> int:
        """An index that none of ours has."""
        if len(self._used) >= self._indices.count - 1:
            raise ApplicationError(f"more than {self._indices.count} policies")
        while True:
            self._index = self._index % (self._indices.count - 1) + 1
            if self._index not in self._used:
                self._used.add(self._index)
                return self._indices.index(self._index, dir)

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


def places(spec: PolicySpec) -> list[Place]:
    """Every direction and pair of ports of a policy."""
    traffic = spec.selector
    pairs = product(_masks(traffic.src_ports), _masks(traffic.dst_ports))
    return list(product(values.directions(spec), pairs))


def _masks(ports: tuple[int, int]) -> list[tuple[int, int]]:
    return _NO_PORT if ports == OPAQUE_PORTS else port_masks(*ports)
