"""Hints for proposals that are put together otherwise: whoever follows one has what he meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from isakmp.conf.check import judge
from isakmp.conf.store import Conf
from isakmp.conf.values import BadValue
from isakmp.policy.algorithms import is_legacy
from isakmp.policy.keywords import KEYWORDS, parse_esp, parse_ike
from isakmp.policy.likely_keywords import joined, joining
from isakmp.policy.spd import Transform

PROPOSALS = (
    "aes256-sha256-x25519", "aes128-sha1-modp1024", "aes192-sha384-prfsha512-ecp384",
    "aes256gcm16-prfsha384-x25519-ke1_mlkem768", "chacha20poly1305-prfsha256-curve448",
    "aes256ctr-sha2_512-modp4096", "aes128ccm12-prfaescmac-modp2048s256",
    "camellia256-sha256-ecp256bp",
    "aes256-aes128-sha256-sha512-x25519-ecp256-modp3072",
)  # fmt: skip
ESP = ("aes256-sha256", "aes128gcm16-esn", "aes256gcm16-x25519-ke1_mlkem1024-noesn")
WORDS = frozenset(KEYWORDS)


def known(word: str) -> str:
    return word if word in WORDS else ""


def transforms(text: str) -> tuple[Transform, ...]:
    parse = parse_esp if text in ESP else parse_ike
    return parse(text).transforms


def followed(text: str, like: str) -> str:
    """What is written in the end by who does what each hint says, word for word."""
    parse = parse_esp if like in ESP else parse_ike
    for _ in range(10):
        try:
            parse(text)
        except BadValue as error:
            word, hint = re.match(r"'([^']*)' is no algorithm", str(error)), error.hint
            meant = re.fullmatch(r"did you mean (\S+)\?|join them with hyphens: (\S+)", hint)
            if not word or not meant:
                return ""
            one = meant[1] or meant[2]
            text = one if "-" in one else text.replace(word[1], one, 1)
        else:
            return text
    raise AssertionError(f"{text}: its hints come to no end")


def taken_apart(text: str) -> Iterator[str]:
    """With a hyphen, or what people write for one, between letters and digits."""
    edge = re.compile(r"(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])")
    for word in text.split("-"):
        places = [place.start() for place in edge.finditer(word)]
        for place in places:
            for between in "-_":
                other = f"{word[:place]}{between}{word[place:]}"
                yield text.replace(word, other, 1)
    yield edge.sub("-", text.replace("_", "-"))


@pytest.mark.parametrize("right", [*PROPOSALS, *ESP])
def test_what_is_taken_apart_is_put_together(right: str) -> None:
    parse = parse_esp if right in ESP else parse_ike
    for text in set(taken_apart(right)):
        try:
            assert parse(text).transforms == transforms(right), text
        except BadValue:
            found = followed(text, right)
            assert found, text
            assert transforms_of(found, right) == transforms(right), text


def transforms_of(text: str, like: str) -> tuple[Transform, ...]:
    return (parse_esp if like in ESP else parse_ike)(text).transforms


@pytest.mark.parametrize("right", [*PROPOSALS, *ESP])
@pytest.mark.parametrize("between", ["_", "/", " ", ":", "+", " - /", ".", "--", "-_-"])
def test_other_joints_are_hyphens(right: str, between: str) -> None:
    found = followed(right.replace("-", between), right)
    assert transforms_of(found, right) == transforms(right)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("aes-256-sha-256-x25519", "did you mean aes256-sha256-x25519?"),
        ("aes256_sha256_x25519", "join them with hyphens: aes256-sha256-x25519"),
        ("aes256/sha256/x25519", "join them with hyphens: aes256-sha256-x25519"),
        ("aes-gcm-256-prf-sha-256-x25519", "did you mean aes256gcm16-prfsha256-x25519?"),
        ("aes-256-cbc-sha2-256-dh-14", "did you mean aes256-sha256-modp2048?"),
        ("aes256-sha256-modp2048!", "did you mean aes256-sha256-modp2048?"),
        ("aes256-256-x25519", ""),
        ("aes256-sha256-384", ""),
        ("aes256-sha256-4096", "did you mean modp4096?"),
        ("aes256-sha256-25519", "did you mean x25519?"),
        ("aes256-sha256-dh31", "did you mean x25519?"),
    ],
)
def test_hints(text: str, hint: str) -> None:
    with pytest.raises(BadValue) as wrong:
        parse_ike(text)
    assert wrong.value.hint == hint


@pytest.mark.parametrize("right", [text for text in PROPOSALS if "sha1" not in text])
def test_no_hint_makes_a_proposal_one_of_the_past(right: str) -> None:
    """Whatever character is missing, doubled, or changed with the next."""
    for place in range(len(right)):
        for text in (
            right[:place] + right[place + 1 :],
            right[:place] + right[place] + right[place:],
            right[:place] + right[place : place + 2][::-1] + right[place + 2 :],
        ):
            with_hints = followed(text, right)
            if not with_hints or with_hints == text:
                continue
            assert not any(map(is_legacy, parse_ike(with_hints).transforms)), (text, with_hints)


def test_no_two_words_are_another_one() -> None:
    assert not [a + b for a in WORDS for b in WORDS if {a + b, f"{a}_{b}"} & WORDS]


@pytest.mark.parametrize(
    ("tag", "value", "hint"),
    [
        ("IKE-proposals", "aes256, sha256, x25519", "aes256-sha256-x25519"),
        ("IKE-proposals", "aes256gcm16, sha256, x25519", "aes256gcm16-sha256-x25519"),
        ("IKE-proposals", "aes-256, sha-256, x25519", "aes256-sha256-x25519"),
        ("IKE-proposals", "aes256-sha256, x25519", "aes256-sha256-x25519"),
        ("ESP-proposals", "aes256, sha256", "aes256-sha256"),
    ],
)
def test_commas_within_one_proposal_are_told_once(tag: str, value: str, hint: str) -> None:
    ours = {"IKE-proposals": "aes256-sha256-x25519", "ESP-proposals": "aes256-sha256"}
    text = (
        "[Phase 1]\n192.0.2.2= p\n[Phase 2]\nConnections= c\n[p]\nAddress= 192.0.2.2\n"
        "Key-exchange= ikev2\nAuthentication= 0x11223344556677889900aabbccddeeff\n"
        f"IKE-proposals= {ours['IKE-proposals']}\n[c]\nISAKMP-peer= p\n"
        f"ESP-proposals= {ours['ESP-proposals']}\nLocal-selectors= 10.1.0.0/16\n"
        "Remote-selectors= 10.2.0.0/16\n"
    )
    assert judge(Conf.from_text(text, "f")).errors == []
    wrong = text.replace(f"{tag}= {ours[tag]}", f"{tag}= {value}")
    [error] = judge(Conf.from_text(wrong, "f")).errors
    assert error.hint == f"join them with hyphens: {hint}"
    assert judge(Conf.from_text(wrong.replace(value, hint), "f")).errors == []


@pytest.mark.parametrize("value", ["aes256-sha256-x25519, sha256", "aes256, aes128", "x25519"])
def test_what_is_no_single_proposal_is_not_joined(value: str) -> None:
    conf = Conf.from_text(f"[p]\nAddress= 192.0.2.2\nIKE-proposals= {value}\n[Phase 1]\n"
                          "192.0.2.2= p\n")  # fmt: skip
    assert not any("join" in error.hint for error in judge(conf).errors)


def test_pieces_that_belong_to_no_word() -> None:
    assert joined("aes-256-what", known) == ""
    assert joining("", known) == ""
    assert joined("aes-256-" * 100, known) == ""
