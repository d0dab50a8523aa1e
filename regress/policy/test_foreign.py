"""Every attribute that we do not carry out keeps its transform from being chosen, and is named."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.constants import ipsec, isakmp
from isakmp.payloads.data_attribute import DataAttribute
from isakmp.policy.match import choose_ike, choose_ipsec
from regress.policy.test_match import (
    AES,
    SINGLE,
    ike,
    offer,
    parsed,
    proposal,
    refusal,
    remote,
    with_attributes,
)

IKE = [a for a in isakmp.Attribute if a.name.startswith(("GROUP_", "PRF", "FIELD"))]
IKE.remove(isakmp.Attribute.GROUP_DESCRIPTION)
IPSEC = [a for a in ipsec.Attribute if a >= ipsec.Attribute.KEY_ROUNDS]


def phase_2(*more: DataAttribute) -> Any:
    return parsed([with_attributes(proposal(1, 3, 12), *more)])


@pytest.mark.parametrize("kind", IKE)
def test_of_phase_1(kind: isakmp.Attribute) -> None:
    """RFC 2409 appendix A."""
    assert choose_ike(ike(offer()), remote(AES))
    reason = refusal(choose_ike, ike({**offer(), kind: 1}), remote(AES))
    assert f"{kind.name}, which is not carried out" in reason.misses[0]


@pytest.mark.parametrize("kind", IPSEC)
def test_of_phase_2(kind: ipsec.Attribute) -> None:
    assert choose_ipsec(phase_2(), [SINGLE], "")
    reason = refusal(choose_ipsec, phase_2(DataAttribute(kind, 1)), [SINGLE], "")
    assert f"{kind.name}, which is not carried out" in reason.misses[0]


def test_life_types_and_repetitions() -> None:
    life = refusal(choose_ike, ike({**offer(), 11: 7, 12: 300}), remote(AES))
    assert "LIFE_TYPE 7" in life.misses[0]
    twice = refusal(choose_ipsec, phase_2(DataAttribute(4, 2)), [SINGLE], "")
    assert "ENCAPSULATION_MODE twice" in "".join(twice.misses)
