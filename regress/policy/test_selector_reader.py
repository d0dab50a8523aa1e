"""Local-selectors and Remote-selectors of a connection."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from isakmp.conf.store import Conf
from isakmp.errors import ConfError
from isakmp.policy.boxes import SELECTORS_MAX
from isakmp.policy.selector_reader import read_selectors
from isakmp.policy.spd import Selector
from isakmp.policy.traffic import describe
from regress.policy.sections import connection


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

    @pytest.mark.parametrize("text", ["10.1.0.1[http]", "10.0.0.0-1"])
    def test_errors_have_their_line(self, text: str) -> None:
        with pytest.raises(ConfError, match="such as 10.1.0.0/16") as caught:
            connection(f"Local-selectors= 10.9.0.0/16, {text}")
        assert (caught.value.line, caught.value.tag) == (6, "Local-selectors")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("10.2.0.0 255.255.0.0", "is no selector (write 10.2.0.0/16)"),
            ("10.2.0.0 /16", "(write 10.2.0.0/16)"),
            ("10.2.0.0, 255.255.0.0", "'255.255.0.0' is a netmask (write it with its network"),
        ],
    )
    def test_what_to_write_instead_is_told(self, text: str, said: str) -> None:
        with pytest.raises(ConfError) as caught:
            connection(f"Local-selectors= {text}")
        assert said in str(caught.value)

    def test_the_address_of_everybody_on_the_link_is_no_mask(self) -> None:
        found = connection("Remote-selectors= 255.255.255.255")
        assert str(found.selector.dst) == "255.255.255.255/32"

    def test_a_value_is_quoted_once(self) -> None:
        with pytest.raises(ConfError) as caught:
            connection("Local-selectors= 10.1.0.0/33")
        assert str(caught.value).count("'10.1.0.0/33'") == 1

    def test_sides_that_never_meet(self) -> None:
        with pytest.raises(ConfError, match="no packet: IPv4 on one side, IPv6 on the other"):
            connection("Local-selectors= 10.1.0.0/16; Remote-selectors= fd00::/8")


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


@pytest.mark.parametrize("tag", ["Local-selectors", "Remote-selectors"])
def test_a_side_has_from_one_to_as_many_as_general_says(tag: str) -> None:
    def read(count: int, general: str = "") -> int:
        listed = ", ".join(f"10.0.{n // 200}.{n % 200}" for n in range(count))
        text = f"[General]\n{general}\n[net]\n{tag}= {listed or ','}\n"
        return len(read_selectors(Conf.from_text(text), "net", tag))

    assert (read(1), read(SELECTORS_MAX)) == (1, SELECTORS_MAX)
    assert read(SELECTORS_MAX + 6, f"Max-selectors-per-side= {SELECTORS_MAX + 6}") == 70
    with pytest.raises(ConfError, match="65 values, 64 are possible"):
        read(SELECTORS_MAX + 1)
    with pytest.raises(ConfError, match=f"{tag}: no value"):
        read(0)


def test_less_in_general_does_not_lessen_what_a_connection_may_have() -> None:
    listed = ", ".join(f"10.0.0.{n}" for n in range(9))
    text = f"[General]\nMax-selectors-per-side= 2\n[net]\nLocal-selectors= {listed}\n"
    assert len(read_selectors(Conf.from_text(text), "net", "Local-selectors")) == 9
