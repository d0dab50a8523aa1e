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
from collections.abc import Callable
from socket import socket

from isakmp.app.base import Expire, Owner, PolicySpec, SaId, SaSpec, SpiRequest, Usage, larval
from isakmp.app.held import Held
from isakmp.app.kernel_drops import kernel_drops
from isakmp.app.xfrm import jobs, messages, sockets, values
from isakmp.app.xfrm.constants import Msg, NetlinkFlag
from isakmp.app.xfrm.layout import Layout, Values
from isakmp.app.xfrm.link import KernelRefusal, Link
from isakmp.app.xfrm.messages import Message
from isakmp.app.xfrm.policies import Policies
from isakmp.app.xfrm.probe import Probe
from isakmp.app.xfrm.watch import watch
from isakmp.constants import ipsec, isakmp
from isakmp.errors import ApplicationError, MalformedPayload
from isakmp.event.job import Job
from isakmp.event.timer import Event, Timers
from isakmp.log.log import Log
from isakmp.policy.spd import Address

RESYNC_S = 0.2


class Xfrm:
    """The stack of the kernel at ``link``. wall: seconds since 1970, as the kernel counts.

    held: what says that the stack is ours; counters: what was ignored, by cause.
    """

    name = "xfrm"

    def __init__(
        self, link: Link, timers: Timers, log: Log, *, wall: Callable[[], float],
        held: Held | None = None,
    ) -> None:  # fmt: skip
        self._held = held
        self._link, self._timers, self._log, self._wall = link, timers, log, wall
        self._upcalls: Owner | None = None
        self._sas: dict[SaId, int] = {}
        self._policies, self._probe = Policies(link), Probe(link)
        self._resync: Event | None = None
        self.counters: Counter[str] = Counter()

    # --- life --------------------------------------------------------------------------------

    def start(self, upcalls: Owner) -> None:
        """Hear of events, and take away what an earlier isakmpd has left."""
        self._upcalls = upcalls
        self._link.listen(self)
        watch(self._link, self._policies, self._log)
        if left := self._flush():
            self._log.info("%d SAs of an earlier isakmpd were left; they are gone", left)
        if left := self._policies.adopt():
            self._log.info("%d policies of an earlier isakmpd hold until ours are there", left)

    def sweep(self) -> int:
        """Take away what an earlier isakmpd has left that is not wanted any more; how much."""
        if left := self._policies.sweep():
            self._log.info("%d policies of an earlier isakmpd are gone", left)
        return left

    def close(self, block: bool = False) -> None:
        """Take back all SAs and policies of ours; block: the policies stay."""
        self._upcalls = None
        if self._resync is not None:
            self._resync.cancel()
        self._flush()
        if not block:
            self._policies.clear()
        self._link.close()
        if self._held is not None:
            self._held.close()

    def _flush(self) -> int:
        """Delete the SAs that are ours, and no others; how many that were.

        What the kernel keeps of an acquire has no SPI to name it, and ends by itself.
        """
        ours = [
            info for info in self._dump(Msg.GETSA, messages.SA_INFO)
            if values.is_ours(info["reqid"]) and info["id"]["spi"]
        ]  # fmt: skip
        for info in ours:
            self._link.request(Msg.DELSA, values.sa_id(values.read_sa_id(info)))
        return len(ours)

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
            self._log.internal_err("%s", error)

    # --- SAs ---------------------------------------------------------------------------------

    def get_spi(self, request: SpiRequest) -> Job[int]:
        """ALLOCSPI: a larval SA. The kernel forgets it after net.core.xfrm_acq_expires."""
        try:
            asked = self._link.request(Msg.ALLOCSPI, values.spi_request(request))
        except ApplicationError as error:
            return Job.failed(error)
        job = jobs.read(asked, lambda bodies: values.read_spi(bodies[0]))
        job.give_back = lambda spi: self.delete_sa(larval(request, spi))
        return job

    def add_sa(self, sa: SaSpec) -> Job[None]:
        """NEWSA."""
        return self._install(Msg.NEWSA, sa)

    def update_sa(self, sa: SaSpec) -> Job[None]:
        """UPDSA; NEWSA where the kernel has forgotten the larval SA in the meantime."""

        def updated(first: Job[None]) -> Job[None]:
            if isinstance(first.error, KernelRefusal) and first.error.errno == errno.ESRCH:
                return self._install(Msg.NEWSA, sa)
            return first

        return jobs.after(self._install(Msg.UPDSA, sa), updated)

    def _install(self, type: Msg, sa: SaSpec, body: bytes = b"") -> Job[None]:
        try:
            asked = self._link.request(type, body or values.sa(sa))
        except ApplicationError as error:
            return Job.failed(error)

        def installed(_: list[bytes]) -> None:
            self._sas[_name(sa)] = sa.reqid

        return jobs.read(asked, installed)

    def delete_sa(self, sa: SaId) -> Job[None]:
        """DELSA."""
        self._sas.pop(sa, None)
        return jobs.done(self._link.request(Msg.DELSA, values.sa_id(sa)))

    def group(self, sas: list[SaId]) -> Job[None]:
        """What is applied together is said by the policies (PolicySpec.more)."""
        return Job.of(None)

    def move_sa(self, old: SaSpec, new: SaSpec) -> Job[None]:
        """UPDSA for other ports; for other addresses a new SA that goes on where the old was."""
        if (old.src, old.dst) == (new.src, new.dst):
            return self.update_sa(new)
        name = _name(old)

        def known(asked: Job[list[bytes]]) -> Job[None]:
            if asked.error is not None or not asked.result:
                return Job.failed(asked.error or ApplicationError("the kernel's answer is empty"))
            try:
                body = values.moved_sa(new, asked.result[0])
            except (ApplicationError, MalformedPayload) as error:
                return Job.failed(ApplicationError(str(error)))
            return jobs.after(self.delete_sa(name), lambda _: self._install(Msg.NEWSA, new, body))

        return jobs.after(self._link.request(Msg.GETSA, values.sa_id(name)), known)

    def usage(self, sa: SaId) -> Job[Usage]:
        """GETSA."""
        asked = self._link.request(Msg.GETSA, values.sa_id(sa))
        return jobs.read(asked, lambda bodies: values.read_usage(bodies[0], self._wall()))

    def drops(self) -> Job[dict[str, int]]:
        """The kernel's counters."""
        return Job.call(kernel_drops)

    def supports(
        self, protocol: isakmp.Protocol, mode: ipsec.Encapsulation, transform_id: int,
        key_bits: int, auth: ipsec.Auth | None, esn: bool,
    ) -> str:  # fmt: skip
        """Why the kernel cannot have such an SA: it is asked for one."""
        return self._probe.ask((protocol, mode, transform_id, key_bits, auth, esn))

    # --- policies ----------------------------------------------------------------------------

    def add_policy(self, policy: PolicySpec) -> Job[int]:
        """NEWPOLICY, or UPDPOLICY where the traffic has one of ours already."""
        return self._policies.add(policy)

    def delete_policy(self, policy: PolicySpec) -> Job[None]:
        """DELPOLICY; nothing where it is not there."""
        return self._policies.delete(policy)

    def migrate(self, policy: PolicySpec, src: Address, dst: Address) -> Job[None]:
        """MIGRATE, which moves the policy's SAs with it."""
        for name, reqid in list(self._sas.items()):
            if (reqid, name.src, name.dst) == (policy.reqid, policy.src, policy.dst):
                del self._sas[name]
                self._sas[name._replace(src=src, dst=dst)] = reqid
        return self._policies.migrate(policy, src, dst)

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

    # --- events that were lost ---------------------------------------------------------------

    def overrun(self) -> None:
        """Look soon at what the kernel has; more events may be on their way."""
        if self._resync is None and self._upcalls is not None:
            self._resync = self._timers.add("xfrm resync", RESYNC_S, self._resynchronise)

    def _resynchronise(self) -> None:
        """Tell of what the lost events told: SAs that are gone, traffic that waits."""
        self._resync = None
        try:
            infos = self._dump(Msg.GETSA, messages.SA_INFO)
            policies = self._dump(Msg.GETPOLICY, messages.POLICY_INFO)
        except ApplicationError as error:
            self._log.internal_err("the kernel's SAs cannot be read: %s", error)
            return
        ours = [info for info in infos if values.is_ours(info["reqid"])]
        present = {values.read_sa_id(info) for info in ours}
        gone = [name for name in self._sas if name not in present]
        waiting = [values.read_waiting(info) for info in ours if not info["id"]["spi"]]
        missing = self._policies.reinstall({policy["index"] for policy in policies})
        self._log.internal_warn(
            "IPsec events were lost: %d SAs are gone, %d packets wait, %d policies were missing",
            len(gone), len(waiting), missing,
        )  # fmt: skip
        for name in gone:
            self._sas.pop(name, None)
            if self._upcalls is not None:
                self._upcalls.expire(Expire(name, True))
        for event in waiting:
            if self._upcalls is not None:
                self._upcalls.acquire(event)


def _name(sa: SaSpec) -> SaId:
    return SaId(sa.protocol, sa.spi, sa.src, sa.dst)
