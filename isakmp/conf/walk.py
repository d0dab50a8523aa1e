"""The walk through a configuration that is checked: what is wrong with each section, and where.

It starts at the sections with fixed names, follows what their tags name, and so learns
the kind of each section; sections that nothing names are taken for the kind they look like.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, cached_property
from itertools import islice
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

from isakmp.conf import judge as crypto
from isakmp.conf.alike import ALIKE, nearest
from isakmp.conf.kinds import Kind, Tag
from isakmp.conf.likely import likely_kind
from isakmp.conf.mistaken import Mistaken
from isakmp.conf.parse import MEND_NO_VALUE, NO_VALUE, fold, items_of
from isakmp.conf.remarks import likely_outside, listed_twice
from isakmp.conf.secrets import MEND, weakness
from isakmp.conf.spelling import lent, losing, unknown_tag
from isakmp.conf.spoken import networks, unheard, unspoken
from isakmp.conf.store import RUN_TIME, Conf
from isakmp.conf.tags import FIXED, tag_of
from isakmp.conf.values import NO, SECTION, YES_NO, BadValue, outside, too_little
from isakmp.constants import IKEV1, IKEV2, isakmp, name_of
from isakmp.errors import ConfError
from isakmp.event.steps import AT_ONCE, Steps, emptied, pauses
from isakmp.policy.identity import Resolve
from isakmp.policy.ikev2_reader import read_key_exchange
from isakmp.policy.keys import IdentityKeys
from isakmp.policy.reader import (
    BUILT_IN_CONFIGURATION,
    SELECTOR_LISTS,
    by_address,
    connection_names,
    read_bypass,
)
from isakmp.policy.readings import Readings
from isakmp.policy.spd import Address, Connection, Proposal, Remote, Selector
from isakmp.policy.supported import Stack
from isakmp.policy.transforms import read_ike_transform, read_life_section, read_suite
from isakmp.policy.unplaced import no_address

MAX_HINTS = 100
# Addresses that a warning names.
_TOLD = 3


class _Visit(NamedTuple):
    """A section to look at. cited: section and tag that led to it, where it is not written."""

    kind: Kind
    section: str
    cited: tuple[str, str]

    @property
    def place(self) -> tuple[Kind, str]:
        """Its key in tables."""
        return self.kind, fold(self.section)


class Walk:
    """One pass over a configuration; errors by place and reason, so that each is told once."""

    def __init__(self, conf: Conf, resolve: Resolve, readings: Readings, stack: Stack) -> None:
        self.conf = conf
        # Thousands of connections ask the same.
        self._supports = cache(stack.supports) if stack.supports else None
        self.resolve = resolve
        self.readings = readings
        self.keys = IdentityKeys(conf)
        self._mistaken = Mistaken(conf)
        self.errors: dict[tuple[str, str, str], ConfError] = {}
        self.warnings: list[str] = []
        self.faults: dict[tuple[Kind, str], ConfError] = {}
        self._at: _Visit | None = None
        self._above: defaultdict[tuple[Kind, str], list[tuple[Kind, str]]] = defaultdict(list)
        self.remotes: dict[str, Remote] = {}
        self.connections: list[Connection] = []
        self.bypass: dict[str, tuple[Selector, ...]] = {}
        self._places: set[tuple[str, str]] = set()
        self._queue: deque[_Visit] = deque()
        self._looked: list[_Visit] = []
        self._strays: set[_Visit] = set()
        # Whether what is being looked at can be reached; where not, nothing in it is an error.
        self._unused = False
        self._seen: set[tuple[Kind, str]] = set()
        self._named: set[str] = set()
        # Peers of connections; files of isakmpd may name others that this version cannot answer.
        self._needed: set[str] = set()
        self._lost: dict[str, ConfError] = {}
        self._by_address: dict[Address | None, str] = {}
        self._answered_peers: set[str | None] = set()
        self._versions: dict[str, tuple[str, ...]] = {}
        self._verdicts: dict[tuple[object, int], tuple[Proposal, crypto.Verdict]] = {}

    def run(self) -> Steps[None]:
        """Look at everything, a section or a few values in a step."""
        self._lost = {fold(error.section): error for error in (yield from losing(self.conf))}
        for error in self._lost.values():
            self._error(error)
        for name, kind in FIXED.items():
            if self.conf.has_written_section(name):
                self._enter(kind, name, (name, ""))
        yield from self._drain()
        self._unused = True
        yield from self._look_at_strays()
        yield from self.keys.refreshing()
        self._by_address = yield from by_address(self.conf)
        for tag, pause in pauses(self.conf.tags("Phase 1")):
            self._answered_peers.add(self.conf.get("Phase 1", tag))
            if pause:
                yield
        # Last, so that what the tables found about a tag is not told a second time.
        for visit in self._looked:
            self._unused = visit in self._strays
            self._read(visit)
            yield
        yield from self._spread()

    def _look_at_strays(self) -> Steps[None]:
        stray = []
        for name in [name for name in self.conf.sections() if fold(name) not in self._named]:
            stray.append((self._rank(name), name))
            yield
        for _, section in sorted(stray, key=itemgetter(0)):
            if fold(section) not in self._named:
                self._stray(section)
                yield from self._drain()

    def dropped(self) -> Steps[None]:
        """Let go of what only the walk itself needs."""
        for number in range(len(self._looked)):
            self._seen.discard(self._looked.pop().place)
            if not number % AT_ONCE:
                yield
        yield from emptied(self._above, self._versions)

    def _spread(self) -> Steps[None]:
        """Nothing can be used that leads to what has an error."""
        waiting = deque(self.faults)
        while waiting:
            place = waiting.popleft()
            for above in self._above[place]:
                if above not in self.faults:
                    self.faults[above] = self.faults[place]
                    waiting.append(above)
            yield

    def _read(self, visit: _Visit) -> None:
        self._at = visit
        if reader := _READERS.get(visit.kind):
            try:
                reader(self, visit)
            except ConfError as error:
                self._reader_error(visit, error.kept())

    def _rank(self, section: str) -> int:
        """Sections that name others come first, so that what they name is not stray."""
        order = (Kind.CONNECTION, Kind.PEER, Kind.IPSEC_CONFIGURATION, Kind.ISAKMP_CONFIGURATION)
        kind = likely_kind(self.conf.written[fold(section)])
        return order.index(kind) if kind in order else len(order)

    def _enter(self, kind: Kind, section: str, cited: tuple[str, str]) -> None:
        self._named.add(fold(section))
        if self._at and self._at.kind not in FIXED.values():
            self._above[kind, fold(section)].append(self._at.place)
        if (kind, fold(section)) not in self._seen:
            self._seen.add((kind, fold(section)))
            self._queue.append(_Visit(kind, section, cited))

    def _drain(self) -> Steps[None]:
        while self._queue:
            self._at = self._queue.popleft()
            yield from self._look(self._at)
            yield
        self._at = None

    def _error(self, error: ConfError) -> None:
        self._places.add((fold(error.section), fold(error.tag)))
        if self._at:
            self.faults.setdefault(self._at.place, error)
        if self._unused:
            self.warnings.append(str(error))
            return
        self.errors.setdefault((fold(error.section), fold(error.tag), error.reason), error)

    def _reader_error(self, visit: _Visit, error: ConfError) -> None:
        """What a reader met, unless it is what the table of tags has already found there."""
        if not error.file:
            reason = f"[{error.section}]: {error.reason}"
            error = self.conf.error(reason, *self._place(visit), error.hint, error.missing)
        self.faults.setdefault(visit.place, error)
        if not error.tag or (fold(error.section), fold(error.tag)) not in self._places:
            self._error(error)

    def _look(self, visit: _Visit) -> Steps[None]:
        conf, section = self.conf, visit.section
        fixed = visit.kind in FIXED.values()
        for name, pause in pauses(conf.tags(section)):
            if pause:
                yield
            written = conf.is_written(section, name)
            if not written and fixed:
                continue
            tag = tag_of(visit.kind, name)
            if tag and conf.is_empty(section, name):
                self._empty(section, name, tag)
            elif tag:
                value = conf.get(section, name) or ""
                items = items_of(value) if tag.every else [value] if value else []
                if written:
                    self._remark(section, name, value, items)
                for at in range(0, len(items), AT_ONCE):
                    if at:
                        yield
                    self._items(visit, name, tag, items[at : at + AT_ONCE], written)
                if tag.idle and not (tag.type is YES_NO and value.lower() in NO):
                    self.warnings.append(
                        f"{conf.where(section, name)}: has no effect in this version"
                    )
            elif written:
                self._unknown(visit, name)
        self._enter_defaults(visit)
        self._looked.append(visit)
        if self._unused and visit.kind is not Kind.INITIATOR:
            self._strays.add(visit)

    def _remark(self, section: str, name: str, value: str, items: list[str]) -> None:
        """What can be used, and is likely not what was meant; the file's own its parser tells."""
        conf, where = self.conf, self.conf.where(section, name)
        if where.startswith(RUN_TIME) and (text := likely_outside(name, value)):
            self.warnings.append(f"{where}: {text}")
        said = [f"{one} is listed twice" for one in listed_twice(items)]
        if (fold(section), fold(name)) == ("phase 2", "passive-connections"):
            active = frozenset(conf.get_list("Phase 2", "Connections"))
            said += [
                f"{one} is in Connections, too, and so it is started: take it out of one of both"
                for one in dict.fromkeys(items) if one in active
            ]  # fmt: skip
        self.warnings += [f"{where}: {text}" for text in said]

    def _empty(self, section: str, name: str, tag: Tag) -> None:
        """One that says nothing: its default would be what nobody has asked for."""
        if tag.may_be_empty:
            self.warnings.append(f"{self.conf.where(section, name)} has no value and is ignored")
        else:
            self._error(self.conf.error(NO_VALUE, section, name, MEND_NO_VALUE))

    def _enter_defaults(self, visit: _Visit) -> None:
        """What a peer or connection uses that names no configuration or no suites."""
        conf, section = self.conf, visit.section
        configuration = conf.get(section, "Configuration")
        if any(conf.get(section, f"{kind}-proposals") for kind in ("IKE", "ESP")):
            return
        default = BUILT_IN_CONFIGURATION
        needs_it = visit.kind is Kind.PEER and configuration is None
        if needs_it and conf.has_written_section(default) and self._speaks_ikev1(section):
            self._enter(Kind.ISAKMP_CONFIGURATION, default, self._place(visit))
        if visit.kind is Kind.CONNECTION and conf.get(configuration or "", "Suites") is None:
            written = conf.is_written("General", "Default-phase-2-suites")
            if written or self._speaks_ikev1(conf.get(section, "ISAKMP-peer") or ""):
                with suppress(ConfError):  # which the reader tells
                    for suite in filter(conf.has_section, lent(conf, "Default-phase-2-suites")):
                        self._enter(Kind.SUITE, suite, self._place(visit))

    def _speaks_ikev1(self, peer: str) -> bool:
        """Whether what is built in is of use to a peer: IKEv2 proposes something better."""
        try:
            return IKEV1 in self._spoken(peer)
        except ConfError:
            return False

    def _spoken(self, peer: str) -> tuple[str, ...]:
        """Its Key-exchange, which is asked for several times. ConfError."""
        if peer not in self._versions:
            self._versions[peer] = read_key_exchange(self.conf, peer)
        return self._versions[peer]

    def _unknown(self, visit: _Visit, name: str) -> None:
        """A misspelt tag is an error; any other is ignored, as isakmpd did."""
        if (fold(visit.section), fold(name)) in self._places:
            return
        if visit.kind is Kind.PHASE_1:
            self._error(no_address(self.conf, name))
            return
        if len(self.errors) >= MAX_HINTS:
            reason = f"no tag {name} in {visit.kind.value}"
            self._error(self.conf.error(reason, visit.section, name))
            return
        error = unknown_tag(self.conf, visit.kind, visit.section, name)
        if error.hint:
            self._error(error)
        else:
            self.warnings.append(f"{error}, and is ignored")

    def _items(self, visit: _Visit, name: str, tag: Tag, items: list[str], written: bool) -> None:
        """Some of a tag's values."""
        if tag.leads:
            cited = (visit.section, name) if written else visit.cited
            for item in items:
                self._follow(visit, name, cited, tag.leads, item)
        if written and tag.type is not SECTION:  # of which any text is the name
            split = tag.type.split(items) if tag.every else ""
            for item in list(dict.fromkeys(items))[: 1 if split else None]:
                self._value(visit.section, name, tag, item, split)

    def _value(self, section: str, name: str, tag: Tag, item: str, split: str) -> None:
        try:
            tag.parse(item)
            if remark := tag.type.remark(item):
                self.warnings.append(f"{self.conf.where(section, name)}: {remark}")
        except BadValue as error:
            hint = error.hint or (nearest(item, tag.type.words, ALIKE) if tag.loose else "")
            if tag.loose and not hint:
                self.warnings.append(f"{self.conf.where(section, name)}: {error}, and is ignored")
            else:
                self._error(self.conf.error(str(error), section, name, split or hint))

    def _follow(
        self, visit: _Visit, name: str, cited: tuple[str, str], kind: Kind, section: str
    ) -> None:
        if kind is Kind.LIFETIME and section.upper() == "ANY":
            return
        if visit.kind is Kind.CONNECTION and kind is Kind.PEER and not self._unused:
            self._needed.add(fold(section))
        if mistaken := self._mistaken(kind, section):
            self._named.add(fold(section))
            error = self.conf.error(mistaken[0], *cited, mistaken[1])
            self.faults.setdefault((kind, fold(section)), error)
            self._error(error)
        elif self.conf.has_section(section):
            self._enter(kind, section, cited)
        else:
            hint = self.conf.near(section, name, (kind,)) if len(self.errors) < MAX_HINTS else ""
            reason = f"there is no section [{section}]"
            self._error(self.conf.error(reason, *cited, hint, missing=True))

    def _stray(self, section: str) -> None:
        """A section that nothing names: a misspelled one, an initiator's, or one not used."""
        if fold(section) in self._lost:
            return
        kind = likely_kind(self.conf.written[fold(section)])
        has_key = kind is Kind.ID and self.conf.is_written(section, "Authentication")
        if kind not in (Kind.INITIATOR, Kind.MODE_CONFIG) and not has_key:
            what = f"it looks like {kind.value}" if kind else "it is of no known kind"
            place = self.conf.where(section)
            self.warnings.append(f"{place}: nothing names this section; {what}")
        if kind:
            self._unused = kind is not Kind.INITIATOR and not has_key
            self._enter(kind, section, (section, ""))

    def _peer(self, visit: _Visit) -> None:
        remote = self.readings.remote(visit.section)
        self.remotes[fold(visit.section)] = remote
        self._credentials(remote, self._place(visit))
        self._secret(visit)
        self.warnings += networks(self.conf, remote)
        if IKEV2 not in remote.key_exchange:
            self._of_ikev2_alone(visit)
        # Proposals that isakmpd's own transforms led to are judged as those.
        if self.conf.get(visit.section, "IKE-proposals") is not None:
            for proposal in self.conf.value(visit.kind, visit.section, "IKE-proposals"):
                verdict = self._judged(crypto.judge_proposal, proposal)
                self._keyword_report((visit.section, "IKE-proposals"), proposal.name, verdict)

    def _of_ikev2_alone(self, visit: _Visit) -> None:
        """What a peer's section says and IKEv1 does not hear, as the table has it."""
        for name in self.conf.tags(visit.section):
            tag = tag_of(visit.kind, name)
            if tag and tag.meaning.startswith("IKEv2:"):
                place = self.conf.where(visit.section, name)
                self.warnings.append(f"{place}: is IKEv2's, and Key-exchange has no ikev2")

    def _secret(self, visit: _Visit) -> None:
        secret = self.conf.value(visit.kind, visit.section, "Authentication")
        if secret and (why := weakness(secret)):
            place = self.conf.where(visit.section, "Authentication")
            self.warnings.append(f"{place}: {why}: {MEND}")

    def _credentials(self, remote: Remote, place: tuple[str, str]) -> None:
        """Whether what the transforms authenticate with is there."""
        shared = isakmp.Authentication.PRE_SHARED
        others = [t for t in remote.transforms if t.auth not in (shared, None)]
        written = self.conf.is_written(BUILT_IN_CONFIGURATION, "Transforms")
        unsaid = self.conf.get(remote.name, "Configuration") is None and not written
        for transform in others:
            method = name_of(isakmp.Authentication, transform.auth or 0)
            reason = f"{transform.name}: {method} is not supported, PRE_SHARED is"
            if unsaid:
                told = f"the default, {transform.name}, has {method}, which is not supported"
                reason = f"no IKE-proposals and no Configuration: {told}"
            alone = len(others) == len(remote.transforms) and IKEV1 in remote.key_exchange
            if alone and fold(remote.name) in self._needed:
                self._error(self.conf.error(reason, *place, missing=unsaid))
            elif alone:
                text = f"{reason}: who comes as [{remote.name}] is refused"
                self.warnings.append(f"{self.conf.where(*place)}: {text}")
            else:
                self.warnings.append(f"{transform.line}: {reason}")
        by_identity = remote.exchange is isakmp.Exchange.AGGRESSIVE or IKEV2 in remote.key_exchange
        keyed = by_identity and bool(self.initiators)
        if remote.remote_id is not None:
            keyed = bool(self.keys.section(remote.remote_id))
        usable = unsaid or len(others) < len(remote.transforms) or IKEV2 in remote.key_exchange
        if usable and not remote.secret and not keyed:
            reason = "no Authentication: the pre-shared key is missing"
            self._error(self.conf.error(reason, *place, missing=True))

    @cached_property
    def initiators(self) -> list[str]:
        """The sections with a key that is found by identity."""
        named = set(map(fold, self._by_address.values()))
        return [section for section in self.keys.sections() if fold(section) not in named]

    def _connection(self, visit: _Visit) -> None:
        connection = self.readings.connection(visit.section)
        self.connections.append(connection)
        if self._mistaken(Kind.PEER, connection.remote):
            return
        if not connection.active_only:
            self._answered(connection.remote)
        self._started(connection, self._place(visit))
        versions = self._spoken(connection.remote)
        for error in unspoken(self.conf, connection, versions, self._place(visit)):
            self._error(error)
        self.warnings += unheard(connection, versions)
        if self.conf.get(visit.section, "ESP-proposals") is not None:
            self._esp_keywords(visit.section, connection)
        for side, identity in zip(SELECTOR_LISTS, ("Local-ID", "Remote-ID"), strict=True):
            if all(self.conf.is_written(visit.section, tag) for tag in (side, identity)):
                place = self.conf.where(visit.section, identity)
                self.warnings.append(f"{place}: counts for nothing beside {side}")
        self._carried(connection, self._place(visit))

    def _carried(self, connection: Connection, place: tuple[str, str]) -> None:
        """What of it the IPsec stack lacks: an error where nothing is left, else warnings."""
        if self._supports is None:
            return
        configuration = self.conf.get(connection.name, "Configuration") or ""
        for decides in ((connection.name, "ESP-proposals"), (configuration, "Suites")):
            if self.conf.is_written(*decides):
                place = decides
                break
        try:
            said = self.readings.carried(connection.name, self._supports)[1]
        except ConfError as error:
            lacks = self.conf.error(error.reason, *place)
            lacks.mend = error.mend
            self._error(lacks)
        else:
            self.warnings.extend(f"{self.conf.where(*place)}: {text}" for text in said)

    def _bypass(self, visit: _Visit) -> None:
        if fold(visit.section) in self._listed_connections:
            reason = f"{visit.section} is listed as a connection, too, and would go in clear"
            raise self.conf.error(reason, "Phase 2", "Bypass", "list it in one of the two")
        self.bypass[visit.section] = read_bypass(self.conf, visit.section)

    def _esp_keywords(self, section: str, connection: Connection) -> None:
        place = section, "ESP-proposals"
        for transform in (t for suite in connection.suites for t in suite.transforms):
            verdict = crypto.judge_ipsec(isakmp.Protocol.IPSEC_ESP, transform)
            self._keyword_report(place, transform.name, verdict)
        for proposal in self.conf.value(Kind.CONNECTION, *place):
            verdict = self._judged(crypto.judge_exchanges, proposal)
            self._keyword_report(place, proposal.name, verdict)

    def _judged(
        self, judge: Callable[[Proposal], crypto.Verdict], proposal: Proposal
    ) -> crypto.Verdict:
        """What there is to say of a proposal, which thousands may have: one object for all."""
        key = judge, id(proposal)
        if key not in self._verdicts:
            self._verdicts[key] = proposal, judge(proposal)
        return self._verdicts[key][1]

    def _keyword_report(self, place: tuple[str, str], name: str, verdict: crypto.Verdict) -> None:
        for reason in verdict.errors:
            self._error(self.conf.error(f"{name}: {reason}", *place))
        line = self.conf.where(*place)
        self.warnings.extend(f"{line}: {name}: {text}" for text in verdict.warnings)

    def _answered(self, peer: str) -> None:
        """Warn of a peer that could not connect to us: [Phase 1] does not name it."""
        conf = self.conf
        try:
            address = conf.value(Kind.PEER, peer, "Address")
        except ConfError:
            return
        if peer in self._answered_peers:
            return
        place, by_identity = conf.where(peer), IKEV2 in self._spoken(peer)
        if not address:
            if why := self._kept_out(peer, by_identity):
                self.warnings.append(f"{place}: {why}")
        elif by_identity and self._listed(address):
            if conf.get(peer, "Remote-ID") is None:  # IKEv2 finds it by its identity
                named = self._by_address.get(address) or self._by_address[None]
                self.warnings.append(
                    f"{place}: cannot call us: who calls from {address} is [{named}], "
                    f"as [Phase 1] has it, and [{peer}] only by a Remote-ID, which it lacks"
                )
        elif conf.get("Phase 1", "Default") is None:
            self.warnings.append(f"{place}: cannot call us: [Phase 1] lacks {address}= {peer}")

    def _kept_out(self, peer: str, by_identity: bool) -> str:
        """Why a peer of any address cannot call us, or from some alone; empty where it can."""
        only = "only by a Remote-ID, which it lacks"
        has_id = by_identity and self.conf.get(peer, "Remote-ID") is not None
        if default := self._by_address.get(None):
            if has_id or not by_identity:
                return ""
            return f"cannot call us: who calls is [{default}], the Default, and [{peer}] {only}"
        lacks = f"[Phase 1] lacks Default= {peer}, by which every address may call"
        if has_id and self._by_address:
            at = ", ".join(map(str, islice(self._by_address, _TOLD)))
            more = " and others" * (len(self._by_address) > _TOLD)
            return f"can call us from {at}{more} alone: {lacks}"
        return f"cannot call us: {lacks}"

    def _started(self, connection: Connection, place: tuple[str, str]) -> None:
        """Warn of a connection that we are to start, with a peer that could be anywhere."""
        if connection.name in self._active and self.conf.get(connection.remote, "Address") is None:
            text = f"[{connection.remote}] has no Address, so that it cannot be started"
            mend = "add one, or list it in Passive-connections"
            self.warnings.append(f"{self.conf.where(*place)}: {text}: {mend}")

    def _listed(self, address: Address) -> bool:
        return address in self._by_address or None in self._by_address

    @cached_property
    def _listed_connections(self) -> frozenset[str]:
        return frozenset(map(fold, connection_names(self.conf)))

    @cached_property
    def _active(self) -> frozenset[str]:
        return frozenset(self.conf.get_list("Phase 2", "Connections"))

    def _identity(self, visit: _Visit) -> None:
        self._secret(visit)
        self.readings.identity(visit.section)

    def _lifetime(self, visit: _Visit) -> None:
        unit, life = read_life_section(self.conf, visit.section)
        # Of what is not written [General] has the line.
        written = self.conf.is_written(visit.section, "LIFE_DURATION")
        if written and (remark := too_little(life, unit.name.lower())):
            place = self.conf.where(visit.section, "LIFE_DURATION")
            self.warnings.append(f"{place}: {remark}")
        if written and (remark := outside(life)):
            self.warnings.append(f"{self.conf.where(visit.section)}: {remark}")

    def _ike_transform(self, visit: _Visit) -> None:
        transform = read_ike_transform(self.conf, visit.section, self._line(visit))
        self._report(visit, visit.section, crypto.judge_ike(transform))

    def _suite(self, visit: _Visit) -> None:
        suite = read_suite(self.conf, visit.section, self._line(visit))
        for protocol in suite.protocols:
            for transform in protocol.transforms:
                verdict = crypto.judge_ipsec(protocol.protocol, transform)
                self._report(visit, transform.name, verdict)

    def _place(self, visit: _Visit) -> tuple[str, str]:
        written = self.conf.has_written_section(visit.section)
        return (visit.section, "") if written else visit.cited

    def _line(self, visit: _Visit) -> str:
        return self.conf.where(*self._place(visit))

    def _report(self, visit: _Visit, transform: str, verdict: crypto.Verdict) -> None:
        """At the transform's own section, or where something led to the generated one."""
        written = self.conf.has_written_section(transform)
        place = (transform, "") if written else self._place(visit)
        prefix = "" if written else f"{visit.section}: "
        for reason in verdict.errors:
            self._error(self.conf.error(prefix + reason, *place))
        line = self.conf.where(*place)
        self.warnings.extend(f"{line}: {prefix}{text}" for text in verdict.warnings)


_READERS: Mapping[Kind, Callable[[Walk, _Visit], None]] = MappingProxyType(
    {
        Kind.PEER: Walk._peer,
        Kind.CONNECTION: Walk._connection,
        Kind.BYPASS: Walk._bypass,
        Kind.ID: Walk._identity,
        Kind.ISAKMP_TRANSFORM: Walk._ike_transform,
        Kind.SUITE: Walk._suite,
        Kind.LIFETIME: Walk._lifetime,
        Kind.INITIATOR: Walk._secret,
    }
)
