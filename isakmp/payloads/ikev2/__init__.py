"""The payloads of IKEv2, one file each: RFC 7296 3.

Payloads of group key management and puzzles have numbers and names but no codec: they pass as
opaque ones.
"""

from __future__ import annotations

from typing import Any

from isakmp.constants import ikev2
from isakmp.payloads.base import Codec, Family, by_type
from isakmp.payloads.ikev2 import (
    auth,
    cert,
    cp,
    delete,
    eap,
    id,
    ke,
    nonce,
    notify,
    sa,
    sk,
    ts,
    vendor,
)

SA = sa.CODEC
KE = ke.CODEC
IDI = id.CODEC
IDR = id.CODEC_R
CERT = cert.CODEC
CERTREQ = cert.CODEC_REQUEST
AUTH = auth.CODEC
NONCE = nonce.CODEC
NOTIFY = notify.CODEC
DELETE = delete.CODEC
VENDOR = vendor.CODEC
TSI = ts.CODEC
TSR = ts.CODEC_R
SK = sk.CODEC
SKF = sk.CODEC_FRAGMENT
CP = cp.CODEC
EAP = eap.CODEC

_CODECS: tuple[Codec[Any], ...] = (
    SA,
    KE,
    IDI,
    IDR,
    CERT,
    CERTREQ,
    AUTH,
    NONCE,
    NOTIFY,
    DELETE,
    VENDOR,
    TSI,
    TSR,
    SK,
    SKF,
    CP,
    EAP,
)

FAMILY = Family(
    rfc="RFC 7296 3.2",
    payload=ikev2.Payload,
    exchange=ikev2.Exchange,
    flag=ikev2.Flag,
    codecs=by_type(_CODECS),
    enclosing=frozenset({int(ikev2.Payload.SK), int(ikev2.Payload.SKF)}),
    critical=True,
)
