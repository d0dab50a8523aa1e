"""SAs and policies through messages and back, and the numbers of algorithms."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given, settings

from isakmp.app.base import Action, Direction, PolicySpec, SaId, SaSpec
from isakmp.app.pf_key import codec, values
from isakmp.app.pf_key.codec import Message
from isakmp.app.pf_key.constants import Ext, Level, Type
from isakmp.constants import ipsec, isakmp
from isakmp.errors import ApplicationError, MalformedPayload
from isakmp.policy.spd import Selector
from regress.app.pf_key import strategies as some

quick = settings(max_examples=100, deadline=None)
US, THEM = ip_address("192.0.2.1"), ip_address("192.0.2.2")
ESP = isakmp.Protocol.IPSEC_ESP
SA = SaSpec(
    ESP, 0x1001, US, THEM, ipsec.Encapsulation.TUNNEL, False,
    (Selector.of("10.1.0.0/16", "10.2.0.0/16"),), 7,
    ipsec.Esp.AES_GCM_16, bytes(20),
)  # fmt: skip


def message(type: Type, body: bytes, satype: int = 3) -> Message:
    return codec.parse(codec.message(type, satype, 1, 1, body))


@quick
@given(some.sas())
def test_sa_round_trip(sa: SaSpec) -> None:
    assert values.read_sa(message(Type.ADD, values.sa_exts(sa, True))) == sa


@quick
@given(some.policies())
def test_policy_round_trip(policy: PolicySpec) -> None:
    assert values.read_policy(message(Type.X_SPDADD, values.policy_exts(policy, 5), 0)) == policy


def test_policies_are_bound_to_their_sas() -> None:
    policy = PolicySpec(Direction.OUT, SA.selectors[0], src=US, dst=THEM, reqid=7)
    request = values.policy_value(policy).requests[0]
    assert (request.level, request.reqid, request.protocol) == (Level.UNIQUE, 7, 50)
    with pytest.raises(ApplicationError, match="end points"):
        values.policy_exts(policy._replace(src=None))


def test_bypass_has_no_request() -> None:
    policy = PolicySpec(Direction.IN, SA.selectors[0], Action.BYPASS)
    assert not values.policy_value(policy).requests


def test_kernels_see_nothing_of_ours() -> None:
    exts = message(Type.ADD, values.sa_exts(SA._replace(replay_window=1024), False)).exts
    assert max(exts) < Ext.X_NAT_T_TYPE
    assert codec.read_sa(exts).replay == 255
    with pytest.raises(ApplicationError, match="extended sequence numbers"):
        values.sa_exts(SA._replace(esn=True), False)


def test_what_a_foreign_client_does_not_say() -> None:
    body = values.sa_exts(SA, False)
    added = values.read_sa(message(Type.ADD, body))
    assert not added.inbound and added.selectors == (Selector.of("0.0.0.0/0", "0.0.0.0/0"),)
    transport = values.sa_exts(SA._replace(mode=ipsec.Encapsulation.TRANSPORT), False)
    updated = values.read_sa(message(Type.UPDATE, transport))
    assert updated.inbound and updated.selectors == (Selector.of("192.0.2.1/32", "192.0.2.2/32"),)


def test_udp_encapsulated_modes_become_plain_ones_with_ports() -> None:
    sa = SA._replace(mode=ipsec.Encapsulation.UDP_ENCAP_TUNNEL_DRAFT, encap=(4500, 1024))
    found = values.read_sa(message(Type.ADD, values.sa_exts(sa, True)))
    assert found.mode is ipsec.Encapsulation.TUNNEL and found.encap == (4500, 1024)


def test_sa_id() -> None:
    name = SaId(ESP, 0x1001, US, THEM)
    assert values.read_sa_id(message(Type.DELETE, values.sa_id_exts(name))) == name
    with pytest.raises(MalformedPayload, match="SA type 5"):
        values.read_sa_id(message(Type.DELETE, values.sa_id_exts(name), 5))


def test_only_mature_sas_are_submitted() -> None:
    """RFC 2367 3.1.3."""
    body = codec.sa(codec.Sa(0x1001)) + codec.addresses(US, THEM)
    with pytest.raises(MalformedPayload, match="mature"):
        values.read_sa(message(Type.ADD, body))


def test_no_key_in_a_repr() -> None:
    sa = SA._replace(enc_key=b"very secret indeed!!")
    read = values.read_sa(message(Type.ADD, values.sa_exts(sa, True)))
    assert "secret" not in repr(read)
