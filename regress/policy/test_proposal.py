"""Proposals of IKEv2: what is offered, chosen, and checked."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.chosen import ChosenIkev2
from isakmp.conf.values import BadValue
from isakmp.constants import ikev2, ipsec, isakmp
from isakmp.errors import Refused
from isakmp.payloads.data_attribute import DataAttribute
from isakmp.payloads.ikev2.sa import Offer, SaValue, TransformValue
from isakmp.payloads.shapes import ProposalValue
from isakmp.policy import proposal
from isakmp.policy.algorithms import distinct, transform_text
from isakmp.policy.keywords import KEYWORDS, parse_esp, parse_ike
from isakmp.policy.match import MISSES_MAX
from isakmp.policy.proposal import Choice
from isakmp.policy.spd import Proposal, Transform
from regress.payloads.values import first_changed
from regress.policy.sections import proposals_of

T = ikev2.Transform
SPI = b"\1\2\3\4"


def ike(*texts: str) -> tuple[Proposal, ...]:
    return tuple(parse_ike(text, f"f:{n} [west]") for n, text in enumerate(texts, 1))


def esp(*texts: str) -> tuple[Proposal, ...]:
    return tuple(parse_esp(text, f"f:{n} [net]") for n, text in enumerate(texts, 1))


def choose(
    came: tuple[Proposal, ...],
    ours: tuple[Proposal, ...],
    *,
    local: bool = True,
    group: int | None = None,
) -> Choice:
    offered = proposals_of(proposal.offer(came, SPI))
    return proposal.choose(
        offered, ours, "west", "f:9", prefer_local=local, prefer_group=group
    )  # fmt: skip


def names(choice: Choice) -> str:
    return proposal.describe(list(choice.transforms.values()))


def refusal(came: tuple[Proposal, ...], ours: tuple[Proposal, ...]) -> Refused:
    with pytest.raises(Refused) as caught:
        choose(came, ours)
    return caught.value


class TestOffer:
    def test_proposals_are_numbered_and_have_the_spi(self) -> None:
        value = proposal.offer(ike("aes128gcm16-prfsha256-x25519", "aes256-sha256-modp2048"), SPI)
        first, second = proposals_of(value)
        assert [first.number, second.number] == [1, 2]
        assert (first.protocol_id, first.spi) == (ikev2.Protocol.IKE, SPI)
        assert [(t.type, t.transform_id) for t in second.transforms] == [
            (1, 12), (2, 5), (3, 12), (4, 14),
        ]  # fmt: skip
        assert second.transforms[0].attributes == (DataAttribute(14, 256),)
        assert second.transforms[1].attributes == ()

    def test_a_cipher_of_one_length_has_no_attribute(self) -> None:
        (found,) = proposals_of(proposal.offer(esp("chacha20poly1305"), SPI))
        assert found.transforms[0].attributes == ()


_CIPHERS = ("aes128-sha1", "aes256-sha256", "aes256gcm16-prfsha256", "3des-sha1",
            "chacha20poly1305-prfsha384")  # fmt: skip


class TestMend:
    @pytest.mark.parametrize("theirs", _CIPHERS)
    @pytest.mark.parametrize("ours", _CIPHERS)
    @pytest.mark.parametrize("groups", [("x25519", "modp2048"), ("ecp256", "x25519")])
    def test_what_is_to_be_written_here_is_taken(
        self, theirs: str, ours: str, groups: tuple[str, str]
    ) -> None:
        """Each thing is told once, and nobody is to set the weaker; no integrity algorithm is held
        against a cipher that has none beside it."""
        came = ike(f"{theirs}-{groups[0]}")
        mend = refusal(came, ike(f"{ours}-{groups[1]}")).reason.mend
        assert "NONE" not in mend and "both ends" not in mend and mend.count(" KE ") == 1
        before, here, written = mend.partition(": here that is ")
        assert bool(here) == ("here" in before)
        if here and "at the peer set" not in before:
            assert choose(came, ike(written.removesuffix(" of IKE-proposals")))

    def test_of_esp(self) -> None:
        mend = refusal(esp("aes256gcm16-x25519"), esp("aes256-sha1")).reason.mend
        assert mend == (
            "here set ENCR AES_GCM_16-256 instead of AES_CBC-256 with HMAC_SHA1_96; here set KE "
            "CURVE25519 instead of NONE: here that is aes256gcm16-x25519 of ESP-proposals"
        )


class TestChoice:
    OURS = ("aes256-aes128-sha384-sha256-x25519-modp2048",)

    def test_our_order_counts_or_the_peers(self) -> None:
        came = ike("aes128-aes256-sha256-sha384-modp2048-x25519")
        local, peers = choose(came, ike(*self.OURS)), choose(came, ike(*self.OURS), local=False)
        assert names(local) == (
            "AES_CBC-256 PRF_HMAC_SHA2_384 HMAC_SHA2_384_192 CURVE25519"
        )  # fmt: skip
        assert names(peers) == "AES_CBC-128 PRF_HMAC_SHA2_256 HMAC_SHA2_256_128 MODP_2048"

    def test_so_does_the_order_of_proposals(self) -> None:
        came, ours = ("aes128-sha256-modp2048", "aes256-sha256-modp2048"), None
        ours = ike(*reversed(came))
        assert choose(ike(*came), ours).number == 2
        assert choose(ike(*came), ours, local=False).number == 1

    def test_the_group_of_the_peers_key_spares_a_round(self) -> None:
        came = ike("aes128-aes256-sha256-modp2048-x25519")
        assert choose(came, ike(*self.OURS), group=14).group is isakmp.Group.MODP_2048
        assert choose(came, ike(*self.OURS), group=31).group is isakmp.Group.CURVE25519
        assert choose(came, ike(*self.OURS), group=19).group is isakmp.Group.CURVE25519

    def test_but_no_other_proposal_is_taken_for_it(self) -> None:
        came = ike("aes256gcm16-prfsha384-ecp384", "aes128-sha256-modp2048")
        assert choose(came, came, group=14).group is isakmp.Group.ECP_384

    def test_what_it_says(self) -> None:
        choice = choose(ike("aes128-sha256-x25519"), ike("aes128-sha256-x25519"))
        assert choice.spi == SPI
        assert choice.proposal.line == "f:1 [west]"
        assert choice.encr == Transform(T.ENCR, ikev2.Encr.AES_CBC, 128)
        assert choice.prf == Transform(T.PRF, ikev2.Prf.HMAC_SHA2_256)
        assert choice.integ == Transform(T.INTEG, ikev2.Integ.HMAC_SHA2_256_128)
        assert choice.group is isakmp.Group.CURVE25519
        assert choice.encr is not None and choice.encr.id is ikev2.Encr.AES_CBC
        assert not choice.esn

    def test_key_lengths_must_agree(self) -> None:
        refused = refusal(ike("aes128-sha256-x25519"), ike("aes256-sha256-x25519"))
        assert refused.notify == ikev2.Notify.NO_PROPOSAL_CHOSEN
        assert refused.reason.misses == (
            "proposal 1 against aes256-sha256-x25519: ENCR AES_CBC-128, not AES_CBC-256",
        )

    def test_the_nearest_miss_goes_first_and_its_line_decides(self) -> None:
        ours = ike("3des-sha1-modp1024", "aes128-sha256-x25519")
        reason = refusal(ike("aes128-sha256-modp2048"), ours).reason
        assert reason.cause == "no-proposal-chosen"
        assert reason.line == "f:2 [west]"
        assert "KE MODP_2048, not CURVE25519" in reason.misses[0]
        assert reason.came == (
            "AES_CBC-128 PRF_HMAC_SHA2_256 HMAC_SHA2_256_128 MODP_2048"
        )  # fmt: skip
        assert reason.acceptable == "3des-sha1-modp1024, aes128-sha256-x25519"
        assert reason.mend == "at the peer set KE CURVE25519 instead of MODP_2048"

    def test_protocols_are_told_apart(self) -> None:
        reason = refusal(esp("aes128gcm16"), ike("aes128gcm16-prfsha256-x25519")).reason
        assert reason.misses[0].endswith("PROTOCOL_ID ESP, not IKE")

    def test_nothing_of_ours(self) -> None:
        assert refusal(esp("aes128gcm16"), ()).reason.acceptable == "nothing"


class TestWhatIsNotSaid:
    """A type that a proposal lacks is NONE, or 32-bit sequence numbers."""

    def came(self, *transforms: Transform) -> list[Offer]:
        ours = Proposal(ikev2.Protocol.ESP, transforms, "came")
        return list(proposals_of(proposal.offer((ours,), SPI)))

    def choose(self, came: list[Offer], text: str) -> Choice:
        return proposal.choose(came, esp(text), "net", "f:9", prefer_local=True)

    GCM = Transform(T.ENCR, ikev2.Encr.AES_GCM_16, 128)
    NONE = Transform(T.INTEG, ikev2.Integ.NONE)
    NO_GROUP = Transform(T.KE, 0)
    ESN, NO_ESN = Transform(T.ESN, 1), Transform(T.ESN, 0)

    def test_sequence_numbers(self) -> None:
        choice = self.choose(self.came(self.GCM), "aes128gcm16-noesn-esn")
        assert list(choice.transforms) == [T.ENCR]
        with pytest.raises(Refused, match="SEQUENTIAL_32, not SEQUENTIAL_64"):
            self.choose(self.came(self.GCM), "aes128gcm16-esn")

    def test_sequence_numbers_have_no_stronger(self) -> None:
        """RFC 7296 3.3.2: of both the mend says which is where."""
        group = Transform(T.KE, 14)
        with pytest.raises(Refused) as caught:
            self.choose(self.came(self.GCM, group, self.NO_ESN), "aes128gcm16-esn")
        assert caught.value.reason.mend == (
            "here set KE MODP_2048 instead of NONE: "
            "here that is aes128gcm16-modp2048-esn of ESP-proposals; "
            "make both ends the same: ESN SEQUENTIAL_32 at the peer, SEQUENTIAL_64 here: "
            "set esn at the peer, or noesn in ESP-proposals here"
        )

    @pytest.mark.parametrize(("ours", "theirs"), [("esn", "noesn"), ("noesn", "esn")])
    def test_of_sequence_numbers_both_ends_are_named(self, ours: str, theirs: str) -> None:
        came = self.came(self.GCM, self.ESN if theirs == "esn" else self.NO_ESN)
        with pytest.raises(Refused) as caught:
            self.choose(came, f"aes128gcm16-{ours}")
        reason = caught.value.reason
        assert reason.came.endswith(f" with {theirs}")
        assert reason.acceptable == f"aes128gcm16-{ours} with {ours}"
        assert reason.mend.endswith(f": set {ours} at the peer, or {theirs} in ESP-proposals here")
        with pytest.raises(Refused) as caught:
            self.choose(self.came(self.NONE, self.NO_ESN), "aes128gcm16-esn-noesn")
        assert " with " not in caught.value.reason.came + caught.value.reason.acceptable

    def test_integrity_none_is_answered_where_it_was_said(self) -> None:
        choice = self.choose(self.came(self.GCM, self.NONE, self.ESN), "aes128gcm16-esn")
        assert choice.transforms[T.INTEG] == self.NONE
        assert choice.integ is None
        assert choice.esn

    def test_a_group_that_we_want(self) -> None:
        with pytest.raises(Refused, match="KE NONE, not CURVE25519"):
            self.choose(self.came(self.GCM, self.NO_ESN), "aes128gcm16-x25519")

    def test_a_group_that_we_do_not_want(self) -> None:
        group = Transform(T.KE, 14)
        with pytest.raises(Refused, match="KE MODP_2048, not NONE"):
            self.choose(self.came(self.GCM, group, self.NO_ESN), "aes128gcm16")
        choice = self.choose(self.came(self.GCM, group, self.NO_GROUP), "aes128gcm16")
        assert choice.group is None
        assert choice.transforms[T.KE].id == 0

    def test_a_type_that_nobody_knows(self) -> None:
        """RFC 7296 3.3.6."""
        unknown = Transform(T.KWA, 36)
        with pytest.raises(Refused, match="type KWA are not known"):
            self.choose(self.came(self.GCM, unknown), "aes128gcm16")

    @pytest.mark.parametrize(
        "attributes",
        [
            [DataAttribute(14, 128), DataAttribute(14, 256)],
            [DataAttribute(15, 1)],
            [DataAttribute(14, b"\0\x80")],
            [DataAttribute(14, 0)],
        ],
    )
    def test_a_transform_with_attributes_that_nobody_knows(
        self, attributes: list[DataAttribute]
    ) -> None:
        first, *others = self.came(self.GCM)[0].transforms
        ill = first._replace(attributes=tuple(attributes))
        came = SaValue((self.came(self.GCM)[0]._replace(transforms=(ill, *others)),))
        with pytest.raises(Refused, match="ENCR none usable"):
            self.choose(proposals_of(came), "aes128gcm16")


class TestAnswer:
    OURS = ike("aes128gcm16-aes256gcm16-prfsha256-x25519", "aes256-sha256-modp2048-x25519")

    def check(self, value: SaValue) -> Choice:
        return proposal.check_answer(proposals_of(value), self.OURS, "west", "f:9")

    def test_our_answer_is_one(self) -> None:
        choice = choose(self.OURS[1:], self.OURS)
        found = self.check(proposal.answer(choice._replace(number=2), b"\5\6\7\1"))
        assert (found.number, found.spi) == (2, b"\5\6\7\1")
        assert found.transforms == choice.transforms
        assert found.proposal is self.OURS[1]

    @pytest.mark.parametrize(
        ("texts", "number", "reason"),
        [
            (["aes128gcm16-prfsha256-x25519"] * 2, 1, "2 proposals"),
            (["aes128gcm16-prfsha256-x25519"], 3, "no proposal 3 was offered"),
            (["aes128gcm16-prfsha256-x25519"], 0, "no proposal 0 was offered"),
            (["aes128gcm16-prfsha256-x25519"], 2, "ENCR AES_GCM_16-128, not AES_CBC-256"),
            (["aes128gcm16-aes256gcm16-prfsha256-x25519"], 1, "2 transforms of type ENCR"),
            (["aes192gcm16-prfsha256-x25519"], 1, "ENCR AES_GCM_16-192"),
            (["aes128gcm16-prfsha256-modp2048"], 1, "KE MODP_2048, not CURVE25519"),
            (["aes128gcm16-prfsha384-x25519"], 1, "PRF PRF_HMAC_SHA2_384"),
        ],
    )
    def test_what_was_not_offered(self, texts: list[str], number: int, reason: str) -> None:
        """RFC 7296 2.7 and 3.3.6."""
        value = first_changed(proposal.offer(ike(*texts), b""), number=number)
        with pytest.raises(Refused) as caught:
            self.check(value)
        assert caught.value.reason.cause == "bad-choice"
        assert caught.value.notify == 0
        assert reason in str(caught.value.reason)

    def test_another_protocol(self) -> None:
        with pytest.raises(Refused, match="is not for ESP"):
            self.check(proposal.offer(esp("aes128gcm16"), SPI))

    def test_a_type_left_out(self) -> None:
        value = proposal.offer(ike("aes128gcm16-prfsha256-x25519"), b"")
        first, _, *others = value.proposals[0].transforms
        with pytest.raises(Refused, match="bad-choice"):
            self.check(first_changed(value, transforms=(first, *others)))


class TestPermits:
    CHOSEN = ChosenIkev2(
        ikev2.Encr.AES_CBC, 256, ikev2.Prf.HMAC_SHA2_256, ikev2.Integ.HMAC_SHA2_256_128,
        isakmp.Group.MODP_2048,
    )  # fmt: skip

    @pytest.mark.parametrize(
        ("text", "permitted"),
        [
            ("aes128-aes256-sha384-sha256-ecp256-modp2048", True),
            ("aes128-sha256-modp2048", False),
            ("aes256-sha256-x25519", False),
            ("aes256gcm16-prfsha256-modp2048", False),
            ("aes256-sha384-prfsha256-modp2048", False),
        ],
    )
    def test_what_another_section_chose(self, text: str, permitted: bool) -> None:
        assert proposal.permits(ike("3des-sha1-modp1024", text), self.CHOSEN) is permitted

    def test_of_combined_mode(self) -> None:
        chosen = self.CHOSEN._replace(encryption=ikev2.Encr.AES_GCM_16, integ=None)
        assert proposal.permits(ike("aes256gcm16-prfsha256-modp2048"), chosen)
        assert not proposal.permits((), chosen)


class TestSeveralKeyExchanges:
    """RFC 9370 2.2.1 and 2.2.2."""

    def chosen(self, came: str, ours: str, *, local: bool = True, group: int | None = None) -> str:
        choice = choose(ike(f"aes128-sha256-{came}"), ike(f"aes128-sha256-{ours}"), local=local,
                        group=group)  # fmt: skip
        checked = proposal.check_answer(
            proposals_of(proposal.answer(choice, SPI)), ike(f"aes128-sha256-{came}"), "w", "f:1"
        )
        assert checked.additional == choice.additional
        return " ".join(map(transform_text, (Transform(T.KE, choice.group or 0),
                                             *choice.additional)))  # fmt: skip

    @pytest.mark.parametrize(
        ("came", "ours", "chosen"),
        [
            ("x25519-ke1_mlkem768", "x25519-ke1_mlkem768", "CURVE25519 KE1_ML_KEM_768"),
            ("x25519-ke1_mlkem768-ke1_none", "x25519", "CURVE25519"),
            ("x25519", "x25519-ke1_none-ke1_mlkem768", "CURVE25519"),
            ("x25519-ke2_ecp256-ke7_ecp384", "x25519-ke2_ecp256-ke7_ecp384",
             "CURVE25519 KE2_ECP_256 KE7_ECP_384"),
            # The preferred one of the second would be that of the first.
            ("x25519-ecp256-ke1_x25519-ke1_ecp256", "x25519-ecp256-ke1_x25519-ke1_ecp256",
             "CURVE25519 KE1_ECP_256"),
            ("x25519-ke1_ecp256-ke1_ecp384-ke2_ecp256", "x25519-ke1_ecp256-ke1_ecp384-ke2_ecp256",
             "CURVE25519 KE1_ECP_384 KE2_ECP_256"),
        ],
    )  # fmt: skip
    def test_one_of_each_and_none_twice(self, came: str, ours: str, chosen: str) -> None:
        assert self.chosen(came, ours) == chosen

    def test_the_group_that_came_goes_first(self) -> None:
        both = "x25519-ecp256-ke1_x25519-ke1_ecp256"
        assert self.chosen(both, both, group=19) == "ECP_256 KE1_CURVE25519"

    def test_what_comes_again_and_again_is_tried_once(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else one packet of a stranger's, with two methods sixty times each, takes a second."""
        came = proposal.offer(ike("aes128-sha256-x25519-ke1_ecp256-ke1_ecp384"), SPI)
        transforms = came.proposals[0].transforms
        came = first_changed(came, transforms=transforms + 60 * transforms[-2:])
        tried: list[list[list[int]]] = []

        def noted(ranked: list[list[Transform]]) -> tuple[Transform, ...] | None:
            tried.append([[t.id for t in kind] for kind in ranked])
            return distinct(ranked)

        monkeypatch.setattr(proposal, "distinct", noted)
        ours = ike("aes128-sha256-x25519-ke1_ecp384-ke1_ecp256")
        chosen = proposal.choose(proposals_of(came), ours, "west", "f:9", prefer_local=False)
        assert [t.id for t in chosen.additional] == [19]
        assert tried == [[[31], [19, 20]]]

    def test_the_same_twice_is_no_choice(self) -> None:
        came = proposal.offer(ike("aes128-sha256-x25519-ke1_ecp256"), SPI)
        *others, last = came.proposals[0].transforms
        came = first_changed(came, transforms=(*others, last._replace(transform_id=31)))
        ours = ike("aes128-sha256-x25519-ecp256-ke1_x25519-ke1_ecp256")
        with pytest.raises(Refused, match="serve twice") as caught:
            proposal.choose(proposals_of(came), ours, "west", "f:9", prefer_local=True)
        assert caught.value.notify == ikev2.Notify.NO_PROPOSAL_CHOSEN
        with pytest.raises(Refused) as answered:
            proposal.check_answer(proposals_of(came), ours, "west", "f:9")
        assert answered.value.reason.cause == "bad-choice"

    @pytest.mark.parametrize(
        ("ours", "permitted"),
        [("x25519-ke1_ecp256", True), ("x25519-ke1_ecp256-ke1_none", True), ("x25519", False),
         ("x25519-ke1_ecp384", False), ("x25519-ke1_ecp256-ke2_ecp384", False),
         ("x25519-ke1_ecp256-ke2_ecp384-ke2_none", True)],
    )  # fmt: skip
    def test_what_another_section_permits(self, ours: str, permitted: bool) -> None:
        chosen = ChosenIkev2(
            ikev2.Encr.AES_CBC, 128, ikev2.Prf.HMAC_SHA2_256, ikev2.Integ.HMAC_SHA2_256_128,
            isakmp.Group.CURVE25519, additional=(Transform(T.ADDKE1, 19),),
        )  # fmt: skip
        assert proposal.permits(ike(f"aes128-sha256-{ours}"), chosen) is permitted


class TestIpsecNumbers:
    @pytest.mark.parametrize(
        ("text", "numbers"),
        [
            ("aes256-sha256", (ipsec.Esp.AES, 256, ipsec.Auth.HMAC_SHA2_256)),
            ("aes128gcm16", (ipsec.Esp.AES_GCM_16, 128, None)),
            ("aes192ccm8", (ipsec.Esp.AES_CCM_8, 192, None)),
            ("aes128ctr-aesxcbc", (ipsec.Esp.AES_CTR, 128, ipsec.Auth.AES_XCBC_MAC)),
            ("aes256gmac", (ipsec.Esp.NULL_AES_GMAC, 256, None)),
            ("camellia128-sha1", (ipsec.Esp.CAMELLIA, 128, ipsec.Auth.HMAC_SHA)),
            ("chacha20poly1305", (ipsec.Esp.CHACHA20_POLY1305, 0, None)),
            ("3des-md5", (ipsec.Esp._3DES, 0, ipsec.Auth.HMAC_MD5)),
            ("null-sha512", (ipsec.Esp.NULL, 0, ipsec.Auth.HMAC_SHA2_512)),
        ],
    )
    def test_esp(self, text: str, numbers: tuple[int, int, ipsec.Auth | None]) -> None:
        choice = choose(esp(text), esp(text))
        assert proposal.ipsec_numbers(choice) == numbers

    def test_ah(self) -> None:
        integ = Transform(T.INTEG, ikev2.Integ.HMAC_SHA2_384_192)
        ours = (Proposal(ikev2.Protocol.AH, (integ,), "ah"),)
        assert proposal.ipsec_numbers(choose(ours, ours)) == (
            ipsec.Ah.SHA2_384, 0, ipsec.Auth.HMAC_SHA2_384,
        )  # fmt: skip


def test_a_strangers_thousands_are_not_compared() -> None:
    came = [
        ProposalValue(number, 1, b"", tuple(TransformValue(1, n, ()) for n in range(255)))
        for number in range(1, 30)
    ]
    with pytest.raises(Refused) as caught:
        proposal.choose(
            proposals_of(SaValue(tuple(came))),
            ike("aes128gcm16-prfsha256-x25519"),
            "west",
            "f:1",
            prefer_local=True,
        )
    assert len(caught.value.reason.misses) <= MISSES_MAX
    assert len(str(caught.value.reason)) < 4000


def test_what_is_not_told_is_not_described(monkeypatch: pytest.MonkeyPatch) -> None:
    """The texts cost ten times as much as the comparison."""
    described = Mock(wraps=proposal._differences)
    monkeypatch.setattr(proposal, "_differences", described)
    came = [ProposalValue(n, 1, b"", (TransformValue(1, n, ()),)) for n in range(1, 256)]
    ours = ike("aes128gcm16-prfsha256-x25519")
    with pytest.raises(Refused) as caught:
        proposal.choose(proposals_of(SaValue(tuple(came))), ours, "west", "f:1", prefer_local=True)
    assert len(caught.value.reason.misses) == MISSES_MAX
    assert described.call_count == MISSES_MAX + 1, "the mend's once more"


words = st.lists(st.sampled_from(sorted(KEYWORDS)), min_size=1, max_size=8).map("-".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(words, min_size=1, max_size=4), st.lists(words, min_size=1, max_size=4),
       st.booleans(), st.sampled_from([None, 14, 31]))  # fmt: skip
def test_whatever_is_chosen_was_offered_and_is_accepted(
    came: list[str], ours: list[str], local: bool, group: int | None
) -> None:
    theirs, own = _parsed(came), _parsed(ours)
    if not theirs or not own:
        return
    try:
        choice = choose(theirs, own, local=local, group=group)
    except Refused as refused:
        assert refused.reason.misses
        return
    for transform in choice.transforms.values():
        assert transform in choice.proposal.transforms
        assert transform in theirs[choice.number - 1].transforms
    answer = proposals_of(proposal.answer(choice, SPI))
    checked = proposal.check_answer(answer, theirs, "west", "f:1")
    assert checked.transforms == choice.transforms


def _parsed(texts: list[str]) -> tuple[Proposal, ...]:
    found = []
    for text in texts:
        for parse in (parse_ike, parse_esp):
            try:
                found.append(parse(text))
            except BadValue:
                continue
    return tuple(found)
