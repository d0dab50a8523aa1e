"""The same algorithms by their IKEv1 and their IKEv2 numbers.

RFC 7296 3.3.2, RFC 2407 4.4 and 4.5, RFC 2409 appendix A. What RFC 8247 and RFC 8221 forbid is
known here as well, and left out of every list that stands for "any".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from isakmp.constants import ikev2, ipsec, isakmp, name_of
from isakmp.constants.key_exchange import ADDITIONAL, KEY_EXCHANGES, method_name
from isakmp.policy.spd import IpsecTransform, Range, Transform

T = ikev2.Transform
Encr = ikev2.Encr
Prf = ikev2.Prf
Integ = ikev2.Integ
Esp = ipsec.Esp
Auth = ipsec.Auth
Ah = ipsec.Ah
Group = isakmp.Group

KEY_LENGTHS = (128, 192, 256)

# What encrypts and authenticates at once: no integrity transform goes with it (RFC 5282 8).
COMBINED = frozenset(
    {
        Encr.AES_CCM_8, Encr.AES_CCM_12, Encr.AES_CCM_16, Encr.AES_GCM_8, Encr.AES_GCM_12,
        Encr.AES_GCM_16, Encr.NULL_AUTH_AES_GMAC, Encr.CHACHA20_POLY1305,
    }
)  # fmt: skip
# These come without a key length attribute, having one length only.
FIXED_KEYS = frozenset({Encr.DES, Encr._3DES, Encr.CAST, Encr.NULL, Encr.CHACHA20_POLY1305})

ENCR_OF_IKE: Mapping[isakmp.Encryption, Encr] = MappingProxyType(
    {
        isakmp.Encryption.AES_CBC: Encr.AES_CBC,
        isakmp.Encryption.CAMELLIA_CBC: Encr.CAMELLIA_CBC,
        isakmp.Encryption._3DES_CBC: Encr._3DES,
        isakmp.Encryption.DES_CBC: Encr.DES,
    }
)
IKE_OF_ENCR = MappingProxyType({number: ike for ike, number in ENCR_OF_IKE.items()})

PRF_OF_HASH: Mapping[isakmp.Hash, Prf] = MappingProxyType(
    {
        isakmp.Hash.SHA2_256: Prf.HMAC_SHA2_256,
        isakmp.Hash.SHA2_384: Prf.HMAC_SHA2_384,
        isakmp.Hash.SHA2_512: Prf.HMAC_SHA2_512,
        isakmp.Hash.SHA: Prf.HMAC_SHA1,
        isakmp.Hash.MD5: Prf.HMAC_MD5,
    }
)
HASH_OF_PRF = MappingProxyType({prf: hash_ for hash_, prf in PRF_OF_HASH.items()})

INTEG_OF_PRF: Mapping[Prf, Integ] = MappingProxyType(
    {
        Prf.HMAC_SHA2_256: Integ.HMAC_SHA2_256_128,
        Prf.HMAC_SHA2_384: Integ.HMAC_SHA2_384_192,
        Prf.HMAC_SHA2_512: Integ.HMAC_SHA2_512_256,
        Prf.HMAC_SHA1: Integ.HMAC_SHA1_96,
        Prf.HMAC_MD5: Integ.HMAC_MD5_96,
        Prf.AES128_XCBC: Integ.AES_XCBC_96,
        Prf.AES128_CMAC: Integ.AES_CMAC_96,
    }
)
PRF_OF_INTEG = MappingProxyType({integ: prf for prf, integ in INTEG_OF_PRF.items()})

ESP_OF_ENCR: Mapping[int, Esp] = MappingProxyType(
    {
        Encr.AES_CBC: Esp.AES,
        Encr.AES_CTR: Esp.AES_CTR,
        Encr.AES_CCM_8: Esp.AES_CCM_8,
        Encr.AES_CCM_12: Esp.AES_CCM_12,
        Encr.AES_CCM_16: Esp.AES_CCM_16,
        Encr.AES_GCM_8: Esp.AES_GCM_8,
        Encr.AES_GCM_12: Esp.AES_GCM_12,
        Encr.AES_GCM_16: Esp.AES_GCM_16,
        Encr.NULL_AUTH_AES_GMAC: Esp.NULL_AES_GMAC,
        Encr.CHACHA20_POLY1305: Esp.CHACHA20_POLY1305,
        Encr.CAMELLIA_CBC: Esp.CAMELLIA,
        Encr.NULL: Esp.NULL,
        Encr._3DES: Esp._3DES,
        Encr.DES: Esp.DES,
        Encr.CAST: Esp.CAST,
        Encr.BLOWFISH: Esp.BLOWFISH,
    }
)
ENCR_OF_ESP = MappingProxyType({esp: Encr(encr) for encr, esp in ESP_OF_ENCR.items()})

AUTH_OF_INTEG: Mapping[int, Auth] = MappingProxyType(
    {
        Integ.HMAC_SHA2_256_128: Auth.HMAC_SHA2_256,
        Integ.HMAC_SHA2_384_192: Auth.HMAC_SHA2_384,
        Integ.HMAC_SHA2_512_256: Auth.HMAC_SHA2_512,
        Integ.HMAC_SHA1_96: Auth.HMAC_SHA,
        Integ.HMAC_MD5_96: Auth.HMAC_MD5,
        Integ.AES_XCBC_96: Auth.AES_XCBC_MAC,
        Integ.AES_CMAC_96: Auth.AES_CMAC,
        Integ.AES_128_GMAC: Auth.AES_128_GMAC,
        Integ.AES_192_GMAC: Auth.AES_192_GMAC,
        Integ.AES_256_GMAC: Auth.AES_256_GMAC,
    }
)
INTEG_OF_AUTH = MappingProxyType({auth: Integ(integ) for integ, auth in AUTH_OF_INTEG.items()})
AUTH_OF_IKEV2_ALONE = frozenset({Auth.AES_CMAC})

AH_OF_AUTH: Mapping[Auth, Ah] = MappingProxyType(
    {
        Auth.HMAC_SHA2_256: Ah.SHA2_256,
        Auth.HMAC_SHA2_384: Ah.SHA2_384,
        Auth.HMAC_SHA2_512: Ah.SHA2_512,
        Auth.HMAC_SHA: Ah.SHA,
        Auth.HMAC_MD5: Ah.MD5,
        Auth.AES_XCBC_MAC: Ah.AES_XCBC_MAC,
        Auth.AES_128_GMAC: Ah.AES_128_GMAC,
        Auth.AES_192_GMAC: Ah.AES_192_GMAC,
        Auth.AES_256_GMAC: Ah.AES_256_GMAC,
    }
)

_NO_GROUPS = frozenset({Group.MODP_768, Group.MODP_1024_160})
_MUST_NOT: Mapping[int, frozenset[int]] = MappingProxyType(
    {
        **dict.fromkeys(KEY_EXCHANGES, _NO_GROUPS),
        T.ENCR: frozenset({Encr.DES, Encr.CAST, Encr.BLOWFISH}),
        T.PRF: frozenset({Prf.HMAC_MD5}),
        T.INTEG: frozenset({Integ.HMAC_MD5_96}),
    }
)
# What may be offered where a section accepts any, preferred first.
_ANY_ENCR = (Encr.AES_CBC, Encr.CAMELLIA_CBC)
_ANY_PRF = (Prf.HMAC_SHA2_256, Prf.HMAC_SHA2_384, Prf.HMAC_SHA2_512)
_ANY_KE = (
    Group.CURVE25519, Group.ECP_256, Group.ECP_384, Group.ECP_521, Group.MODP_2048,
    Group.MODP_3072, Group.MODP_4096,
)  # fmt: skip


def is_forbidden(transform: Transform) -> bool:
    """Whether RFC 8247 or RFC 8221 says MUST NOT: only who names it gets it."""
    return transform.id in _MUST_NOT.get(transform.type, ())


def in_ikev1(transform: IpsecTransform) -> bool:
    """Whether IKEv1 can say it: it has no number for some, and none for 64-bit sequence numbers."""
    alone = transform.ikev2_alone or transform.auth in AUTH_OF_IKEV2_ALONE
    return not alone and False in transform.esn


def is_legacy(transform: Transform) -> bool:
    """Whether who names it is warned: what is forbidden, and group 2 (RFC 8247 2.4)."""
    weak = transform.type in KEY_EXCHANGES and transform.id == Group.MODP_1024
    return weak or is_forbidden(transform)


def key_lengths(encr: int, wanted: Range | None) -> Iterable[int]:
    """The key lengths of a cipher that fit, the offered one first; 0: it has one only."""
    if encr in FIXED_KEYS:
        return (0,)
    if wanted is None:
        return (KEY_LENGTHS[0],)
    others = (bits for bits in KEY_LENGTHS if bits in wanted)
    return tuple(dict.fromkeys((wanted.offer, *others)))


def encr_transforms(encr: int, wanted: Range | None) -> tuple[Transform, ...]:
    """A cipher with each key length that fits."""
    return tuple(Transform(T.ENCR, encr, bits) for bits in key_lengths(encr, wanted))


def encr_of_ike(encryption: isakmp.Encryption | None) -> tuple[Encr, ...]:
    """The ciphers a phase 1 transform means; none where IKEv2 has it not for the IKE SA."""
    if encryption is None:
        return _ANY_ENCR
    found = ENCR_OF_IKE.get(encryption)
    return (found,) if found else ()


def prfs_of_hash(hash_: isakmp.Hash | None) -> tuple[Prf, ...]:
    """The prfs a phase 1 transform's hash means."""
    if hash_ is None:
        return _ANY_PRF
    found = PRF_OF_HASH.get(hash_)
    return (found,) if found else ()


def groups_of(group: isakmp.Group | None) -> tuple[Group, ...]:
    """The groups a phase 1 transform means."""
    return _ANY_KE if group is None else (group,)


def transform_text(transform: Transform) -> str:
    """``AES_GCM_16-128``, ``PRF_HMAC_SHA2_256``, ``MODP_2048``, ``KE1_ML_KEM_768``."""
    kind, number, bits = transform
    match kind:
        case T.ENCR:
            text = name_of(Encr, number)
        case T.PRF:
            text = f"PRF_{name_of(Prf, number)}"
        case T.INTEG:
            text = name_of(Integ, number)
        case T.KE:
            text = method_name(number)
        case T.ESN:
            text = name_of(ikev2.SequenceNumbers, number)
        case _ if kind in ADDITIONAL:
            text = f"KE{ADDITIONAL.index(kind) + 1}_{method_name(number)}"
        case _:
            text = f"{name_of(T, kind)} {number}"
    return f"{text}-{bits}" if bits else text


def distinct(ranked: Sequence[Sequence[Transform]]) -> tuple[Transform, ...] | None:
    """One transform of each list, the first ones where that can be, so that no key exchange method
    serves twice (RFC 9370 2.2.2); NONE may. None where there is no such choice."""
    if not ranked:
        return ()
    for first in ranked[0]:
        others = [[t for t in more if not t.id or t.id != first.id] for more in ranked[1:]]
        if all(others) and (rest := distinct(others)) is not None:
            return (first, *rest)
    return None
