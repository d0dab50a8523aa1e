"""What the configuration says, read once: peers, connections, and who may be answered with what."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from isakmp.conf import Conf
from isakmp.constants import ikev2, isakmp, name_of
from isakmp.errors import ConfError, Reason, Refused
from isakmp.policy.identity import Resolve, identity_of
from isakmp.policy.match import MISSES_MAX
from isakmp.policy.reader import (
    connection_names,
    find_remote_section,
    find_secret,
    read_connection,
    read_remote,
)
from isakmp.policy.spd import (
    Address,
    Connection,
    Identity,
    Network,
    Remote,
    Selector,
    Traffic,
)
from isakmp.policy.traffic import Narrowed, describe, narrow

from isakmp.policy.supported import Supports, supported


@dataclass
class Catalog:
    """Peers and connections of one configuration. errors: sections that are left out, and why.

    supports: the IPsec stack's word on a transform; unsupported: what it made us leave out.
    """

    conf: Conf
    resolve: Resolve
    remotes: dict[str, Remote] = field(default_factory=dict)
    connections: dict[str, Connection] = field(default_factory=dict)
    errors: list[ConfError] = field(default_factory=list)
    generation: int = -1
    supports: Supports | None = None
    unsupported: list[str] = field(default_factory=list)

    def load(self) -> None:
        """Read everything anew. A bad section is left out alone; the rest runs."""
        self.remotes, self.connections, self.errors, self.unsupported = {}, {}, [], []
        self.generation = self.conf.generation
        for name in connection_names(self.conf):
            try:
                connection = self._read(name)
                self.remote(connection.remote)
                self.connections[name] = connection
            except ConfError as error:
                self.errors.append(error)

    def connection(self, name: str) -> Connection:
        """A connection by name, listed or not. ConfError where it is none or is bad."""
        if name not in self.connections:
            connection = self._read(name)
            self.remote(connection.remote)
            self.connections[name] = connection
        return self.connections[name]

    def _read(self, name: str) -> Connection:
        """A connection, without what the IPsec stack cannot carry."""
        connection = read_connection(self.conf, name, self.resolve)
        if self.supports is not None:
            connection, said = supported(connection, self.supports)
            self.unsupported += [line for line in said if line not in self.unsupported]
        return connection

    def remote(self, section: str) -> Remote:
        """A peer by its section, as it reads now. ConfError where it is none or is bad."""
        if self.generation != self.conf.generation:
            self.remotes.clear()
            self.generation = self.conf.generation
        if section not in self.remotes:
            self.remotes[section] = read_remote(self.conf, section, self.resolve)
        return self.remotes[section]

    def find_remote(self, address: Address, exchange_type: int) -> Remote:
        """The peer to answer at ``address``. Refused where none is configured, or not so."""
        section = find_remote_section(self.conf, address)
        if section is None:
            raise Refused(
                Reason("no-configuration", f"no peer is configured for {address}",
                       acceptable=", ".join(self.conf.tags("Phase 1")[:MISSES_MAX]) or "nobody",
                       line=self.conf.where("Phase 1"),
                       mend=f"add {address}= or Default= to [Phase 1]"),
                isakmp.Notify.NO_PROPOSAL_CHOSEN,
            )  # fmt: skip
        try:
            remote = self.remote(section)
        except ConfError as error:
            reason = Reason("bad-configuration", str(error), line=self.conf.where(section))
            raise Refused(reason, isakmp.Notify.NO_PROPOSAL_CHOSEN) from None
        if remote.exchange != exchange_type:
            raise Refused(
                Reason("wrong-exchange-type", f"peer {section} is configured for another exchange",
                       came=name_of(isakmp.Exchange, exchange_type),
                       acceptable=remote.exchange.name, line=remote.line,
                       mend=f"EXCHANGE_TYPE of the Configuration of [{section}]"),
                isakmp.Notify.NO_PROPOSAL_CHOSEN,
            )  # fmt: skip
        return remote

    def find_remote_v2(self, address: Address) -> Remote:
        """The peer that may begin IKEv2 from ``address``. Refused where there is none."""
        section = find_remote_section(self.conf, address)
        if section is None:
            raise Refused(
                Reason("no-configuration", f"no peer is configured for {address}",
                       acceptable=", ".join(self.conf.tags("Phase 1")[:MISSES_MAX]) or "nobody",
                       line=self.conf.where("Phase 1"),
                       mend=f"add {address}= or Default= to [Phase 1]"),
                ikev2.Notify.NO_PROPOSAL_CHOSEN,
            )  # fmt: skip
        try:
            remote = self.remote(section)
        except ConfError as error:
            reason = Reason("bad-configuration", str(error), line=self.conf.where(section))
            raise Refused(reason, ikev2.Notify.NO_PROPOSAL_CHOSEN) from None
        if 2 not in remote.versions:
            raise Refused(
                Reason("version-not-configured", f"peer {section} is configured for IKEv1 alone",
                       came="IKEv2", acceptable="IKEv1", line=remote.line,
                       mend=f"set Key-exchange= ikev2 in [{section}]"),
                ikev2.Notify.NO_PROPOSAL_CHOSEN,
            )  # fmt: skip
        return remote

    def identify(
        self, remote: Remote, came: Identity, wanted: Identity | None, address: Address
    ) -> Remote:
        """The peer that ``came`` names in IKE_AUTH. Refused where it is none."""
        own = remote.remote_id
        if own is None or (own.type, own.data) == (came.type, came.data):
            return remote
        raise Refused(
            Reason("wrong-identity", f"peer {remote.name} must have another identity",
                   came=f"{came.type.name} {came}", acceptable=f"{own.type.name} {own}",
                   line=own.line or remote.line),
            ikev2.Notify.AUTHENTICATION_FAILED,
        )  # fmt: skip

    def find_child(
        self, remote: Remote, asked: Traffic, transport: bool
    ) -> tuple[Connection, Narrowed]:
        """The connection that may carry most of what is asked for. Refused where none may."""
        found, misses = [], []
        for connection in self.connections.values():
            if connection.remote == remote.name and not connection.active_only:
                try:
                    found.append((connection, narrow(connection.traffic, asked, connection.line)))
                except Refused as refused:
                    misses.append(f"{connection.name}: {refused.reason.detail}")
        if found:
            return next((pair for pair in found if pair[1].complete), found[0])
        raise Refused(
            Reason("ts-unacceptable", f"no connection with {remote.name} has this traffic",
                   came=describe(asked), line=remote.line, misses=tuple(misses[:MISSES_MAX])),
            ikev2.Notify.TS_UNACCEPTABLE,
        )  # fmt: skip

    def secret(self, remote: Remote, identity: Identity | None) -> bytes:
        """The pre-shared key for a peer; in aggressive mode its identity's section goes first."""
        named = b""
        if identity is not None and remote.exchange is isakmp.Exchange.AGGRESSIVE:
            named = find_secret(self.conf, identity)
        if secret := named or remote.secret:
            return secret
        raise Refused(
            Reason("no-secret", f"no pre-shared key is configured for peer {remote.name}",
                   came=f"identity {identity}" if identity else "", line=remote.line,
                   mend=f"add Authentication= to [{remote.name}]"),
            isakmp.Notify.AUTHENTICATION_FAILED,
        )  # fmt: skip

    def find_connection(self, remote: Remote, selector: Selector) -> tuple[Connection, Selector]:
        """The connection that may be answered with, and the traffic it then carries.

        The selector must be a connection's own; of a passive one it may be a part. Refused with
        what kept each candidate from being taken.
        """
        candidates = [c for c in self.connections.values() if c.remote == remote.name]
        misses = []
        for connection in candidates:
            if miss := _miss(connection, selector):
                misses.append(f"{connection.name}: {miss}")
            else:
                return connection, selector
        raise Refused(
            Reason("no-connection", f"no connection with {remote.name} has this traffic",
                   came=str(selector),
                   acceptable="; ".join(str(c.selector) for c in candidates[:MISSES_MAX]),
                   line=candidates[0].line if candidates else self.conf.where("Phase 2"),
                   misses=tuple(misses[:MISSES_MAX]),
                   mend="Local-ID and Remote-ID here must be the peer's Remote-ID and Local-ID"),
            isakmp.Notify.INVALID_ID_INFORMATION,
        )  # fmt: skip


def _miss(connection: Connection, selector: Selector) -> str:
    """Why a connection may not carry that traffic; empty where it may."""
    ours = connection.selector
    if connection.active_only:
        return "is Active-only"
    if ours == selector:
        return ""
    for label, came, wanted in (
        ("Local-ID", selector.src, ours.src),
        ("Remote-ID", selector.dst, ours.dst),
    ):
        if came != wanted and not (connection.passive and _inside(came, wanted)):
            return f"{label} is {wanted}, the peer says {came}"
    for label, number, expected in (
        ("protocol", selector.protocol, ours.protocol),
        ("local port", selector.src_port, ours.src_port),
        ("remote port", selector.dst_port, ours.dst_port),
    ):
        if number != expected and not (connection.passive and expected == 0):
            return f"{label} is {expected or 'any'}, the peer says {number or 'any'}"
    return ""


def _inside(part: Network, whole: Network) -> bool:
    return (
        part.version == whole.version
        and part.network_address in whole
        and part.prefixlen >= whole.prefixlen
    )


def narrowed(connection: Connection, selector: Selector) -> Connection:
    """``connection`` with that traffic and the identities that stand for it."""
    if selector == connection.selector:
        return connection
    return replace(
        connection,
        selector=selector,
        local_id=identity_of(selector.src, selector.protocol, selector.src_port),
        remote_id=identity_of(selector.dst, selector.protocol, selector.dst_port),
    )
