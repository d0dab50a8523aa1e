"""The payload codecs, by major version and type.

A major version is one Family: IKEv1's is here, IKEv2's in its own folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from isakmp.constants import isakmp
from isakmp.payloads import (
    attribute,
    cert,
    cert_req,
    delete,
    hash,
    id,
    ikev2,
    ke,
    nat_d,
    nat_oa,
    nonce,
    notify,
    sa,
    sig,
    vendor,
)
from isakmp.payloads.base import Codec, Family, by_type

_IKEV1 = (
    sa.CODEC,
    ke.CODEC,
    id.CODEC,
    cert.CODEC,
    cert_req.CODEC,
    hash.CODEC,
    sig.CODEC,
    nonce.CODEC,
    notify.CODEC,
    delete.CODEC,
    vendor.CODEC,
    attribute.CODEC,
    nat_d.CODEC,
    nat_oa.CODEC,
    nat_d.CODEC.renamed("NAT_D_DRAFT", isakmp.Payload.NAT_D_DRAFT),
    nat_oa.CODEC.renamed("NAT_OA_DRAFT", isakmp.Payload.NAT_OA_DRAFT),
)

FAMILY_1 = Family(
    rfc="RFC 2408 3.2",
    payload=isakmp.Payload,
    exchange=isakmp.Exchange,
    flag=isakmp.Flag,
    codecs=by_type(_IKEV1),
    nested=frozenset({int(isakmp.Payload.PROPOSAL), int(isakmp.Payload.TRANSFORM)}),
    private=frozenset(range(128, 256)),
)
_FAMILIES: Mapping[int, Family] = MappingProxyType({1: FAMILY_1, 2: ikev2.FAMILY})


def family(major: int) -> Family | None:
    """The payloads of a major version of the protocol; None where it is not spoken."""
    return _FAMILIES.get(major)


def codec(major: int, type: int) -> Codec | None:
    """The codec of a payload type; None where it is opaque."""
    known = _FAMILIES.get(major)
    return known.codecs.get(type) if known else None


def codecs(major: int = 1) -> list[Codec]:
    """Every codec of a major version."""
    known = _FAMILIES.get(major)
    return list(known.codecs.values()) if known else []
