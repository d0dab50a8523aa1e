"""Random values of PF_KEY's kinds."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from hypothesis import strategies as st

from isakmp.app.base import Action, Direction, Limits, PolicySpec, SaSpec
from isakmp.app.pf_key.algorithms import AUTHENTICATION, ENCRYPTION
from isakmp.constants import ipsec, isakmp
from isakmp.policy.spd import Selector

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
u64 = st.integers(0, 2**64 - 1)
spis = st.integers(0x100, 0xFFFFFFFF)
v4 = st.integers(0, 2**32 - 1).map(IPv4Address)
v6 = st.integers(0, 2**128 - 1).map(IPv6Address)
address_pairs = st.tuples(v4, v4) | st.tuples(v6, v6)
v4_networks = st.builds(lambda a, n: IPv4Network((int(a), n), False), v4, st.integers(0, 32))
v6_networks = st.builds(lambda a, n: IPv6Network((int(a), n), False), v6, st.integers(0, 128))
network_pairs = st.tuples(v4_networks, v4_networks) | st.tuples(v6_networks, v6_networks)
selectors = st.builds(
    lambda ends, protocol, ports, lasts: Selector(*ends, protocol, *ports, *lasts),  # type: ignore[call-arg]
    network_pairs,
    st.integers(0, 254),
    st.tuples(u16, u16),
    st.tuples(st.none() | u16, st.none() | u16),
)
limits = st.builds(Limits, u32, u32, u64, u64, u32, u32)
modes = st.sampled_from((ipsec.Encapsulation.TUNNEL, ipsec.Encapsulation.TRANSPORT))


@st.composite
def sas(draw: st.DrawFn) -> SaSpec:
    """Any SA of ESP."""
    src, dst = draw(address_pairs)
    encryption = draw(st.sampled_from(sorted(ENCRYPTION)))
    auth = draw(st.sampled_from([None, *sorted(AUTHENTICATION)]))
    bits = ENCRYPTION[encryption].max_bits
    return SaSpec(
        protocol=isakmp.Protocol.IPSEC_ESP,
        spi=draw(spis),
        src=src,
        dst=dst,
        mode=draw(modes),
        inbound=draw(st.booleans()),
        selectors=tuple(draw(st.lists(selectors, min_size=1, max_size=3))),
        reqid=draw(u32),
        encryption=encryption,
        enc_key=draw(st.binary(min_size=bits // 8, max_size=bits // 8)),
        auth=auth,
        auth_key=bytes(AUTHENTICATION[auth].min_bits // 8) if auth else b"",
        replay_window=draw(st.integers(0, 4096)),
        limits=draw(limits),
        encap=draw(st.none() | st.tuples(u16, u16)),
        esn=draw(st.booleans()),
    )


@st.composite
def policies(draw: st.DrawFn) -> PolicySpec:
    """Any policy."""
    direction, selector = draw(st.sampled_from(Direction)), draw(selectors)
    if (action := draw(st.sampled_from(Action))) is not Action.IPSEC:
        return PolicySpec(direction, selector, action)
    protocol = draw(st.sampled_from(sorted(isakmp.Protocol)[1:]))
    src, dst = draw(address_pairs)
    return PolicySpec(direction, selector, action, protocol, draw(modes), src, dst, draw(u32))
