"""Keys by identity, and who is who, by meaning: RFC 2407 4.6.2, RFC 4945 3.1, RFC 5280 7.1."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from itertools import combinations
from typing import Any

import pytest

from isakmp.conf.check import warnings
from isakmp.conf.store import Conf
from isakmp.constants import ipsec
from isakmp.path import Path
from isakmp.policy import dn
from isakmp.policy.keys import IdentityKeys
from isakmp.policy.reader import read_remote
from isakmp.policy.spd import Identity
from isakmp.sa import Nat, peer_of
from regress.pair import Network, both, connected

K = ipsec.Id


def identity(kind: ipsec.Id, data: str | bytes) -> Identity:
    return Identity(kind, bytes.fromhex(data) if isinstance(data, str) else data)


# Each row: octets that mean the same one, and the names of sections that serve it.
SAME: list[tuple[list[Identity], list[str]]] = [
    (
        [
            identity(K.IPV4_ADDR, "0a010203"),
            identity(K.IPV4_ADDR_SUBNET, "0a010203ffffffff"),
            identity(K.IPV4_RANGE, "0a0102030a010203"),
        ],
        ["10.1.2.3", "10.1.2.3/32", "10.1.2.3/255.255.255.255", "10.1.2.3-10.1.2.3"],
    ),
    (
        [
            identity(K.IPV4_ADDR_SUBNET, "0a010000ffff0000"),
            identity(K.IPV4_ADDR_SUBNET, "0a010203ffff0000"),
            identity(K.IPV4_RANGE, "0a0100000a01ffff"),
        ],
        ["10.1.0.0/16", "10.1.2.3/255.255.0.0", "10.1.0.0-10.1.255.255"],
    ),
    (
        [
            identity(K.IPV6_ADDR, "20010db8" + "00" * 11 + "01"),
            identity(K.IPV6_ADDR_SUBNET, "20010db8" + "00" * 11 + "01" + "ff" * 16),
            identity(K.IPV6_RANGE, ("20010db8" + "00" * 11 + "01") * 2),
        ],
        ["2001:db8::1", "2001:DB8:0::1", "2001:db8::1/128", "2001:db8::1-2001:db8::1"],
    ),
    (
        [identity(K.FQDN, b"gw.example.net"), identity(K.FQDN, b"GW.Example.NET")],
        ["gw.example.net", "GW.example.NET"],
    ),
    (
        [identity(K.USER_FQDN, b"joe@example.net"), identity(K.USER_FQDN, b"joe@EXAMPLE.net")],
        ["joe@example.net", "joe@Example.Net"],
    ),
    (
        [identity(K.DER_ASN1_DN, dn.encode("C=DE, O=Example  Ltd, CN=gw")),
         identity(K.DER_ASN1_DN, dn.encode("C=de, O=EXAMPLE ltd, CN=GW"))],
        ["C=DE, O=Example Ltd, CN=gw", "c=de,o=example ltd,cn=gw"],
    ),
    ([identity(K.KEY_ID, "00ab")], ["0x00ab", "0X00AB"]),
]  # fmt: skip


def conf(*sections: str) -> Conf:
    return Conf.from_text("".join(f"[{name}]\nAuthentication= of it\n" for name in sections))


@pytest.mark.parametrize(
    ("came", "section"),
    [(came, name) for one, names in SAME for came in one for name in names],
)
def test_a_key_is_found_by_what_an_identity_means(came: Identity, section: str) -> None:
    assert IdentityKeys(conf(section)).section(came).lower() == section.lower()


@pytest.mark.parametrize(
    ("came", "section"),
    [(one[0], names[0]) for (one, _), (_, names) in combinations(SAME, 2)]
    + [(one[0], names[0]) for (_, names), (one, _) in combinations(SAME, 2)]
    + [
        (identity(K.IPV6_ADDR, "00" * 10 + "ffff" + "0a010203"), "10.1.2.3"),
        (identity(K.IPV4_ADDR, "0a010203"), "::ffff:10.1.2.3"),
        (identity(K.IPV4_RANGE, "0a0102030a010205"), "10.1.2.3"),
        (identity(K.IPV4_ADDR_SUBNET, "0a010203ff00ff00"), "10.1.2.3"),
        (identity(K.KEY_ID, "00ab"), "00ab"),
    ],
)
def test_and_by_nothing_else(came: Identity, section: str) -> None:
    assert IdentityKeys(conf(section)).section(came) == ""


# Names that could be read in several ways, and the one type that they are of.
ONE_TYPE = {
    "cafe": K.FQDN, "10": K.FQDN, "gw.example.net": K.FQDN, "0xg.example.net": K.FQDN,
    "0xcafe": K.KEY_ID, "cafe@example.net": K.USER_FQDN, "C=DE, CN=cafe": K.DER_ASN1_DN,
}  # fmt: skip
TYPES = (K.FQDN, K.USER_FQDN, K.KEY_ID, K.DER_ASN1_DN, K.DER_ASN1_GN)


@pytest.mark.parametrize("name", ONE_TYPE)
def test_one_key_is_of_one_type_of_identity(name: str) -> None:
    """RFC 2407 4.6.2: whoever says the same text, or the octets, as another type has no key."""
    said = {name.encode()}
    with suppress(ValueError):
        said.add(bytes.fromhex(name.removeprefix("0x")))
    with suppress(ValueError):
        said.add(dn.encode(name))
    keys = IdentityKeys(conf(name))
    found = {kind for data in said for kind in TYPES if keys.section(identity(kind, data))}
    assert found == {ONE_TYPE[name]}


def test_each_of_two_sections_serves_whom_it_is_named_as() -> None:
    keys = IdentityKeys(conf("cafe", "0xcafe"))
    assert keys.section(identity(K.FQDN, b"cafe")) == "cafe"
    assert keys.section(identity(K.KEY_ID, "cafe")) == "0xcafe"
    assert not keys.twice()


def test_a_section_with_id_type_serves_whom_it_describes() -> None:
    text = "[cafe]\nID-type= KEY_ID\nName= 0xcafe\nAuthentication= of it\n"
    keys = IdentityKeys(Conf.from_text(text))
    assert keys.section(identity(K.KEY_ID, "cafe")) == "cafe"
    assert keys.section(identity(K.FQDN, b"cafe")) == ""
    keys = IdentityKeys(Conf.from_text(text.replace("Name= 0xcafe", "Name= 0xca")))
    assert keys.section(identity(K.KEY_ID, "cafe")) == ""


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("kind", ["FQDN", "KEY_ID"])
def test_one_secret_does_not_let_in_another_type_of_identity(version: int, kind: str) -> None:
    """What a FQDN's key proves is not that somebody has the KEY_ID of the same digits."""
    west, east = both(exchange="AGGRESSIVE", peer_tags=f"Key-exchange= ikev{version}")
    net = Network()
    name = "0xcafe" if kind == "KEY_ID" else "cafe"
    ours = f"[me]\nID-type= {kind}\nName= {name}\n"
    one = net.add(west.address, west.text().replace("Phase= 1\n", "Phase= 1\nID= me\n", 1) + ours)
    text = east.text().replace(f"Authentication= {east.secret}\n", "")
    net.add(east.address, f"{text}[cafe]\nAuthentication= {east.secret}\n")
    net.start()
    net.run(5)
    assert connected(one) == (kind == "FQDN")


def test_the_text_itself_goes_before_what_means_the_same() -> None:
    keys = IdentityKeys(conf("10.1.2.3/32", "10.1.2.3", "10.1.2.3-10.1.2.3"))
    assert keys.section(identity(K.IPV4_ADDR, "0a010203")) == "10.1.2.3"


def test_keys_are_those_of_the_configuration_as_it_reads_now() -> None:
    text = conf("10.1.2.3/32")
    keys = IdentityKeys(text)
    came = identity(K.IPV4_ADDR, "0a010203")
    assert keys.section(came) == "10.1.2.3/32"
    change = text.begin()
    change.remove_section("10.1.2.3/32")
    change.commit()
    assert keys.section(came) == ""


def one_peer(identities: list[Identity]) -> bool:
    west, _east = both()
    remote = read_remote(Conf.from_text(west.text()), "east")
    path = Path(ip_address("192.0.2.1"), 500, ip_address("192.0.2.2"), 500)
    return len({peer_of(remote, each, path, Nat()) for each in identities}) == 1


def test_who_has_one_key_is_one_peer_in_whatever_case_the_user_is() -> None:
    """Else one key would prove any number of identities, each with bounds of its own."""
    came = [identity(K.USER_FQDN, name) for name in (b"joe@example.net", b"jOE@Example.net")]
    keys = IdentityKeys(conf("joe@example.net"))
    assert {keys.section(each).lower() for each in came} == {"joe@example.net"}
    assert one_peer(came)
    assert not one_peer([came[0], identity(K.USER_FQDN, b"jo@example.net")])


@pytest.mark.parametrize(("one", "_"), SAME)
def test_identities_that_mean_the_same_are_one_peer(one: list[Identity], _: Any) -> None:
    """Else a peer that spells itself in another way has a second SA beside the first."""
    assert one_peer(one)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", ["gw.example.net", "GW.example.NET"])
def test_a_peer_with_a_key_by_identity_comes_in_however_it_spells_itself(
    version: int, name: str
) -> None:
    """And once it spells itself in another way there is still one SA of each."""
    west, east = both(exchange="AGGRESSIVE", peer_tags=f"Key-exchange= ikev{version}")
    net = Network()
    ours = f"[me]\nID-type= FQDN\nName= {name}\n"
    one = net.add(west.address, west.text().replace("Phase= 1\n", "Phase= 1\nID= me\n", 1) + ours)
    text = east.text().replace(f"Authentication= {east.secret}\n", "")
    other = net.add(east.address, f"{text}[gw.Example.net]\nAuthentication= {east.secret}\n")
    net.start()
    net.run(5)
    assert connected(one) and connected(other)
    before = next(iter(other.daemon.sas.isakmp.values())).peer
    remote = one.daemon.catalog.remote("east")
    swapped = Identity(K.FQDN, name.swapcase().encode())
    one.daemon.catalog.remotes["east"] = replace(remote, local_id=swapped)
    one.daemon.connections.begin_sa(
        one.daemon.catalog.remote("east"), next(iter(one.daemon.sas.isakmp.values())).path
    )
    net.run(60)
    peers = {sa.peer for sa in other.daemon.sas.isakmp.values()}
    assert peers == {before}
    assert connected(other)
    assert {str(sa.remote_id) for sa in other.daemon.sas.isakmp.values()} == {name.swapcase()}


def test_the_check_knows_by_meaning_too() -> None:
    """A key that serves a Remote-ID, and two sections with one identity."""
    peers = "".join(
        f"[{name}]\nPhase= 1\nKey-exchange= ikev2\nLocal-address= 192.0.2.9\n"
        f"Address= 192.0.2.9{n}\nRemote-ID= id{n}\n[id{n}]\nID-type= {kind}\n{value}\n"
        for n, (name, kind, value) in enumerate((
            ("one", "IPV4_ADDR", "Address= 10.1.2.3"),
            ("two", "IPV4_ADDR_SUBNET", "Network= 10.1.2.3\nNetmask= 255.255.255.255"),
        ))
    )  # fmt: skip
    text = (f"[Phase 1]\nDefault= one\n192.0.2.91= two\n{peers}"
            "[10.1.2.3/32]\nAuthentication= a long key 4711\n")  # fmt: skip
    said = warnings(Conf.from_text(text.replace("Address= 192.0.2.90\n", "")))
    assert [line for line in said if "has the Remote-ID of" in line]
    assert not [line for line in said if "serves nobody" in line or "key is missing" in line]
