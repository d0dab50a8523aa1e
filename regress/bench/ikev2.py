"""The initiator's half of IKE_SA_INIT and IKE_AUTH, as lean as it can be: RFC 7296 1.2.

As handshake.py does for IKEv1: a small exponent, always the same public value, and a check of what
the responder proves (AUTH). It goes to port 4500 where the responder finds a NAT (2.23).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha1

from isakmp.constants import ikev2, isakmp
from isakmp.crypto import skeyseed
from isakmp.crypto.prf import get_prf_v2
from isakmp.crypto.sk import Sk, sk_cipher
from isakmp.message import Header, Payload, build_payloads, parse_payloads
from isakmp.payloads.data_attribute import DataAttribute
from isakmp.payloads.ikev2.sa import CODEC as SA_CODEC
from isakmp.payloads.ikev2.sa import SaValue, TransformValue
from isakmp.payloads.shapes import HEADER as GENERIC
from isakmp.payloads.shapes import ProposalValue
from isakmp.scripts.ikev2.nat import DESTINATION, SOURCE
from regress.bench.handshake import Failed, Offer

P, T, X = ikev2.Payload, ikev2.Transform, ikev2.Exchange
_PRF = get_prf_v2(ikev2.Prf.HMAC_SHA2_256)
_CIPHER = sk_cipher(ikev2.Encr.AES_CBC, 128, ikev2.Integ.HMAC_SHA2_256_128)
_SPI = b"\xde\xad\xbe\xef"
_INITIATOR, _RESPONSE = 0x08, 0x20
_BITS_128 = (DataAttribute(int(ikev2.TransformAttribute.KEY_LENGTH), 128),)


@dataclass(frozen=True, slots=True)
class Payloads:
    """The bodies that all handshakes of a run have in common; child: with a mark for the SPI."""

    ike: bytes
    ke: bytes
    child: bytes
    tsr: bytes


def payloads(plan: Offer, group: isakmp.Group, esp: str) -> Payloads:
    """AES-128, SHA2-256 and the group; ESP ``aes-gcm`` or ``aes-sha2``; all of the network."""
    child: list[tuple[int, int, int]]
    ike: list[tuple[int, int, int]] = [
        (T.ENCR, ikev2.Encr.AES_CBC, 128), (T.PRF, ikev2.Prf.HMAC_SHA2_256, 0),
        (T.INTEG, ikev2.Integ.HMAC_SHA2_256_128, 0), (T.KE, group, 0),
    ]  # fmt: skip
    if esp == "aes-sha2":
        child = [(T.ENCR, ikev2.Encr.AES_CBC, 128), (T.INTEG, ikev2.Integ.HMAC_SHA2_256_128, 0)]
    else:
        child = [(T.ENCR, ikev2.Encr.AES_GCM_16, 128)]
    child.append((T.ESN, ikev2.SequenceNumbers.SEQUENTIAL_32, 0))
    first, mask = plan.network[:4], int.from_bytes(plan.network[4:], "big")
    last = int.from_bytes(first, "big") | (mask ^ 0xFFFFFFFF)
    return Payloads(
        _sa(ikev2.Protocol.IKE, b"", ike),
        int(group).to_bytes(2, "big") + bytes(2) + plan.public,
        _sa(ikev2.Protocol.ESP, _SPI, child),
        _ts(first, last.to_bytes(4, "big")),
    )


def _sa(protocol: int, spi: bytes, transforms: list[tuple[int, int, int]]) -> bytes:
    rows = [
        TransformValue(int(kind), int(number), _BITS_128 if bits else ())
        for kind, number, bits in transforms
    ]
    proposal = ProposalValue(1, int(protocol), spi, tuple(rows))
    return SA_CODEC.build(SaValue((proposal,)))


def _ts(first: bytes, last: bytes) -> bytes:
    return b"\1\0\0\0\7\0\0\x10\0\0\xff\xff" + first + last


class HandshakeV2:
    """One peer's IKE SA with its child SA. done: the responder has proved itself."""

    __slots__ = (
        "_bodies", "_keys", "_message_1", "_message_2", "_ni", "_nr", "_opens", "_plan", "_seals",
        "address", "began", "client", "cky_i", "cky_r", "done", "due", "natted", "sent", "step",
        "tries",
    )  # fmt: skip

    def __init__(self, plan: Offer, bodies: Payloads, address: bytes, client: bytes) -> None:
        self._plan, self._bodies, self.address, self.client = plan, bodies, address, client
        self.cky_i, self.cky_r = os.urandom(7) + b"\1", bytes(8)
        self.natted, self.step, self.tries, self.done = False, 0, 0, False
        self.began = self.due = 0.0
        self.sent = b""

    def begin(self) -> bytes:
        """IKE_SA_INIT."""
        self._ni = os.urandom(32)
        first, chain = build_payloads(2, [
            (P.SA, self._bodies.ike), (P.KE, self._bodies.ke), (P.NONCE, self._ni),
            (P.NOTIFY, _notify(SOURCE, self._digest(self.address, bytes(8)))),
            (P.NOTIFY, _notify(DESTINATION, self._digest(self._plan.server, bytes(8)))),
        ])  # fmt: skip
        self._message_1 = self._header(first, X.IKE_SA_INIT, 0, len(chain)) + chain
        return self._message_1

    def take(self, data: bytes) -> bytes | None:
        """The responder's next message; ours to answer it, None where there is none."""
        header = Header.unpack(data)
        if not header.flags & _RESPONSE or header.message_id != self.step:
            return None
        if self.step == 0:
            return self._auth(header, data)
        self._finish(data)
        return None

    def _auth(self, header: Header, data: bytes) -> bytes:
        found, _ = parse_payloads(2, header.next_payload, data[28:])
        self.step, self.cky_r, self._message_2 = 1, header.cky_r, data
        self._nr = _body(found, P.NONCE)
        self._look_for_nat(found)
        g_ir = self._plan.shared(_body(found, P.KE)[4:])
        seed = skeyseed.skeyseed(_PRF, self._ni, self._nr, g_ir)
        self._keys = keys = skeyseed.derive(
            _PRF, seed, self._ni, self._nr, self.cky_i, self.cky_r, _CIPHER.enc_size,
            _CIPHER.integ_size,
        )  # fmt: skip
        self._seals: Sk = _CIPHER.bind(keys.ei, keys.ai)
        self._opens: Sk = _CIPHER.bind(keys.er, keys.ar)
        identity = b"\1\0\0\0" + self.address
        octets = skeyseed.signed_octets(_PRF, self._message_1, self._nr, keys.pi, identity)
        proof = skeyseed.psk_auth(_PRF, self._plan.secret, octets)
        spi = (int.from_bytes(os.urandom(4), "big") | 1 << 20).to_bytes(4, "big")
        return self._sealed(X.IKE_AUTH, [
            (P.IDI, identity), (P.AUTH, b"\2\0\0\0" + proof),
            (P.SA, self._bodies.child.replace(_SPI, spi)),
            (P.TSI, _ts(self.client, self.client)), (P.TSR, self._bodies.tsr),
        ])  # fmt: skip

    def _look_for_nat(self, found: list[Payload]) -> None:
        seen = {p.body[2:4]: p.body[4:] for p in found if p.type == P.NOTIFY}
        if source := seen.get(int(SOURCE).to_bytes(2, "big")):
            theirs = self._digest(self._plan.server, self.cky_r)
            ours = self._digest(self.address, self.cky_r)
            destination = seen.get(int(DESTINATION).to_bytes(2, "big"))
            self.natted = (source, destination) != (theirs, ours)

    def _digest(self, address: bytes, spi_r: bytes) -> bytes:
        seed = self.cky_i + spi_r + address + (500).to_bytes(2, "big")
        return sha1(seed, usedforsecurity=False).digest()

    def _finish(self, data: bytes) -> None:
        inner = self._opens.open(data, 32)
        found, _ = parse_payloads(2, data[28], inner)
        identity = _body(found, P.IDR)
        octets = skeyseed.signed_octets(_PRF, self._message_2, self._ni, self._keys.pr, identity)
        if _body(found, P.AUTH)[4:] != skeyseed.psk_auth(_PRF, self._plan.secret, octets):
            raise Failed("AUTH does not verify")
        _body(found, P.SA)
        self.step, self.done = 2, True

    def _header(self, first: int, exchange: int, message_id: int, size: int) -> bytes:
        return Header(self.cky_i, self.cky_r, first, 2, 0, exchange, _INITIATOR, message_id,
                      28 + size).pack()  # fmt: skip

    def _sealed(self, exchange: int, items: list[tuple[int, bytes]]) -> bytes:
        first, chain = build_payloads(2, items)
        size = 4 + self._seals.sealed_size(len(chain))
        head = self._header(P.SK, exchange, 1, size) + GENERIC.pack(first, 0, size)
        return head + self._seals.seal(head, chain, os.urandom)


def _notify(number: int, data: bytes) -> bytes:
    return bytes(2) + int(number).to_bytes(2, "big") + data


def _body(found: list[Payload], kind: int) -> bytes:
    for payload in found:
        if payload.type == kind:
            return payload.body
    said = [p.body[2:4].hex() for p in found if p.type == P.NOTIFY]
    raise Failed(f"payload {kind} is missing, notifies {said}")
