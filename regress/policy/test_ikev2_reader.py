"""What sections say of IKEv2 beside algorithms: options, selectors, identities by name."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isakmp.constants import ipsec
from isakmp.errors import ConfError
from isakmp.policy import dn
from isakmp.policy.sameness import same_identity
from isakmp.policy.selector_text import parse_selector
from isakmp.policy.spd import Identity, Ikev2, Selector, Wish
from isakmp.policy.traffic import describe
from regress.policy.sections import connection, peer


class TestOptions:
    def test_without_any(self) -> None:
        assert peer().ikev2 == Ikev2()

    def test_all_of_them(self) -> None:
        remote = peer(
            "Window-size= 8; Childless= force; Fragmentation= no; Fragment-size= 1280;"
            "Encapsulation= force; Send-IDr= no; Proposal-preference= peer; Reauthenticate= 7200;"
            "Make-before-break= no"
        )
        assert remote.ikev2 == Ikev2(8, Wish.FORCE, False, 1280, True, False, False, 7200, False)

    @pytest.mark.parametrize(
        ("tags", "error"),
        [
            ("Window-size= 0", "not a number from 1 to 64"),
            ("Window-size= many", "is not a number"),
            ("Childless= perhaps", "one of no, yes, force"),
            ("Fragment-size= 500", "not 0 or 576 to 65535"),
            ("Fragment-size= 70000", "not 0 or 576 to 65535"),
            ("Encapsulation= yes", "one of auto, force"),
            ("Send-IDr= perhaps", "neither yes nor no"),
            ("Proposal-preference= mine", "one of local, peer"),
            ("Reauthenticate= -1", "not a number from 0 to"),
        ],
    )
    def test_errors(self, tags: str, error: str) -> None:
        with pytest.raises(ConfError, match=error) as caught:
            peer(tags)
        assert caught.value.line == 4

    def test_of_connections(self) -> None:
        ids = "Local-selectors= 10.1.0.0/16; Remote-selectors= 10.2.0.0/16; "
        found = connection(ids)
        assert (found.ipcomp, found.tfc_padding, found.all_fragments) == (False, True, False)
        found = connection(ids + "IPComp= yes; TFC-padding= no; Non-first-fragments= yes")
        assert (found.ipcomp, found.tfc_padding, found.all_fragments) == (True, False, True)


class TestSelectors:
    def test_a_list(self) -> None:
        found = connection(
            "Local-selectors= 10.1.0.0/16, 10.2.0.0/16[tcp/80-90], 10.9.0.1-10.9.0.20[icmp/8],"
            "2001:db8::/32[udp/opaque]; Remote-selectors= 192.0.2.9, 2001:db9::/32"
        )
        assert describe(found.traffic) == (
            "10.1.0.0/16, 10.2.0.0/16[tcp/80-90], 10.9.0.1-10.9.0.20[icmp/8],"
            " 2001:db8::/32[udp/opaque] === 192.0.2.9, 2001:db9::/32"
        )
        # IKEv1 negotiates the first pair.
        assert found.selector == Selector.of("10.1.0.0/16", "192.0.2.9")
        assert str(found.local_id) == "10.1.0.0/255.255.0.0"
        assert str(found.remote_id) == "192.0.2.9"

    def test_without_a_list_the_identities(self) -> None:
        found = connection("Local-ID= here; Remote-ID= there", "", IDS)
        assert describe(found.traffic) == "10.1.0.0/16[tcp/80] === 10.2.0.0/16[tcp]"
        assert found.selector == Selector.of("10.1.0.0/16", "10.2.0.0/16", 6, 80)

    def test_a_list_and_an_identity(self) -> None:
        found = connection("Local-ID= here; Remote-selectors= 10.5.0.0/16[tcp/443]", "", IDS)
        assert describe(found.traffic) == "10.1.0.0/16[tcp/80] === 10.5.0.0/16[tcp/443]"
        assert found.selector.dst == ip_network("10.5.0.0/16")

    def test_the_addresses_of_the_peers(self) -> None:
        assert describe(connection().traffic) == "192.0.2.1 === 192.0.2.2"

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("10.1.0.0/33", "does not appear"),
            ("10.1.0.1/16", "host bits"),
            ("10.1.0.9-10.1.0.1", "ends before it starts"),
            ("10.1.0.9-::1", "ends before it starts"),
            ("10.1.0.1[tcp/90-80]", "end before they start"),
            ("10.1.0.1[any/80]", "ports need a protocol"),
            ("10.1.0.1[tcp/65536]", "no port"),
            ("10.1.0.1[tcp/]", "no port"),
            ("10.1.0.1[256]", "no protocol"),
            ("10.1.0.1[nosuch]", "no protocol"),
            ("10.1.0.1[icmp/256]", "no ICMP type"),
            ("10.1.0.1[icmp/echo]", "no ICMP type"),
            ("10.1.0.1[tcp", "is no selector"),
            ("elsewhere", "is no selector"),
            ("", "is no selector"),
        ],
    )
    def test_what_is_no_selector(self, text: str, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            parse_selector(text)

    @pytest.mark.parametrize("text", ["10.1.0.1[http]", "10.1.0.1/16", "10.0.0.0-1"])
    def test_errors_have_their_line(self, text: str) -> None:
        with pytest.raises(ConfError, match="such as 10.1.0.0/16") as caught:
            connection(f"Local-selectors= 10.9.0.0/16, {text}")
        assert (caught.value.line, caught.value.tag) == (6, "Local-selectors")

    def test_a_value_is_quoted_once(self) -> None:
        with pytest.raises(ConfError) as caught:
            connection("Local-selectors= 10.1.0.0/33")
        assert str(caught.value).count("'10.1.0.0/33'") == 1

    def test_sides_that_never_meet(self) -> None:
        with pytest.raises(ConfError, match="selects no packet"):
            connection("Local-selectors= 10.1.0.0/16; Remote-selectors= fd00::/8")

    def test_names_of_protocols_and_ports(self) -> None:
        assert parse_selector("10.1.0.1 [ tcp / 80 - 90 ]") == parse_selector("10.1.0.1[6/80-90]")
        assert parse_selector("10.1.0.1[tcp/http]").start_port == 80
        assert parse_selector("10.1.0.1[tcp/any]") == parse_selector("10.1.0.1[tcp]")

    @given(st.text(max_size=40))
    def test_only_value_errors_come_out(self, text: str) -> None:
        with suppress(ValueError):
            assert parse_selector(text).start.version in (4, 6)


IDS = """
[here]
ID-type= IPV4_ADDR_SUBNET
Network= 10.1.0.0
Netmask= 16
Protocol= tcp
Port= 80
[there]
ID-type= IPV4_ADDR_SUBNET
Network= 10.2.0.0
Netmask= 16
Protocol= tcp
"""


class TestDistinguishedNames:
    GATEWAY = (
        "3030310b3009060355040613024445"
        "3110300e060355040a0c074578616d706c65"
        "310f300d06035504030c0667772c206133"
    )

    def test_out_of_text(self) -> None:
        assert dn.encode(r"C=DE, O=Example, CN=gw\, a3").hex() == self.GATEWAY
        assert dn.text(bytes.fromhex(self.GATEWAY)) == r"C=DE, O=Example, CN=gw\, a3"

    def test_as_an_identity(self) -> None:
        name = "[gw]\nID-type= DER_ASN1_DN\nName= C=DE, O=Example, CN=gw"
        remote = peer("Remote-ID= gw", name)
        assert remote.remote_id is not None
        assert remote.remote_id.type is ipsec.Id.DER_ASN1_DN
        assert str(remote.remote_id) == "C=DE, O=Example, CN=gw"

    def test_a_long_one(self) -> None:
        text = ", ".join(f"OU={'x' * 60}{n}" for n in range(10))
        assert dn.text(dn.encode(text)) == text

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "is not NAME=value"),
            ("CN=", "is not NAME=value"),
            ("gateway", "is not NAME=value"),
            ("XX=gateway", "is none of CN"),
            ("C=\u00dc", "codec"),
            (", ".join(["CN=x"] * 33), "1 to 32 parts"),
        ],
    )
    def test_what_is_no_name(self, text: str, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            dn.encode(text)
        with pytest.raises(ConfError, match="is no name|has no Name"):
            peer("Remote-ID= gw", f"[gw]\nID-type= DER_ASN1_DN\nName= {text}")

    @given(st.binary(max_size=60))
    def test_strangers_octets(self, data: bytes) -> None:
        identity = Identity(ipsec.Id.DER_ASN1_DN, data)
        assert str(identity).isprintable()
        try:
            assert dn.decode(data) is not None
        except ValueError:
            assert str(identity) == f"0x{data.hex()}"

    @given(st.integers(0, 49), st.integers(0, 255))
    def test_a_name_that_was_changed_is_another_or_none(self, at: int, octet: int) -> None:
        good = bytes.fromhex(self.GATEWAY)
        changed = good[:at] + bytes((octet,)) + good[at + 1 :]
        one, other = (Identity(ipsec.Id.DER_ASN1_DN, data) for data in (good, changed))
        # The string type and nothing else may differ.
        same = same_identity(one, other)
        assert same is (dn_of(good) == dn_of(changed) or good == changed)


def dn_of(data: bytes) -> object:
    try:
        return dn.folded(data)
    except ValueError:
        return data


class TestSameIdentity:
    @pytest.mark.parametrize(
        ("kind", "one", "other", "same"),
        [
            ("FQDN", b"GW.Example.net", b"gw.example.NET", True),
            ("USER_FQDN", b"joe@example.net", b"joe@Example.NET", True),
            ("USER_FQDN", b"joe@example.net", b"Joe@example.net", False),
            ("KEY_ID", b"joe", b"Joe", False),
            ("FQDN", b"gw", b"gw2", False),
            ("DER_ASN1_DN", b"\x30\x00", b"\x31\x00", False),
        ],
    )
    def test_of_a_type(self, kind: str, one: bytes, other: bytes, same: bool) -> None:
        type_ = ipsec.Id[kind]
        assert same_identity(Identity(type_, one), Identity(type_, other)) is same

    def test_types_count(self) -> None:
        assert not same_identity(Identity(ipsec.Id.FQDN, b"a"), Identity(ipsec.Id.KEY_ID, b"a"))

    def test_names_in_another_string_type(self) -> None:
        """RFC 5280 4.1.2.4."""
        utf8 = dn.encode("CN=gw")
        printable = utf8.replace(b"\x0c\x02gw", b"\x13\x02gw")
        assert utf8 != printable
        kind = ipsec.Id.DER_ASN1_DN
        assert same_identity(Identity(kind, utf8), Identity(kind, printable))
