"""The IPsec DOI's numbers: RFC 2407 4, and what IANA has added."""

from __future__ import annotations

from enum import IntEnum

import pytest

from isakmp.constants import ipsec, name_of, value_of
from isakmp.constants.ipsec import Ah, Attribute, Auth, Encapsulation, Esp, Id, Ipcomp

ENUMS = [
    value for value in vars(ipsec).values()
    if isinstance(value, type) and issubclass(value, IntEnum) and value is not IntEnum
]  # fmt: skip


@pytest.mark.parametrize(
    ("member", "number"),
    [
        (Ah.MD5, 2), (Ah.SHA, 3), (Ah.SHA2_256, 5), (Esp.DES, 2), (Esp._3DES, 3), (Esp.NULL, 11),
        (Esp.AES, 12), (Esp.AES_CTR, 13), (Esp.AES_GCM_16, 20), (Ipcomp.DEFLATE, 2),
        (Attribute.LIFE_TYPE, 1), (Attribute.LIFE_DURATION, 2), (Attribute.GROUP_DESCRIPTION, 3),
        (Attribute.ENCAPSULATION_MODE, 4), (Attribute.AUTHENTICATION_ALGORITHM, 5),
        (Encapsulation.TUNNEL, 1), (Encapsulation.TRANSPORT, 2),
        (Auth.HMAC_MD5, 1), (Auth.HMAC_SHA, 2), (Auth.HMAC_SHA2_256, 5),
        (Id.IPV4_ADDR, 1), (Id.FQDN, 2), (Id.USER_FQDN, 3), (Id.IPV4_ADDR_SUBNET, 4),
        (Id.IPV6_ADDR, 5), (Id.DER_ASN1_DN, 9), (Id.KEY_ID, 11),
    ],
    ids=str,
)  # fmt: skip
def test_numbers_of_the_rfcs(member: int, number: int) -> None:
    assert member == number


@pytest.mark.parametrize("registry", ENUMS, ids=lambda registry: registry.__name__)
def test_names_are_read_as_they_are_written(registry: type[IntEnum]) -> None:
    for member in registry:
        assert value_of(registry, name_of(registry, member)) is member
