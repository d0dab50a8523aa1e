"""isakmpd's sections read into the policy model: peers to Remote, connections to Connection.

Every function raises ConfError with file and line, and nothing else. ``resolve`` finds the
address of an interface or of ``default``; without it only written addresses are known.
"""

from __future__ import annotations

from ipaddress import ip_address

from isakmp.conf import Conf, nearest
from isakmp.constants import ISAKMP_PORT, ipsec, isakmp
from isakmp.policy.identity import (
    Resolve,
    network_of,
    no_interfaces,
    read_address,
    read_identity,
)
from isakmp.policy.spd import (
    Address,
    Connection,
    Identity,
    IkeTransform,
    Network,
    Remote,
    Selector,
    Suite,
)
from isakmp.policy.transforms import (
    MAX_PROPOSALS,
    MAX_TRANSFORMS,
    read_ike_transform,
    read_member,
    read_names,
    read_suite,
)

BUILT_IN_PEER = "Default-phase-1"
EXCHANGES = (isakmp.Exchange.ID_PROT, isakmp.Exchange.AGGRESSIVE)
CONNECTION_LISTS = ("Connections", "Passive-connections")


def read_remote(conf: Conf, section: str, resolve: Resolve = no_interfaces) -> Remote:
    """The ISAKMP peer a section describes."""
    _expect_phase(conf, section, "1")
    configuration = _configuration(conf, section)
    transforms = _ike_transforms(conf, configuration)
    return Remote(
        name=section,
        address=_peer_address(conf, section),
        port=_port(conf, section),
        exchange=read_exchange(conf, configuration),
        transforms=transforms,
        local_address=_optional_address(conf, section, "Local-address", resolve),
        local_id=_own_id(conf, section, resolve),
        remote_id=_optional_id(conf, section, "Remote-ID", resolve),
        secret=read_secret(conf, section),
        flags=frozenset(flag.lower() for flag in conf.get_list(section, "Flags")),
        life=transforms[0].life,
        line=conf.where(section),
    )


def find_remote(conf: Conf, address: Address, resolve: Resolve = no_interfaces) -> Remote | None:
    """The peer that [Phase 1] names for ``address``, else its Default, else None.

    No Default is built in, so that a stranger is told apart from a peer whose proposal does not
    fit.
    """
    section = find_remote_section(conf, address)
    return read_remote(conf, section, resolve) if section else None


def find_remote_section(conf: Conf, address: Address) -> str | None:
    """The name of that peer's section, unread."""
    for tag in (str(address), address.exploded):
        if section := conf.get("Phase 1", tag):
            return section
    if address.version == 6 and (written := _other_spelling(conf, address)):
        return conf.get("Phase 1", written)
    return conf.get("Phase 1", "Default")


def read_connection(
    conf: Conf,
    name: str,
    resolve: Resolve = no_interfaces,
    passive: frozenset[str] | None = None,
) -> Connection:
    """The phase 2 connection ``name``. Its peer is not read, only named.

    passive: passive_names(conf), for who reads many connections.
    """
    if not conf.has_section(name):
        _follow_lists(conf, name)
    _expect_phase(conf, name, "2")
    peer = conf.get(name, "ISAKMP-peer")
    if peer is None:
        raise conf.error("has no ISAKMP-peer", name)
    conf.follow(name, "ISAKMP-peer", peer)
    local_id, remote_id = _connection_ids(conf, name, peer, resolve)
    return Connection(
        name=name,
        remote=peer,
        selector=_selector(conf, name, local_id, remote_id),
        local_id=local_id,
        remote_id=remote_id,
        suites=_suites(conf, name),
        passive=name in (passive_names(conf) if passive is None else passive),
        active_only="active-only" in (flag.lower() for flag in conf.get_list(name, "Flags")),
        line=conf.where(name),
    )


def connection_names(conf: Conf) -> list[str]:
    """What [Phase 2] lists, active ones first, each once."""
    listed = (name for tag in CONNECTION_LISTS for name in conf.get_list("Phase 2", tag))
    return list(dict.fromkeys(listed))


def read_connections(conf: Conf, resolve: Resolve = no_interfaces) -> list[Connection]:
    """All connections that [Phase 2] lists."""
    passive = passive_names(conf)
    return [read_connection(conf, name, resolve, passive) for name in connection_names(conf)]


def passive_names(conf: Conf) -> frozenset[str]:
    """The connections that are answered and never started; listed in both ways, they are active."""
    active, passive = (conf.get_list("Phase 2", tag) for tag in CONNECTION_LISTS)
    return frozenset(passive) - frozenset(active)


def read_exchange(conf: Conf, configuration: str) -> isakmp.Exchange:
    """EXCHANGE_TYPE of an ISAKMP configuration: main or aggressive mode."""
    exchange = read_member(conf, configuration, "EXCHANGE_TYPE", isakmp.Exchange, "ID_PROT")
    if exchange not in EXCHANGES:
        raise conf.error(
            f"{exchange.name} cannot set up phase 1",
            configuration,
            "EXCHANGE_TYPE",
            hint="ID_PROT or AGGRESSIVE",
        )
    return exchange


def read_secret(conf: Conf, section: str) -> bytes:
    """The pre-shared key of a peer's or an initiator's section; hex after 0x; b"" for none."""
    text = conf.get(section, "Authentication", "") or ""
    if not text.startswith("0x"):
        return text.encode()
    try:
        return bytes.fromhex(text[2:])
    except ValueError:
        # The secret must not be quoted, and not be found in a chained exception.
        error = conf.error("not hexadecimal after 0x", section, "Authentication")
    raise error


def find_secret(conf: Conf, identity: Identity) -> bytes:
    """The pre-shared key of the section named as an initiator's identity (aggressive mode).

    Not of a peer's section: who has one peer's key would be another by naming its section.
    """
    section = str(identity)
    return b"" if _is_peer(conf, section) else read_secret(conf, section)


def _is_peer(conf: Conf, section: str) -> bool:
    """Whether a section describes an ISAKMP peer, and no identity."""
    tags = ("Address",) if conf.get(section, "ID-type") is None else ()
    return any(
        conf.get(section, tag) is not None
        for tag in ("Phase", "Configuration", "Local-address", "Remote-ID", *tags)
    )


def _expect_phase(conf: Conf, section: str, phase: str) -> None:
    if not conf.has_section(section):
        hint = nearest(section, conf.sections())
        raise conf.error("there is no such section", section, hint=hint)
    if conf.get(section, "Phase", phase) != phase:
        raise conf.error(f"Phase is not {phase} here", section, "Phase")


def _follow_lists(conf: Conf, name: str) -> None:
    """A connection that is not there: ConfError where [Phase 2] lists it."""
    for tag in CONNECTION_LISTS:
        if name in conf.get_list("Phase 2", tag):
            conf.follow("Phase 2", tag, name)


def _configuration(conf: Conf, section: str) -> str:
    name = conf.get(section, "Configuration")
    if name is None:
        return f"{BUILT_IN_PEER}-configuration"
    conf.follow(section, "Configuration", name)
    return name


def _peer_address(conf: Conf, section: str) -> Address | None:
    text = conf.get(section, "Address")
    if text is None:
        return None
    try:
        return ip_address(text)
    except ValueError:
        raise conf.error(f"{text!r} is not an address", section, "Address") from None


def _port(conf: Conf, section: str) -> int:
    port = conf.get_int(section, "Port", ISAKMP_PORT)
    if port is None or not 0 < port <= 0xFFFF:
        raise conf.error("not a port", section, "Port")
    return port


def _ike_transforms(conf: Conf, configuration: str) -> tuple[IkeTransform, ...]:
    transforms = []
    for name in read_names(conf, configuration, "Transforms", MAX_TRANSFORMS):
        line = conf.follow(configuration, "Transforms", name)
        transforms.append(read_ike_transform(conf, name, line))
    return tuple(transforms)


def _optional_address(conf: Conf, section: str, tag: str, resolve: Resolve) -> Address | None:
    if conf.get(section, tag) is None:
        return None
    return read_address(conf, section, tag, None, resolve)


def _own_id(conf: Conf, section: str, resolve: Resolve) -> Identity | None:
    """The peer's ID, else what [General] says for all peers."""
    if conf.get(section, "ID") is not None:
        return _optional_id(conf, section, "ID", resolve)
    return _optional_id(conf, "General", "Default-phase-1-ID", resolve)


def _optional_id(conf: Conf, section: str, tag: str, resolve: Resolve) -> Identity | None:
    name = conf.get(section, tag)
    if name is None:
        return None
    conf.follow(section, tag, name)
    return read_identity(conf, name, resolve)


def _other_spelling(conf: Conf, address: Address) -> str | None:
    """The tag of [Phase 1] that writes an IPv6 address in some other way."""
    for tag in conf.tags("Phase 1"):
        try:
            if ip_address(tag) == address:
                return tag
        except ValueError:
            continue
    return None


def _connection_ids(
    conf: Conf, name: str, peer: str, resolve: Resolve
) -> tuple[Identity, Identity]:
    """Local-ID and Remote-ID; where one is not written, the address of that end of the SA."""
    local_id = _optional_id(conf, name, "Local-ID", resolve)
    remote_id = _optional_id(conf, name, "Remote-ID", resolve)
    remote_address = _peer_address(conf, peer)
    if remote_id is None:
        if remote_address is None:
            raise conf.error(f"neither Remote-ID here nor Address in [{peer}]", name)
        remote_id = _address_id(remote_address, conf.where(peer, "Address"))
    if local_id is None:
        local_id = _address_id(
            _local_address(conf, name, peer, remote_address, resolve), conf.where(peer)
        )
    return local_id, remote_id


def _local_address(
    conf: Conf, name: str, peer: str, remote: Address | None, resolve: Resolve
) -> Address:
    if conf.get(peer, "Local-address") is not None:
        return read_address(conf, peer, "Local-address", None, resolve)
    found = resolve("default", remote.version if remote else 4)
    if found is None:
        raise conf.error(f"neither Local-ID here nor Local-address in [{peer}]", name)
    return found.ip


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
    return Selector(src, dst, protocol, local_id.port, remote_id.port)


def _network(conf: Conf, name: str, tag: str, identity: Identity) -> Network:
    network = network_of(identity)
    if network is None:
        hint = "an address or a subnet"
        raise conf.error(f"{identity.type.name} selects no traffic", name, tag, hint=hint)
    return network


def _suites(conf: Conf, name: str) -> tuple[Suite, ...]:
    """The proposals of a connection, else [General]:Default-phase-2-suites."""
    configuration = conf.get(name, "Configuration")
    section, tag = "General", "Default-phase-2-suites"
    if configuration is not None:
        conf.follow(name, "Configuration", configuration)
        _expect_quick_mode(conf, configuration)
        if conf.get(configuration, "Suites") is not None:
            section, tag = configuration, "Suites"
    suites = []
    for suite in read_names(conf, section, tag, MAX_PROPOSALS):
        suites.append(read_suite(conf, suite, conf.follow(section, tag, suite)))
    return tuple(suites)


def _expect_quick_mode(conf: Conf, configuration: str) -> None:
    exchange = read_member(conf, configuration, "EXCHANGE_TYPE", isakmp.Exchange, "QUICK_MODE")
    if exchange is not isakmp.Exchange.QUICK_MODE:
        raise conf.error(f"{exchange.name} is not phase 2", configuration, "EXCHANGE_TYPE")
