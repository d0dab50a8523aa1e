"""Peers that can be taken for others are warned of."""

from __future__ import annotations

import pytest

from isakmp.conf.check import check, warnings
from isakmp.conf.store import Conf

PEERS = """[Phase 1]
192.0.2.1= east
192.0.2.3= west
Default= any
[east]
Key-exchange= ikev2
Address= 192.0.2.1
Local-address= 192.0.2.2
Authentication= the key of section east
[west]
Key-exchange= ikev2
Address= 192.0.2.3
Local-address= 192.0.2.2
Authentication= the key of section west
[any]
Key-exchange= ikev2
Local-address= 192.0.2.2
[joe@example.net]
Authentication= the key of this identity
[joe]
ID-type= USER_FQDN
Name= joe@example.net
"""


def warned(*edits: str) -> list[str]:
    text = PEERS
    for old, new in zip(edits[::2], edits[1::2], strict=True):
        assert old in text
        text = text.replace(old, new)
    conf = Conf.from_text(text, "f")
    assert not check(conf)
    return [line for line in warnings(conf) if "nothing names" not in line]


def test_a_peer_that_is_called_elsewhere_than_it_calls_from() -> None:
    assert warned("192.0.2.3= west", "192.0.2.9= west") == [
        "f:3 [Phase 1]:192.0.2.9: [west] has Address= 192.0.2.3: it is called there, and taken for "
        "it is who calls from 192.0.2.9"
    ]
    assert not warned("192.0.2.3= west", "192.0.2.9= west\n192.0.2.3= west")


def test_a_default_that_is_called_elsewhere() -> None:
    assert warned("Default= any", "Default= west") == [
        "f:4 [Phase 1]:Default: [west] has Address= 192.0.2.3: it is called there, and taken for "
        "it is who calls from any address that [Phase 1] lacks"
    ]


def test_peers_that_are_apart() -> None:
    assert not warned()
    same = warned("of section west", "of section east")
    assert not same, "their addresses keep them apart"


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        (("[any]\n", "[any]\nAuthentication= the key of section east\n"),
         ["f:9 [east]:Authentication: [east] can be taken for [any], or the other way round: "
          "f:16 [any]:Authentication has the same key",
          "f:20 [joe@example.net]:Authentication: serves nobody, as every peer has a key of "
          "its own, or expects another identity"]),
        (("Authentication= the key of section east\n", ""),
         ["f:5 [east]: [east] has neither Authentication nor Remote-ID: whoever has a key of an "
          "identity is taken for it at 192.0.2.1"]),
        (("Authentication= the key of section west", "Authentication= the key of section east",
          "Address= 192.0.2.3\n", ""),
         ["f:9 [east]:Authentication: [east] can be taken for [west], or the other way round: "
          "f:13 [west]:Authentication has the same key"]),
        (("[any]\n", "[any]\nRemote-ID= joe\n", "[west]\n", "[west]\nRemote-ID= joe\n"),
         ["f:11 [west]:Remote-ID: [west] has the Remote-ID of [any], f:17 [any]:Remote-ID"]),
    ],
)  # fmt: skip
def test_peers_that_are_not(edits: tuple[str, ...], said: list[str]) -> None:
    assert warned(*edits) == said


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("2001:db8::1", "2001:DB8:0::1"),
        ("C=DE, CN=gw", "c=DE,cn=GW"),
        ("10.0.0.0/8", "10.0.0.0-10.255.255.255"),
    ],
)
def test_two_keys_of_one_identity(one: str, other: str) -> None:
    """RFC 4945 3.1: the same identity in other octets."""
    keys = f"[{one}]\nAuthentication= the first key of both\n"
    assert not warned("[joe]\n", keys + "[joe]\n")
    keys += f"[{other}]\nAuthentication= the second key of both\n"
    (line,) = warned("[joe]\n", keys + "[joe]\n")
    where = f"f:23 [{other}]:Authentication: [{other}] means the identity of [{one}], "
    assert line.startswith(f"{where}f:21 [{one}]:Authentication: one key serves it")


def test_a_remote_id_needs_the_key_of_that_identity() -> None:
    text = PEERS.replace("[any]\n", "[any]\nRemote-ID= joe\n")
    assert not check(Conf.from_text(text, "f"))
    (error,) = check(Conf.from_text(text.replace("[joe@", "[ann@"), "f"))
    assert "the pre-shared key is missing" in str(error)


def test_a_name_in_hexadecimal_may_be_meant_for_a_key_id() -> None:
    keys = "[cafe]\nAuthentication= the key of this host\n"
    (line,) = warned("[joe]\n", keys + "[joe]\n")
    assert line == ("f:21 [cafe]:Authentication: serves the FQDN cafe; for the KEY_ID name the "
                    "section [0xcafe]")  # fmt: skip
    assert not warned("[joe]\n", keys.replace("cafe", "0xcafe") + "[joe]\n")


def test_a_section_with_id_type_and_a_key_is_an_identitys() -> None:
    described = "ID-type= KEY_ID\nName= 0xcafe\nAuthentication= a long key 4711 of it\n"
    conf = Conf.from_text(PEERS.replace("[joe]\n", f"[cafe]\n{described}[joe]\n"), "f")
    assert not check(conf)
    assert not [line for line in warnings(conf) if "[cafe]" in line]
