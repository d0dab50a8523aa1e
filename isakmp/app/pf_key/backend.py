"""An IPsec stack behind PF_KEYv2, as isakmp.app.base.Application: RFC 2367 3.1 with KAME's SPD.

Every request is a Job under its sadb_msg_seq, which is answered, refused, given up after a time, or
lost with the link. An answer may come before the request returns.

    GETSPI        <base, SA2, address(SD), spirange>
    UPDATE, ADD   <base, SA, SA2, address(SD), key(AE), lifetime(HS), NAT-T, (ours)>
    DELETE, GET   <base, SA(*), address(SD)>
    X_SPDUPDATE, X_SPDDELETE      <base, policy, address(SD)>
"""

from __future__ import annotations

import errno
import os
from collections import Counter, deque
from collections.abc import Callable
from ipaddress import ip_network
from socket import socket
from typing import Any, TypeVar

from isakmp.app.base import (
    Acquire,
    Direction,
    Expire,
    Mapping,
    Owner,
    PolicySpec,
    SaId,
    SaSpec,
    SpiRequest,
    UnknownSpi,
    Usage,
    larval,
)
from isakmp.app.kernel_drops import kernel_drops
from isakmp.app.pf_key import codec, values
from isakmp.app.pf_key.algorithms import Algorithm, sa_type, to_auth, to_encrypt
from isakmp.app.pf_key.codec import Message, Sa2
from isakmp.app.pf_key.constants import Ext, SaType, Type
from isakmp.app.pf_key.link import Link
from isakmp.app.xfrm import sockets
from isakmp.constants import ipsec, isakmp
from isakmp.crypto.lengths import key_octets
from isakmp.errors import ApplicationError, CryptoError, MalformedPayload, NoSuchSa, Reason
from isakmp.event.job import Job
from isakmp.event.timer import Event, Timers
from isakmp.policy.spd import Address, Selector

T = TypeVar("T")

FIRST_SEQ = 0x80000000
"""Requests count from here: a kernel's own (acquire) count from 1, and would be met by ours."""
MIN_SPI, MAX_SPI = 0x100, 0xFFFFFFFF
_PATIENT = frozenset((Type.X_SPDUPDATE, Type.X_SPDDELETE, Type.X_MIGRATE, Type.X_SWEEP))


class _Pending:
    """A request that is not answered yet."""

    __slots__ = ("job", "read", "timer", "type")

    def __init__(self, type: Type, job: Job[Any], read: Callable[[Message], Any] | None) -> None:
        self.type, self.job, self.read = type, job, read
        self.timer: Event | None = None


class PfKey:
    """A stack at the other end of ``link``.

    A kernel's acquire may say nothing but a policy's id: its policies are remembered for that.

    wall: seconds since 1970, only to understand a kernel's lifetimes; limit: requests in
    flight; private: send the extensions of our own (off for a kernel: BSD's refuse them);
    mend: how to get it back when it is gone. counters: what was ignored, by cause.
    """

    name = "pf_key"

    def __init__(
        self,
        link: Link,
        timers: Timers,
        *,
        wall: Callable[[], float],
        pid: int | None = None,
        timeout_s: float = 5.0,
        limit: int = 1024,
        private: bool = True,
        mend: str = "",
    ) -> None:
        self._link, self._timers, self._wall = link, timers, wall
        self._pid = os.getpid() if pid is None else pid
        self._timeout_s, self._limit, self._private = timeout_s, limit, private
        self._mend = mend
        self._upcalls: Owner | None = None
        self._starting = False
        self._seq = FIRST_SEQ
        self._pending: dict[int, _Pending] = {}
        self._waiting: deque[tuple[_Pending, isakmp.Protocol | SaType, bytes]] = deque()
        self._policies: dict[int, PolicySpec] = {}
        self._policy_ids: dict[tuple[Direction, bytes], int] = {}
        self._inbound: dict[tuple[isakmp.Protocol, int], SaId] = {}
        self.supported: dict[tuple[int, Ext], list[Algorithm]] = {}
        self.counters: Counter[str] = Counter()

    def start(self, upcalls: Owner) -> None:
        """Connect and register for upcalls. ApplicationError where nobody answers.

        SAs that a killed isakmpd has left in an engine of ours end: nobody would end them.
        """
        self._upcalls = upcalls
        self._starting = True
        self._link.open(self)
        jobs = self._register()
        self._link.wait(lambda: all(job.done for job in jobs))
        for job in jobs:
            if job.error is not None:
                raise job.error
        if self._private:
            self._request(Type.FLUSH, SaType.UNSPEC, b"")

    def _register(self) -> list[Job[None]]:
        """RFC 2367 3.1.7, a message for each type."""
        return [
            self._request(Type.REGISTER, satype, b"", self._read_supported)
            for satype in (SaType.ESP, SaType.AH, SaType.IPCOMP)
        ]

    def _read_supported(self, message: Message) -> None:
        for ext in (Ext.SUPPORTED_AUTH, Ext.SUPPORTED_ENCRYPT):
            self.supported[message.satype, ext] = codec.read_supported(message.exts, ext)

    def sweep(self) -> int:
        """X_SWEEP of our engine. A kernel's PF_KEY does not say whose a policy is, nor how
        much has gone.

        At the start its answer is waited for, which comes behind those about policies: who is told
        that isakmpd runs finds them in force.
        """
        if self._private:
            done: Job[None] = self._request(Type.X_SWEEP, SaType.UNSPEC, b"")
            if self._starting:
                self._starting = False
                self._link.wait(lambda: done.done)
        return 0

    def close(self, block: bool = False) -> None:
        """Leave the stack, which keeps what was not taken back; requests in flight fail."""
        self._upcalls = None
        self._link.wait(lambda: not self._pending)  # what is taken back waits for its turn, too
        self._link.close()
        self._fail_all("the IPsec stack was left")

    def own_socket(self, sock: socket, encap: bool) -> None:
        """A kernel's policies must let it pass, those of the engine's guard as well.

        Where we may not say so, the engine still knows our packets by their mark.
        """
        try:
            sockets.bypass(sock)
            if encap and not self._private:
                sockets.take_esp(sock)
        except ApplicationError:
            self.counters["sockets without bypass"] += 1

    def get_spi(self, request: SpiRequest) -> Job[int]:
        """SADB_GETSPI."""
        body = codec.sa2(Sa2(values.mode(request.mode), request.reqid))
        body += codec.addresses(request.src, request.dst)
        body += codec.spi_range(MIN_SPI, MAX_SPI)
        job = self._request(Type.GETSPI, request.protocol, body, _read_spi)
        job.give_back = lambda spi: self.delete_sa(larval(request, spi))
        return job

    def add_sa(self, sa: SaSpec) -> Job[None]:
        """SADB_ADD."""
        return self._install(Type.ADD, sa)

    def update_sa(self, sa: SaSpec) -> Job[None]:
        """SADB_UPDATE; SADB_ADD where the stack has forgotten the larval SA in the meantime."""
        done: Job[None] = Job()

        def updated(first: Job[None]) -> None:
            if isinstance(first.error, NoSuchSa):
                self.add_sa(sa).then(done.take)
            else:
                done.take(first)

        self._install(Type.UPDATE, sa).then(updated)
        return done

    def _install(self, type: Type, sa: SaSpec) -> Job[None]:
        try:
            body = values.sa_exts(sa, self._private)
        except ApplicationError as error:
            return Job.failed(error)
        job: Job[None] = self._request(type, sa.protocol, body)
        if sa.inbound and sa.encap:
            job.then(lambda job: self._installed(job, sa))
        return job

    def _installed(self, job: Job[None], sa: SaSpec) -> None:
        """Remember the ends of an inbound SA in UDP, which not every mapping says."""
        if job.error is None:
            self._inbound[sa.protocol, sa.spi] = SaId(sa.protocol, sa.spi, sa.src, sa.dst)

    def delete_sa(self, sa: SaId) -> Job[None]:
        """SADB_DELETE."""
        self._inbound.pop((sa.protocol, sa.spi), None)
        return self._request(Type.DELETE, sa.protocol, values.sa_id_exts(sa))

    def group(self, sas: list[SaId]) -> Job[None]:
        """One SA is a bundle of itself; KAME's PF_KEY has no message for a larger one."""
        if len(sas) > 1:
            return Job.failed(ApplicationError("PF_KEY cannot bundle SAs"))
        return Job.of(None)

    def usage(self, sa: SaId) -> Job[Usage]:
        """SADB_GET."""
        return self._request(Type.GET, sa.protocol, values.sa_id_exts(sa), self._read_usage)

    def _read_usage(self, message: Message) -> Usage:
        """X_STATISTICS, or else what kernels put into the current lifetime.

        They count packets as allocations, and some keep the time of first use, some of the last.
        """
        if (found := codec.read_statistics(message.exts)) is not None:
            packets, octets, replays, failures, age_ms, idle_ms = found
            return Usage(packets, octets, age_ms / 1000, idle_ms / 1000, replays, failures)
        now = self._wall()
        current = codec.read_lifetime(message.exts, Ext.LIFETIME_CURRENT)
        age_s = max(0.0, now - current.addtime)
        return Usage(current.allocations, current.octets, age_s, None)

    def drops(self) -> Job[dict[str, int]]:
        """X_DROPS of our engine; a kernel counts for all that drive it."""
        if not self._private:
            return Job.call(kernel_drops)
        return self._request(Type.X_DROPS, SaType.UNSPEC, b"", lambda m: codec.read_drops(m.exts))

    def add_policy(self, policy: PolicySpec) -> Job[int]:
        """SADB_X_SPDUPDATE, which installs a policy or replaces that of the same selector."""
        try:
            traffic = self._traffic(policy)
            body = codec.policy(values.policy_value(policy)) + traffic
        except ApplicationError as error:
            return Job.failed(error)

        def installed(message: Message) -> int:
            number = codec.read_policy_id(message.exts)
            if not self._private:
                key = policy.direction, traffic
                self._policies.pop(self._policy_ids.get(key, 0), None)
                self._policy_ids[key] = number
                self._policies[number] = policy
            return number

        return self._request(Type.X_SPDUPDATE, SaType.UNSPEC, body, installed)

    def _traffic(self, policy: PolicySpec) -> bytes:
        """Its selector. A kernel would take a range of ports for its first one."""
        selector = policy.selector
        if not self._private and (selector.src_last, selector.dst_last) != (None, None):
            raise ApplicationError("PF_KEY of this kernel has no ranges of ports")
        return codec.traffic(selector)

    def delete_policy(self, policy: PolicySpec) -> Job[None]:
        """SADB_X_SPDDELETE, by direction and selector."""
        try:
            traffic = self._traffic(policy)
            body = codec.policy(values.policy_value(policy)) + traffic
        except ApplicationError as error:
            return Job.failed(error)

        def deleted(_: Message) -> None:
            number = self._policy_ids.pop((policy.direction, traffic), 0)
            self._policies.pop(number, None)

        return self._request(Type.X_SPDDELETE, SaType.UNSPEC, body, deleted)

    def migrate(self, policy: PolicySpec, src: Address, dst: Address) -> Job[None]:
        """SADB_X_MIGRATE, Linux's: a policy and the SAs of its reqid get new end points."""

        def moved(_: Message) -> None:
            key = policy.direction, codec.traffic(policy.selector)
            number = self._policy_ids.get(key, 0)
            if number in self._policies:
                self._policies[number] = policy._replace(src=src, dst=dst)
            for name, sa in self._inbound.items():
                if (sa.src, sa.dst, sa.protocol) == (policy.src, policy.dst, policy.protocol):
                    self._inbound[name] = sa._replace(src=src, dst=dst)

        try:
            self._traffic(policy)
            body = values.migrate_exts(policy, src, dst)
        except ApplicationError as error:
            return Job.failed(error)
        return self._request(Type.X_MIGRATE, SaType.UNSPEC, body, moved)

    def move_sa(self, old: SaSpec, new: SaSpec) -> Job[None]:
        """SADB_UPDATE. A kernel finds the SA by its destination, so there only ports can change."""
        if not self._private and (old.src, old.dst) != (new.src, new.dst):
            return Job.failed(ApplicationError("PF_KEY of this kernel cannot move an SA"))
        return self._install(Type.UPDATE, new)

    def supports(
        self, protocol: isakmp.Protocol, mode: ipsec.Encapsulation, transform_id: int,
        key_bits: int, auth: ipsec.Auth | None, esn: bool,
    ) -> str:  # fmt: skip
        """Why the stack has no such SA, by what it said to SADB_REGISTER; if nothing yet, none."""
        if not self.supported:
            return ""
        if esn and not self._private:
            return "PF_KEY of this kernel has no extended sequence numbers"
        try:
            satype = sa_type(protocol)
            sizes = key_octets(protocol, transform_id, key_bits, auth)
            numbers = (
                to_encrypt(protocol, transform_id, 8 * sizes[0]), to_auth(auth, 8 * sizes[1])
            )  # fmt: skip
        except (ApplicationError, CryptoError) as error:
            return str(error)
        kinds = Ext.SUPPORTED_ENCRYPT, Ext.SUPPORTED_AUTH
        for kind, number, size in zip(kinds, numbers, sizes, strict=True):
            known = self.supported.get((satype, kind), ())
            if number and not any(a.number == number and a.takes(8 * size) for a in known):
                what = "encryption" if kind == Ext.SUPPORTED_ENCRYPT else "authentication"
                return f"the IPsec stack has no {what} algorithm {number} with {8 * size} bits"
        return ""

    def _request(
        self,
        type: Type,
        what: isakmp.Protocol | SaType,
        body: bytes,
        read: Callable[[Message], T] | None = None,
    ) -> Job[T]:
        """Send a request; ``read`` makes the result of its answer, where there is one.

        Where too many are in flight, those about policies, by which nothing goes in clear, wait
        their turn; all others fail.
        """
        job: Job[T] = Job()
        pending = _Pending(type, job, read)
        if type in _PATIENT and (self._waiting or len(self._pending) >= self._limit):
            self._waiting.append((pending, what, body))
        elif len(self._pending) >= self._limit:
            job.fail(ApplicationError(f"{self._limit} requests wait for the IPsec stack"))
        else:
            self._send(pending, what, body)
        return job

    def _send(self, pending: _Pending, what: isakmp.Protocol | SaType, body: bytes) -> None:
        seq, type, job = self._next_seq(), pending.type, pending.job
        self._pending[seq] = pending
        try:
            satype = what if isinstance(what, SaType) else sa_type(what)
            self._link.send(codec.message(type, satype, seq, self._pid, body))
        except ApplicationError as error:
            self._pending.pop(seq, None)
            job.fail(error)
        if not job.done:
            name = f"pf_key {type.name} unanswered"
            pending.timer = self._timers.add(name, self._timeout_s, self._give_up, seq)

    def _go_on(self) -> None:
        """Send what waits, as far as there is room."""
        while self._waiting and len(self._pending) < self._limit:
            self._send(*self._waiting.popleft())

    def _next_seq(self) -> int:
        """A number that no request in flight has."""
        while True:
            seq = self._seq
            self._seq = seq + 1 if seq < 0xFFFFFFFF else FIRST_SEQ
            if seq not in self._pending:
                return seq

    def _give_up(self, seq: int) -> None:
        pending = self._pending.pop(seq)
        self.counters["unanswered"] += 1
        why = f"the IPsec stack did not answer {pending.type.name} in {self._timeout_s:g} s"
        pending.job.fail(ApplicationError(why))
        self._go_on()

    def receive(self, data: bytes) -> None:
        """A message of the stack: an answer, an upcall, or an echo of another's request."""
        try:
            head = codec.read_header(data)
            if head.seq in self._pending and head.pid == self._pid:
                self._answer(head, data)
            else:
                self._upcall(codec.parse(data, head))
        except MalformedPayload:
            self.counters["malformed"] += 1

    def _answer(self, head: Message, data: bytes) -> None:
        """What only its coming tells is not looked into."""
        pending = self._pending[head.seq]
        if head.type != pending.type:
            self.counters["unexpected"] += 1
            return
        if head.errno or pending.read is not None:
            head = codec.parse(data, head)
        self._settle(head.seq, head)

    def _settle(self, seq: int, message: Message) -> None:
        """End a request with its answer."""
        pending = self._pending.pop(seq)
        if pending.timer is not None:
            pending.timer.cancel()
        self._finish(pending, message)
        self._go_on()

    def _finish(self, pending: _Pending, message: Message) -> None:
        if message.errno:
            pending.job.fail(_refusal(pending.type, message))
            return
        try:
            result = pending.read(message) if pending.read is not None else None
        except MalformedPayload as error:
            self.counters["malformed"] += 1
            pending.job.fail(ApplicationError(f"the answer to {pending.type.name}: {error}"))
            return
        pending.job.finish(result)

    def _upcall(self, message: Message) -> None:
        if self._upcalls is None or message.errno:
            self.counters["ignored"] += 1
        elif message.type == Type.ACQUIRE:
            self._acquire(message, self._upcalls)
        elif message.type == Type.EXPIRE:
            self._expire(message, self._upcalls)
        elif message.type == Type.X_NAT_T_NEW_MAPPING:
            self._mapping(message, self._upcalls)
        elif message.type == Type.X_MIGRATE and not message.pid:
            self._migrated(message)
        else:
            self.counters["ignored"] += 1

    def _acquire(self, message: Message, upcalls: Owner) -> None:
        """The reqid is SA2's, or that of the policy whose id is said (Linux has no SA2 here). Where
        an SPI is named, a packet has come for no SA: the key engine's."""
        exts = message.exts
        src, dst = codec.read_addresses(exts)
        if Ext.SA in exts:
            upcalls.unknown_spi(UnknownSpi(codec.read_sa(exts).spi, src, dst, _encap(exts)))
            return
        sa2, said = codec.read_sa2(exts), codec.read_selectors(exts)
        number = codec.read_policy_id(exts) if Ext.X_POLICY in exts else sa2.sequence
        policy = self._policies.get(number)
        reqid = sa2.reqid or (policy.reqid if policy is not None else 0)
        if not reqid:
            self.counters["acquire of an unknown policy"] += 1
            return
        if said is not None:
            selector = said[1][0]
        elif policy is not None:
            selector = policy.selector
        else:
            selector = Selector(ip_network(src), ip_network(dst))
        upcalls.acquire(Acquire(reqid, selector, src, dst))

    def _expire(self, message: Message, upcalls: Owner) -> None:
        sa, hard = values.read_sa_id(message), Ext.LIFETIME_HARD in message.exts
        if hard:
            self._inbound.pop((sa.protocol, sa.spi), None)
        upcalls.expire(Expire(sa, hard))

    def _mapping(self, message: Message, upcalls: Owner) -> None:
        """Linux's layout: the SA's source before and, as destination, now; so no destination."""
        protocol, spi = values.read_protocol(message.satype), codec.read_sa(message.exts).spi
        address = codec.read_address(message.exts, Ext.ADDRESS_DST).address
        port = codec.read_nat_t_port(message.exts, Ext.X_NAT_T_DPORT)
        sa = self._inbound.get((protocol, spi))
        if sa is None:
            self.counters["mapping of an unknown SA"] += 1
            return
        upcalls.mapping(Mapping(sa, address, port))

    def _migrated(self, message: Message) -> None:
        """Linux answers a migration with a message of its own, without our pid and seq."""
        for seq, pending in self._pending.items():
            if pending.type == Type.X_MIGRATE:
                self._settle(seq, message)
                return
        self.counters["ignored"] += 1

    def lost(self, why: str) -> None:
        """The link is gone: whatever was asked fails."""
        self._fail_all(f"the link to the IPsec stack is lost: {why}")
        if self._upcalls is not None:
            self._upcalls.gone(
                Reason("stack-gone", f"the IPsec stack is gone: {why}", mend=self._mend)
            )

    def up(self) -> None:
        """The link is back: register again, and say that the stack may know nothing now."""
        self._register()
        if self._upcalls is not None:
            self._upcalls.restarted()

    def _fail_all(self, why: str) -> None:
        pending, self._pending = [*self._pending.values(), *(w[0] for w in self._waiting)], {}
        self._waiting.clear()
        for request in pending:
            if request.timer is not None:
                request.timer.cancel()
            request.job.fail(ApplicationError(why))


def _encap(exts: codec.Exts) -> tuple[int, int] | None:
    """The UDP ports that a packet came with."""
    if Ext.X_NAT_T_SPORT not in exts:
        return None
    ports = Ext.X_NAT_T_SPORT, Ext.X_NAT_T_DPORT
    return codec.read_nat_t_port(exts, ports[0]), codec.read_nat_t_port(exts, ports[1])


def _read_spi(message: Message) -> int:
    spi = codec.read_sa(message.exts).spi
    if spi < MIN_SPI:
        raise MalformedPayload("SA", 4, f"SPI {spi:#x}", "RFC 4303 2.1")
    return spi


def _refusal(type: Type, message: Message) -> ApplicationError:
    name = errno.errorcode.get(message.errno, str(message.errno))
    why = codec.read_reason(message.exts) or os.strerror(message.errno)
    kind = NoSuchSa if message.errno == errno.ESRCH else ApplicationError
    return kind(f"{type.name} refused: {why} ({name})")
