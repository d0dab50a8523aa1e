"""SAs and policies of isakmp.app.base as the extensions of PF_KEYv2 messages, and back.

RFC 2367 3.1 and KAME. Where an extension of our own is missing (the other side is not isakmpd),
the nearest meaning stands in: an SA that completes an SPI is inbound, one that is added is
outbound, and it carries all traffic (tunnel) or that of its end points (transport).
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_network
from types import MappingProxyType

from isakmp.app.base import Action, Direction, Limits, PolicySpec, SaId, SaSpec
from isakmp.app.pf_key import algorithms, codec
from isakmp.app.pf_key.codec import Exts, Lifetime, Message, Policy, Request, Sa, Sa2
from isakmp.app.pf_key.constants import (
    Dir,
    Ext,
    Flag,
    Level,
    Mode,
    NatT,
    PolicyType,
    State,
    Type,
)
from isakmp.constants import ipsec, isakmp
from isakmp.errors import ApplicationError, MalformedPayload
from isakmp.policy.spd import Address, Selector

TUNNELS = frozenset(
    (
        ipsec.Encapsulation.TUNNEL,
        ipsec.Encapsulation.UDP_ENCAP_TUNNEL,
        ipsec.Encapsulation.UDP_ENCAP_TUNNEL_DRAFT,
    )
)
ACTIONS = MappingProxyType(
    {
        Action.DISCARD: PolicyType.DISCARD,
        Action.BYPASS: PolicyType.NONE,
        Action.IPSEC: PolicyType.IPSEC,
    }
)
_ACTIONS_BACK = MappingProxyType({int(number): action for action, number in ACTIONS.items()})
NO_LIMITS = Limits()
_MAX_REPLAY_OCTET = 255


def mode(encapsulation: ipsec.Encapsulation) -> Mode:
    """IPSEC_MODE of an encapsulation mode; that UDP is around it is said elsewhere."""
    return Mode.TUNNEL if encapsulation in TUNNELS else Mode.TRANSPORT


def encapsulation(number: int) -> ipsec.Encapsulation:
    """The mode of an IPSEC_MODE; any: tunnel, as KAME's drafts have it."""
    transport = number == Mode.TRANSPORT
    return ipsec.Encapsulation.TRANSPORT if transport else ipsec.Encapsulation.TUNNEL


def sa_exts(spec: SaSpec, private: bool, with_keys: bool = True) -> bytes:
    """The extensions of SADB_ADD and SADB_UPDATE; ``private``: those of our own, too.

    ApplicationError where PF_KEY has no number for an algorithm, or the key a wrong size, or
    where a kernel would take an SA with extended sequence numbers for one without (Linux).
    """
    if spec.esn and not private:
        raise ApplicationError("PF_KEY of this kernel has no extended sequence numbers")
    protocol = spec.protocol
    encrypt = algorithms.to_encrypt(protocol, spec.encryption, len(spec.enc_key) * 8)
    auth = algorithms.to_auth(spec.auth, len(spec.auth_key) * 8)
    window, flags = spec.replay_window, Flag.X_ESN if spec.esn else 0
    small = min(window, _MAX_REPLAY_OCTET)
    parts = [
        codec.sa(Sa(spec.spi, small, State.MATURE, auth, encrypt, flags)),
        codec.sa2(Sa2(mode(spec.mode), spec.reqid)),
        codec.addresses(spec.src, spec.dst),
        lifetimes(spec.limits),
    ]
    if with_keys:
        parts.append(codec.key(Ext.KEY_AUTH, spec.auth_key))
        parts.append(codec.key(Ext.KEY_ENCRYPT, spec.enc_key))
    if spec.encap:
        parts.append(codec.nat_t_type(NatT.ESP_IN_UDP))
        parts.append(codec.nat_t_port(Ext.X_NAT_T_SPORT, spec.encap[0]))
        parts.append(codec.nat_t_port(Ext.X_NAT_T_DPORT, spec.encap[1]))
    if private:
        direction = Dir.INBOUND if spec.inbound else Dir.OUTBOUND
        parts.append(codec.selectors(direction, spec.selectors))
        if window > _MAX_REPLAY_OCTET:
            parts.append(codec.replay(window))
    return b"".join(parts)


@lru_cache(1024)
def lifetimes(limits: Limits) -> bytes:
    """Soft and hard lifetimes; nothing for a kind that has no limit."""
    parts = b""
    soft = Lifetime(limits.soft_packets, limits.soft_bytes, limits.soft_s)
    hard = Lifetime(limits.hard_packets, limits.hard_bytes, limits.hard_s)
    for ext, lifetime in ((Ext.LIFETIME_SOFT, soft), (Ext.LIFETIME_HARD, hard)):
        if any(lifetime):
            parts += codec.lifetime(ext, lifetime)
    return parts


def read_limits(exts: Exts) -> Limits:
    """Soft and hard lifetimes; allocations are packets, as kernels take them to be; limits on the
    time of use are not ours."""
    if Ext.LIFETIME_SOFT not in exts and Ext.LIFETIME_HARD not in exts:
        return NO_LIMITS
    soft = codec.read_lifetime(exts, Ext.LIFETIME_SOFT)
    hard = codec.read_lifetime(exts, Ext.LIFETIME_HARD)
    return _limits(soft, hard)


@lru_cache(1024)
def _limits(soft: Lifetime, hard: Lifetime) -> Limits:
    """Both SAs of a pair have the same, and so often do other pairs."""
    return Limits(
        soft.addtime, hard.addtime, soft.octets, hard.octets, soft.allocations, hard.allocations
    )


def read_protocol(satype: int) -> isakmp.Protocol:
    """The protocol of a message's SA type. MalformedPayload where it is none of IPsec."""
    protocol = algorithms.PROTOCOLS.get(satype)  # type: ignore[call-overload]
    if protocol is None:
        raise MalformedPayload("sadb_msg", 3, f"SA type {satype}", "RFC 2367 3.4")
    found: isakmp.Protocol = protocol
    return found


def read_sa(message: Message) -> SaSpec:
    """The SA of SADB_ADD or SADB_UPDATE. MalformedPayload, or ApplicationError of an algorithm."""
    exts, protocol = message.exts, read_protocol(message.satype)
    sa, sa2 = codec.read_sa(exts), codec.read_sa2(exts)
    if sa.state != State.MATURE:
        raise MalformedPayload("SA", 9, f"state {sa.state} is not mature", "RFC 2367 3.1.3")
    src, dst = codec.read_addresses(exts)
    enc_key = codec.read_key(exts, Ext.KEY_ENCRYPT)
    auth_key = codec.read_key(exts, Ext.KEY_AUTH)
    wide = codec.read_replay(exts)
    inbound, selectors = _read_traffic(message, sa2.mode, src, dst)
    return SaSpec(
        protocol=protocol,
        spi=sa.spi,
        src=src,
        dst=dst,
        mode=encapsulation(sa2.mode),
        inbound=inbound,
        selectors=selectors,
        reqid=sa2.reqid,
        encryption=algorithms.from_encrypt(protocol, sa.encrypt, len(enc_key) * 8),
        enc_key=enc_key,
        auth=algorithms.from_auth(sa.auth, len(auth_key) * 8),
        auth_key=auth_key,
        replay_window=sa.replay if wide is None else wide,
        limits=read_limits(exts),
        encap=read_encap(exts),
        esn=bool(sa.flags & Flag.X_ESN),
    )


def _read_traffic(
    message: Message, mode: int, src: Address, dst: Address
) -> tuple[bool, tuple[Selector, ...]]:
    """Whether an SA is inbound, and what it carries."""
    if (said := codec.read_selectors(message.exts)) is not None:
        return said[0] == Dir.INBOUND, said[1]
    inbound = message.type == Type.UPDATE
    if mode == Mode.TRANSPORT:
        return inbound, (Selector(ip_network(src), ip_network(dst)),)
    everything = ip_network("0.0.0.0/0" if src.version == 4 else "::/0")
    return inbound, (Selector(everything, everything),)


def read_encap(exts: Exts) -> tuple[int, int] | None:
    """UDP ports, source and destination, of ESP in UDP; None where it is not."""
    kind = codec.read_nat_t_type(exts)
    if not kind:
        return None
    if kind != NatT.ESP_IN_UDP:
        raise MalformedPayload("X_NAT_T_TYPE", 4, f"type {kind}", "RFC 3948 2.1")
    sport = codec.read_nat_t_port(exts, Ext.X_NAT_T_SPORT)
    return sport, codec.read_nat_t_port(exts, Ext.X_NAT_T_DPORT)


def sa_id_exts(sa: SaId) -> bytes:
    """What names an SA: <SA(*), address(SD)>."""
    return codec.sa(Sa(sa.spi)) + codec.addresses(sa.src, sa.dst)


def read_sa_id(message: Message) -> SaId:
    """What names an SA in a message."""
    spi = codec.read_sa(message.exts).spi
    return SaId(read_protocol(message.satype), spi, *codec.read_addresses(message.exts))


def policy_value(spec: PolicySpec, number: int = 0) -> Policy:
    """sadb_x_policy of a policy; ``number``: its id, where it has one.

    ApplicationError where a tunnel has no end points.
    """
    direction = Dir.INBOUND if spec.direction is Direction.IN else Dir.OUTBOUND
    requests: tuple[Request, ...] = ()
    if spec.action is Action.IPSEC:
        requests = (_request(spec, spec.src, spec.dst),)
    return Policy(ACTIONS[spec.action], direction, number, 0, requests)


def _request(spec: PolicySpec, src: Address | None, dst: Address | None) -> Request:
    protocol, kind = algorithms.IP_PROTOCOLS[spec.protocol], mode(spec.mode)
    if kind is Mode.TUNNEL and (src is None or dst is None):
        raise ApplicationError("the policy's tunnel has no end points")
    return Request(protocol, kind, Level.UNIQUE, spec.reqid, src, dst)


def policy_exts(spec: PolicySpec, number: int = 0) -> bytes:
    """<policy, address(SD)>."""
    return codec.policy(policy_value(spec, number)) + codec.traffic(spec.selector)


def migrate_exts(spec: PolicySpec, src: Address, dst: Address) -> bytes:
    """<policy, address(SD)> of Linux's X_MIGRATE: a request of the old ends, one of the new."""
    value = policy_value(spec)
    requests = (_request(spec, spec.src, spec.dst), _request(spec, src, dst))
    return codec.policy(value._replace(requests=requests)) + codec.traffic(spec.selector)


def read_policy(message: Message) -> PolicySpec:
    """The policy of a message: one request at most. MalformedPayload where it is another."""
    value = codec.read_policy(message.exts)
    if value.dir not in (Dir.INBOUND, Dir.OUTBOUND):
        raise MalformedPayload("X_POLICY", 6, f"direction {value.dir}")
    action = _ACTIONS_BACK.get(value.type)
    if action is None:
        raise MalformedPayload("X_POLICY", 4, f"type {value.type}")
    direction = Direction.IN if value.dir == Dir.INBOUND else Direction.OUT
    selector = codec.read_traffic(message.exts)
    # What is deleted is named by its direction and its traffic.
    named = message.type == Type.X_SPDDELETE and not value.requests
    if named or action is not Action.IPSEC:
        return PolicySpec(direction, selector, action)
    if not value.requests:
        raise MalformedPayload("X_POLICY", 16, "no request")
    request = value.requests[0]
    protocol = algorithms.FROM_IP_PROTOCOL.get(request.protocol)
    if protocol is None:
        raise MalformedPayload("X_POLICY", 18, f"protocol {request.protocol}")
    kind = encapsulation(request.mode)
    return PolicySpec(
        direction, selector, action, protocol, kind, request.src, request.dst, request.reqid
    )
