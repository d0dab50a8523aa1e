"""isakmpd's sections read into the policy model: peers to Remote, connections to Connection.

Every function raises ConfError with file and line, and nothing else. ``resolve`` finds the
address of an interface or of ``default``; without it only written addresses are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from ipaddress import ip_network
from typing import Any

from isakmp.conf.kinds import Kind
from isakmp.conf.parse import fold
from isakmp.conf.spelling import lent, refuse_misspelt
from isakmp.conf.store import Conf
from isakmp.conf.values import address_of, is_address
from isakmp.constants import IKEV1, IKEV2, ipsec, isakmp
from isakmp.errors import ConfError, Refused
from isakmp.event.steps import Steps, pauses
from isakmp.policy.identity import Resolve, identity_of, no_interfaces, read_address, read_identity
from isakmp.policy.ikev2_reader import read_ikev2, read_key_exchange
from isakmp.policy.keys import read_secret
from isakmp.policy.outside_ikev1 import more_exchanges
from isakmp.policy.outside_ikev2 import ike_outside, meant_for, no_network
from isakmp.policy.proposal_reader import (
    default_esp,
    default_ike,
    ike_proposals,
    ike_transforms,
    ipsec_proposals,
    read_keywords,
    suites_of,
    with_mode,
)
from isakmp.policy.sameness import SUBNETS, network_of
from isakmp.policy.selector_reader import read_selectors
from isakmp.policy.spd import (
    ICMP,
    MAX_PROPOSALS,
    MAX_TRANSFORMS,
    Address,
    Connection,
    Identity,
    IkeTransform,
    Lifetime,
    Network,
    Proposal,
    Remote,
    Selector,
    Suite,
    Traffic,
    TrafficSelector,
    Unique,
)
from isakmp.policy.traffic import PER_CHILD, of_network, selectors
from isakmp.policy.transforms import (
    read_ike_transform,
    read_life,
    read_names,
    read_suite,
)

BUILT_IN_CONFIGURATION = "Default-phase-1-configuration"
CONNECTION_LISTS = ("Connections", "Passive-connections")
SELECTOR_LISTS = ("Local-selectors", "Remote-selectors")
# Pairs of networks that are dropped of a connection: no child SA has to have these.
_DROPPED_MAX = 8192


class Common:
    """What many sections of a configuration lead to, read once, as it and the addresses of this
    host are now. What cannot be read is told anew each time."""

    def __init__(self, conf: Conf, resolve: Resolve) -> None:
        self._conf, self._resolve = conf, resolve
        self._identities: dict[str, Identity] = {}
        self._suites: dict[tuple[str, str], Suite] = {}
        self._lives: dict[str, Lifetime] = {}
        self._transforms: dict[str, tuple[IkeTransform, ...]] = {}

    def identity(self, section: str) -> Identity:
        """An identity. ConfError."""
        if section not in self._identities:
            self._identities[section] = read_identity(self._conf, section, self._resolve)
        return self._identities[section]

    def suite(self, section: str, line: str) -> Suite:
        """A suite, cited by that line where it is generated. ConfError."""
        if (section, line) not in self._suites:
            self._suites[section, line] = read_suite(self._conf, section, line)
        return self._suites[section, line]

    def transforms(self, configuration: str) -> tuple[IkeTransform, ...]:
        """The phase 1 transforms of an ISAKMP configuration. ConfError."""
        if configuration not in self._transforms:
            self._transforms[configuration] = _ike_transforms(self._conf, configuration)
        return self._transforms[configuration]

    def life(self, section: str, default: str) -> Lifetime:
        """What Life of a section lists, else the default, which most have. ConfError."""
        if self._conf.get(section, "Life") is not None:
            return read_life(self._conf, section, default)
        if default not in self._lives:
            self._lives[default] = read_life(self._conf, section, default)
        return self._lives[default]

    @cached_property
    def passive(self) -> frozenset[str]:
        """The connections that are answered and never started."""
        return passive_names(self._conf)


def read_remote(
    conf: Conf, section: str, resolve: Resolve = no_interfaces, common: Common | None = None
) -> Remote:
    """The ISAKMP peer a section describes. common: for who reads many peers."""
    common = common or Common(conf, resolve)
    _expect_phase(conf, section, "1")
    configuration = _configuration(conf, section)
    spoken = read_key_exchange(conf, section)
    transforms, proposals = _ike_algorithms(conf, section, configuration, spoken, common)
    life = transforms[0].life if transforms else common.life(section, "LIFE_MAIN_MODE")
    address = _peer_address(conf, section)
    return Remote(
        name=section,
        address=address,
        port=conf.value(Kind.PEER, section, "Port"),
        exchange=read_exchange(conf, configuration),
        transforms=transforms,
        local_address=_own_address(conf, section, address, resolve),
        local_id=_own_id(conf, section, common, spoken),
        remote_id=_peer_id(conf, section, "Remote-ID", common, spoken),
        secret=read_secret(conf, section),
        flags=frozenset(flag.lower() for flag in conf.get_list(section, "Flags")),
        life=life,
        line=conf.where(section),
        key_exchange=spoken,
        proposals=proposals,
        ikev2=read_ikev2(conf, section),
        unique=_unique(conf, section),
    )


def _unique(conf: Conf, section: str) -> Unique:
    """The section's own word, or that of [General] for all."""
    own: Unique | None = conf.value(Kind.PEER, section, "Unique-ids")
    return own or lent(conf, "Unique-ids")


def by_address(conf: Conf) -> Steps[dict[Address | None, str]]:
    """The sections that [Phase 1] names, however an address is spelled; None: its Default.

    No Default is built in, so that a stranger is told apart from a peer whose proposal does not
    fit.
    """
    found: dict[Address | None, str] = {}
    for tag, pause in pauses(conf.tags("Phase 1")):
        if pause:
            yield
        named, address = conf.get("Phase 1", tag), address_of(tag)
        if named and (address is not None or fold(tag) == "default"):
            found.setdefault(address, named)
    return found


def read_connection(
    conf: Conf, name: str, resolve: Resolve = no_interfaces, common: Common | None = None
) -> Connection:
    """The phase 2 connection ``name``. Its peer is not read, only named.

    common: for who reads many connections.
    """
    common = common or Common(conf, resolve)

    def said(tag: str) -> Any:
        return conf.value(Kind.CONNECTION, name, tag)

    if not conf.has_section(name):
        _follow_lists(conf, name)
    _expect_phase(conf, name, "2")
    peer = conf.get(name, "ISAKMP-peer")
    if peer is None:
        raise conf.error("has no ISAKMP-peer", name, missing=True)
    conf.follow(name, "ISAKMP-peer", peer)
    local_id, remote_id, selector, traffic = _traffic(
        conf, name, peer, resolve, common, _pairs_max(conf)
    )
    suites, proposals = _ipsec_algorithms(conf, name, common)
    return Connection(
        name=name,
        remote=peer,
        selector=selector,
        local_id=local_id,
        remote_id=remote_id,
        suites=suites,
        passive=name in common.passive,
        active_only="active-only" in (flag.lower() for flag in conf.get_list(name, "Flags")),
        line=conf.where(name),
        traffic=traffic,
        proposals=proposals,
        packets=said("Packets"),
        ipcomp=said("IPComp"),
        tfc_padding=said("TFC-padding"),
        all_fragments=said("Non-first-fragments"),
        single_pair=said("Single-pair"),
        share_traffic=said("Share-traffic"),
        pairs_max=_pairs_max(conf),
        sides=_sides(conf, name),
    )


def _sides(conf: Conf, name: str) -> tuple[str, str]:
    """The tags that say its traffic: a list of selectors stands in the place of an ID."""
    local, remote = (
        tag if conf.get(name, tag) is not None else identity
        for tag, identity in zip(SELECTOR_LISTS, ("Local-ID", "Remote-ID"), strict=True)
    )
    return local, remote


def read_selectors_of(
    conf: Conf, name: str, resolve: Resolve = no_interfaces
) -> tuple[Selector, ...]:
    """The traffic of a connection alone, whatever else is wrong with it, of however many networks
    more than a child SA may have."""
    peer, common = conf.get(name, "ISAKMP-peer", "") or "", Common(conf, resolve)
    *_, traffic = _traffic(conf, name, peer, resolve, common, _DROPPED_MAX)
    return selectors(traffic, _DROPPED_MAX)


def read_far(conf: Conf, name: str, resolve: Resolve = no_interfaces) -> tuple[Selector, ...]:
    """What a connection has with the far side, of everybody here, where our side alone cannot be
    read; see read_with_far(). ConfError of the side that is wrong."""
    peer, common = conf.get(name, "ISAKMP-peer", "") or "", Common(conf, resolve)
    found = read_with_far(conf, name, resolve)
    try:
        if not _selectors(conf, name, "Local-selectors"):
            _network(conf, name, "Local-ID", _local_id(conf, name, peer, resolve, common))
    except ConfError:
        return found
    return ()


def read_with_far(conf: Conf, name: str, resolve: Resolve = no_interfaces) -> tuple[Selector, ...]:
    """What a connection has with the far side, of everybody here, whatever our side is; without
    what would cut this host off. ConfError where it is wrong."""
    peer, common = conf.get(name, "ISAKMP-peer", "") or "", Common(conf, resolve)
    remote = _selectors(conf, name, "Remote-selectors")
    remote_id = None if remote else _remote_id(conf, name, peer, common)
    remote = remote or _of_identity(conf, name, "Remote-ID", remote_id)
    far = tuple(selector for selector in remote if not _is_everybody([selector]))
    for version in (4, 6):
        if _is_everybody([selector for selector in far if selector.start.version == version]):
            far = tuple(selector for selector in far if selector.start.version != version)
    if far:
        with suppress(Refused):
            return selectors(Traffic(_everybody(far), far), _DROPPED_MAX)
    return ()


def _is_everybody(side: Sequence[TrafficSelector]) -> bool:
    """Whether selectors of one version have as many addresses as half of all: to drop these would
    cut this host off."""
    if not side:
        return False
    every = sum(int(selector.end) - int(selector.start) + 1 for selector in side)
    return 2 * every >= 1 << side[0].start.max_prefixlen


def _everybody(other: tuple[TrafficSelector, ...]) -> tuple[TrafficSelector, ...]:
    """Every address of the versions of the other side."""
    versions = {selector.start.version for selector in other}
    every = (of_network(ip_network(text)) for text in ("0.0.0.0/0", "::/0"))
    return tuple(selector for selector in every if selector.start.version in versions)


def _pairs_max(conf: Conf) -> int:
    """Of networks, that one child SA carries at most."""
    return int(conf.general(PER_CHILD)[0])


def read_bypass(conf: Conf, name: str) -> tuple[Selector, ...]:
    """The traffic of a section that goes in clear on purpose."""
    conf.follow("Phase 2", "Bypass", name)
    local, remote = (_selectors(conf, name, tag) for tag in SELECTOR_LISTS)
    if not remote:
        hint = "such as 10.1.0.0/16"
        raise conf.error("has no Remote-selectors", name, hint=hint, missing=True)
    local = local or _everybody(remote)
    try:
        return selectors(Traffic(local, remote), _pairs_max(conf))
    except Refused as error:
        raise conf.error(error.reason.detail, name, "Remote-selectors") from None


def bypass_names(conf: Conf) -> list[str]:
    """The bypasses that [Phase 2] lists, each once."""
    return list(dict.fromkeys(conf.get_list("Phase 2", "Bypass")))


def connection_names(conf: Conf) -> list[str]:
    """What [Phase 2] lists, active ones first, each once."""
    listed = (name for tag in CONNECTION_LISTS for name in conf.get_list("Phase 2", tag))
    return list(dict.fromkeys(listed))


def passive_names(conf: Conf) -> frozenset[str]:
    """The connections that are answered and never started; listed in both ways, they are active."""
    active, passive = (conf.get_list("Phase 2", tag) for tag in CONNECTION_LISTS)
    return frozenset(passive) - frozenset(active)


def read_exchange(conf: Conf, configuration: str) -> isakmp.Exchange:
    """EXCHANGE_TYPE of an ISAKMP configuration: main or aggressive mode."""
    exchange: isakmp.Exchange = conf.value(
        Kind.ISAKMP_CONFIGURATION, configuration, "EXCHANGE_TYPE"
    )
    return exchange


def _expect_phase(conf: Conf, section: str, phase: str) -> None:
    kind = Kind.PEER if phase == "1" else Kind.CONNECTION
    if not conf.has_section(section):
        hint = conf.likely(section, (kind,))
        raise conf.error("there is no such section", section, hint=hint, missing=True)
    if conf.get(section, "Phase", phase) != phase:
        raise conf.error(f"Phase is not {phase} here", section, "Phase")
    refuse_misspelt(conf, kind, section)


def _follow_lists(conf: Conf, name: str) -> None:
    """A connection that is not there: ConfError where [Phase 2] lists it."""
    for tag in CONNECTION_LISTS:
        if name in conf.get_list("Phase 2", tag):
            conf.follow("Phase 2", tag, name)


def _configuration(conf: Conf, section: str) -> str:
    name = conf.get(section, "Configuration")
    if name is None:
        return BUILT_IN_CONFIGURATION
    conf.follow(section, "Configuration", name)
    return name


def _peer_address(conf: Conf, section: str) -> Address | None:
    address: Address | None = conf.value(Kind.PEER, section, "Address")
    return address


def _ike_transforms(conf: Conf, configuration: str) -> tuple[IkeTransform, ...]:
    transforms = []
    for name in read_names(conf, configuration, "Transforms", MAX_TRANSFORMS):
        line = conf.follow(configuration, "Transforms", name)
        transforms.append(read_ike_transform(conf, name, line))
    return tuple(transforms)


def _ike_algorithms(
    conf: Conf, section: str, configuration: str, spoken: tuple[str, ...], common: Common
) -> tuple[tuple[IkeTransform, ...], tuple[Proposal, ...]]:
    """IKEv1's transforms and IKEv2's proposals, those that the peer needs."""
    if conf.get(section, "IKE-proposals") is not None:
        return _ike_keywords(conf, section, spoken, common)
    written = conf.get(section, "Configuration") is not None
    transforms = common.transforms(configuration) if written or IKEV1 in spoken else ()
    if IKEV2 not in spoken:
        return transforms, ()
    proposals = ike_proposals(transforms) if written else default_ike(conf.where(section))
    if not proposals:
        hint = "set IKE-proposals"
        reason = "IKEv2 has the algorithms of none of its transforms"
        if lacking := ike_outside(transforms):
            reason += f": it has no {lacking}"
        raise conf.error(reason, section, "Configuration", hint)
    return transforms, proposals


def _ike_keywords(
    conf: Conf, section: str, spoken: tuple[str, ...], common: Common
) -> tuple[tuple[IkeTransform, ...], tuple[Proposal, ...]]:
    proposals = read_keywords(conf, Kind.PEER, section, "IKE-proposals")
    if IKEV1 not in spoken:
        return (), proposals
    transforms = ike_transforms(proposals, common.life(section, "LIFE_MAIN_MODE"))
    if not transforms:
        hint = more_exchanges(proposals) or "such as aes256-sha256-modp2048"
        raise conf.error("none of these can be said in IKEv1", section, "IKE-proposals", hint)
    return transforms, proposals if IKEV2 in spoken else ()


def _own_address(
    conf: Conf, section: str, theirs: Address | None, resolve: Resolve
) -> Address | None:
    """Our end towards a peer, of an interface the address of the same IP version."""
    if (text := conf.get(section, "Local-address")) is None:
        return None
    version = theirs.version if theirs and not is_address(text) else None
    ours = read_address(conf, section, "Local-address", version, resolve)
    if theirs and ours.version != theirs.version:
        reason = f"Address {theirs} and Local-address {ours} are of different IP versions"
        raise conf.error(reason, section, "Local-address")
    return ours


def _own_id(conf: Conf, section: str, common: Common, spoken: tuple[str, ...]) -> Identity | None:
    """The peer's ID, else what [General] says for all peers."""
    if conf.get(section, "ID") is not None:
        return _peer_id(conf, section, "ID", common, spoken)
    try:
        return _peer_id(conf, "General", "Default-phase-1-ID", common, spoken)
    except ConfError:  # which the checker tells; of [General] the default counts instead
        return None


def _peer_id(
    conf: Conf, section: str, tag: str, common: Common, spoken: tuple[str, ...]
) -> Identity | None:
    """Who one of two peers is. IKEv2 has no networks as identities (RFC 7296 3.5): one of a single
    address is that."""
    found = _optional_id(conf, section, tag, common)
    if not found or found.type not in SUBNETS or IKEV2 not in spoken:
        return found
    network = network_of(found)
    if network is None or network.prefixlen < network.max_prefixlen:
        reason = f"{no_network(found.type)}, and IKEv2 has no such identity"
        raise conf.error(reason, section, tag, meant_for(tag))
    return replace(identity_of(network, found.protocol, found.port), line=found.line)


def _optional_id(conf: Conf, section: str, tag: str, common: Common) -> Identity | None:
    name = conf.get(section, tag)
    if name is None:
        return None
    conf.follow(section, tag, name)
    return common.identity(name)


def _traffic(
    conf: Conf, name: str, peer: str, resolve: Resolve, common: Common, most: int
) -> tuple[Identity, Identity, Selector, Traffic]:
    """Identities and selector for IKEv1, and the traffic for IKEv2: its own lists, or the same.

    most: of so many pairs of networks.
    """
    local, remote = (_selectors(conf, name, tag) for tag in SELECTOR_LISTS)
    local_id = None if local else _local_id(conf, name, peer, resolve, common)
    remote_id = None if remote else _remote_id(conf, name, peer, common)
    if local_id and remote_id:
        selector = _selector(conf, name, local_id, remote_id)
        src, dst, protocol, *_ = selector
        traffic = Traffic(
            (of_network(src, protocol, local_id.port),),
            (of_network(dst, protocol, remote_id.port),),
        )
        if protocol not in ICMP:  # whose type may stand in either of the two
            return local_id, remote_id, selector, traffic
    else:
        traffic = Traffic(
            local or _of_identity(conf, name, "Local-ID", local_id),
            remote or _of_identity(conf, name, "Remote-ID", remote_id),
        )
    try:
        selector = selectors(traffic, most)[0]
    except Refused as error:
        tag = SELECTOR_LISTS[not local] if local or remote else "Remote-ID"
        raise conf.error(error.reason.detail, name, tag) from None
    local_id = identity_of(selector.src, selector.protocol, selector.src_port)
    remote_id = identity_of(selector.dst, selector.protocol, selector.dst_port)
    return local_id, remote_id, selector, traffic


def _selectors(conf: Conf, name: str, tag: str) -> tuple[TrafficSelector, ...]:
    return read_selectors(conf, name, tag) if conf.get(name, tag) is not None else ()


def _of_identity(
    conf: Conf, name: str, tag: str, identity: Identity | None
) -> tuple[TrafficSelector, ...]:
    if identity is None:
        return ()
    return (of_network(_network(conf, name, tag, identity), identity.protocol, identity.port),)


def _remote_id(conf: Conf, name: str, peer: str, common: Common) -> Identity:
    """Remote-ID; where it is not written, the peer's address."""
    if found := _optional_id(conf, name, "Remote-ID", common):
        return found
    address = _peer_address(conf, peer)
    if address is None:
        reason = f"neither Remote-ID here nor {_in(peer, 'Address')}"
        raise conf.error(reason, name, missing=True)
    return _address_id(address, conf.where(peer, "Address"))


def _local_id(conf: Conf, name: str, peer: str, resolve: Resolve, common: Common) -> Identity:
    """Local-ID; where it is not written, our address. Of a peer that is not there, that is not
    known."""
    if found := _optional_id(conf, name, "Local-ID", common):
        return found
    if peer:
        conf.follow(name, "ISAKMP-peer", peer)
    remote = _peer_address(conf, peer)
    return _address_id(_local_address(conf, name, peer, remote, resolve), conf.where(peer))


def _local_address(
    conf: Conf, name: str, peer: str, remote: Address | None, resolve: Resolve
) -> Address:
    if conf.get(peer, "Local-address") is not None:
        return read_address(conf, peer, "Local-address", None, resolve)
    found = resolve("default", remote.version if remote else 4) if peer else None
    if found is None:
        reason = f"neither Local-ID here nor {_in(peer, 'Local-address')}"
        reason += ", and no default route" if peer else ""
        raise conf.error(reason, name, hint="write one of the two", missing=True)
    return found.ip


def _in(peer: str, tag: str) -> str:
    """A peer's tag for people, also of no peer."""
    return f"{tag} in [{peer}]" if peer else "an ISAKMP-peer"


def _address_id(address: Address, line: str) -> Identity:
    kind = ipsec.Id.IPV4_ADDR if address.version == 4 else ipsec.Id.IPV6_ADDR
    return Identity(kind, address.packed, line=line)


def _selector(conf: Conf, name: str, local_id: Identity, remote_id: Identity) -> Selector:
    src, dst = (
        _network(conf, name, "Local-ID", local_id),
        _network(conf, name, "Remote-ID", remote_id),
    )
    if src.version != dst.version:
        raise conf.error("Local-ID and Remote-ID are of different IP versions", name)
    if local_id.protocol and remote_id.protocol and local_id.protocol != remote_id.protocol:
        raise conf.error("Local-ID and Remote-ID name different protocols", name)
    protocol = local_id.protocol or remote_id.protocol
    if not protocol and (local_id.port or remote_id.port):
        tag = "Local-ID" if local_id.port else "Remote-ID"
        raise conf.error("names a Port without a Protocol: it selects nothing", name, tag,
                         hint="set Protocol in its section")  # fmt: skip
    return Selector(src, dst, protocol, local_id.port, remote_id.port)


def _network(conf: Conf, name: str, tag: str, identity: Identity) -> Network:
    network = network_of(identity)
    if network is None:
        hint = "an address or a subnet"
        raise conf.error(f"{identity.type.name} selects no traffic", name, tag, hint=hint)
    return network


def _ipsec_algorithms(
    conf: Conf, name: str, common: Common
) -> tuple[tuple[Suite, ...], tuple[Proposal, ...]]:
    """IKEv1's suites and IKEv2's proposals."""
    mode = conf.value(Kind.CONNECTION, name, "Mode")
    if conf.get(name, "ESP-proposals") is not None:
        proposals = read_keywords(conf, Kind.CONNECTION, name, "ESP-proposals")
        life = common.life(name, "LIFE_QUICK_MODE")
        window = conf.value(Kind.CONNECTION, name, "ReplayWindow")
        return suites_of(proposals, life, mode or ipsec.Encapsulation.TUNNEL, window), proposals
    suites = _suites(conf, name, common)
    if mode is not None:
        suites = with_mode(suites, mode)
    written = conf.is_written(conf.get(name, "Configuration") or "", "Suites")
    if written or conf.is_written("General", "Default-phase-2-suites"):
        return suites, ipsec_proposals(suites)
    return suites, default_esp(conf.where(name))


def _suites(conf: Conf, name: str, common: Common) -> tuple[Suite, ...]:
    """The proposals of a connection, else [General]:Default-phase-2-suites."""
    configuration = conf.get(name, "Configuration")
    section, tag = "General", "Default-phase-2-suites"
    if configuration is not None:
        conf.follow(name, "Configuration", configuration)
        conf.value(Kind.IPSEC_CONFIGURATION, configuration, "EXCHANGE_TYPE")
        if conf.is_written(configuration, "Suites"):
            section, tag = configuration, "Suites"
    if section == "General":
        lent(conf, tag)
    suites = []
    for suite in read_names(conf, section, tag, MAX_PROPOSALS):
        suites.append(common.suite(suite, conf.follow(section, tag, suite)))
    return tuple(suites)
