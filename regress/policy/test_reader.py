"""Sections read into the policy model."""

from __future__ import annotations

from ipaddress import IPv4Interface, ip_address, ip_interface
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.conf.store import Conf
from isakmp.constants import ipsec, isakmp
from isakmp.errors import ConfError
from isakmp.event.steps import at_once
from isakmp.policy.keys import IdentityKeys
from isakmp.policy.reader import (
    by_address,
    read_connection,
    read_remote,
    read_selectors_of,
)
from isakmp.policy.spd import Identity, Lifetime, Range, Selector
from isakmp.policy.transforms import read_suite
from regress.configurations import EXPLICIT, GATEWAY, SUITES, read_connections

EXAMPLES = Path(__file__).parents[2] / "conf"


@pytest.fixture
def gateway() -> Conf:
    return Conf.from_text(GATEWAY, "f")


def gateway_with(old: str, new: str) -> Conf:
    assert old in GATEWAY
    return Conf.from_text(GATEWAY.replace(old, new), "f")


class TestRemote:
    def test_explicit_sections(self) -> None:
        remote = read_remote(Conf.from_text(EXPLICIT, "f"), "peer-node-0")
        assert remote.address == ip_address("192.168.0.1")
        assert (remote.port, remote.exchange) == (500, isakmp.Exchange.ID_PROT)
        assert remote.secret == b"secret-with-node-0"
        assert remote.line == "f:6 [peer-node-0]"
        sha, md5 = remote.transforms
        assert (sha.encryption, sha.hash) == (isakmp.Encryption._3DES_CBC, isakmp.Hash.SHA)
        assert (sha.group, sha.auth) == (2, isakmp.Authentication.PRE_SHARED)
        assert sha.life.seconds == Range(600, 450, 720)
        assert sha.line == "f:18 [3DES-SHA]"
        assert md5.line == "f:16 [main-mode]:Transforms"

    def test_the_gateway(self, gateway: Conf) -> None:
        remote = read_remote(gateway, "ISAKMP-peer-west")
        assert remote.local_address == ip_address("10.1.0.11")
        assert str(remote.local_id) == "east.example.net"
        assert remote.remote_id is None
        assert [transform.group for transform in remote.transforms] == [2, 5]

    def test_the_secret_stays_out_of_repr(self, gateway: Conf) -> None:
        assert "shared word" not in repr(read_remote(gateway, "ISAKMP-peer-west"))

    def test_a_secret_in_hexadecimal(self) -> None:
        conf = gateway_with("a shared word", "0x00FFab")
        assert read_remote(conf, "ISAKMP-peer-west").secret == b"\x00\xff\xab"

    def test_a_broken_secret_is_not_quoted(self) -> None:
        with pytest.raises(ConfError, match="not hexadecimal") as caught:
            read_remote(gateway_with("a shared word", "0xhush"), "ISAKMP-peer-west")
        assert "hush" not in str(caught.value)
        assert caught.value.__context__ is None

    def test_any_reads_as_none(self) -> None:
        text = EXPLICIT
        for value in ("3DES_CBC", "= SHA", "PRE_SHARED", "MODP_1024"):
            text = text.replace(value, "= ANY" if value.startswith("=") else "any")
        text = text.replace("Life= TEN_MINUTES", "KEY_LENGTH= ANY\nLife= ANY")
        transform = read_remote(Conf.from_text(text), "peer-node-0").transforms[0]
        chosen = (transform.encryption, transform.hash, transform.group, transform.auth)
        assert chosen == (None, None, None, None)
        assert transform.key_bits is None
        assert (transform.life.seconds, transform.life.kilobytes) == (None, None)

    @pytest.mark.parametrize(
        ("old", "new", "reason", "line"),
        [
            ("Phase=\t\t\t1", "Phase= 2", "Phase is not 1", 13),
            ("Address=\t\t10.1.0.12", "Address= west", "not an address", 16),
            ("Default-main-mode\nAuth", "Default-maim-mode\nAuth", "no section", 17),
            ("ID=\t\t\teast-id", "ID= west-id", "no section", 19),
            ("ID_PROT", "ID_PORT", "not one of ID_PROT, AGGRESSIVE", 46),
            ("ID_PROT", "INFO", "not one of ID_PROT, AGGRESSIVE", 46),
            ("3DES-SHA,BLF", "3DES-SHX,BLF", "no section", 47),
            ("Transforms=\t\t3DES-SHA,BLF-SHA-GRP5", "", "has no Transforms", 44),
            ("Transport=\t\tudp", "Port= 0", "no port", 14),
        ],
    )
    def test_errors_have_their_line(self, old: str, new: str, reason: str, line: int) -> None:
        with pytest.raises(ConfError, match=reason) as caught:
            read_remote(gateway_with(old, new), "ISAKMP-peer-west")
        assert (caught.value.file, caught.value.line) == ("f", line)

    @pytest.mark.parametrize("tag", ["ENCRYPTION_ALGORITHM", "HASH_ALGORITHM", "GROUP_DESCRIPTION"])
    def test_a_transform_must_be_complete(self, tag: str) -> None:
        text = EXPLICIT.replace(tag, f"# {tag}").replace("3DES-SHA", "mine")
        with pytest.raises(ConfError, match=f"has no {tag}"):
            read_remote(Conf.from_text(text), "peer-node-0")


class TestPeersByAddress:
    def test_addresses_and_the_default(self) -> None:
        conf = gateway_with("[Phase 2]", "Default= ISAKMP-peer-west\n[Phase 2]")
        west = ip_address("10.1.0.12")
        assert at_once(by_address(conf)) == dict.fromkeys([west, None], "ISAKMP-peer-west")

    def test_no_default_is_built_in(self, gateway: Conf) -> None:
        assert at_once(by_address(gateway)) == {ip_address("10.1.0.12"): "ISAKMP-peer-west"}

    def test_the_built_in_peer_can_be_the_default(self) -> None:
        conf = gateway_with("[Phase 2]", "default= Default-phase-1\n[Phase 2]")
        remote = read_remote(conf, at_once(by_address(conf))[None])
        assert (remote.name, remote.address) == ("Default-phase-1", None)
        assert [transform.auth for transform in remote.transforms] == [
            isakmp.Authentication.RSA_SIG
        ]

    @pytest.mark.parametrize("tag", ["2001:db8::1", "2001:DB8:0:0::1", "2001:0db8::0001"])
    def test_spellings_of_an_ipv6_address(self, tag: str) -> None:
        conf = gateway_with("10.1.0.12=", f"{tag}=")
        assert list(at_once(by_address(conf))) == [ip_address("2001:db8::1")]

    def test_the_key_of_an_initiator_in_aggressive_mode(self) -> None:
        conf = Conf.from_text("[phone@example.net]\nAuthentication= word\n")
        identity = Identity(ipsec.Id.USER_FQDN, b"phone@example.net")
        assert IdentityKeys(conf).section(identity) == "phone@example.net"
        assert IdentityKeys(conf).section(Identity(ipsec.Id.FQDN, b"]\n[")) == ""

    @pytest.mark.parametrize("tag", ["Phase= 1", "Address= 192.0.2.1", "Configuration= main"])
    def test_nobody_gets_a_peers_secret_by_its_sections_name(self, tag: str) -> None:
        conf = Conf.from_text(f"[branch]\n{tag}\nAuthentication= word\n")
        assert IdentityKeys(conf).section(Identity(ipsec.Id.FQDN, b"branch")) == ""

    def test_a_section_with_an_id_type_serves_what_that_describes(self) -> None:
        tags = "ID-type= IPV4_ADDR\nAddress= 192.0.2.1\nAuthentication= word\n"
        keys = IdentityKeys(Conf.from_text(f"[branch]\n{tags}"))
        assert keys.section(Identity(ipsec.Id.IPV4_ADDR, bytes([192, 0, 2, 1]))) == "branch"
        assert keys.section(Identity(ipsec.Id.FQDN, b"branch")) == ""


class TestConnection:
    def test_the_gateway(self, gateway: Conf) -> None:
        (connection,) = read_connections(gateway)
        assert connection.remote == "ISAKMP-peer-west"
        assert connection.selector == Selector.of("192.168.1.0/24", "192.168.2.0/24")
        assert (connection.passive, connection.active_only) == (False, False)
        assert [suite.name for suite in connection.suites] == [
            "QM-ESP-3DES-SHA-PFS-SUITE",
            "QM-ESP-AES-SHA2-256-SUITE",
        ]
        first = connection.suites[0].protocols[0].transforms[0]
        assert first.group is isakmp.Group.MODP_1024
        assert first.line == "f:54 [Default-quick-mode]:Suites"

    def test_a_bundle_written_in_full(self) -> None:
        suite = read_suite(Conf.from_text(SUITES, "f"), "bundle", "f:6 [bundle]")
        esp, ah = suite.protocols
        assert (esp.protocol, ah.protocol) == (isakmp.Protocol.IPSEC_ESP, isakmp.Protocol.IPSEC_AH)
        assert (esp.replay_window, ah.replay_window) == (128, 64)
        transform = esp.transforms[0]
        assert transform.encapsulation is ipsec.Encapsulation.TRANSPORT
        assert transform.key_bits == Range(256, 128, 256)
        assert transform.life.seconds == Range(3600, 1800, 7200)
        assert transform.life.kilobytes == Range(1000000, 1000000, 1000000)
        assert ah.transforms[0].life == Lifetime()
        assert transform.line == "f:14 [esp-aes]"

    def test_passive(self) -> None:
        conf = gateway_with("Connections=", "Passive-connections=")
        assert read_connections(conf)[0].passive

    def test_in_both_lists_it_is_active(self) -> None:
        conf = gateway_with("[ISAKMP-peer-west]", "Passive-connections= IPsec-east-west\n[x]")
        assert [c.passive for c in read_connections(Conf.from_text(GATEWAY))] == [False]
        with pytest.raises(ConfError):
            read_connections(conf)

    def test_active_only(self) -> None:
        conf = gateway_with("Local-ID=\t\tNet-east", "Flags= active-only\nLocal-ID= Net-east")
        assert read_connections(conf)[0].active_only

    def test_without_identities_it_is_for_the_two_ends(self) -> None:
        conf = gateway_with("Local-ID=\t\tNet-east\nRemote-ID=\t\tNet-west", "")
        (connection,) = read_connections(conf)
        assert connection.selector == Selector.of("10.1.0.11", "10.1.0.12")

    def test_the_local_end_may_be_that_of_the_default_route(self) -> None:
        text = GATEWAY.replace("Local-address=\t\t10.1.0.11\n", "")
        conf = Conf.from_text(text.replace("Local-ID=\t\tNet-east\nRemote-ID=\t\tNet-west", ""))
        (connection,) = read_connections(conf, lambda name, version: IPv4Interface("10.9.9.9/8"))
        assert connection.selector == Selector.of("10.9.9.9", "10.1.0.12")
        with pytest.raises(ConfError, match="Local-address"):
            read_connections(conf)

    def test_ports_and_protocol(self) -> None:
        text = GATEWAY.replace(
            "Network=\t\t192.168.2.0", "Protocol= udp\nPort= 1701\nNetwork= 192.168.2.0"
        )
        (connection,) = read_connections(Conf.from_text(text))
        assert str(connection.selector) == "192.168.1.0/24 -> 192.168.2.0/24[1701] proto udp"

    def test_without_suites_generals_are_taken(self) -> None:
        text = GATEWAY.replace("Suites=", "# Suites=").replace(
            "[General]", "[General]\nDefault-phase-2-suites= QM-ESP-AESGCM-256-SUITE"
        )
        (connection,) = read_connections(Conf.from_text(text))
        assert [suite.name for suite in connection.suites] == ["QM-ESP-AESGCM-256-SUITE"]

    @pytest.mark.parametrize(
        ("old", "new", "reason", "line"),
        [
            ("Phase=\t\t\t2", "Phase= 1", "Phase is not 2", 26),
            ("ISAKMP-peer=\t\tISAKMP-peer-west", "", "has no ISAKMP-peer", 25),
            ("=\t\tISAKMP-peer-west\nConf", "= ISAKMP-peer-wets\nConf", "no section", 27),
            ("Remote-ID=\t\tNet-west", "Remote-ID= Net-wset", "no section", 30),
            ("Remote-ID=\t\tNet-west", "Remote-ID= east-id", "selects no traffic", 30),
            (
                "Default-quick-mode\nLocal",
                "Default-main-mode\nLocal",
                "is not QUICK_MODE, the only value",
                46,
            ),
            ("QM-ESP-AES-SHA2-256-SUITE", "QM-ESP-AES-SHA3-SUITE", "no section", 54),
            ("IPsec-east-west\n\n", "IPsec-east-wets\n\n", "no section", 10),
        ],
    )
    def test_errors_have_their_line(self, old: str, new: str, reason: str, line: int) -> None:
        with pytest.raises(ConfError, match=reason) as caught:
            read_connections(gateway_with(old, new))
        assert caught.value.line == line

    def test_a_connection_that_is_not_there(self, gateway: Conf) -> None:
        with pytest.raises(ConfError, match="no such section") as caught:
            read_connection(gateway, "IPsec-east-wets")
        assert caught.value.hint == "did you mean IPsec-east-west?"

    def test_without_a_default_route_our_side_has_to_be_written(self) -> None:
        conf = Conf.from_text("[c]\nISAKMP-peer= p\n[p]\nAddress= 192.0.2.2\nAuthentication= x\n")
        told = r"\[p\], and no default route \(write one of the two\)"
        with pytest.raises(ConfError, match=told):
            read_connection(conf, "c", lambda name, version: None)

    def test_without_a_peer_it_is_not_named(self) -> None:
        conf = Conf.from_text("[c]\nPhase= 2\n")
        with pytest.raises(ConfError, match=r"neither Local-ID here nor an ISAKMP-peer \("):
            read_selectors_of(conf, "c")

    def test_a_peer_anywhere_needs_a_remote_id(self) -> None:
        text = GATEWAY.replace("Address=\t\t10.1.0.12\n", "").replace("Remote-ID=\t\tNet-west", "")
        with pytest.raises(ConfError, match="neither Remote-ID here nor Address"):
            read_connections(Conf.from_text(text))

    @pytest.mark.parametrize(
        ("old", "new", "reason"),
        [
            ("PROTOCOL_ID= IPSEC_AH", "PROTOCOL_ID= IPCOMP", "not one of IPSEC_ESP, IPSEC_AH"),
            ("ReplayWindow= 128", "ReplayWindow= 5000", "not a number from 0 to 4096"),
            ("LIFE_DURATION= 1000000", "", "has no LIFE_DURATION"),
            ("AUTHENTICATION_ALGORITHM= HMAC_SHA\n", "", "AH without"),
            ("Transforms= ah-sha", "Transforms= ah-shb", "no section"),
            ("Life= one-hour", "Life= two-hours", "no section"),
            ("Protocols= inner-esp", "Protocols= inner", "no section"),
            ("inner-esp, outer-ah", "inner-esp, outer-ah, inner-esp, outer-ah", "3 are possible"),
        ],
    )
    def test_errors_of_a_suite(self, old: str, new: str, reason: str) -> None:
        assert old in SUITES
        with pytest.raises(ConfError, match=reason):
            read_suite(Conf.from_text(SUITES.replace(old, new)), "bundle", "")

    def test_ends_that_do_not_match(self) -> None:
        base = "[a]\nID-type= IPV4_ADDR\nAddress= 10.0.0.1\nProtocol= {}\n"
        base += "[b]\nID-type= {}\n{}\nProtocol= 6\n"
        ids = "[c]\nISAKMP-peer= p\nLocal-ID= a\nRemote-ID= b\n[p]\nPhase= 1\n"
        other = Conf.from_text(base.format(6, "IPV6_ADDR", "Address= ::1") + ids)
        with pytest.raises(ConfError, match="IP versions"):
            read_connection(other, "c")
        other = Conf.from_text(base.format(17, "IPV4_ADDR", "Address= 10.0.0.2") + ids)
        with pytest.raises(ConfError, match="different protocols"):
            read_connection(other, "c")
        bare = Conf.from_text(
            base.format(0, "IPV4_ADDR", "Address= 10.0.0.2\nPort= 80").replace("= 6", "= 0") + ids
        )
        with pytest.raises(ConfError, match="a Port without a Protocol") as caught:
            read_connection(bare, "c")
        assert caught.value.tag == "Remote-ID"
        types = base.replace("{}\n[b]", "1\nPort= 8\n[b]", 1).replace("Protocol= 6", "Protocol= 1")
        other = Conf.from_text(types.format("IPV4_ADDR", "Address= 10.0.0.2\nPort= 3") + ids)
        with pytest.raises(ConfError, match="selects no packet"):
            read_connection(other, "c")

    def test_proposals_are_bounded(self) -> None:
        suites = ",".join(["QM-ESP-AES-SHA-SUITE"] * 255)
        with pytest.raises(ConfError, match="256 values, 255 are possible"):
            read_connections(gateway_with("QM-ESP-3DES-SHA-PFS-SUITE", suites))


@pytest.mark.parametrize("name", ["isakmpd.ini", "east.ini"])
def test_the_example_reads(name: str) -> None:
    conf = Conf.from_text((EXAMPLES / name).read_text(), name)
    (connection,) = read_connections(conf)
    remote = read_remote(conf, connection.remote)
    assert remote.transforms[0].group is isakmp.Group.CURVE25519
    assert connection.suites[0].protocols[0].transforms[0].transform_id == ipsec.Esp.AES_GCM_16


def test_the_examples_are_two_ends_of_one_connection() -> None:
    west, east = (
        Conf.from_text((EXAMPLES / name).read_text()) for name in ("isakmpd.ini", "east.ini")
    )
    (to_east,), (to_west,) = read_connections(west), read_connections(east)
    assert to_east.selector.reversed() == to_west.selector
    peer, other = read_remote(west, to_east.remote), read_remote(east, to_west.remote)
    assert (peer.address, peer.local_address) == (other.local_address, other.address)
    assert peer.secret == other.secret


words = st.text(st.sampled_from("0123456789.:,/xaZ-_ ANYé"), min_size=1, max_size=12)
lines = st.sampled_from([line for line in (GATEWAY + SUITES).split("\n") if "=" in line])


@settings(max_examples=150, deadline=None)
@given(lines, words)
def test_whatever_a_value_is_only_conf_error_comes_out(line: str, word: str) -> None:
    text = (GATEWAY + SUITES.replace("[quick-mode]", "[other]")).replace(
        line, line.split("=")[0] + "= " + word
    )
    text = text.replace("Suites=\t\t\tQM", "Suites= bundle,QM")
    try:
        conf = Conf.from_text(text)
        read_remote(conf, "ISAKMP-peer-west")
        read_connections(conf)
    except ConfError as error:
        assert str(error)


def test_both_ends_of_a_peer_are_of_one_ip_version() -> None:
    """An interface has an address of either."""

    def ours(local: str, theirs: str) -> str:
        text = f"[a]\nKey-exchange= ikev2\nAddress= {theirs}\nLocal-address= {local}\n"
        found = {4: "192.0.2.1/24", 6: "2001:db8::1/64"}
        remote = read_remote(Conf.from_text(text), "a", lambda _, v: ip_interface(found[v]))
        return str(remote.local_address)

    assert ours("eth0", "2001:db8::2") == ours("2001:db8::1", "2001:db8::2") == "2001:db8::1"
    assert ours("eth0", "192.0.2.2") == "192.0.2.1"
    for local, theirs in (("192.0.2.1", "2001:db8::2"), ("2001:db8::1", "192.0.2.2")):
        with pytest.raises(
            ConfError, match=f"{theirs} and .* {local} are of different IP versions"
        ):
            ours(local, theirs)
