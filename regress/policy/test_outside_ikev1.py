"""What IKEv1 has not got, and what is named in its place."""

from __future__ import annotations

import pytest

from isakmp.conf.kinds import Kind
from isakmp.conf.store import Conf
from isakmp.constants import ipsec
from isakmp.policy.outside_ikev1 import ipsec_hint, more_exchanges
from isakmp.policy.proposal_reader import suites_of
from isakmp.policy.spd import Lifetime, Proposal

MORE = "additional key exchanges are IKEv2's: set Key-exchange= ikev2, or add "
ESN = "name noesn: its sequence numbers have 32 bits"
INTEGRITY = "name another integrity algorithm"


def proposals(keywords: str) -> tuple[Proposal, ...]:
    conf = Conf.from_text(f"[c]\nESP-proposals= {keywords}\n", "f")
    found: tuple[Proposal, ...] = conf.value(Kind.CONNECTION, "c", "ESP-proposals")
    return found


@pytest.mark.parametrize(
    ("keywords", "hint"),
    [
        ("aes256gcm16-x25519-ke1_ecp384", f"{MORE}ke1_none"),
        ("aes256gcm16-x25519-ke1_ecp384-ke3_ecp256", f"{MORE}ke1_none and ke3_none"),
        ("aes256gcm16-x25519-ke1_ecp384-ke2_ecp256-ke2_none", f"{MORE}ke1_none"),
        ("aes256gcm16-esn", ESN),
        ("aes128-aescmac", INTEGRITY),
        ("aes128-aescmac-esn", f"{INTEGRITY}; {ESN}"),
        ("aes128gcm16-esn-x25519-ke1_ecp256", f"{MORE}ke1_none; {ESN}"),
    ],
)
def test_each_is_named_with_what_may_be_said(keywords: str, hint: str) -> None:
    read = proposals(keywords)
    suites = suites_of(read, Lifetime(), ipsec.Encapsulation.TUNNEL, 64)
    assert ipsec_hint(suites, read) == hint


def test_what_need_not_be_done_is_no_hindrance() -> None:
    assert not more_exchanges(proposals("aes256gcm16-x25519-ke1_ecp384-ke1_none"))
