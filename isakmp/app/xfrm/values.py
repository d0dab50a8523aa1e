"""The application's values as the kernel has them, and back.

reqids of the kernel are the daemon's beyond REQID_BASE. Indices of its policies begin with
INDEX_BASE, those of a key engine's guard with GUARD_BASE and the number of a block that is its
own: so what is ours is told from what others have installed, also after a restart. Whose a block
is, its policies say in a limit of theirs that the kernel keeps and does not heed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from isakmp.app.base import (
    Acquire,
    Action,
    Direction,
    Expire,
    Limits,
    Mapping,
    PolicySpec,
    SaId,
    SaSpec,
    SpiRequest,
    Usage,
    bundle_order,
)
from isakmp.app.xfrm import messages
from isakmp.app.xfrm.algorithms import algorithm_attributes
from isakmp.app.xfrm.constants import (
    ALL_ALGORITHMS,
    ESP_IN_UDP,
    INFINITE,
    Attr,
    Dir,
    IpProtocol,
    Mode,
    PolicyAction,
    StateFlag,
)
from isakmp.app.xfrm.layout import Values, family_of, to_address
from isakmp.app.xfrm.messages import attribute
from isakmp.constants import ipsec, isakmp
from isakmp.errors import ApplicationError, MalformedPayload
from isakmp.policy.spd import Address, Selector, make_network

REQID_BASE, REQIDS = 0x69000000, 1 << 24
INDEX_BASE, INDICES = 0x69000000, 1 << 21
GUARD_BASE, GUARDS, _BLOCK = 0x70000000, 1 << 10, 18
MIN_SPI, MAX_SPI = 0x100, 0xFFFFFFFF
MIN_CPI, MAX_CPI = 256, 61439  # RFC 3173 2.4: negotiated CPIs
Ports = tuple[tuple[int, int], tuple[int, int]]
"""Port and mask of the source, port and mask of the destination."""
Place = tuple[Dir, Ports]
"""Where a policy of ours stands in the kernel, which has one of its own for each."""
_SMALL_WINDOW = 32  # beyond it the kernel wants the window in an attribute
_MAX_WINDOW = 4096

IP_PROTOCOLS = {
    isakmp.Protocol.IPSEC_ESP: IpProtocol.ESP,
    isakmp.Protocol.IPSEC_AH: IpProtocol.AH,
    isakmp.Protocol.IPCOMP: IpProtocol.COMP,
}
PROTOCOLS = {number: protocol for protocol, number in IP_PROTOCOLS.items()}
_TRANSPORT = (
    ipsec.Encapsulation.TRANSPORT,
    ipsec.Encapsulation.UDP_ENCAP_TRANSPORT,
    ipsec.Encapsulation.UDP_ENCAP_TRANSPORT_DRAFT,
)


def kernel_reqid(reqid: int) -> int:
    """The kernel's reqid of one of ours. ApplicationError where there are too many."""
    if not 0 <= reqid < REQIDS:
        raise ApplicationError(f"reqid {reqid} is not below {REQIDS}")
    return REQID_BASE + reqid


def is_ours(reqid: int) -> bool:
    """Whether an SA of the kernel with this reqid is ours."""
    return REQID_BASE <= reqid < REQID_BASE + REQIDS


@dataclass(frozen=True, slots=True)
class Indices:
    """The kernel's indices of one owner's policies; the kernel wants the direction in them.

    tag: a number in each of the policies, up to 63 bits.
    """

    base: int
    count: int
    tag: int = INFINITE

    def index(self, number: int, dir: Dir) -> int:
        """The index of a policy of that number."""
        return self.base | (number % self.count) << 3 | dir

    def number(self, index: int) -> int:
        """The number in an index."""
        return (index - self.base) >> 3

    def has(self, index: int) -> bool:
        """Whether a policy of the kernel is of this owner."""
        return self.base <= index < self.base + (self.count << 3)


OURS = Indices(INDEX_BASE, INDICES)


def of_guard(tag: int, present: Iterable[Values]) -> Indices:
    """Those of the guard that ``tag`` stands for, given the kernel's policies: the block that has
    the tag already, or else a free one. ApplicationError where there is none."""
    owners = {
        (info["index"] - GUARD_BASE) >> _BLOCK: info["lft"]["soft_packet_limit"]
        for info in present if info["index"] >= GUARD_BASE
    }  # fmt: skip
    ours = (block for block, owner in owners.items() if owner == tag)
    every = ((tag + step) % GUARDS for step in range(GUARDS))
    block = next(chain(ours, (block for block in every if block not in owners)), None)
    if block is None:
        raise ApplicationError(f"{GUARDS} key engines have left policies here: isakmpd --open "
                               "takes those of a Run-directory away")  # fmt: skip
    return Indices(GUARD_BASE | block << _BLOCK, 1 << (_BLOCK - 3), tag)


def mode(encapsulation: ipsec.Encapsulation) -> Mode:
    """The kernel's mode."""
    return Mode.TRANSPORT if encapsulation in _TRANSPORT else Mode.TUNNEL


# --- SAs -------------------------------------------------------------------------------------


def sa_id(sa: SaId) -> bytes:
    """The body of DELSA and GETSA."""
    return messages.SA_ID.pack(
        daddr=sa.dst, spi=sa.spi, family=family_of(sa.dst), proto=IP_PROTOCOLS[sa.protocol]
    )


def spi_request(request: SpiRequest) -> bytes:
    """The body of ALLOCSPI."""
    low, high = MIN_SPI, MAX_SPI
    if request.protocol is isakmp.Protocol.IPCOMP:
        low, high = MIN_CPI, MAX_CPI
    info = {
        "id": {"daddr": request.dst, "proto": IP_PROTOCOLS[request.protocol]},
        "saddr": request.src,
        "reqid": kernel_reqid(request.reqid),
        "family": family_of(request.dst),
        "mode": mode(request.mode),
    }
    return messages.SPI_INFO.pack(info=info, min=low, max=high)


def read_spi(body: bytes) -> int:
    """The SPI that ALLOCSPI was answered with."""
    spi: int = messages.SA_INFO.unpack(body)["id"]["spi"]
    return spi


def sa(spec: SaSpec) -> bytes:
    """The body of NEWSA and UPDSA. ApplicationError where the kernel has no such SA."""
    return _sa_info(spec) + _sa_attributes(spec, {})


def moved_sa(spec: SaSpec, answer: bytes) -> bytes:
    """The body of NEWSA that goes on where another SA was, as GETSA was answered about it.

    Sequence numbers must not begin anew: the peer has seen them, and so has the key.
    """
    info, more = messages.read(messages.SA_INFO, answer)
    state: Values = {}
    if Attr.REPLAY_ESN_VAL in more:
        value = more[Attr.REPLAY_ESN_VAL]
        state = messages.REPLAY_ESN.unpack(value)
        state["bitmap"] = value[messages.REPLAY_ESN.size :]
    body = _sa_info(spec) + _sa_attributes(spec, state)
    if Attr.REPLAY_VAL in more:
        body += attribute(Attr.REPLAY_VAL, more[Attr.REPLAY_VAL])
    return body + attribute(Attr.LTIME_VAL, messages.LIFETIME_CUR.pack(info["curlft"]))


def _sa_info(spec: SaSpec) -> bytes:
    """Which traffic an SA may carry is its policies' to say: each names the reqid."""
    kind, flags = mode(spec.mode), StateFlag(0)
    if kind is Mode.TUNNEL:
        flags |= StateFlag.AF_UNSPEC  # either family in it
    if spec.esn:
        flags |= StateFlag.ESN
    # IPComp has no sequence numbers.
    small = spec.inbound and not _wide(spec) and spec.protocol is not isakmp.Protocol.IPCOMP
    return messages.SA_INFO.pack(
        id={"daddr": spec.dst, "spi": spec.spi, "proto": IP_PROTOCOLS[spec.protocol]},
        saddr=spec.src, lft=_limits(spec.limits), reqid=kernel_reqid(spec.reqid),
        family=family_of(spec.dst), mode=kind, flags=flags,
        replay_window=spec.replay_window if small else 0,
    )  # fmt: skip


def _limits(limits: Limits) -> Values:
    return {
        "soft_byte_limit": limits.soft_bytes or INFINITE,
        "hard_byte_limit": limits.hard_bytes or INFINITE,
        "soft_packet_limit": limits.soft_packets or INFINITE,
        "hard_packet_limit": limits.hard_packets or INFINITE,
        "soft_add_expires_seconds": limits.soft_s,
        "hard_add_expires_seconds": limits.hard_s,
    }


def _wide(spec: SaSpec) -> bool:
    """Whether the replay state needs the larger structure."""
    if spec.protocol is isakmp.Protocol.IPCOMP:
        return False
    return spec.esn or (spec.inbound and spec.replay_window > _SMALL_WINDOW)


def _sa_attributes(spec: SaSpec, state: Values) -> bytes:
    parts = algorithm_attributes(spec)
    if spec.encap is not None:
        sport, dport = spec.encap
        value = messages.ENCAP.pack(encap_type=ESP_IN_UDP, encap_sport=sport, encap_dport=dport)
        parts += attribute(Attr.ENCAP, value)
    if _wide(spec):
        parts += attribute(Attr.REPLAY_ESN_VAL, replay_state(spec, state))
    return parts


def replay_state(spec: SaSpec, state: Values) -> bytes:
    """xfrm_replay_state_esn with its bitmap; state: its numbers where it has begun already.

    The kernel wants a window of an SA with extended sequence numbers also where it only sends.
    """
    window = min(spec.replay_window, _MAX_WINDOW) if spec.inbound else 1
    window = max(window, 1)
    words = -(-window // 32)
    bitmap = state.get("bitmap", b"").ljust(4 * words, b"\0")[: 4 * words]
    numbers = {name: state.get(name, 0) for name in ("oseq", "seq", "oseq_hi", "seq_hi")}
    head = messages.REPLAY_ESN.pack(numbers, bmp_len=words, replay_window=window)
    return head + bytes(bitmap)


def read_usage(body: bytes, wall: float) -> Usage:
    """What GETSA was answered with; the kernel's times are seconds since 1970. Older ones do not
    keep that of the last packet."""
    info, more = messages.read(messages.SA_INFO, body)
    current, stats = info["curlft"], info["stats"]
    age_s = max(0.0, wall - current["add_time"])
    used = more.get(Attr.LASTUSED)
    last = messages.QUAD.unpack(used)["value"] if used else 0
    idle_s = min(age_s, max(0.0, wall - last)) if last else None
    return Usage(
        current["packets"], current["bytes"], age_s, idle_s,
        stats["replay"] + stats["replay_window"], stats["integrity_failed"],
    )  # fmt: skip


def read_sa_id(info: Values) -> SaId:
    """What names an SA that the kernel describes. MalformedPayload where it is none of IPsec."""
    id, family = info["id"], info["family"]
    return SaId(
        _protocol(id["proto"]), id["spi"], to_address(info["saddr"], family),
        to_address(id["daddr"], family),
    )  # fmt: skip


def _protocol(number: int) -> isakmp.Protocol:
    protocol = PROTOCOLS.get(number)  # type: ignore[call-overload]
    if protocol is None:
        raise MalformedPayload("xfrm_id", 20, f"protocol {number}")
    found: isakmp.Protocol = protocol
    return found


# --- policies --------------------------------------------------------------------------------


def selector(value: Selector, ports: Ports) -> Values:
    """xfrm_selector, with ports and masks of source and destination."""
    (sport, sport_mask), (dport, dport_mask) = ports
    src, dst = value.src, value.dst
    found: Values = {
        "daddr": dst.network_address, "saddr": src.network_address, "family": family_of(src),
        "prefixlen_d": dst.prefixlen, "prefixlen_s": src.prefixlen, "proto": value.protocol,
    }  # fmt: skip
    if sport_mask or dport_mask:
        found |= {"sport": sport, "sport_mask": sport_mask,
                  "dport": dport, "dport_mask": dport_mask}  # fmt: skip
    return found


def read_selector(values: Values) -> Selector:
    """The traffic of an xfrm_selector."""
    family = values["family"]
    src, dst = to_address(values["saddr"], family), to_address(values["daddr"], family)
    try:
        return Selector(
            make_network(src.packed, values["prefixlen_s"], False),
            make_network(dst.packed, values["prefixlen_d"], False),
            values["proto"], values["sport"] & values["sport_mask"],
            values["dport"] & values["dport_mask"],
        )  # fmt: skip
    except ValueError as error:
        raise MalformedPayload("xfrm_selector", 0, str(error)) from None


_PRIORITY, _PREFIX_BIT, _WITH_PROTOCOL = 1 << 19, 1 << 10, 1 << 6
_BEFORE = 4  # what is let pass on purpose comes before all that is protected


def priority(value: Selector, ports: Ports) -> int:
    """The more a policy says, the earlier it is taken (the smaller its number): prefixes count
    first, then the protocol, then the bits of ports."""
    (_, src_mask), (_, dst_mask) = ports
    said = _PREFIX_BIT * (value.src.prefixlen + value.dst.prefixlen)
    said += _WITH_PROTOCOL if value.protocol else 0
    return _PRIORITY - said - src_mask.bit_count() - dst_mask.bit_count()


def directions(spec: PolicySpec) -> tuple[Dir, ...]:
    """Where a policy stands: what comes out of a tunnel is for us, or for others behind us."""
    if spec.direction is Direction.OUT:
        return (Dir.OUT,)
    if spec.action is Action.IPSEC and mode(spec.mode) is Mode.TRANSPORT:
        return (Dir.IN,)
    return Dir.IN, Dir.FWD


_pack_policy = messages.POLICY_INFO.packer(
    "sel.daddr", "sel.saddr", "sel.dport", "sel.dport_mask", "sel.sport", "sel.sport_mask",
    "sel.family", "sel.prefixlen_d", "sel.prefixlen_s", "sel.proto", "lft.soft_byte_limit",
    "lft.hard_byte_limit", "lft.soft_packet_limit", "lft.hard_packet_limit", "priority", "index",
    "dir", "action",
)  # fmt: skip


def policies(
    spec: PolicySpec, places: Iterable[Place], indices: Iterable[int], tag: int = INFINITE
) -> list[bytes]:
    """The bodies of NEWPOLICY and UPDPOLICY, one for each place; ``templates`` follow."""
    src, dst = spec.selector.src, spec.selector.dst
    ends = dst.network_address.packed, src.network_address.packed
    network = family_of(dst), dst.prefixlen, src.prefixlen, spec.selector.protocol
    limits = INFINITE, INFINITE, tag, INFINITE
    action = PolicyAction.BLOCK if spec.action is Action.DISCARD else PolicyAction.ALLOW
    before = _BEFORE if spec.action is Action.BYPASS else 1
    return [
        _pack_policy(*ends, *_ports(*ports), *network, *limits,
                     priority(spec.selector, ports) // before, index, dir, action)
        for (dir, ports), index in zip(places, indices, strict=True)
    ]  # fmt: skip


@lru_cache(256)
def _ports(src: tuple[int, int], dst: tuple[int, int]) -> list[bytes]:
    """A selector's ports and masks, the destination's first."""
    return [number.to_bytes(2, "big") for number in (*dst, *src)]


def templates(spec: PolicySpec) -> bytes:
    """The attribute that names the SAs of a policy, from the innermost outwards.

    Only the innermost one can be a tunnel. What comes in may lack compression (RFC 3173 2.2).
    ApplicationError where a tunnel has no end points.
    """
    if spec.action is not Action.IPSEC:
        return b""
    if mode(spec.mode) is Mode.TUNNEL and None in (spec.src, spec.dst):
        raise ApplicationError("the policy's tunnel has no end points")
    found = bundle(spec)
    return attribute(Attr.TMPL, b"".join(_template(spec, *each) for each in found))


def bundle(spec: PolicySpec) -> list[tuple[isakmp.Protocol, Mode]]:
    """The protocols of a policy and their modes, innermost first."""
    first, *more = bundle_order((spec.protocol, *spec.more))
    return [(first, mode(spec.mode)), *((protocol, Mode.TRANSPORT) for protocol in more)]


def _template(spec: PolicySpec, protocol: isakmp.Protocol, kind: Mode) -> bytes:
    ends = spec.src or spec.selector.src.network_address
    incoming = spec.direction is Direction.IN
    return messages.TEMPLATE.pack(
        id={"daddr": spec.dst or b"", "proto": IP_PROTOCOLS[protocol]}, family=family_of(ends),
        saddr=spec.src or b"", reqid=kernel_reqid(spec.reqid), mode=kind,
        optional=incoming and protocol is isakmp.Protocol.IPCOMP, aalgos=ALL_ALGORITHMS,
        ealgos=ALL_ALGORITHMS, calgos=ALL_ALGORITHMS,
    )  # fmt: skip


def policy_id(dir: Dir, index: int) -> bytes:
    """The body of DELPOLICY and GETPOLICY, by index: what another has put there is not ours."""
    return messages.POLICY_ID.pack(dir=dir, index=index)


def migrated_policy(spec: PolicySpec, dir: Dir, ports: Ports) -> bytes:
    """What MIGRATE names a policy by."""
    return messages.POLICY_ID.pack(sel=selector(spec.selector, ports), dir=dir)


def migrate(spec: PolicySpec, src: Address, dst: Address) -> bytes:
    """The attribute of MIGRATE: from the policy's end points to these, in every protocol."""
    return attribute(Attr.MIGRATE, b"".join(
        messages.USER_MIGRATE.pack(
            old_daddr=spec.dst or b"", old_saddr=spec.src or b"", new_daddr=dst, new_saddr=src,
            proto=IP_PROTOCOLS[protocol], mode=kind, reqid=kernel_reqid(spec.reqid),
            old_family=family_of(spec.src or src), new_family=family_of(src),
        )
        for protocol, kind in bundle(spec)
    ))  # fmt: skip


# --- events ----------------------------------------------------------------------------------


def read_acquire(body: bytes) -> Acquire | None:
    """What is wanted; None where it is for another's policy."""
    said, more = messages.read(messages.ACQUIRE, body)
    found = messages.array(messages.TEMPLATE, more.get(Attr.TMPL, b""))
    reqids = [t["reqid"] for t in found if is_ours(t["reqid"])]
    if not reqids:
        return None
    family = found[0]["family"]
    src, dst = to_address(said["saddr"], family), to_address(said["id"]["daddr"], family)
    return Acquire(reqids[0] - REQID_BASE, read_selector(said["sel"]), src, dst)


def read_waiting(info: Values) -> Acquire:
    """The acquire for which the kernel keeps an SA without an SPI."""
    name = read_sa_id(info)
    return Acquire(info["reqid"] - REQID_BASE, read_selector(info["sel"]), name.src, name.dst)


def read_expire(body: bytes) -> Expire:
    """An SA's limit."""
    said, _ = messages.read(messages.EXPIRE, body)
    return Expire(read_sa_id(said["state"]), bool(said["hard"]))


def read_mapping(body: bytes) -> Mapping:
    """An SA's peer at its new address and port."""
    said, _ = messages.read(messages.MAPPING, body)
    id, family = said["id"], said["id"]["family"]
    name = SaId(
        _protocol(id["proto"]), id["spi"], to_address(said["old_saddr"], family),
        to_address(id["daddr"], family),
    )  # fmt: skip
    return Mapping(name, to_address(said["new_saddr"], family), said["new_sport"])
