"""Sections of another kind than what names them is for: one word of it, with what is meant."""

from __future__ import annotations

import pytest

from isakmp.conf.check import judge
from isakmp.conf.kinds import Kind
from isakmp.conf.mistaken import Mistaken
from isakmp.conf.store import Conf

PEER = (
    "[basel]\nAddress= 198.51.100.9\nKey-exchange= ikev2\nID= us\nRemote-ID= them\n"
    "Authentication= 0x11223344556677889900aabbccddeeff\nIKE-proposals= aes256-sha256-x25519\n"
    "[us]\nID-type= FQDN\nName= zurich.example\n[them]\nID-type= FQDN\nName= basel.example\n"
)
PHASE_1 = "[Phase 1]\n198.51.100.9= basel\n"
CONNECTION = (
    "[zurich-basel]\nISAKMP-peer= basel\nESP-proposals= aes256-sha256\n"
    "Local-selectors= 10.1.0.0/16\nRemote-ID= far\n"
    "[far]\nID-type= IPV4_ADDR_SUBNET\nNetwork= 10.2.0.0\nNetmask= 16\n"
)
RIGHT = f"{PHASE_1}[Phase 2]\nConnections= zurich-basel\n{PEER}{CONNECTION}"
SECOND = (
    "[again]\nISAKMP-peer= basel\nESP-proposals= aes256-sha256\nRemote-selectors= 10.3.0.0/16\n"
)


def told(text: str) -> list[str]:
    errors = judge(Conf.from_text(text, "f")).errors
    return [f"{error.line} [{error.section}]:{error.tag}: {error}" for error in errors]


def reasons(text: str) -> list[tuple[str, str, str]]:
    errors = judge(Conf.from_text(text, "f")).errors
    return [(error.tag, error.reason, error.hint) for error in errors]


def test_what_is_right_is_not_mistaken() -> None:
    assert told(RIGHT) == []


@pytest.mark.parametrize("tag", ["Connections", "Passive-connections"])
@pytest.mark.parametrize(
    ("name", "kind", "whose"),
    [
        ("basel", "an ISAKMP peer", "ISAKMP-peer"),
        ("Basel", "an ISAKMP peer", "ISAKMP-peer"),
        ("far", "an identity", "Remote-ID"),
    ],
)
def test_a_peer_or_an_identity_in_place_of_a_connection(
    tag: str, name: str, kind: str, whose: str
) -> None:
    assert reasons(RIGHT.replace("Connections= zurich-basel", f"{tag}= {name}")) == [
        (tag, f"[{name}] is {kind}", f"did you mean zurich-basel, whose {whose} it is?")
    ]


def test_of_several_connections_those_are_named_that_are_not_listed() -> None:
    of_two = RIGHT.replace("Connections= zurich-basel", "Connections= basel") + SECOND
    assert reasons(of_two)[0][2] == "did you mean zurich-basel or again, whose ISAKMP-peer it is?"
    listed = of_two.replace("Connections= basel", "Connections= basel, again")
    assert reasons(listed)[0][2] == "did you mean zurich-basel, whose ISAKMP-peer it is?"


def test_beside_its_only_connection_it_is_to_be_taken_out() -> None:
    both = RIGHT.replace("Connections= zurich-basel", "Connections= zurich-basel, basel")
    assert reasons(both) == [
        (
            "Connections",
            "[basel] is an ISAKMP peer",
            "take it out: zurich-basel, whose ISAKMP-peer it is, is listed",
        )
    ]


@pytest.mark.parametrize("name", ["zurich-basel", "again"])
def test_a_connection_in_place_of_a_peer(name: str) -> None:
    text = (RIGHT + SECOND).replace("ISAKMP-peer= basel", f"ISAKMP-peer= {name}", 1)
    hint = "did you mean basel?" if name == "again" else "it names the section with the peer's"
    [(tag, reason, found)] = reasons(text)
    assert (tag, reason) == ("ISAKMP-peer", f"[{name}] is an IPsec connection")
    assert found.startswith(hint)


def test_of_one_that_names_itself_the_only_peer_that_is_left_is_meant() -> None:
    text = RIGHT.replace("ISAKMP-peer= basel", "ISAKMP-peer= zurich-basel")
    assert reasons(text) == [
        ("ISAKMP-peer", "[zurich-basel] is an IPsec connection", "did you mean basel?")
    ]


def test_a_connection_in_phase_1() -> None:
    assert reasons(RIGHT.replace("198.51.100.9= basel", "198.51.100.9= zurich-basel")) == [
        ("198.51.100.9", "[zurich-basel] is an IPsec connection", "did you mean basel?")
    ]


def test_a_section_that_is_both_is_not_mistaken() -> None:
    conf = Conf.from_text("[both]\nAddress= 192.0.2.1\nISAKMP-peer= both\n", "f")
    assert [Mistaken(conf)(kind, "both") for kind in Kind] == [None] * len(Kind)
