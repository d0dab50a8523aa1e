"""What IKEv1 or IKEv2 cannot say of a connection, and what is said of that."""

from __future__ import annotations

import pytest

from isakmp.conf.check import check
from isakmp.conf.store import Conf
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
