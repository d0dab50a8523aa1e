"""What an application is told has no secrets in its text."""

from __future__ import annotations

from ipaddress import ip_address

from isakmp.app.base import SaSpec
from isakmp.constants import ipsec, isakmp


def test_keys_are_in_no_text_of_an_sa() -> None:
    spec = SaSpec(
        isakmp.Protocol.IPSEC_ESP, 0x1234, ip_address("192.0.2.1"), ip_address("192.0.2.2"),
        ipsec.Encapsulation.TUNNEL, True, (), 1, enc_key=b"the one secret",
        auth_key=b"the other secret",
    )  # fmt: skip
    for text in (repr(spec), str(spec), f"{spec}", repr([spec])):
        assert "secret" not in text and "key" not in text
        assert "spi=4660" in text and "192.0.2.2" in text
