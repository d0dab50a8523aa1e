"""PF_KEYv2 (RFC 2367, KAME) in front of a key engine, for several clients.

A request that was carried out is answered to its sender and to every client that has registered
for some SA type; GET, DUMP and what was malformed to the sender alone. Replies never carry
keys. Upcalls go to the registered: ACQUIRE to those of its SA type.

Choices where the RFC leaves some: sadb_lifetime_allocations counts flows, which the engine does
not, so it is 0 for what an SA has carried, where packets and errors come in X_STATISTICS, and as a
limit it means packets; refusals carry X_REASON; the last
message of a dump has sequence number 0, those before it count down.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

from isakmp.app.base import (
    Acquire,
    Direction,
    Expire,
    Mapping,
    PolicySpec,
    SaId,
    SaSpec,
    SpiRequest,
    UnknownSpi,
    Upcalls,
    Usage,
)
from isakmp.app.engine.drop import Drops
from isakmp.app.engine.sad import LEAST_SPI, SPIS
from isakmp.app.engine.transform import supported
from isakmp.app.pf_key import algorithms, codec, values
from isakmp.app.pf_key.codec import Lifetime, Message, Policy, Sa, Sa2, Statistics
from isakmp.app.pf_key.constants import Dir, Ext, Mode, PolicyType, SaType, State, Type
from isakmp.constants import ipsec
from isakmp.errors import ApplicationError, MalformedPayload, NoSuchSa
from isakmp.policy.spd import Address, Selector

DEFAULT_REPLAY = 64
_SECRET = frozenset((Ext.KEY_AUTH, Ext.KEY_ENCRYPT))
_OURS = frozenset(Ext) - _SECRET
_ERRNO = MappingProxyType(
    {
        Type.GETSPI: errno.ENOBUFS,
        Type.X_SPDDELETE: errno.ENOENT,
    }
)
"""What a refusal of the engine means, by request; EINVAL where nothing is said."""


class Engine(Protocol):
    """What is asked of a key engine; each raises ApplicationError, NoSuchSa where it has none."""

    drops: Drops

    def get_spi(self, request: SpiRequest, spis: range) -> int: ...

    def add(self, spec: SaSpec) -> None: ...

    def update(self, spec: SaSpec) -> None: ...

    def delete(self, name: SaId) -> None: ...

    def find(self, name: SaId) -> SaSpec: ...

    def usage(self, name: SaId) -> Usage: ...

    def sas(self) -> Iterator[SaSpec]: ...

    def flush(self) -> None: ...

    def add_policy(self, spec: PolicySpec) -> int: ...

    def delete_policy(self, spec: PolicySpec) -> None: ...

    def policy(self, direction: Direction, selector: Selector) -> tuple[int, PolicySpec] | None: ...

    def policies(self) -> Iterator[tuple[int, PolicySpec]]: ...

    def migrate(self, spec: PolicySpec, src: Address, dst: Address) -> None: ...

    def flush_policies(self) -> None: ...

    def sweep(self) -> object: ...


E = TypeVar("E", bound=Engine)


class _Failed(ApplicationError):
    """A refusal whose errno is known."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(why)
        self.errno = number


class Client:
    """One client's place at the server; ``send`` takes one message, ``stream`` a dump.

    found: policies that were there before it had registered, and that it has not made its own.
    """

    def __init__(
        self,
        server: Server[Any],
        send: Callable[[bytes], object],
        stream: Callable[[Iterator[bytes]], object],
    ) -> None:
        self._server, self.send, self.stream = server, send, stream
        self.registered: set[int] = set()
        self.found: set[tuple[Direction, Selector]] = set()

    def receive(self, data: bytes) -> None:
        """Answer one message, whatever it is."""
        self._server.receive(self, data)

    def detach(self) -> None:
        """Leave the server; what was installed stays."""
        self._server.leave(self)


Handler = Callable[[Client, Message], bytes | None]


class Server(Generic[E]):
    """PF_KEYv2's side of the engine that ``make`` makes, given where its upcalls go: here.

    wall: seconds since 1970, for lifetimes. counters: messages that were no requests, by cause.
    """

    def __init__(self, make: Callable[[Upcalls], E], wall: Callable[[], float]) -> None:
        self._wall = wall
        self._clients: list[Client] = []
        self._acquire_seq = 0
        self.counters: Counter[str] = Counter()
        self.engine = make(self)
        self._handlers: dict[int, Handler] = {
            Type.GETSPI: self._get_spi,
            Type.UPDATE: self._update,
            Type.ADD: self._add,
            Type.DELETE: self._delete,
            Type.GET: self._get,
            Type.ACQUIRE: self._acquire,
            Type.REGISTER: self._register,
            Type.FLUSH: self._flush,
            Type.DUMP: self._dump,
            Type.X_SPDADD: self._policy_add,
            Type.X_SPDUPDATE: self._policy_update,
            Type.X_SPDDELETE: self._policy_delete,
            Type.X_SPDDELETE2: self._policy_delete_2,
            Type.X_SPDGET: self._policy_get,
            Type.X_SPDDUMP: self._policy_dump,
            Type.X_SPDFLUSH: self._policy_flush,
            Type.X_MIGRATE: self._migrate,
            Type.X_DROPS: self._drops,
            Type.X_SWEEP: self._sweep,
        }

    def attach(
        self,
        send: Callable[[bytes], object],
        stream: Callable[[Iterator[bytes]], object],
    ) -> Client:
        """A place for a client; stream: for dumps, which send() cannot take at once."""
        client = Client(self, send, stream)
        self._clients.append(client)
        return client

    def leave(self, client: Client) -> None:
        """Send nothing more to a client."""
        if client in self._clients:
            self._clients.remove(client)

    def receive(self, client: Client, data: bytes) -> None:
        """Carry out a request and answer it; what is wrong with it becomes an errno."""
        try:
            message = codec.parse(data)
        except MalformedPayload as error:
            self._refuse_malformed(client, data, error)
            return
        handler = self._handlers.get(message.type)
        try:
            if handler is None or message.errno and message.type != Type.ACQUIRE:
                raise _Failed(errno.EINVAL, f"message type {message.type} is no request")
            body = handler(client, message)
        except MalformedPayload as error:
            self.counters["malformed"] += 1
            client.send(self._refusal(message, errno.EINVAL, error))
        except _Failed as error:
            self._reply(client, self._refusal(message, error.errno, error))
        except NoSuchSa as error:
            self._reply(client, self._refusal(message, errno.ESRCH, error))
        except ApplicationError as error:
            number = _ERRNO.get(message.type, errno.EINVAL)  # type: ignore[call-overload]
            self._reply(client, self._refusal(message, number, error))
        else:
            if body is not None:
                self._reply(client, self._answer(message, body))

    @staticmethod
    def _answer(message: Message, body: bytes, seq: int | None = None) -> bytes:
        seq = message.seq if seq is None else seq
        return codec.message(message.type, message.satype, seq, message.pid, body)

    @staticmethod
    def _refusal(message: Message, number: int, why: Exception) -> bytes:
        """RFC 2367 3.1: the base header alone, and our words."""
        body = codec.reason(str(why))
        type, satype = message.type, message.satype
        return codec.message(type, satype, message.seq, message.pid, body, number)

    def _refuse_malformed(self, client: Client, data: bytes, error: MalformedPayload) -> None:
        """EMSGSIZE where the length is another (RFC 2367 2.1); nothing where there is no header."""
        self.counters["malformed"] += 1
        try:
            message = codec.read_header(data)
        except MalformedPayload:
            return
        number = errno.EMSGSIZE if error.path == "sadb_msg" else errno.EINVAL
        client.send(self._refusal(message, number, error))

    def _reply(self, client: Client, data: bytes) -> None:
        """To the sender, and to all that listen."""
        client.send(data)
        if len(self._clients) > 1:
            for other in list(self._clients):
                if other is not client and other.registered:
                    other.send(data)

    def _tell(self, satype: int | None, data: bytes) -> bool:
        """An upcall to those registered for ``satype`` (None: any); whether there were some."""
        told = False
        for client in list(self._clients):
            if client.registered if satype is None else satype in client.registered:
                client.send(data)
                told = True
        return told

    @staticmethod
    def _echo(message: Message) -> bytes:
        """The request's extensions, without keys and what is not known."""
        return b"".join([data for ext, data in message.exts.items() if ext in _OURS])

    def _get_spi(self, client: Client, message: Message) -> bytes:
        exts = message.exts
        protocol, sa2 = values.read_protocol(message.satype), codec.read_sa2(exts)
        src, dst = codec.read_addresses(exts)
        low, high = codec.read_spi_range(exts)
        request = SpiRequest(protocol, src, dst, values.encapsulation(sa2.mode), sa2.reqid)
        spis = range(max(low, LEAST_SPI), high + 1)
        try:
            spi = self.engine.get_spi(request, spis)
        except ApplicationError as error:
            if spis == SPIS:
                raise
            raise _Failed(errno.EEXIST, f"{low:#x} to {high:#x}: {error}") from None
        name = codec.sa(Sa(spi, state=State.LARVAL))
        return name + exts[Ext.ADDRESS_SRC] + exts[Ext.ADDRESS_DST]

    def _update(self, client: Client, message: Message) -> bytes:
        self.engine.update(values.read_sa(message))
        return self._echo(message)

    def _add(self, client: Client, message: Message) -> bytes:
        spec = values.read_sa(message)
        try:
            self.engine.add(spec)
        except ApplicationError as error:
            if self._has(_name(spec)):
                raise _Failed(errno.EEXIST, str(error)) from None
            raise
        return self._echo(message)

    def _has(self, name: SaId) -> bool:
        try:
            self.engine.usage(name)
        except ApplicationError:
            return False
        return True

    def _delete(self, client: Client, message: Message) -> bytes:
        self.engine.delete(values.read_sa_id(message))
        return self._echo(message)

    def _get(self, client: Client, message: Message) -> None:
        name = values.read_sa_id(message)
        spec, usage = self.engine.find(name), self.engine.usage(name)
        client.send(self._answer(message, self._state(spec, usage)))

    def _state(self, spec: SaSpec, usage: Usage) -> bytes:
        """<SA, SA2, address(SD), lifetime(HSC), ...>, without keys."""
        return values.sa_exts(spec, True, with_keys=False) + self._lifetime(usage)

    def _lifetime(self, usage: Usage) -> bytes:
        """The current lifetime and X_STATISTICS."""
        added = max(0, int(self._wall() - usage.age_s))
        return codec.lifetime(
            Ext.LIFETIME_CURRENT, Lifetime(0, usage.octets, added)
        ) + codec.statistics(
            Statistics(
                usage.packets,
                usage.octets,
                usage.replays,
                usage.auth_failures,
                int(usage.age_s * 1000),
                int((usage.idle_s or 0.0) * 1000),
            )
        )

    def _drops(self, client: Client, message: Message) -> None:
        client.send(self._answer(message, codec.drops(self.engine.drops.to_dict())))

    def _sweep(self, client: Client, message: Message) -> bytes:
        """Every policy is there: what a killed engine, or daemon, has left goes."""
        self.engine.sweep()
        found, client.found = client.found, set()
        for _, spec in list(self.engine.policies()):
            if (spec.direction, spec.selector) in found:
                self.engine.delete_policy(spec)
        return b""

    def _dump(self, client: Client, message: Message) -> None:
        wanted = message.satype
        specs = [
            spec for spec in self.engine.sas() if wanted in (0, algorithms.SA_TYPES[spec.protocol])
        ]

        def states() -> Iterator[bytes]:
            for left, spec in zip(range(len(specs) - 1, -1, -1), specs, strict=True):
                try:
                    body = self._state(spec, self.engine.usage(_name(spec)))
                except ApplicationError:  # it went while the dump was on its way
                    body = b""
                satype = algorithms.SA_TYPES[spec.protocol]
                yield codec.message(message.type, satype, left, message.pid, body)

        self._stream(client, message, len(specs), states())

    @staticmethod
    def _stream(client: Client, message: Message, size: int, found: Iterator[bytes]) -> None:
        """Send a dump; KAME's answer where there is nothing is ENOENT."""
        if not size:
            raise _Failed(errno.ENOENT, "there are none")
        client.stream(found)

    def _flush(self, client: Client, message: Message) -> bytes:
        if message.satype == SaType.UNSPEC:
            self.engine.flush()
            return b""
        protocol = values.read_protocol(message.satype)
        for spec in list(self.engine.sas()):
            if spec.protocol is protocol:
                self.engine.delete(_name(spec))
        return b""

    def _register(self, client: Client, message: Message) -> bytes:
        """RFC 2367 3.1.7; for types that the engine does not have there are no algorithms."""
        if not client.registered:
            client.found = {(p.direction, p.selector) for _, p in self.engine.policies()}
        client.registered.add(message.satype)
        if message.satype != SaType.ESP:
            return b""
        esp, auth = supported()
        return codec.supported(
            Ext.SUPPORTED_AUTH,
            [row for number, row in algorithms.AUTHENTICATION.items() if number in auth],
        ) + codec.supported(
            Ext.SUPPORTED_ENCRYPT,
            [row for number, row in algorithms.ENCRYPTION.items() if number in esp],
        )

    def _acquire(self, client: Client, message: Message) -> None:
        """A consumer's request goes to the registered; that a negotiation failed is noted only."""
        if message.errno:
            self.counters["failed negotiations"] += 1
        elif not self._tell(message.satype, self._answer(message, self._echo(message))):
            raise _Failed(errno.EPROTONOSUPPORT, "nobody negotiates such SAs")

    def _policy_add(self, client: Client, message: Message) -> bytes:
        spec = values.read_policy(message)
        if self.engine.policy(spec.direction, spec.selector):
            raise _Failed(errno.EEXIST, f"policy {spec.selector} exists")
        return self._install(client, message, spec)

    def _policy_update(self, client: Client, message: Message) -> bytes:
        return self._install(client, message, values.read_policy(message))

    def _install(self, client: Client, message: Message, spec: PolicySpec) -> bytes:
        """Install or replace a policy, and answer with its id."""
        client.found.discard((spec.direction, spec.selector))
        number = self.engine.add_policy(spec)
        return codec.with_policy_id(message.exts, number) + _traffic(message)

    def _policy_delete(self, client: Client, message: Message) -> bytes:
        self.engine.delete_policy(values.read_policy(message))
        return self._echo(message)

    def _by_id(self, message: Message) -> tuple[int, PolicySpec]:
        wanted = codec.read_policy_id(message.exts)
        for number, spec in self.engine.policies():
            if number == wanted:
                return number, spec
        raise _Failed(errno.ENOENT, f"no policy {wanted}")

    def _policy_delete_2(self, client: Client, message: Message) -> bytes:
        number, spec = self._by_id(message)
        self.engine.delete_policy(spec)
        return values.policy_exts(spec, number)

    def _policy_get(self, client: Client, message: Message) -> None:
        number, spec = self._by_id(message)
        client.send(self._answer(message, values.policy_exts(spec, number)))

    def _policy_dump(self, client: Client, message: Message) -> None:
        found = list(self.engine.policies())
        lefts = range(len(found) - 1, -1, -1)
        self._stream(
            client,
            message,
            len(found),
            (
                self._answer(message, values.policy_exts(spec, number), left)
                for left, (number, spec) in zip(lefts, found, strict=True)
            ),
        )

    def _policy_flush(self, client: Client, message: Message) -> bytes:
        self.engine.flush_policies()
        return b""

    def _migrate(self, client: Client, message: Message) -> bytes:
        """Linux's: one request with the old ends, one with the new; the SAs between them move."""
        spec, requests = values.read_policy(message), codec.read_policy(message.exts).requests
        src, dst = (requests[1].src, requests[1].dst) if len(requests) == 2 else (None, None)
        if src is None or dst is None:
            raise _Failed(errno.EINVAL, "not one pair of old and new end points")
        known = self.engine.policy(spec.direction, spec.selector)
        if known is None or known[1] != spec:
            raise _Failed(errno.ENOENT, f"no policy {spec.selector} between these ends")
        self.engine.migrate(spec, src, dst)
        client.found.discard((spec.direction, spec.selector))
        return self._echo(message)

    def acquire(self, event: Acquire) -> None:
        """<base, address(SD), proposal, policy, SA2, selector>, as Linux and as KAME have it."""
        number, spec = self.engine.policy(Direction.OUT, event.selector) or (0, None)
        mode = values.mode(spec.mode if spec else ipsec.Encapsulation.TUNNEL)
        satype = algorithms.SA_TYPES[spec.protocol] if spec else SaType.ESP
        body = codec.addresses(event.src, event.dst)
        body += codec.proposal(DEFAULT_REPLAY)
        body += codec.policy(Policy(PolicyType.IPSEC, Dir.OUTBOUND, number))
        body += codec.sa2(Sa2(mode, event.reqid, number))
        body += codec.selectors(Dir.OUTBOUND, (event.selector,))
        self._acquire_seq = self._acquire_seq % 0x7FFFFFFF + 1
        data = codec.message(Type.ACQUIRE, satype, self._acquire_seq, 0, body)
        if not self._tell(satype, data):
            self.counters["unheard acquires"] += 1

    def expire(self, event: Expire) -> None:
        """<base, SA, lifetime(C and one of HS), address(SD)>; at the hard limit the SA is gone."""
        ext = Ext.LIFETIME_HARD if event.hard else Ext.LIFETIME_SOFT
        limit, current = Lifetime(), codec.lifetime(Ext.LIFETIME_CURRENT, Lifetime())
        if not event.hard and self._has(event.sa):
            limits = self.engine.find(event.sa).limits
            limit = Lifetime(limits.soft_packets, limits.soft_bytes, limits.soft_s)
            current = self._lifetime(self.engine.usage(event.sa))
        state = State.DEAD if event.hard else State.DYING
        body = codec.sa(Sa(event.sa.spi, state=state)) + current + codec.lifetime(ext, limit)
        body += codec.addresses(event.sa.src, event.sa.dst)
        satype = algorithms.sa_type(event.sa.protocol)
        self._tell(None, codec.message(Type.EXPIRE, satype, 0, 0, body))

    def mapping(self, event: Mapping) -> None:
        """Linux's: <base, SA, address(S) and port before, address(D) and port now>."""
        sa = event.sa
        encap = self.engine.find(sa).encap if self._has(sa) else None
        body = codec.sa(Sa(sa.spi, state=State.MATURE)) + codec.address(Ext.ADDRESS_SRC, sa.src)
        body += codec.nat_t_port(Ext.X_NAT_T_SPORT, encap[0] if encap else 0)
        body += codec.address(Ext.ADDRESS_DST, event.address)
        body += codec.nat_t_port(Ext.X_NAT_T_DPORT, event.port)
        satype = algorithms.sa_type(sa.protocol)
        self._tell(None, codec.message(Type.X_NAT_T_NEW_MAPPING, satype, 0, 0, body))

    def unknown_spi(self, event: UnknownSpi) -> None:
        """<base, SA, address(SD), SA2, [ports]>: an ACQUIRE that names the SPI which came, and no
        policy. The ports are those of ESP in UDP."""
        body = codec.sa(Sa(event.spi)) + codec.addresses(event.src, event.dst)
        body += codec.sa2(Sa2(Mode.ANY))
        if event.encap:
            body += codec.nat_t_port(Ext.X_NAT_T_SPORT, event.encap[0])
            body += codec.nat_t_port(Ext.X_NAT_T_DPORT, event.encap[1])
        self._acquire_seq = self._acquire_seq % 0x7FFFFFFF + 1
        self._tell(SaType.ESP, codec.message(Type.ACQUIRE, SaType.ESP, self._acquire_seq, 0, body))


def _traffic(message: Message) -> bytes:
    """A policy's selector as it came."""
    exts = message.exts
    return exts[Ext.ADDRESS_SRC] + exts[Ext.ADDRESS_DST] + exts.get(Ext.X_PORTS, b"")


def _name(spec: SaSpec) -> SaId:
    return SaId(spec.protocol, spec.spi, spec.src, spec.dst)
