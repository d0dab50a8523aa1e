"""The certificate and certificate request payloads: RFC 7296 3.6 and 3.7."""

from __future__ import annotations

from isakmp.constants import ikev2
from isakmp.payloads import show
from isakmp.payloads.base import Codec
from isakmp.payloads.shapes import Encoded, encoded, encoded_twin

CODEC = Codec(
    "CERT",
    ikev2.Payload.CERT,
    encoded(0),
    "RFC 7296 3.6",
    (("04308201", Encoded(4, b"\x30\x82\x01")), ("0e", Encoded(14, b""))),
    show.fields(encoding=show.registry(ikev2.CertEncoding), data=show.octets),
    encoded_twin(0),
)
CODEC_REQUEST = Codec(
    "CERTREQ",
    ikev2.Payload.CERTREQ,
    encoded(0),
    "RFC 7296 3.7",
    (("04" + "a5" * 20, Encoded(4, b"\xa5" * 20)),),
    show.fields(encoding=show.registry(ikev2.CertEncoding), data=show.octets),
    encoded_twin(0),
)
