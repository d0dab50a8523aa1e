"""An IKE_SA_INIT that nobody goes on with: it leaves the responder with a half-open IKE SA."""

from __future__ import annotations

import secrets
import struct
from contextlib import closing

from regress.interop.end import End

_CURVE25519 = 31
# AES-CBC with 128 bits, HMAC-SHA2-256 as prf and integrity algorithm, Curve25519.
_TRANSFORMS = ((1, 12, b"\x80\x0e\x00\x80"), (2, 5, b""), (3, 12, b""), (4, _CURVE25519, b""))
_SA, _KE, _NONCE = 33, 34, 40


def _body() -> bytes:
    """SA, KE and nonce of RFC 7296 1.2."""
    transforms = b"".join(
        struct.pack("!BxHBxH", 3 * (kind != 4), 8 + len(attributes), kind, number) + attributes
        for kind, number, attributes in _TRANSFORMS
    )
    proposal = struct.pack("!BxHBBBB", 0, 8 + len(transforms), 1, 1, 0, len(_TRANSFORMS))
    key = struct.pack("!HH", _CURVE25519, 0) + secrets.token_bytes(32)
    parts = ((_KE, proposal + transforms), (_NONCE, key), (0, secrets.token_bytes(32)))
    return b"".join(struct.pack("!BxH", after, 4 + len(data)) + data for after, data in parts)


def stray(a: End) -> None:
    """Send it from a's address, from another port than IKE's, and wait for the answer."""
    body = _body()
    head = struct.pack("!8s8xBBBBII", secrets.token_bytes(8), _SA, 0x20, 34, 8, 0, 28 + len(body))
    with closing(a.namespace.udp_socket(a.site.address)) as sock:
        sock.settimeout(5)
        sock.sendto(head + body, (a.site.peer, 500))
        sock.recv(4096)
