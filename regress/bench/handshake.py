"""The initiator's half of main and quick mode, as lean as it can be: RFC 2409 5.4 and 5.5.

Its Diffie-Hellman exponent is small and its own public value always the same, so that a generator
spends far less on a handshake than any responder. It checks what the responder proves (HASH_R and
HASH(2)) and goes where the responder's NAT detection leads it (RFC 3947 4).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from isakmp.constants import DOI_IPSEC, ipsec, isakmp
from isakmp.crypto import keymat
from isakmp.crypto.cipher import phase_1_cipher
from isakmp.crypto.groups import get_group
from isakmp.crypto.hash import get_hash
from isakmp.crypto.prf import get_prf
from isakmp.crypto.primes import modp_prime
from isakmp.message import Header, Payload, build_payloads, parse_payloads
from isakmp.payloads.data_attribute import DataAttribute
from isakmp.payloads.sa import CODEC as SA_CODEC
from isakmp.payloads.sa import SaValue, TransformValue
from isakmp.payloads.shapes import ProposalValue
from isakmp.payloads.vendor import VENDOR_DPD, VENDOR_RFC3947

P = isakmp.Payload
_EXPONENT = 65537
_SPI = b"\xde\xad\xbe\xef"
_BLOCK = 16
_PRF = get_prf(isakmp.Hash.SHA2_256)
_HASH = get_hash(isakmp.Hash.SHA2_256)
_CIPHER = phase_1_cipher(isakmp.Encryption.AES_CBC, 128)


@dataclass(frozen=True, slots=True)
class Offer:
    """What all handshakes of a run have in common: AES-128, SHA2-256, a pre-shared key.

    network: the responder's, phase 2's IDcr: address and mask, 4 octets each.
    """

    secret: bytes
    server: bytes
    network: bytes
    public: bytes
    shared: Callable[[bytes], bytes]
    main: bytes
    quick: dict[bool, bytes]


def offer(group: isakmp.Group, esp: str, secret: bytes, server: bytes, network: bytes) -> Offer:
    """An offer of this group and ESP ``aes-gcm`` or ``aes-sha2``; server: its IPv4 address."""
    shared: Callable[[bytes], bytes]
    if group == isakmp.Group.CURVE25519:
        pair = get_group(group).from_private(bytes(range(1, 33)))
        public, shared = pair.public, pair.shared
    else:
        prime = modp_prime(group)
        size = prime.bit_length() // 8
        public = pow(2, _EXPONENT, prime).to_bytes(size, "big")

        def power(peer: bytes) -> bytes:
            return pow(int.from_bytes(peer, "big"), _EXPONENT, prime).to_bytes(size, "big")

        shared = power

    kind = isakmp.Attribute
    main = {
        kind.ENCRYPTION_ALGORITHM: isakmp.Encryption.AES_CBC,
        kind.KEY_LENGTH: 128,
        kind.HASH_ALGORITHM: isakmp.Hash.SHA2_256,
        kind.GROUP_DESCRIPTION: group,
        kind.AUTHENTICATION_METHOD: isakmp.Authentication.PRE_SHARED,
        kind.LIFE_TYPE: isakmp.LifeType.SECONDS,
        kind.LIFE_DURATION: 28800,
    }
    return Offer(
        secret, server, network, public, shared,
        _sa(isakmp.Protocol.ISAKMP, b"", ipsec.IsakmpTransform.KEY_IKE, main),
        {natted: _quick(esp, natted) for natted in (False, True)},
    )  # fmt: skip


def _quick(esp: str, natted: bool) -> bytes:
    """Phase 2's SA payload, with a mark where the SPI goes."""
    kind, mode = ipsec.Attribute, ipsec.Encapsulation
    attributes: dict[int, int] = {
        kind.ENCAPSULATION_MODE: mode.UDP_ENCAP_TUNNEL if natted else mode.TUNNEL,
        kind.KEY_LENGTH: 128,
        kind.LIFE_TYPE: isakmp.LifeType.SECONDS,
        kind.LIFE_DURATION: 3600,
    }
    if esp == "aes-sha2":
        attributes[kind.AUTHENTICATION_ALGORITHM] = ipsec.Auth.HMAC_SHA2_256
        return _sa(isakmp.Protocol.IPSEC_ESP, _SPI, ipsec.Esp.AES, attributes)
    return _sa(isakmp.Protocol.IPSEC_ESP, _SPI, ipsec.Esp.AES_GCM_16, attributes)


def _sa(protocol: int, spi: bytes, transform: int, attributes: dict[Any, Any]) -> bytes:
    pairs = [DataAttribute(int(k), int(v)) for k, v in attributes.items()]
    row = TransformValue(1, transform, tuple(pairs))
    proposal = ProposalValue(1, protocol, spi, (row,))
    return SA_CODEC.build(SaValue(DOI_IPSEC, ipsec.Situation.IDENTITY_ONLY, (proposal,)))


class Failed(Exception):
    """The responder said something that ends a handshake."""


class Handshake:
    """One peer's main and quick mode. step: messages of the responder taken so far, 3 at the end.

    address: the peer's own, which is its identity; client: the host behind it, phase 2's IDci;
    natted: the responder found a NAT, so messages go from and to the NAT traversal port.
    """

    __slots__ = (
        "_cipher", "_hash_r", "_iv", "_message_id", "_ni_b", "_offer", "_skeyid_a", "address",
        "began", "client", "cky_i", "cky_r", "due", "natted", "sent", "step", "tries",
    )  # fmt: skip

    def __init__(self, plan: Offer, address: bytes, client: bytes) -> None:
        self._offer, self.address, self.client = plan, address, client
        self.cky_i, self.cky_r = os.urandom(7) + b"\1", bytes(8)
        self.natted, self.step, self.tries = False, 0, 0
        self.began = self.due = 0.0
        self.sent = b""

    @property
    def done(self) -> bool:
        """Whether the responder has proved itself and all is agreed on."""
        return self.step == 3

    def begin(self) -> bytes:
        """Message 1."""
        return self._clear([
            (P.SA, self._offer.main),
            (P.VENDOR, VENDOR_RFC3947), (P.VENDOR, VENDOR_DPD),
        ])  # fmt: skip

    def take(self, data: bytes) -> bytes | None:
        """The responder's next message; ours to answer it, None where it is no progress."""
        header = Header.unpack(data)
        if header.exchange_type == isakmp.Exchange.INFO:
            return None
        if header.message_id:
            return self._quick_2(header, data) if self.step == 2 else None
        if self.step == 0:
            self.cky_r = header.cky_r
            return self._main_3()
        if self.step == 1 and not header.flags & isakmp.Flag.ENCRYPTION:
            return self._main_4(header, data)
        if self.step == 1 and self._iv and header.flags & isakmp.Flag.ENCRYPTION:
            return self._main_6(header, data)
        return None

    def _main_3(self) -> bytes | None:
        self.step, self._iv = 1, b""
        self._ni_b = os.urandom(32)
        return self._clear([
            (P.KE, self._offer.public), (P.NONCE, self._ni_b),
            (P.NAT_D, self._nat_d(self._offer.server)), (P.NAT_D, self._nat_d(self.address)),
        ])  # fmt: skip

    def _nat_d(self, address: bytes) -> bytes:
        return _HASH.digest(self.cky_i, self.cky_r, address, (500).to_bytes(2, "big"))

    def _main_4(self, header: Header, data: bytes) -> bytes | None:
        if self._iv:
            return None
        payloads, _ = parse_payloads(1, header.next_payload, data[28:])
        g_xr, nr_b = _body(payloads, P.KE), _body(payloads, P.NONCE)
        seen = [payload.body for payload in payloads if payload.type == P.NAT_D]
        expected = [self._nat_d(self.address), self._nat_d(self._offer.server)]
        self.natted = bool(seen) and seen != expected
        plan, g_xi = self._offer, self._offer.public
        skeyid = keymat.skeyid_psk(_PRF, plan.secret, self._ni_b, nr_b)
        keys = keymat.derive(_PRF, skeyid, plan.shared(g_xr), self.cky_i, self.cky_r)
        self._skeyid_a = keys.a
        self._cipher = _CIPHER.bind(keymat.cipher_key(_PRF, keys.e, _CIPHER.key_size))
        self._iv = keymat.phase_1_iv(_HASH, g_xi, g_xr, _BLOCK)
        cky_i, cky_r, ours = self.cky_i, self.cky_r, _id(self.address)
        hash_i = keymat.hash_i(_PRF, skeyid, g_xi, g_xr, cky_i, cky_r, plan.main, ours)
        self._hash_r = partial(keymat.hash_r, _PRF, skeyid, g_xr, g_xi, cky_r, cky_i, plan.main)
        return self._sealed(isakmp.Exchange.ID_PROT, 0, [(P.ID, ours), (P.HASH, hash_i)])

    def _main_6(self, header: Header, data: bytes) -> bytes | None:
        payloads = self._opened(header, data)
        if _body(payloads, P.HASH) != self._hash_r(_body(payloads, P.ID)):
            raise Failed("HASH_R does not verify")
        self.step = 2
        self._message_id = int.from_bytes(os.urandom(4), "big") | 1
        self._iv = keymat.phase_2_iv(_HASH, self._iv, self._message_id, _BLOCK)
        self._ni_b = os.urandom(32)
        spi = struct.pack(">I", int.from_bytes(os.urandom(4), "big") | 1 << 20)
        rest = [
            (P.SA, self._offer.quick[self.natted].replace(_SPI, spi)),
            (P.NONCE, self._ni_b),
            (P.ID, _id(self.client)),
            (P.ID, bytes([ipsec.Id.IPV4_ADDR_SUBNET, 0, 0, 0]) + self._offer.network),
        ]
        _, covered = build_payloads(1, rest)
        hash_1 = keymat.quick_hash_1(_PRF, self._skeyid_a, self._message_id, covered)
        return self._sealed(isakmp.Exchange.QUICK_MODE, self._message_id, [(P.HASH, hash_1), *rest])

    def _quick_2(self, header: Header, data: bytes) -> bytes | None:
        if header.message_id != self._message_id:
            return None
        payloads = self._opened(header, data)
        keys = _PRF, self._skeyid_a, self._message_id
        rest = build_payloads(1, [(p.type, p.body) for p in payloads[1:]])[1]
        if payloads[0].body != keymat.quick_hash_2(*keys, self._ni_b, rest):
            raise Failed("HASH(2) does not verify")
        nr_b = _body(payloads, P.NONCE)
        self.step = 3
        hash_3 = keymat.quick_hash_3(*keys, self._ni_b, nr_b)
        return self._sealed(isakmp.Exchange.QUICK_MODE, self._message_id, [(P.HASH, hash_3)])

    def _clear(self, items: list[tuple[int, bytes]]) -> bytes:
        first, chain = build_payloads(1, items)
        return self._header(first, isakmp.Exchange.ID_PROT, 0, 0, len(chain)) + chain

    def _header(self, first: int, exchange: int, flags: int, message_id: int, size: int) -> bytes:
        header = Header(self.cky_i, self.cky_r, first, 1, 0, exchange, flags, message_id, 28 + size)
        return header.pack()

    def _sealed(self, exchange: int, message_id: int, items: list[tuple[int, bytes]]) -> bytes:
        first, chain = build_payloads(1, items)
        chain = self._cipher.encrypt(self._iv, chain + bytes(-len(chain) % _BLOCK))
        self._iv = chain[-_BLOCK:]
        flags = isakmp.Flag.ENCRYPTION
        return self._header(first, exchange, flags, message_id, len(chain)) + chain

    def _opened(self, header: Header, data: bytes) -> list[Payload]:
        clear = self._cipher.decrypt(self._iv, data[28:])
        payloads, _ = parse_payloads(1, header.next_payload, clear)
        self._iv = data[-_BLOCK:]
        return payloads


def _id(address: bytes) -> bytes:
    return bytes([ipsec.Id.IPV4_ADDR, 0, 0, 0]) + address


def _body(payloads: list[Payload], kind: int) -> bytes:
    for payload in payloads:
        if payload.type == kind:
            return payload.body
    raise Failed(f"payload {kind} is missing")
