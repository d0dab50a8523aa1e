"""What the configuration says, read once: peers, connections, and who may be answered with what."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from isakmp.conf import Conf
from isakmp.constants import isakmp, name_of
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
from isakmp.policy.spd import Address, Connection, Identity, Network, Remote, Selector


@dataclass
class Catalog:
    """Peers and connections of one configuration. errors: sections that are left out, and why."""

    conf: Conf
    resolve: Resolve
    remotes: dict[str, Remote] = field(default_factory=dict)
    connections: dict[str, Connection] = field(default_factory=dict)
    errors: list[ConfError] = field(default_factory=list)
    generation: int = -1

    def load(self) -> None:
        """Read everything anew. A bad section is left out alone; the rest runs."""
        self.remotes, self.connections, self.errors = {}, {}, []
        self.generation = self.conf.generation
        for name in connection_names(self.conf):
            try:
                connection = read_connection(self.conf, name, self.resolve)
                self.remote(connection.remote)
                self.connections[name] = connection
            except ConfError as error:
                self.errors.append(error)

    def connection(self, name: str) -> Connection:
        """A connection by name, listed or not. ConfError where it is none or is bad."""
        if name not in self.connections:
            connection = read_connection(self.conf, name, self.resolve)
            self.remote(connection.remote)
            self.connections[name] = connection
        return self.connections[name]

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
