"""What the IPsec stack lacks is left out of connections, for both versions of IKE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from isakmp.constants import ikev2, ipsec, isakmp
from isakmp.errors import ConfError
from isakmp.policy.identity import identity_of
from isakmp.policy.spd import (
    Connection,
    IpsecTransform,
    Proposal,
    Range,
    SaPolicy,
    Selector,
    Suite,
    Transform,
)
from isakmp.policy.supported import supported

T, Encr, Integ = ikev2.Transform, ikev2.Encr, ikev2.Integ
ESP, AH = isakmp.Protocol.IPSEC_ESP, isakmp.Protocol.IPSEC_AH
TUNNEL = ipsec.Encapsulation.TUNNEL


def transform(name: str, number: int, bits: int = 128, auth: ipsec.Auth | None = None,
              esn: tuple[bool, ...] = (False,)) -> IpsecTransform:  # fmt: skip
    return IpsecTransform(name, number, TUNNEL, auth, None, Range(bits, bits, bits), esn=esn)


GCM = transform("GCM", ipsec.Esp.AES_GCM_16)
CBC = transform("CBC", ipsec.Esp.AES, 256, ipsec.Auth.HMAC_SHA2_256)
AUTH = transform("AUTH", ipsec.Ah.SHA2_256, 0, ipsec.Auth.HMAC_SHA2_256)

AES = Transform(T.ENCR, Encr.AES_CBC, 128)
AES_GCM = Transform(T.ENCR, Encr.AES_GCM_16, 128)
SHA2 = Transform(T.INTEG, Integ.HMAC_SHA2_256_128)
XCBC = Transform(T.INTEG, Integ.AES_XCBC_96)
WIDE = Transform(T.ESN, ikev2.SequenceNumbers.SEQUENTIAL_64)
NARROW = Transform(T.ESN, ikev2.SequenceNumbers.SEQUENTIAL_32)


def connection(
    *suites: Suite, proposals: tuple[Proposal, ...] = (), ipcomp: bool = False
) -> Connection:
    traffic = Selector.of("10.1.0.0/16", "10.2.0.0/16")
    ids = identity_of(traffic.src), identity_of(traffic.dst)
    found = suites or (Suite("S", (SaPolicy(ESP, (GCM,)),)),)
    return Connection("c", "peer", traffic, *ids, found, proposals=proposals, ipcomp=ipcomp)


def lacks(
    *lacking: int, wide: bool = False, asked: list[object] | None = None
) -> Callable[..., str]:
    """A stack without these transforms or authentication algorithms."""

    def answer(
        protocol: object, mode: object, number: int, bits: int, auth: object, esn: bool
    ) -> str:
        if asked is not None:
            asked.append((protocol, mode, number, bits, auth, esn))
        if any(each is number or each is auth for each in lacking) or (wide and esn):
            return f"no {number}"
        return ""

    return answer


def test_all_stays_where_nothing_lacks_and_the_question_is_exact() -> None:
    asked: list[object] = []
    ours = connection(Suite("S", (SaPolicy(ESP, (CBC,)), SaPolicy(AH, (AUTH,)))))
    assert supported(ours, lacks(asked=asked)) == (ours, [])
    assert asked == [
        (ESP, TUNNEL, ipsec.Esp.AES, 256, ipsec.Auth.HMAC_SHA2_256, False),
        (AH, TUNNEL, ipsec.Ah.SHA2_256, 0, ipsec.Auth.HMAC_SHA2_256, False),
    ]


def test_a_transform_that_lacks_goes_alone() -> None:
    ours = connection(Suite("S", (SaPolicy(ESP, (GCM, CBC)),)))
    left, said = supported(ours, lacks(ipsec.Esp.AES_GCM_16))
    assert left.suites == (Suite("S", (SaPolicy(ESP, (CBC,)),)),)
    assert said == ["transform GCM is not proposed: no 20"]


def test_a_suite_goes_whole_where_one_of_its_protocols_has_nothing_left() -> None:
    both = Suite("B", (SaPolicy(ESP, (CBC,)), SaPolicy(AH, (AUTH,))))
    one = Suite("O", (SaPolicy(ESP, (CBC,)),))
    left, said = supported(connection(both, one), lacks(ipsec.Ah.SHA2_256))
    assert left.suites == (one,)
    assert len(said) == 1


def test_a_connection_without_anything_left_is_an_error_that_says_why() -> None:
    with pytest.raises(ConfError, match="no 20") as failure:
        supported(connection(), lacks(ipsec.Esp.AES_GCM_16))
    # The checker asks no kernel: it may have nothing to say of this.
    assert "--check" not in failure.value.as_reason().mend
    assert "IPsec stack" in failure.value.as_reason().mend
    ours = connection(proposals=(Proposal(ikev2.Protocol.ESP, (AES, SHA2), "p"),))
    with pytest.raises(ConfError):
        supported(ours, lacks(ipsec.Auth.HMAC_SHA2_256))


def test_sequence_numbers_of_64_bits_go_alone() -> None:
    both = replace(GCM, esn=(True, False))
    left, said = supported(connection(Suite("S", (SaPolicy(ESP, (both,)),))), lacks(wide=True))
    assert left.suites[0].protocols[0].transforms[0].esn == (False,)
    assert not said
    proposal = Proposal(ikev2.Protocol.ESP, (AES_GCM, WIDE, NARROW), "p")
    left, said = supported(connection(proposals=(proposal,)), lacks(wide=True))
    assert left.proposals[0].transforms == (AES_GCM, NARROW)
    assert len(said) == 1
    only = connection(proposals=(replace(proposal, transforms=(AES_GCM, WIDE)),))
    with pytest.raises(ConfError):
        supported(only, lacks(wide=True))


def test_of_a_proposal_each_transform_stays_that_works_with_some_other() -> None:
    proposal = Proposal(ikev2.Protocol.ESP, (AES, XCBC, SHA2, NARROW), "p")
    left, said = supported(connection(proposals=(proposal,)), lacks(ipsec.Auth.AES_XCBC_MAC))
    assert left.proposals[0].transforms == (AES, SHA2, NARROW)
    assert len(said) == 1
    assert "XCBC" in said[0]


def test_combined_modes_are_asked_for_without_authentication() -> None:
    asked: list[object] = []
    proposal = Proposal(ikev2.Protocol.ESP, (AES_GCM,), "p")
    supported(connection(proposals=(proposal,)), lacks(asked=asked))
    assert asked[-1] == (ESP, TUNNEL, ipsec.Esp.AES_GCM_16, 128, None, False)


def test_ah_is_asked_for_by_its_own_numbers() -> None:
    asked: list[object] = []
    proposal = Proposal(ikev2.Protocol.AH, (SHA2, NARROW), "p")
    left, _ = supported(connection(proposals=(proposal,)), lacks(asked=asked))
    assert left.proposals == (proposal,)
    assert asked[-1] == (AH, TUNNEL, ipsec.Ah.SHA2_256, 0, ipsec.Auth.HMAC_SHA2_256, False)


def test_compression_is_left_out_where_there_is_none() -> None:
    left, said = supported(connection(ipcomp=True), lacks(ipsec.Ipcomp.DEFLATE))
    assert not left.ipcomp
    assert said == ["IPComp DEFLATE is not proposed: no 2"]
    assert supported(connection(ipcomp=True), lacks())[0].ipcomp
