"""The certificate payload: RFC 2408 3.9. ``encoding`` says what ``data`` is."""

from isakmp.constants.isakmp import CertEncoding, Payload
from isakmp.payloads import show
from isakmp.payloads.base import Codec
from isakmp.payloads.shapes import Encoded, encoded, encoded_twin

CODEC = Codec(
    "CERT",
    Payload.CERT,
    encoded(1),
    "RFC 2408 3.9",
    (("0430820102", Encoded(4, bytes.fromhex("30820102"))),),
    show.fields(encoding=show.registry(CertEncoding), data=show.octets),
    encoded_twin(1),
)
