"""The kernel's IPsec stack over NETLINK_XFRM, as isakmp.app.base.Application.

    ALLOCSPI, then UPDSA     an inbound SA            NEWSA, DELSA      an outbound one; the end
    NEWPOLICY, UPDPOLICY     policies in, out, fwd    MIGRATE           new end points
    GETSA                    what an SA has carried
    ACQUIRE, EXPIRE, MAPPING are the kernel's upcalls

What we install is told from what others have (values.py), taken back at the end, and at the
start where an earlier isakmpd was killed.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Iterable
from socket import socket
from typing import Any

from isakmp.app.base import (
    Direction,
    Owner,
    PolicySpec,
    SaId,
    SaSpec,
    SpiRequest,
    Usage,
)
from isakmp.app.xfrm import messages, sockets, values
from isakmp.app.xfrm.constants import Dir, Msg, NetlinkFlag
from isakmp.app.xfrm.layout import Layout, Values
from isakmp.app.xfrm.link import KernelRefusal, Link
from isakmp.app.xfrm.messages import Message
from isakmp.errors import ApplicationError, MalformedPayload
from isakmp.job import Job
from isakmp.log import Log
from isakmp.policy.spd import Address, Selector
from isakmp.timer import Event, Timers

RESYNC_S = 0.2

_PolicyKey = tuple[Direction, Selector]


class Xfrm:
    """The stack of the kernel at ``link``. wall: seconds since 1970, as the kernel counts.

    counters: what was ignored, by cause.
    """

    name = "xfrm"

    def __init__(self, link: Link, timers: Timers, log: Log, *, wall: Callable[[], float]) -> None:
        self._link, self._timers, self._log, self._wall = link, timers, log, wall
        self._upcalls: Owner | None = None
        self._sas: dict[SaId, int] = {}
        self._policies: dict[_PolicyKey, tuple[int, PolicySpec]] = {}
        self._numbers = 0
        self._resync: Event | None = None
        self.counters: Counter[str] = Counter()

    # --- life --------------------------------------------------------------------------------

    def start(self, upcalls: Owner) -> None:
        """Hear of events, and take away what an earlier isakmpd has left."""
        self._upcalls = upcalls
        self._link.listen(self)
        if left := self._flush():
            self._log.print("%d SAs and policies of an earlier isakmpd were left; they are gone",
                            left)  # fmt: skip

    def close(self) -> None:
        """Take back all SAs and policies of ours."""
        self._upcalls = None
        if self._resync is not None:
            self._resync.cancel()
        self._flush()
        self._link.close()

    def _flush(self) -> int:
        """Delete what is ours, and nothing else; how much that was.

        What the kernel keeps of an acquire has no SPI to name it, and ends by itself.
        """
        policies = self._dump(Msg.GETPOLICY, messages.POLICY_INFO)
        indices = [
            (Dir(p["dir"]), p["index"]) for p in policies if values.is_our_policy(p["index"])
        ]
        for dir, index in indices:
            self._link.request(Msg.DELPOLICY, values.policy_id(dir, index))
        count = len(indices)
        for info in self._dump(Msg.GETSA, messages.SA_INFO):
            if values.is_ours(info["reqid"]) and info["id"]["spi"]:
                self._link.request(Msg.DELSA, values.sa_id(values.read_sa_id(info)))
                count += 1
        return count

    def _dump(self, type: Msg, layout: Layout) -> list[Values]:
        """Everything the kernel has of a kind; the kernel answers while it is asked."""
        job = self._link.request(type, b"", NetlinkFlag.DUMP)
        if job.error is not None:
            raise job.error
        return [layout.unpack(body) for body in job.result or []]

    def own_socket(self, sock: socket, encap: bool) -> None:
        """Policies let a socket of the daemon pass; encap: ESP in UDP comes in there."""
        try:
            sockets.bypass(sock)
            if encap:
                sockets.take_esp(sock)
        except ApplicationError as error:
            self._log.error("%s", error)

    # --- SAs ---------------------------------------------------------------------------------

    def get_spi(self, request: SpiRequest) -> Job[int]:
        """ALLOCSPI: a larval SA. The kernel forgets it after net.core.xfrm_acq_expires."""
        try:
            asked = self._link.request(Msg.ALLOCSPI, values.spi_request(request))
        except ApplicationError as error:
            return Job.failed(error)
        return _read(asked, lambda bodies: values.read_spi(bodies[0]))

    def add_sa(self, sa: SaSpec) -> Job[None]:
        """NEWSA."""
        return self._install(Msg.NEWSA, sa)

    def update_sa(self, sa: SaSpec) -> Job[None]:
        """UPDSA; NEWSA where the kernel has forgotten the larval SA in the meantime."""
        job: Job[None] = Job()

        def updated(first: Job[None]) -> None:
            error = first.error
            if isinstance(error, KernelRefusal) and error.errno == errno.ESRCH:
                _pass_on(self._install(Msg.NEWSA, sa), job)
            else:
                _pass_on(first, job)

        self._install(Msg.UPDSA, sa).then(updated)
        return job

    def _install(self, type: Msg, sa: SaSpec) -> Job[None]:
        try:
            asked = self._link.request(type, values.sa(sa))
        except ApplicationError as error:
            return Job.failed(error)
        name = SaId(sa.protocol, sa.spi, sa.src, sa.dst)

        def installed(_: list[bytes]) -> None:
            self._sas[name] = sa.reqid

        return _read(asked, installed)

    def delete_sa(self, sa: SaId) -> Job[None]:
        """DELSA."""
        self._sas.pop(sa, None)
        return _read(self._link.request(Msg.DELSA, values.sa_id(sa)), _nothing)

    def group(self, sas: list[SaId]) -> Job[None]:
        """Bundles are their policies' to say."""
        return Job.of(None)

    def usage(self, sa: SaId) -> Job[Usage]:
        """GETSA."""
        asked = self._link.request(Msg.GETSA, values.sa_id(sa))
        return _read(asked, lambda bodies: values.read_usage(bodies[0], self._wall()))

    # --- policies ----------------------------------------------------------------------------

    def add_policy(self, policy: PolicySpec) -> Job[int]:
        """NEWPOLICY in each direction; UPDPOLICY where the traffic has one of ours already."""
        key = policy.direction, policy.selector
        number, before = self._policies.get(key, (0, None))
        if before is None:
            self._numbers = number = self._numbers % (values.INDICES - 1) + 1
        old = values.directions(before) if before else ()
        new = values.directions(policy)
        try:
            bodies = {dir: values.policy(policy, dir, number) for dir in new}
        except ApplicationError as error:
            return Job.failed(error)
        self._policies[key] = number, policy
        jobs = [
            self._link.request(Msg.UPDPOLICY if dir in old else Msg.NEWPOLICY, body)
            for dir, body in bodies.items()
        ]
        self._delete_policies(number, set(old) - set(new))
        return _read(_all(jobs), lambda _: number)

    def delete_policy(self, policy: PolicySpec) -> Job[None]:
        """DELPOLICY in each direction; nothing where it is not there."""
        number, known = self._policies.pop((policy.direction, policy.selector), (0, None))
        if known is None:
            return Job.of(None)
        return _read(_all(self._delete_policies(number, values.directions(known))), _nothing)

    def _delete_policies(self, number: int, dirs: Iterable[Dir]) -> list[Job[list[bytes]]]:
        return [
            self._link.request(
                Msg.DELPOLICY, values.policy_id(dir, values.kernel_index(number, dir))
            )
            for dir in dirs
        ]

    def migrate(self, policy: PolicySpec, src: Address, dst: Address) -> Job[None]:
        """Not yet."""
        return Job.failed(ApplicationError("not yet"))

    # --- upcalls -----------------------------------------------------------------------------

    def event(self, message: Message) -> None:
        """The kernel tells something."""
        try:
            if message.type == Msg.ACQUIRE:
                self._acquire(message.body)
            elif message.type == Msg.EXPIRE:
                self._expire(message.body)
            elif message.type == Msg.MAPPING:
                self._mapping(message.body)
            else:
                self.counters["ignored"] += 1
        except MalformedPayload:
            self.counters["malformed"] += 1

    def _acquire(self, body: bytes) -> None:
        found = values.read_acquire(body)
        if found is None or self._upcalls is None:
            self.counters["acquire of another's policy"] += 1
        else:
            self._upcalls.acquire(found)

    def _expire(self, body: bytes) -> None:
        event = values.read_expire(body)
        known = event.sa in self._sas
        if event.hard:
            self._sas.pop(event.sa, None)
        if known and self._upcalls is not None:
            self._upcalls.expire(event)
        else:  # another's, or a larval one that nobody completed
            self.counters["expiry of an unknown SA"] += 1

    def _mapping(self, body: bytes) -> None:
        event = values.read_mapping(body)
        if event.sa in self._sas and self._upcalls is not None:
            self._upcalls.mapping(event)
        else:
            self.counters["mapping of an unknown SA"] += 1

    def overrun(self) -> None:
        """Events were lost."""


def _nothing(_: list[bytes]) -> None:
    return None


def _read(asked: Job[Any], read: Callable[[Any], Any]) -> Job[Any]:
    """A Job with what ``read`` makes of another's result."""
    job: Job[Any] = Job()

    def answered(asked: Job[Any]) -> None:
        if asked.error is not None:
            job.fail(asked.error)
            return
        try:
            job.finish(read(asked.result))
        except (MalformedPayload, IndexError) as error:
            job.fail(ApplicationError(f"the kernel's answer: {error}"))

    asked.then(answered)
    return job


def _pass_on(one: Job[None], other: Job[None]) -> None:
    one.then(lambda job: other.fail(job.error) if job.error else other.finish(None))


def _all(jobs: list[Job[list[bytes]]]) -> Job[None]:
    """Done when all are; the first error is its own."""
    whole: Job[None] = Job()
    left = len(jobs)

    def answered(job: Job[list[bytes]]) -> None:
        nonlocal left
        left -= 1
        if job.error is not None:
            whole.fail(job.error)
        elif not left:
            whole.finish(None)

    for job in jobs:
        job.then(answered)
    return whole
