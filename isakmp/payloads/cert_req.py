"""The certificate request payload: RFC 2408 3.10. ``data``: a CA's name, or empty for any CA."""

from isakmp.constants.isakmp import CertEncoding, Payload
from isakmp.payloads import show
from isakmp.payloads.base import Codec
from isakmp.payloads.shapes import Encoded, encoded, encoded_twin

CODEC = Codec(
    "CERT_REQ",
    Payload.CERT_REQ,
    encoded(0),
    "RFC 2408 3.10",
    (
        ("04", Encoded(4, b"")),
        ("04300c310a", Encoded(4, bytes.fromhex("300c310a"))),
    ),
    show.fields(encoding=show.registry(CertEncoding), data=show.octets),
    encoded_twin(0),
)
