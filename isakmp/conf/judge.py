"""Algorithms a configuration names, held against what the cryptographic library can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from isakmp.constants import ikev2, ipsec, isakmp, name_of
from isakmp.constants.key_exchange import ADDITIONAL, KEY_EXCHANGES
from isakmp.crypto.agreement import get_method
from isakmp.crypto.cipher import phase_1_cipher
from isakmp.crypto.groups import get_group
from isakmp.crypto.hash import get_hash
from isakmp.crypto.prf import get_prf_v2
from isakmp.crypto.sk import sk_cipher
from isakmp.errors import CryptoError
from isakmp.policy.algorithms import is_legacy, transform_text
from isakmp.policy.lacking import MEND, lacks
from isakmp.policy.spd import IkeTransform, IpsecTransform, Proposal, Transform

_CBC = {
    ipsec.Esp.DES: isakmp.Encryption.DES_CBC,
    ipsec.Esp._3DES: isakmp.Encryption._3DES_CBC,
    ipsec.Esp.CAST: isakmp.Encryption.CAST_CBC,
    ipsec.Esp.BLOWFISH: isakmp.Encryption.BLOWFISH_CBC,
    ipsec.Esp.AES: isakmp.Encryption.AES_CBC,
    ipsec.Esp.CAMELLIA: isakmp.Encryption.CAMELLIA_CBC,
}
_AES_MODES = frozenset(
    {
        ipsec.Esp.AES_CTR,
        ipsec.Esp.AES_CCM_8,
        ipsec.Esp.AES_CCM_12,
        ipsec.Esp.AES_CCM_16,
        ipsec.Esp.AES_GCM_8,
        ipsec.Esp.AES_GCM_12,
        ipsec.Esp.AES_GCM_16,
        ipsec.Esp.NULL_AES_GMAC,
    }
)
# These bring their own integrity check.
_COMBINED = _AES_MODES - {ipsec.Esp.AES_CTR} | {ipsec.Esp.CHACHA20_POLY1305}
_LEGACY_AUTH = frozenset({ipsec.Auth.HMAC_MD5, ipsec.Auth.DES_MAC, ipsec.Auth.KPDK})


@dataclass(slots=True)
class Verdict:
    """errors: what the library cannot do; warnings: what it can and nobody should."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def ask(self, legacy: Callable[[], bool], name: str) -> None:
        """Note an algorithm that is missing (CryptoError), or that is of the past."""
        try:
            if legacy():
                self.warnings.append(f"{name} is no longer considered secure")
        except CryptoError as error:
            self.errors.append(str(error))


def judge_ike(transform: IkeTransform) -> Verdict:
    """A phase 1 transform."""
    verdict = Verdict()
    encryption, hash_, group = transform.encryption, transform.hash, transform.group
    if encryption is not None:
        name = name_of(isakmp.Encryption, encryption)
        verdict.ask(lambda: phase_1_cipher(encryption, _offered_bits(transform)).legacy, name)
    if hash_ is not None:
        verdict.ask(lambda: get_hash(hash_).legacy, hash_.name)
    if group is not None:
        verdict.ask(lambda: get_group(group).legacy, group.name)
    return verdict


def judge_proposal(proposal: Proposal) -> Verdict:
    """An IKEv2 proposal for an IKE SA: each of its transforms."""
    return _judged(proposal, proposal.transforms)


def judge_exchanges(proposal: Proposal) -> Verdict:
    """An IKEv2 proposal for IPsec SAs, whose other algorithms the IPsec stack judges: its key
    exchanges, of which suites have the first."""
    newer = min(ikev2.KeyExchange)
    asked = [t for t in proposal.transforms if t.type in ADDITIONAL or t.id >= newer]
    return _judged(proposal, [t for t in asked if t.type in KEY_EXCHANGES])


def _judged(proposal: Proposal, transforms: Sequence[Transform]) -> Verdict:
    verdict = Verdict()
    for transform in transforms:
        if why := lacks(transform):
            text = f"{transform_text(transform)} is not proposed: {why}: {MEND}"
            verdict.warnings.append(text)
        else:
            verdict.ask(partial(_asked, transform, proposal), transform_text(transform))
    return verdict


def _asked(transform: Transform, proposal: Proposal) -> bool:
    """Whether a transform is of the past. CryptoError where the library lacks it."""
    kinds = ikev2.Transform
    integ = next((other.id for other in proposal.of_type(kinds.INTEG)), None)
    match transform.type:
        case kinds.ENCR:
            sk_cipher(transform.id, transform.key_bits, integ)
        case kinds.INTEG:
            cipher = proposal.of_type(kinds.ENCR)[0]
            sk_cipher(cipher.id, cipher.key_bits, transform.id)
        case kinds.PRF:
            get_prf_v2(ikev2.Prf(transform.id))
        case kind if kind in KEY_EXCHANGES and transform.id:
            get_method(transform.id)
    return is_legacy(transform)


def judge_ipsec(protocol: isakmp.Protocol, transform: IpsecTransform) -> Verdict:
    """A phase 2 transform of AH or ESP."""
    verdict = Verdict()
    if protocol is isakmp.Protocol.IPSEC_ESP:
        _judge_esp(transform, verdict)
    if transform.auth in _LEGACY_AUTH:
        verdict.ask(lambda: True, name_of(ipsec.Auth, transform.auth or 0))
    group = transform.group
    if group is not None:
        verdict.ask(lambda: get_group(group).legacy, group.name)
    return verdict


def _judge_esp(transform: IpsecTransform, verdict: Verdict) -> None:
    esp = transform.transform_id
    name = name_of(ipsec.Esp, esp)
    combined = esp in _COMBINED
    if combined and transform.auth is not None:
        verdict.errors.append(f"{name} takes no AUTHENTICATION_ALGORITHM")
    if not combined and transform.auth is None:
        _without_integrity(esp, name, verdict)
    bits = _offered_bits(transform)
    if cipher := _CBC.get(ipsec.Esp(esp)):
        verdict.ask(lambda: phase_1_cipher(cipher, bits).legacy, name)
    elif esp in _AES_MODES and bits not in (None, 128, 192, 256):
        verdict.errors.append(f"{name} takes no key of {bits} bits")
    elif esp not in (*_AES_MODES, ipsec.Esp.NULL, ipsec.Esp.CHACHA20_POLY1305):
        verdict.errors.append(f"the library lacks cipher {name}")


def _without_integrity(esp: int, name: str, verdict: Verdict) -> None:
    if esp == ipsec.Esp.NULL:
        verdict.errors.append("NULL without AUTHENTICATION_ALGORITHM protects nothing (RFC 4303)")
    else:
        verdict.warnings.append(f"{name} without a hash: packets can be forged")


def _offered_bits(transform: IkeTransform | IpsecTransform) -> int | None:
    return transform.key_bits.offer if transform.key_bits else None
