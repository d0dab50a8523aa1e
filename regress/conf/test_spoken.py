"""What IKEv1 or IKEv2 cannot say of a connection, and what is said of that."""

from __future__ import annotations

import pytest

from isakmp.conf.check import check, judge
from isakmp.conf.store import Conf
from isakmp.constants import ipsec
from isakmp.policy.reader import read_remote
from regress.conf.test_check import VERSION_2

MORE = "additional key exchanges are IKEv2's: set Key-exchange= ikev2, or add ke1_none"
NONE_OF_ESP = "f:16 [net]:ESP-proposals: IKEv1 can say none of its suites, such as "
NONE_OF_IKE = "f:12 [west]:IKE-proposals: none of these can be said in IKEv1"
IKE = "IKE-proposals= aes128gcm16-prfsha256-x25519, aes256-sha256-modp2048"
ESP = "ESP-proposals= aes128gcm16-x25519"


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (ESP, f"{ESP}-ke1_ecp384", f"{NONE_OF_ESP}aes128gcm16-x25519-ke1_ecp384 ({MORE})"),
        (IKE, "IKE-proposals= aes256-sha256-modp2048-ke1_ecp384", f"{NONE_OF_IKE} ({MORE})"),
        (
            IKE, "IKE-proposals= aes128gcm16-prfsha256-x25519",
            f"{NONE_OF_IKE} (such as aes256-sha256-modp2048)",
        ),
        (
            ESP, "ESP-proposals= aes128-aescmac-esn",
            f"{NONE_OF_ESP}aes128-aescmac-esn (name another integrity algorithm; name noesn: its "
            "sequence numbers have 32 bits)",
        ),
    ],
)  # fmt: skip
def test_what_is_lacking_is_named_with_what_may_be_said(old: str, new: str, error: str) -> None:
    assert old in VERSION_2
    conf = Conf.from_text(VERSION_2.replace(old, new), "f")
    assert error in map(str, check(conf))


@pytest.mark.parametrize("more", ["-ke1_ecp384-ke1_none", ""])
def test_what_may_be_done_without_is_no_error(more: str) -> None:
    assert not check(Conf.from_text(VERSION_2.replace(ESP, ESP + more), "f"))


NETS = {
    "IPV4_ADDR_SUBNET": "Network= 10.3.0.0\nNetmask= 16\n",
    "IPV6_ADDR_SUBNET": "Network= 2001:db8::\nNetmask= 32\n",
}


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize(("tag", "meant"), [("ID", "Local-ID"), ("Remote-ID", "Remote-ID")])
@pytest.mark.parametrize("spoken", ["ikev2", "ikev2, ikev1", "ikev1, ikev2", "ikev1"])
def test_a_network_is_no_identity_of_a_peer(kind: str, tag: str, meant: str, spoken: str) -> None:
    text = VERSION_2.replace("Key-exchange= ikev2, ikev1", f"Key-exchange= {spoken}\n{tag}= who")
    judged = judge(Conf.from_text(f"{text}[who]\nID-type= {kind}\n{NETS[kind]}", "f"))
    reason = f"[west]:{tag}: {kind}: a peer is no network"
    mend = f"is the connection's {meant} meant?"
    if "ikev2" in spoken:
        (error,) = map(str, judged.errors)
        assert error.endswith(f"{reason}, and IKEv2 has no such identity ({mend})")
    else:
        assert judged.errors == []
        assert f"f:12 {reason}: {mend}" in judged.warnings


@pytest.mark.parametrize("kind", NETS)
def test_a_network_for_all_peers_is_told_and_not_said_in_ikev2(kind: str) -> None:
    text = VERSION_2.replace("[General]", "[General]\nDefault-phase-1-ID= us")
    conf = Conf.from_text(f"{text}[us]\nID-type= {kind}\n{NETS[kind]}", "f")
    judged = judge(conf)
    assert judged.errors == []
    told = f"[General]:Default-phase-1-ID: {kind}: a peer is no network; IKEv2 says our address"
    assert [told in line for line in judged.warnings].count(True) == 1
    assert read_remote(conf, "west").local_id is None


@pytest.mark.parametrize("tag", ["ID", "Remote-ID"])
def test_a_network_of_one_address_is_that_address(tag: str) -> None:
    text = VERSION_2.replace("Key-exchange= ikev2, ikev1", f"Key-exchange= ikev2\n{tag}= who")
    net = "[who]\nID-type= IPV4_ADDR_SUBNET\nNetwork= 192.0.2.7\nNetmask= 32\n"
    remote = read_remote(Conf.from_text(text + net, "f"), "west")
    found = remote.local_id if tag == "ID" else remote.remote_id
    assert found is not None
    assert (found.type, found.data) == (ipsec.Id.IPV4_ADDR, bytes((192, 0, 2, 7)))
