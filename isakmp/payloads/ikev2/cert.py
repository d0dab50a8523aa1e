"""The certificate and certificate request payloads: RFC 7296 3.6 and 3.7."""

from __future__ import annotations

from typing import Any

from construct import GreedyBytes, Int8ub, Struct

from isakmp.constants import ikev2
from isakmp.payloads import show
from isakmp.payloads.base import Codec
from isakmp.payloads.shapes import fields_twin

LAYOUT = Struct("encoding" / Int8ub, "data" / GreedyBytes)


def _wrong(_value: Any) -> str:
    return ""


CODEC = Codec(
    "CERT",
    ikev2.Payload.CERT,
    LAYOUT,
    "RFC 7296 3.6",
    (("04308201", {"encoding": 4, "data": b"\x30\x82\x01"}), ("0e", {"encoding": 14, "data": b""})),
    show.fields(encoding=show.registry(ikev2.CertEncoding), data=show.octets),
    fields_twin(">B", ("encoding",), _wrong),
)
CODEC_REQUEST = Codec(
    "CERTREQ",
    ikev2.Payload.CERTREQ,
    LAYOUT,
    "RFC 7296 3.7",
    (("04" + "a5" * 20, {"encoding": 4, "data": b"\xa5" * 20}),),
    show.fields(encoding=show.registry(ikev2.CertEncoding), data=show.octets),
    CODEC.twin,
)
