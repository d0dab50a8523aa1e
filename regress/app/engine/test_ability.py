"""What the key engine can do is said without one, and as one says it."""

from __future__ import annotations

import pytest

from isakmp.app.engine.ability import check_protocol, lack, supports
from isakmp.constants import ipsec, isakmp
from isakmp.errors import ApplicationError

ESP, AH = isakmp.Protocol.IPSEC_ESP, isakmp.Protocol.IPSEC_AH
TUNNEL = ipsec.Encapsulation.TUNNEL


@pytest.mark.parametrize(
    ("protocol", "transform", "bits", "auth", "why"),
    [
        (ESP, ipsec.Esp.AES, 256, ipsec.Auth.HMAC_SHA2_256, ""),
        (ESP, ipsec.Esp.AES_GCM_16, 128, None, ""),
        (ESP, ipsec.Esp.AES, 136, ipsec.Auth.HMAC_SHA2_256, "136"),
        (AH, ipsec.Ah.SHA2_256, 0, ipsec.Auth.HMAC_SHA2_256, "the key engine has no IPSEC_AH"),
    ],
)
def test_what_it_lacks_is_said(
    protocol: isakmp.Protocol, transform: int, bits: int, auth: ipsec.Auth | None, why: str
) -> None:
    said = supports(protocol, TUNNEL, transform, bits, auth, False)
    assert why in said and bool(said) is bool(why)


def test_whoever_checks_says_why() -> None:
    def refuse(spec: object) -> None:
        raise ApplicationError("not today")

    assert lack(refuse, ESP, TUNNEL, ipsec.Esp.AES_GCM_16, 128, None, False) == "not today"


def test_a_protocol_that_it_has_is_no_error() -> None:
    check_protocol(ESP)
    with pytest.raises(ApplicationError, match="IPCOMP"):
        check_protocol(isakmp.Protocol.IPCOMP)
