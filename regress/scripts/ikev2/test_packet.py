"""IKEv2 messages on the wire: what RFC 9242 3.3.2 authenticates of one."""

from __future__ import annotations

from isakmp.constants import ikev2
from isakmp.message import HEADER_SIZE, Header, build_payloads
from isakmp.payloads.shapes import HEADER as GENERIC
from isakmp.scripts.ikev2.packet import covered

P, X = ikev2.Payload, ikev2.Exchange


def test_what_is_covered_does_not_depend_on_pieces() -> None:
    """RFC 9242 3.3.2: lengths without IV, padding and ICV; next payload SK, not SKF."""
    _, chain = build_payloads(2, [(P.NONCE, b"n" * 40)])

    def message(kind: int, outside: bytes, extra: int) -> bytes:
        fragment = b"\0\1\0\2" if kind == P.SKF else b""
        body = fragment + bytes(extra)
        first = P.VENDOR if outside else kind
        size = HEADER_SIZE + len(outside) + 4 + len(body)
        header = Header(b"i" * 8, b"r" * 8, first, 2, 0, X.IKE_INTERMEDIATE, 8, 1, size)
        return header.pack() + outside + GENERIC.pack(P.NONCE, 0, 4 + len(body)) + body

    whole = covered(message(P.SK, b"", 100), chain)
    assert covered(message(P.SKF, b"", 30), chain) == whole
    assert whole.endswith(chain) and len(whole) == HEADER_SIZE + 4 + len(chain)
    assert int.from_bytes(whole[24:28], "big") == len(whole)
    assert int.from_bytes(whole[30:32], "big") == 4 + len(chain)
    clear = [GENERIC.pack(kind, 0, 8) + b"isak" for kind in (P.SK, P.SKF)]
    outside = [covered(message(kind, body, 60), chain)
               for kind, body in zip((P.SK, P.SKF), clear, strict=True)]  # fmt: skip
    assert outside[0] == outside[1] != whole
