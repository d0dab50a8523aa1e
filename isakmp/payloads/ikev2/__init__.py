"""The payloads of IKEv2, one file each: RFC 7296 3.

Payloads of group key management and puzzles have numbers and names but no codec: they pass as
opaque ones.
"""

from __future__ import annotations

from isakmp.constants import ikev2
from isakmp.payloads.base import Family, by_type
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

_CODECS = (
    sa.CODEC,
    ke.CODEC,
    id.CODEC,
    id.CODEC_R,
    cert.CODEC,
    cert.CODEC_REQUEST,
    auth.CODEC,
    nonce.CODEC,
    notify.CODEC,
    delete.CODEC,
    vendor.CODEC,
    ts.CODEC,
    ts.CODEC_R,
    sk.CODEC,
    sk.CODEC_FRAGMENT,
    cp.CODEC,
    eap.CODEC,
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
