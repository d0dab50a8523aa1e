"""What the configuration says, read once: peers, connections, and who may be answered with what."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from itertools import chain, islice

from isakmp.conf.kinds import Kind
from isakmp.conf.parse import fold
from isakmp.conf.store import Conf
from isakmp.constants import isakmp
from isakmp.constants.ip import protocol_name
from isakmp.errors import ConfError, Reason, Refused
from isakmp.event.steps import Steps, at_once, emptied, pauses
from isakmp.policy.boxes import Work
from isakmp.policy.by_traffic import ByTraffic
from isakmp.policy.children import ACTIVE_ONLY, crosswise, find_child
from isakmp.policy.closed import Closing, Shut
from isakmp.policy.identity import Resolve, identity_of
from isakmp.policy.keys import IdentityKeys, read_secret
from isakmp.policy.match import MISSES_MAX
from isakmp.policy.outline import Outline, outline
from isakmp.policy.peers import Opening, identify
from isakmp.policy.reader import (
    by_address,
    bypass_names,
    connection_names,
    read_bypass,
)
from isakmp.policy.readings import Readings
from isakmp.policy.reserved import Reserved, Share
from isakmp.policy.roaming import Others, Roaming
from isakmp.policy.spd import (
    Address,
    Caller,
    Connection,
    Identity,
    Network,
    Remote,
    Selector,
    Traffic,
    lies_in,
)
from isakmp.policy.supported import Supports
from isakmp.policy.traffic import Narrowed, selectors_of
from isakmp.policy.unplaced import Unplaced, unplaced


@dataclass
class Catalog:
    """Peers and connections of one configuration.

    left_out: the connections and bypasses that are not used, and why;
    closed: the traffic of connections that are left out, where it can be read all the same;
    shut: what there is to say of that, and by which sections, of each that is left out;
    bypass: what goes in clear on purpose, by section;
    faults: the sections that must not be used, by kind and folded name, as the checker has them;
    supports: the IPsec stack's word on a transform, of which the checker tells;
    reserved: what is for one peer alone.
    """

    conf: Conf
    resolve: Resolve
    remotes: dict[str, Remote] = field(default_factory=dict)
    connections: dict[str, Connection] = field(default_factory=dict)
    left_out: list[tuple[str, ConfError]] = field(default_factory=list)
    closed: dict[str, tuple[Selector, ...]] = field(default_factory=dict)
    bypass: dict[str, tuple[Selector, ...]] = field(default_factory=dict)
    shut: dict[str, Shut] = field(default_factory=dict, repr=False)
    generation: int = -1
    faults: Mapping[tuple[Kind, str], ConfError] = field(default_factory=dict)
    supports: Supports | None = None
    reserved: Reserved = field(default_factory=Reserved, repr=False)
    _with: dict[str, ByTraffic] = field(default_factory=dict, repr=False)
    _at: dict[Address | None, dict[str, None]] = field(default_factory=dict, repr=False)
    _phase_1: dict[Address | None, str] = field(default_factory=dict, repr=False)
    _anywhere: Roaming | None = field(default=None, init=False, repr=False)
    _keys: IdentityKeys = field(init=False, repr=False)
    _outlines: dict[str, Outline | None] = field(default_factory=dict, repr=False)
    _unplaced: Unplaced = field(init=False, repr=False)
    _readings: Readings | None = field(default=None, init=False, repr=False)
    _known: str = ""
    _ppks: set[str] = field(default_factory=set, repr=False)
    _peers: set[str] = field(default_factory=set, repr=False)
    _named_peers: set[str] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        self._keys = IdentityKeys(self.conf)

    def load(self, readings: Readings | None = None) -> None:
        """Read everything anew. A bad section is left out alone; the rest runs.

        readings: what has been read of the configuration as it is now. They are not kept.
        """
        fresh = Catalog(self.conf, self.resolve, faults=self.faults, supports=self.supports)
        at_once(fresh.loading(self, readings))
        self.become(fresh)

    def loading(self, before: Catalog, readings: Readings | None = None) -> Steps[None]:
        """The same of a new one, a section or two in a step. before: what counts as yet."""
        self._readings = readings or Readings(self.conf, self.resolve)
        try:
            self._load_bypass()
            yield from self._refreshing()
            yield from self._keys.refreshing()
            for section in self._unplaced.sections:
                if remote := self._readable(section):
                    self._note(remote)
                yield
            for name in connection_names(self.conf):
                try:
                    self._keep(self._read(name))
                except ConfError as error:
                    self.left_out.append((name, error.kept()))
                yield
            if self.left_out:
                yield from self._closing(before)
                yield from self._reserving(before.reserved)
        finally:
            self._readings = None

    def become(self, fresh: Catalog) -> None:
        """Say what ``fresh`` says, of a configuration that says the same; it says what this said:
        who drops it can take its time."""
        conf, ours = self.conf, vars(self).copy()
        vars(self).update(vars(fresh))
        vars(fresh).update(ours)
        self.conf, self.generation = conf, conf.generation
        self._keys.of(conf)

    def dropped(self) -> Steps[None]:
        """Let go of what it holds."""
        yield from emptied(
            self.remotes, self.connections, self._with, self._at, self.closed, self.shut
        )

    def _load_bypass(self) -> None:
        self.bypass = {}
        for name in bypass_names(self.conf):
            try:
                self.bypass[name] = self._read_bypass(name)
            except ConfError as error:
                self.left_out.append((name, error.kept()))

    def _read_bypass(self, name: str) -> tuple[Selector, ...]:
        self._usable(Kind.BYPASS, name)
        return read_bypass(self.conf, name)

    def _closing(self, before: Catalog) -> Steps[None]:
        """Note the traffic of what is left out, and what is to be told of it. Who says to be the
        peer of a connection is known, and refused."""
        closing = yield from Closing.of(self.conf, self.resolve, before.held())
        wrong = {name: why for name, why in self.left_out if name not in self.connections}
        for name in sorted(wrong, key=self.conf.has_section):
            if remote := self._readable(self.conf.get(name, "ISAKMP-peer") or ""):
                self._note(remote)
            shut = self.shut[name] = closing.shut(name, wrong[name])
            self.left_out += [(name, error) for error in shut.errors]
            if traffic := shut.traffic:
                self.closed[name] = traffic
            yield

    def held(self) -> Iterator[tuple[str, Mapping[str, tuple[Selector, ...]]]]:
        """What is protected or dropped, by the name that is listed, and by section."""
        for name, connection in list(self.connections.items()):
            yield name, {name: tuple(selectors_of(connection))}
        for name, shut in list(self.shut.items()):
            yield name, shut.by_section

    @property
    def unread(self) -> list[str]:
        """The connections of which some traffic cannot be read, and is not closed."""
        return [name for name, shut in self.shut.items() if shut.unread]

    def _reserving(self, before: Reserved) -> Steps[None]:
        """Reserve what is dropped of connections that are left out, and what they had. What may not
        be theirs takes nothing from a connection that has that far network."""
        used = set[Network]()
        for connection, pause in pauses(self.connections.values()):
            used.update(selector.dst for selector in selectors_of(connection))
            if pause:
                yield
        read = {section: shut for shut in self.shut.values() for section in shut.of}
        every = dict.fromkeys(chain(read, *(shut.was for shut in self.shut.values())))
        for section in every:
            former = [share.without(used)] if (share := before.of(section)) else []
            one = read.get(section)
            own = self._share(section, one, former, used) if one else None
            self.reserved.add_left_out(section, own, former)
            yield

    def _share(
        self, section: str, shut: Shut, former: Sequence[Share], used: Container[Network]
    ) -> Share:
        """What a section has of what is dropped. Where its peer cannot be read it is as before."""
        peer = self.conf.get(section, "ISAKMP-peer") or ""
        remote = self._readable(peer)
        was = next(iter(former), None)
        share = Share(section, peer, shut.of[section], remote is not None and remote.shared)
        if remote is None and was is not None:
            share = share._replace(who=was.who, shared=was.shared)
        return share.without(used) if shut.guessed else share

    def connection(self, name: str) -> Connection:
        """A connection by name, listed or not. ConfError where it is none or is bad."""
        if name not in self.connections:
            self._keep(self._read(name))
        return self.connections[name]

    def outdated(self, part: frozenset[str]) -> list[str]:
        """The connections and bypasses among these sections that count, and are written otherwise
        by now, or no more."""
        reading = self._reading
        connections = (name for name in self.connections if fold(name) in part)
        bypass = (name for name in self.bypass if fold(name) in part)
        return [
            *(f"connection {name}" for name in connections if not self._is_written(name, reading)),
            *(f"bypass {name}" for name in bypass if not self._passes_as_written(name)),
        ]

    def _is_written(self, name: str, reading: Readings) -> bool:
        """Whether what counts as that connection is what is written."""
        try:
            return self._read(name, reading) == self.connections.get(name)
        except ConfError:
            return False

    def _passes_as_written(self, name: str) -> bool:
        """The same of a bypass."""
        try:
            return self._read_bypass(name) == self.bypass.get(name)
        except ConfError:
            return False

    def _keep(self, connection: Connection) -> None:
        """Note a connection, with its peer and where that is. ConfError where the peer is bad."""
        remote = self.remote(connection.remote)
        self.connections[connection.name] = connection
        self._with.setdefault(remote.name, ByTraffic()).add(connection)
        self._note(remote)
        self.reserved.add(
            Share(connection.name, remote.name, selectors_of(connection), remote.shared)
        )

    def _note(self, remote: Remote) -> None:
        """A peer that can say who it is."""
        self._peers.add(fold(remote.name))
        there = self._at.setdefault(remote.address, {})
        if remote.name not in there:
            there[remote.name] = None
            self._anywhere = None

    def _read(self, name: str, reading: Readings | None = None) -> Connection:
        """A connection, without what the IPsec stack cannot carry."""
        self._usable(Kind.CONNECTION, name)
        reading = reading or self._reading
        if self.supports is not None:
            return reading.carried(name, self.supports)[0]
        return reading.connection(name)

    def remote(self, section: str) -> Remote:
        """A peer by its section, as it reads now. ConfError where it is none or is bad."""
        self._refresh()
        self._usable(Kind.PEER, section)
        return self._read_remote(section)

    def _read_remote(self, section: str) -> Remote:
        """The same of one that may be at fault otherwise."""
        if section not in self.remotes:
            self.remotes[section] = self._reading.remote(section)
        return self.remotes[section]

    @property
    def _reading(self) -> Readings:
        """Those that load() is given; later on what is asked for is read as it is then."""
        return self._readings or Readings(self.conf, self.resolve)

    def _usable(self, kind: Kind, section: str) -> None:
        """ConfError where the checker refuses a section, or what it leads to."""
        if self.faults and (fault := self.faults.get((kind, fold(section)))):
            raise copy(fault)  # what is kept must not keep the frames that it goes through

    def _refresh(self) -> None:
        """Forget what was read of peers before the configuration changed.

        Strangers make none of us read the whole of [Phase 1].
        """
        if self.generation != self.conf.generation:
            at_once(self._refreshing())

    def _refreshing(self) -> Steps[None]:
        if self.generation != self.conf.generation:
            self.remotes, self._outlines, self._anywhere = {}, {}, None
            self._phase_1 = yield from by_address(self.conf)
            self._unplaced = yield from unplaced(self.conf)
            self._known = ", ".join(self.conf.tags("Phase 1")[:MISSES_MAX]) or "nobody"
            self._named_peers = set(map(fold, self._phase_1.values()))
            self._ppks = set()
            for section, pause in pauses(self.conf.sections()):
                if self.conf.is_written(section, "PPK-ID"):
                    self._ppks.add(fold(section))
                if pause:
                    yield
            self.generation = self.conf.generation

    def names(self, address: Address) -> bool:
        """Whether [Phase 1] has that address itself, and not its Default alone."""
        self._refresh()
        return address in self._phase_1

    def named_at(self, address: Address) -> str | None:
        """The section that [Phase 1] has for that address itself."""
        self._refresh()
        return self._phase_1.get(address)

    def _named(self, address: Address) -> Iterator[str]:
        """The sections that [Phase 1] names for an address, and as its Default."""
        self._refresh()
        return filter(None, map(self._phase_1.get, (address, None)))

    def find_remote(self, address: Address, opening: Opening) -> Remote:
        """The peer to answer, where callers say who they are until that. Refused where none is
        configured, or not so.

        [Phase 1] has to name one for that address; where that one does not open so, another
        section may that a connection names, if callers say who they are.
        """
        remote = named = self._by_address(address)
        if opening.by_identity:
            remote = self._answered(named, address, opening) or named
        else:
            self._placed(address, isakmp.Notify.NO_PROPOSAL_CHOSEN, by_identity=False)
        if opening.speaks not in remote.key_exchange:
            raise _version_refused(remote, opening.speaks)
        if opening.exchange not in (None, remote.exchange):
            raise Refused(
                Reason("wrong-exchange-type",
                       f"peer {remote.name} is configured for another exchange",
                       came=opening.exchange.name if opening.exchange else "",
                       acceptable=remote.exchange.name, line=remote.line,
                       mend=self._exchange_type(remote, opening.exchange)),
                isakmp.Notify.NO_PROPOSAL_CHOSEN,
            )  # fmt: skip
        return remote

    def _answered(self, named: Remote, address: Address, opening: Opening) -> Remote | None:
        """Who is answered so: the one that [Phase 1] names, else another that may be there."""
        misfit = opening.misfit
        if not misfit(named):
            return named
        others = self._others(named, address).among(lambda roaming: roaming.answered(opening))
        read = (one for one in others if one.name not in self._outlines)
        return next((one for one in read if not misfit(one)), None)

    def identify(self, begun: Remote, caller: Caller, opening: Opening) -> Remote:
        """The peer that a caller is which says who it is. Refused where it is none, and where that
        is one, or may be one, whose section cannot be read.

        begun: what find_remote() said.
        """
        notify = opening.nobody
        others = self._others(begun, caller.address)
        found = identify(begun, others, caller, opening)
        if found.remote_id is None:
            self._placed(caller.address, notify, by_identity=True)
        unread = chain([found], others.among(lambda roaming: roaming.unread))
        for one in filter(None, (self._outlines.get(one.name) for one in unread)):
            if one.remote is found or (one.hidden and found.remote_id is None):
                raise self._bad(one.remote.name, one.error, notify)
        return found

    def has_ppk(self, begun: Remote, address: Address) -> bool:
        """Whether who calls may be somebody with a post-quantum pre-shared key (RFC 8784 3)."""
        if begun.ikev2.ppk is not None:
            return True
        self._refresh()
        if not self._ppks:
            return False
        others = self._others(begun, address).among(lambda roaming: roaming.with_ppk)
        return any(map(self._with_ppk, others))

    def _with_ppk(self, remote: Remote) -> bool:
        """Also of who cannot be read: IKE_AUTH then says what is wrong with the section."""
        return fold(remote.name) in self._ppks

    def _others(self, known: Remote, address: Address) -> Others:
        """The other peers that [Phase 1] or a connection names and that may be at ``address``."""
        near = chain(self._named(address), self._at.get(address, ()))
        return Others(known, address, {name: self._readable(name) for name in near}, self._roaming)

    @property
    def _roaming(self) -> Roaming:
        """The peers of connections that have no address; of before a change nothing is left."""
        self._refresh()
        if self._anywhere is None:
            sections = self._at.get(None, ())
            remotes = list(filter(None, map(self._readable, sections)))
            self._anywhere = Roaming(
                remotes, lambda one: one.name in self._outlines, self._with_ppk
            )
        return self._anywhere

    def _readable(self, section: str) -> Remote | None:
        """A peer to be known by, be it at fault: nobody who says to be it is taken for another."""
        if section not in self._outlines:
            try:
                return self._read_remote(section)
            except ConfError as error:
                self._outlines[section] = outline(self.conf, section, self.resolve, error.kept())
        found = self._outlines[section]
        return found.remote if found else None

    def _by_address(self, address: Address) -> Remote:
        """The peer that [Phase 1] names. Refused where there is none, or it cannot be read."""
        self._refresh()
        section = self._phase_1.get(address) or self._phase_1.get(None)
        if not section:
            raise Refused(
                Reason("no-configuration", f"no peer is configured for {address}",
                       acceptable=self._known, line=self.conf.where("Phase 1"),
                       mend=self._phase_1_for(address)),
                isakmp.Notify.NO_PROPOSAL_CHOSEN,
            )  # fmt: skip
        try:
            self._usable(Kind.PEER, section)
            return self._read_remote(section)
        except ConfError as error:
            raise self._bad(section, error, isakmp.Notify.NO_PROPOSAL_CHOSEN) from None

    def _phase_1_for(self, address: Address) -> str:
        """What lets in who calls from an address that [Phase 1] lacks, and nobody else."""
        section = next(iter(self._at.get(address, ())), "")
        mend = f"add {address}= {section}".rstrip() + " to [Phase 1]"
        listed = islice(self._phase_1.items(), MISSES_MAX) if section else ()
        wrong = [str(other) for other, named in listed if named == section]
        return f"{mend}, or correct {wrong[0]} there" if wrong else mend

    def _placed(self, address: Address, notify: int, *, by_identity: bool) -> None:
        """Refused where who is taken for the Default peer may be whom [Phase 1] has no address of.

        by_identity: who it is has been said.
        """
        error = self._unplaced.error(address, by_identity)
        if error and address not in self._phase_1:
            raise Refused(error.as_reason(self.conf.mend), notify)

    def _bad(self, section: str, error: ConfError, notify: int) -> Refused:
        line, mend = self.conf.where(section), self.conf.mend
        reason = Reason("bad-configuration", str(error), line=line, mend=mend)
        return Refused(reason, notify)

    def find_child(
        self, remote: Remote, came: Traffic, transport: bool, work: Work,
        only: Connection | None = None,
    ) -> tuple[Connection, Narrowed]:  # fmt: skip
        """The connection for traffic that a peer asks for in IKEv2; see find_child()."""
        candidates = ByTraffic([only]) if only else self._with.get(remote.name, ByTraffic())
        where = self.conf.where("Phase 2")
        try:
            return find_child(remote, candidates, came, transport, where, work)
        except Refused as refused:
            if candidates.every or not self.left_out:
                raise
            left_out = tuple(f"left out: {error}" for _, error in self.left_out[:MISSES_MAX])
            mend = self.conf.mend or "mend it, and send HUP"
            mend = f"a connection that is left out would be tried: {mend}"
            reason = replace(refused.reason, misses=left_out, mend=mend)
            raise Refused(reason, refused.notify) from None

    def _exchange_type(self, remote: Remote, came: isakmp.Exchange | None) -> str:
        """What takes the exchange that has come, where the peer's section has its own or none."""
        tag = f"EXCHANGE_TYPE= {came.name}" if came else "EXCHANGE_TYPE"
        if configuration := self.conf.get(remote.name, "Configuration"):
            return f"set {tag} in [{configuration}], the Configuration of [{remote.name}]"
        return f"set the Configuration of [{remote.name}] to a section with {tag}"

    def secret(self, remote: Remote, came: Identity | None) -> bytes:
        """The pre-shared key that proves a peer, in either version. Refused where there is none.

        came: who asks us and has said so before there are keys; None for who answers us, and in
        main mode. A section's own key is its only one; one without is proven by that of whom it
        expects, else of who came.
        """
        if self.faults and (fault := self.faults.get((Kind.PEER, fold(remote.name)))):
            raise self._bad(remote.name, fault, isakmp.Notify.AUTHENTICATION_FAILED)
        identity = remote.remote_id or came
        if secret := remote.secret or self._identity_secret(identity):
            return secret
        mend = f"add Authentication= to [{remote.name}]"
        if identity is not None:
            mend += f", or a section [{identity}] with Authentication= alone"
        raise Refused(
            Reason("no-secret", f"no pre-shared key is configured for peer {remote.name}",
                   came=f"identity {identity}" if identity else "", line=remote.line, mend=mend),
            isakmp.Notify.AUTHENTICATION_FAILED,
        )  # fmt: skip

    def secret_line(self, remote: Remote, came: Identity | None) -> str:
        """The line that secret() has its key from."""
        identity = remote.remote_id or came
        named = "" if remote.secret else self._key_section(identity)
        return self.conf.where(named or remote.name, "Authentication")

    def _identity_secret(self, identity: Identity | None) -> bytes:
        section = self._key_section(identity)
        if not section:
            return b""
        try:
            return read_secret(self.conf, section)
        except ConfError as error:
            raise self._bad(section, error, isakmp.Notify.AUTHENTICATION_FAILED) from None

    def _key_section(self, identity: Identity | None) -> str:
        """Not that of a peer: who has one peer's key would be another by naming it."""
        self._refresh()
        section = self._keys.section(identity) if identity is not None else ""
        of_peer = fold(section) in self._peers or fold(section) in self._named_peers
        return "" if of_peer else section

    def find_connection(self, remote: Remote, selector: Selector) -> tuple[Connection, Selector]:
        """The connection that may be answered with, and the traffic it then carries.

        The selector must be a connection's own; of a passive one it may be a part. Refused with
        what kept each candidate from being taken.
        """
        candidates = self._with.get(remote.name, ByTraffic()).every
        for connection in candidates:
            if not _miss(connection, selector):
                return connection, selector
        shown = candidates[:MISSES_MAX]
        barred = [c for c in shown if c.active_only and not _apart(c, selector)]
        nearest = barred or candidates
        mend = crosswise(remote.name, candidates)
        if barred:
            mend = ACTIVE_ONLY.mend.format(barred[0].name)
        raise Refused(
            Reason("no-connection", f"no connection with {remote.name} has this traffic",
                   came=str(selector),
                   acceptable="; ".join(str(c.selector) for c in shown if not c.active_only)
                   or "nothing",
                   line=nearest[0].line if nearest else self.conf.where("Phase 2"),
                   misses=tuple(f"{c.name}: {''.join(_miss(c, selector))}" for c in shown),
                   mend=mend),
            isakmp.Notify.INVALID_ID_INFORMATION,
        )  # fmt: skip


def _version_refused(remote: Remote, speaks: str) -> Refused:
    came, *spoken = (name.replace("ike", "IKE") for name in (speaks, *remote.key_exchange))
    return Refused(
        Reason("version-not-configured", f"peer {remote.name} is not configured for {came}",
               came=came, acceptable=", ".join(spoken), line=remote.line,
               mend=f"add {speaks} to Key-exchange of [{remote.name}]"),
        isakmp.Notify.NO_PROPOSAL_CHOSEN,
    )  # fmt: skip


def _miss(connection: Connection, selector: Selector) -> Iterable[str]:
    """Why a connection may not carry that traffic, in words that are made where they are told;
    empty where it may."""
    return (ACTIVE_ONLY.told,) if connection.active_only else _apart(connection, selector)


def _apart(connection: Connection, selector: Selector) -> Iterable[str]:
    """Where its traffic is another."""
    ours = connection.selector
    if ours == selector:
        return ()
    for label, came, wanted in zip(
        connection.sides, (selector.src, selector.dst), (ours.src, ours.dst), strict=True
    ):
        if came != wanted and not (connection.passive and lies_in(came, wanted)):
            verb = " is " if label.endswith("ID") else " are "
            return map(str, (label, verb, wanted, ", the peer says ", came))
    for label, number, expected, text in (
        ("protocol", selector.protocol, ours.protocol, protocol_name),
        ("local port", selector.src_port, ours.src_port, _port),
        ("remote port", selector.dst_port, ours.dst_port, _port),
    ):
        if number != expected and not (connection.passive and expected == 0):
            return (label, " is ", text(expected), ", the peer says ", text(number))
    return ()


def _port(number: int) -> str:
    return str(number or "any")


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
