"""The payload codecs, by major version and type.

A major version is one Family: IKEv1's is here, IKEv2's in its own folder. Each codec has the name
of its payload, by which a message is asked for its value: ``message.value(payloads.KE)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

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

SA = sa.CODEC
KE = ke.CODEC
ID = id.CODEC
CERT = cert.CODEC
CERT_REQ = cert_req.CODEC
HASH = hash.CODEC
SIG = sig.CODEC
NONCE = nonce.CODEC
NOTIFY = notify.CODEC
DELETE = delete.CODEC
VENDOR = vendor.CODEC
ATTRIBUTE = attribute.CODEC
NAT_D = nat_d.CODEC
NAT_OA = nat_oa.CODEC
NAT_D_DRAFT = NAT_D.renamed("NAT_D_DRAFT", isakmp.Payload.NAT_D_DRAFT)
NAT_OA_DRAFT = NAT_OA.renamed("NAT_OA_DRAFT", isakmp.Payload.NAT_OA_DRAFT)

_IKEV1: tuple[Codec[Any], ...] = (
    SA,
    KE,
    ID,
    CERT,
    CERT_REQ,
    HASH,
    SIG,
    NONCE,
    NOTIFY,
    DELETE,
    VENDOR,
    ATTRIBUTE,
    NAT_D,
    NAT_OA,
    NAT_D_DRAFT,
    NAT_OA_DRAFT,
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


def codec(major: int, type: int) -> Codec[Any] | None:
    """The codec of a payload type; None where it is opaque."""
    known = _FAMILIES.get(major)
    return known.codecs.get(type) if known else None


def codecs(major: int = 1) -> list[Codec[Any]]:
    """Every codec of a major version."""
    known = _FAMILIES.get(major)
    return list(known.codecs.values()) if known else []
