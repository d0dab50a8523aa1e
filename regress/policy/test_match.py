"""Choosing proposals, and the reason when none fits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp import payloads as codecs
from isakmp.constants import ipsec, isakmp
from isakmp.errors import Part, Refused
from isakmp.message import build_payloads, parse_payloads
from isakmp.payloads.data_attribute import DataAttribute
from isakmp.payloads.sa import Offer, SaValue, TransformValue
from isakmp.payloads.shapes import ProposalValue
from isakmp.policy.compared import Row
from isakmp.policy.match import (
    MISSES_MAX,
    TRANSFORMS_MAX,
    choose_ike,
    choose_ipsec,
    describe,
    ipsec_offer,
    values,
)
from isakmp.policy.spd import (
    IkeTransform,
    IpsecTransform,
    Lifetime,
    Range,
    Remote,
    Said,
    SaPolicy,
    Suite,
)
from regress.payloads.values import VALUES

ESP, AH = isakmp.Protocol.IPSEC_ESP, isakmp.Protocol.IPSEC_AH
TUNNEL, TRANSPORT = ipsec.Encapsulation.TUNNEL, ipsec.Encapsulation.TRANSPORT
PSK = isakmp.Authentication.PRE_SHARED
AES = IkeTransform(
    "AES", isakmp.Encryption.AES_CBC, isakmp.Hash.SHA, isakmp.Group.MODP_2048, PSK,
    Range(256, 128, 256), Lifetime(Range(3600, 60, 86400)), "conf:10",
)  # fmt: skip
DES = IkeTransform(
    "3DES", isakmp.Encryption._3DES_CBC, isakmp.Hash.MD5, isakmp.Group.MODP_1024, PSK,
    line="conf:20",
)  # fmt: skip


def remote(*transforms: IkeTransform) -> Remote:
    return Remote("peer", None, 500, isakmp.Exchange.ID_PROT, transforms, line="conf:1")


def parsed(proposals: list[Any]) -> Any:
    """Proposals as the wire brings them."""
    value = SaValue(1, 1, tuple(proposals))
    first, data = build_payloads(1, [(isakmp.Payload.SA, value)])
    return parse_payloads(1, first, data)[0][0].of(codecs.SA).proposals


def ike(*transforms: dict[int, Any]) -> Any:
    offered = [
        TransformValue(n, 1, tuple(DataAttribute(t, v) for t, v in attributes.items()))
        for n, attributes in enumerate(transforms, 1)
    ]
    return parsed([ProposalValue(1, 1, b"", tuple(offered))])


def offer(**changes: Any) -> dict[int, Any]:
    names = {"enc": 1, "hash": 2, "auth": 3, "group": 4, "unit": 11, "life": 12, "bits": 14}
    wanted = {"enc": 7, "hash": 2, "auth": 1, "group": 14, "bits": 256, **changes}
    return {names[name]: value for name, value in wanted.items() if value is not None}


def refusal(call: Any, *args: Any) -> Any:
    with pytest.raises(Refused) as caught:
        call(*args)
    assert caught.value.notify == isakmp.Notify.NO_PROPOSAL_CHOSEN
    return caught.value.reason


def test_the_peers_order_decides() -> None:
    chosen, proposal, transform = choose_ike(
        ike(offer(enc=5, hash=1, group=2, bits=None), offer()), remote(AES, DES)
    )
    assert chosen.name == "3DES"
    assert transform.number == 1
    assert proposal.number == 1


@pytest.mark.parametrize(("bits", "got"), [(None, 128), (128, 128), (192, 192), (256, 256)])
def test_key_lengths_in_range(bits: int | None, got: int) -> None:
    assert choose_ike(ike(offer(bits=bits)), remote(AES))[0].key_bits == got


def test_key_lengths_out_of_range_or_where_none_belongs() -> None:
    strict = replace(AES, key_bits=Range(256, 256, 256))
    reason = refusal(choose_ike, ike(offer(bits=128)), remote(strict))
    assert reason.misses == (
        "transform 1 (AES_CBC-128 SHA MODP_2048 PRE_SHARED) against AES: KEY_LENGTH 128, not 256",
    )
    assert reason.line == "conf:10"
    reason = refusal(choose_ike, ike(offer(enc=5, hash=1, group=2, bits=64)), remote(DES))
    assert reason.mend == "at the peer set ENCRYPTION_ALGORITHM 3DES_CBC instead of 3DES_CBC-64"


@pytest.mark.parametrize(
    ("life", "kept"),
    [
        (60, 60),
        ((86400).to_bytes(4, "big"), 3600),
        (3600, 3600),
        ((100).to_bytes(4, "big"), 100),
        (None, 3600),
    ],
)
def test_the_shorter_lifetime_is_kept(life: Any, kept: int) -> None:
    attributes = offer(unit=1, life=life) if life else offer()
    assert choose_ike(ike(attributes), remote(AES))[0].life_s == kept


@pytest.mark.parametrize("life", [59, (86401).to_bytes(4, "big"), b"\xff" * 8])
def test_lifetimes_outside(life: Any) -> None:
    reason = refusal(choose_ike, ike(offer(unit=1, life=life)), remote(AES))
    assert "seconds at the peer, 60 to 86400 here" in reason.mend
    too_many = life == b"\xff" * 8
    assert (", or LIFE_DURATION= 3600," in reason.mend) is not too_many, "which nobody may write"


def test_any_accepts_what_is_known_only() -> None:
    anything = replace(AES, encryption=None, hash=None, group=None, auth=None)
    assert choose_ike(ike(offer()), remote(anything))[0].group is isakmp.Group.MODP_2048
    reason = refusal(choose_ike, ike(offer(group=999)), remote(anything))
    assert "GROUP_DESCRIPTION UNKNOWN(999), not a known one" in reason.mend
    reason = refusal(choose_ike, ike(offer(auth=3)), remote(anything))
    assert "RSA_SIG, which is not spoken yet" in reason.mend


def test_other_protocols_are_not_phase_1() -> None:
    proposals = parsed([ProposalValue(1, 3, b"abcd", (TransformValue(1, 12, ()),))])
    reason = refusal(choose_ike, proposals, remote(AES))
    assert reason.cause == "no-proposal-chosen"
    assert reason.came == "proposals of IPSEC_ESP"
    assert reason.misses == ("PROTOCOL_ID IPSEC_ESP, not ISAKMP",)
    assert reason.mend == (
        "make both ends the same: PROTOCOL_ID IPSEC_ESP at the peer, ISAKMP here"
    )


def test_nothing_configured_and_nothing_sent() -> None:
    assert refusal(choose_ike, ike(offer()), remote()).acceptable == "nothing"
    assert refusal(choose_ike, [], remote(AES)).came == "no usable proposal"


def test_misses_are_sorted_and_bounded() -> None:
    offers = [offer(enc=1, hash=1, group=1, auth=3)] * 30 + [offer(group=5)]
    reason = refusal(choose_ike, ike(*offers), remote(AES, DES))
    assert len(reason.misses) == MISSES_MAX
    assert reason.misses[0].startswith("transform 31 ")
    assert "GROUP_DESCRIPTION MODP_1536, not MODP_2048" in reason.misses[0]
    assert reason.came.count(";") == MISSES_MAX - 1
    assert reason.line == "conf:10"


def test_what_a_stranger_can_have_compared_is_bounded() -> None:
    """A datagram holds 8,000 transforms: each would cost time against each of ours."""

    class Counted(tuple[Any, ...]):
        looked = 0

        def __iter__(self) -> Any:
            for item in super().__iter__():
                Counted.looked += 1
                yield item

    (one,) = ike(offer(enc=1))
    one = one._replace(transforms=Counted(one.transforms * 8000))
    refusal(choose_ike, [one] * 31, remote(AES, DES))
    assert Counted.looked < 3 * TRANSFORMS_MAX
    many = ike(*[offer(enc=1)] * (TRANSFORMS_MAX // 2)) * 2
    refusal(choose_ike, many + ike(offer()), remote(AES))


def test_what_is_not_told_is_not_described(monkeypatch: pytest.MonkeyPatch) -> None:
    """The texts cost ten times as much as the comparison."""
    described: list[str] = []
    text = Row.__str__

    def counted(row: Row) -> str:
        described.append(row.label)
        return text(row)

    monkeypatch.setattr(Row, "__str__", counted)
    many = [offer(enc=1, hash=1, group=1, auth=3)] * 200
    assert len(refusal(choose_ike, ike(*many), remote(AES)).misses) == MISSES_MAX
    assert len(described) <= 5 * (MISSES_MAX + 1)


def test_attributes_as_they_may_come() -> None:
    attribute = DataAttribute
    attributes = [attribute(11, 7), attribute(12, 5), attribute(11, 2), attribute(12, b"\1\0")]
    assert values(attributes, 11, 12) == ({}, 0, 256)
    assert values([attribute(12, 5)], 11, 12) == ({}, 0, 0)
    assert values([attribute(1, b"")], 11, 12) == ({1: 0}, 0, 0)
    long = [attribute(11, 2), attribute(12, b"\x80" + bytes(7))]
    assert values(long, 11, 12) == ({}, 0, (1 << 53) - 1), "1024 times that is still a counter"


# --- phase 2 ---------------------------------------------------------------------------------

X = IpsecTransform(
    "x", ipsec.Esp.AES, TUNNEL, ipsec.Auth.HMAC_SHA, None, Range(128, 128, 256),
    Lifetime(Range(1200, 60, 86400), Range(1000, 10, 5000)), "conf:30",
)  # fmt: skip
A = IpsecTransform("a", ipsec.Ah.SHA, TUNNEL, ipsec.Auth.HMAC_SHA, line="conf:40")
SINGLE = Suite("single", (SaPolicy(ESP, (X,), 128),), "conf:50")
BUNDLE = Suite("bundle", (SaPolicy(ESP, (X,)), SaPolicy(AH, (A,))), "conf:60")


def proposal(number: int, protocol: int, transform: int, **attributes: Any) -> Offer:
    names = {"unit": 1, "life": 2, "group": 3, "mode": 4, "auth": 5, "bits": 6}
    wanted = {"mode": 1, "auth": 2, **attributes}
    said = [DataAttribute(names[n], v) for n, v in wanted.items() if v is not None]
    return ProposalValue(number, protocol, b"abcd", (TransformValue(1, transform, tuple(said)),))


def with_attributes(offer: Offer, *more: DataAttribute) -> Offer:
    (transform,) = offer.transforms
    longer = transform._replace(attributes=transform.attributes + more)
    return offer._replace(transforms=(longer,))


def test_a_single_protocol() -> None:
    (chosen,) = choose_ipsec(parsed([proposal(1, 3, 12)]), [SINGLE], "conf:1")
    assert chosen.what.key_bits == 128
    assert chosen.what.replay_window == 128
    assert (chosen.what.life_s, chosen.what.life_kb) == (1200, 1000)
    assert chosen.proposal.spi == b"abcd"
    assert describe(chosen.what) == "ESP AES-128 HMAC_SHA TUNNEL"


@pytest.mark.parametrize("mode", [3, 61443])
def test_udp_encapsulation_is_the_same_mode(mode: int) -> None:
    """RFC 3947 5.1."""
    (chosen,) = choose_ipsec(parsed([proposal(1, 3, 12, mode=mode)]), [SINGLE], "")
    assert chosen.what.encapsulation is TUNNEL


def test_bundles_match_bundles_only() -> None:
    pair = [proposal(1, 3, 12), proposal(1, 2, 3)]
    chosen = choose_ipsec(parsed(pair), [SINGLE, BUNDLE], "")
    assert [c.what.protocol for c in chosen] == [ESP, AH]
    refusal(choose_ipsec, parsed(pair), [SINGLE], "")
    refusal(choose_ipsec, parsed(pair[:1]), [BUNDLE], "")
    twice = [proposal(1, 3, 12), proposal(1, 3, 12)]
    refusal(choose_ipsec, parsed(twice), [BUNDLE], "")
    alternatives = [proposal(1, 3, 12), proposal(2, 2, 3)]
    assert len(choose_ipsec(parsed(alternatives), [SINGLE], "")) == 1


@pytest.mark.parametrize("count", [1, 200, 255])
@pytest.mark.parametrize("before", [0, 100])
def test_a_bundle_of_many_transforms_is_not_cut(count: int, before: int) -> None:
    """Of ESP and AH together ESP alone was taken: what is cut off is another offer."""

    def of(number: int, protocol: int, transform: int, many: int) -> Offer:
        found = proposal(number, protocol, transform)
        return found._replace(transforms=found.transforms * many)

    misfits = [of(1, 2, 2, before)] if before else []
    pair = parsed([*misfits, of(2, 3, 12, count), of(2, 2, 3, 100)])
    refusal(choose_ipsec, pair, [SINGLE], "")
    if not before:
        assert [c.what.protocol for c in choose_ipsec(pair, [BUNDLE], "")] == [ESP, AH]


@pytest.mark.parametrize(
    ("changes", "miss", "mend"),
    [
        ({"auth": None}, "AUTHENTICATION_ALGORITHM none, not HMAC_SHA",
         "at the peer set AUTHENTICATION_ALGORITHM HMAC_SHA instead of none"),
        ({"group": 14}, "GROUP_DESCRIPTION MODP_2048, not none",
         "here set GROUP_DESCRIPTION MODP_2048 instead of none: "
         "here that is QM-ESP-AES-128-SHA-PFS-GRP14-SUITE of Suites"),
        ({"bits": 512}, "KEY_LENGTH 512, not 128 to 256",
         "at the peer set TRANSFORM_ID AES-128 instead of AES-512"),
    ],
)  # fmt: skip
def test_differences(changes: dict[str, Any], miss: str, mend: str) -> None:
    reason = refusal(choose_ipsec, parsed([proposal(1, 3, 12, **changes)]), [SINGLE], "conf:1")
    assert reason.misses[0].endswith(f": {miss}")
    assert reason.mend == mend
    assert reason.line == "conf:30"
    assert reason.acceptable == "single"


@pytest.mark.parametrize(
    ("changes", "miss", "mend"),
    [
        ({"mode": 2}, "ENCAPSULATION_MODE TRANSPORT, not TUNNEL",
         "set tunnel mode at the peer, or Mode= transport here"),
        ({"unit": 1, "life": 10}, "LIFE_DURATION 10 seconds, not 60 to 86400",
         "LIFE_DURATION 10 seconds at the peer, 60 to 86400 here: set what is taken here at the "
         "peer, or LIFE_DURATION= 1200,10:86400 in [hour]"),
        ({"unit": 2, "life": 5001}, "LIFE_DURATION 5001 kilobytes, not 10 to 5000",
         "LIFE_DURATION 5001 kilobytes at the peer, 10 to 5000 here: set what is taken here at the "
         "peer, or LIFE_DURATION= 1000,10:5001 in [much]"),
        ({"auth": None, "mode": 2}, "AUTHENTICATION_ALGORITHM none, not HMAC_SHA; "
         "ENCAPSULATION_MODE TRANSPORT, not TUNNEL",
         "at the peer set AUTHENTICATION_ALGORITHM HMAC_SHA instead of none; "
         "set tunnel mode at the peer, or Mode= transport here"),
    ],
)  # fmt: skip
def test_what_has_no_stronger_is_mended_by_what_would_be_taken(
    changes: dict[str, Any], miss: str, mend: str
) -> None:
    """A mode, a lifetime; and of a lifetime alone its own line has decided."""
    (esp,) = SINGLE.protocols
    life = replace(esp.transforms[0].life, seconds_said=Said("hour", "LIFE_DURATION", "conf:60"),
                   kilobytes_said=Said("much", "LIFE_DURATION", "conf:70"))  # fmt: skip
    esp = replace(esp, transforms=tuple(replace(one, life=life) for one in esp.transforms))
    offers = parsed([proposal(1, 3, 12, **changes)])
    reason = refusal(choose_ipsec, offers, [replace(SINGLE, protocols=(esp,))], "")
    assert (reason.misses[0].partition("single: ")[2], reason.mend) == (miss, mend)
    assert reason.line == {1: "conf:60", 2: "conf:70"}.get(changes.get("unit", 0), "conf:30")
    assert reason.acceptable == "single" + (" TUNNEL" if "mode" in changes else "")
    if "life" in changes:  # nor with what nothing of ours has
        more = with_attributes(proposal(1, 3, 12, **changes), DataAttribute(8, 5))
        both = refusal(choose_ipsec, parsed([more]), [replace(SINGLE, protocols=(esp,))], "")
        assert (len(both.beside), both.line) == (len(reason.beside) + 1, "conf:30")


def test_the_nearest_miss_is_shown_attribute_by_attribute() -> None:
    """What came, what would have been taken, and which of them keeps the two apart."""
    reason = refusal(choose_ipsec, parsed([proposal(1, 3, 12, auth=5, group=14)]), [SINGLE], "")
    assert reason.beside == (
        Part("TRANSFORM_ID", "AES", "AES"),
        Part("AUTHENTICATION_ALGORITHM", "HMAC_SHA2_256", "HMAC_SHA", False),
        Part("ENCAPSULATION_MODE", "TUNNEL", "TUNNEL"),
        Part("GROUP_DESCRIPTION", "MODP_2048", "none", False),
        Part("KEY_LENGTH", "128", "128 to 256"),
    )
    offers = ike(offer(enc=5, hash=1, group=2, bits=64), offer(group=5, unit=1, life=59))
    reason = refusal(choose_ike, offers, remote(AES, DES))
    assert reason.beside == (
        Part("ENCRYPTION_ALGORITHM", "3DES_CBC", "3DES_CBC"),
        Part("HASH_ALGORITHM", "MD5", "MD5"),
        Part("GROUP_DESCRIPTION", "MODP_1024", "MODP_1024"),
        Part("AUTHENTICATION_METHOD", "PRE_SHARED", "PRE_SHARED"),
        Part("KEY_LENGTH", "64", "none", False),
    )
    assert reason.line == "conf:20"
    assert reason.misses[1] == (
        "transform 2 (AES_CBC-256 SHA MODP_1536 PRE_SHARED) against AES, conf:10: "
        "GROUP_DESCRIPTION MODP_1536, not MODP_2048; LIFE_DURATION 59 seconds, not 60 to 86400"
    )


def test_an_attribute_that_nothing_of_ours_has_is_shown() -> None:
    reason = refusal(choose_ike, ike({**offer(), 13: 5}), remote(AES))
    assert reason.beside[-1] == Part("PRF", "which is not carried out", "", False)
    assert [part.fits for part in reason.beside] == [True] * 5 + [False]


def test_another_protocol_is_the_farthest_miss() -> None:
    proposals = parsed([proposal(1, 2, 3), proposal(2, 3, 3, mode=2)])
    reason = refusal(choose_ipsec, proposals, [SINGLE], "")
    assert reason.misses[0].startswith("proposal 2 ")
    assert "protocols AH, not ESP" in reason.misses[-1]


def test_a_bundle_is_compared_as_one() -> None:
    proposals = parsed([proposal(1, 3, 3), proposal(1, 2, 3)])
    reason = refusal(choose_ipsec, proposals, [SINGLE, BUNDLE], "")
    assert "proposal 1 against single, conf:50: protocols AH+ESP, not ESP" in reason.misses
    assert all(miss.rpartition(": ")[2] for miss in reason.misses)
    assert len(set(reason.misses)) == len(reason.misses)
    lonely = refusal(choose_ipsec, proposals, [SINGLE], "")
    assert lonely.mend == ("make both ends the same: protocols AH+ESP at the peer, ESP here")


def test_what_did_not_come_is_called_none() -> None:
    bare = parsed([proposal(1, 3, 3, mode=0)])
    assert "ENCAPSULATION_MODE none, not TUNNEL" in refusal(
        choose_ipsec, bare, [SINGLE], ""
    ).misses[0]  # fmt: skip


def test_pfs_is_said() -> None:
    chosen = ipsec_offer(*_one(proposal(1, 3, 12, group=31, bits=256)))
    assert describe(chosen) == "ESP AES-256 HMAC_SHA TUNNEL PFS CURVE25519"


def _one(value: Offer) -> tuple[int, Any]:
    (found,) = parsed([value])
    return found.protocol_id, found.transforms[0]


@given(st.lists(VALUES["SA"], min_size=1, max_size=2))
@settings(max_examples=150, deadline=None)
def test_whatever_is_proposed_is_chosen_or_refused(sas: list[Any]) -> None:
    for sa in sas:
        proposals = parsed(sa.proposals)
        for call, args in (
            (choose_ike, (proposals, remote(AES, DES))),
            (choose_ipsec, (proposals, [SINGLE, BUNDLE], "conf:1")),
        ):
            try:
                call(*args)
            except Refused as refused:
                assert len(refused.reason.misses) <= MISSES_MAX
                assert len(str(refused.reason)) < 20000
