"""RFC 2407 algorithm numbers to the names of the kernel's crypto API.

Keys of counter modes carry their salt or nonce last, as the kernel wants them (RFC 3686, 4106,
4309, 4543, 7634). The ICVs are those of RFC 2403, 2404, 2857, 3566, 4494, 4868.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from isakmp.app.base import SaSpec
from isakmp.app.xfrm.constants import Attr
from isakmp.app.xfrm.messages import ALG, ALG_AEAD, ALG_AUTH, attribute
from isakmp.constants import ipsec, isakmp, name_of
from isakmp.errors import ApplicationError


class Aead(NamedTuple):
    """A combined mode: the kernel's name of it, bits of ICV."""

    name: str
    icv_bits: int


class Hash(NamedTuple):
    """An authentication algorithm: the kernel's name of it, bits of ICV."""

    name: str
    icv_bits: int


AEADS = MappingProxyType(
    {
        ipsec.Esp.AES_CCM_8: Aead("rfc4309(ccm(aes))", 64),
        ipsec.Esp.AES_CCM_12: Aead("rfc4309(ccm(aes))", 96),
        ipsec.Esp.AES_CCM_16: Aead("rfc4309(ccm(aes))", 128),
        ipsec.Esp.AES_GCM_8: Aead("rfc4106(gcm(aes))", 64),
        ipsec.Esp.AES_GCM_12: Aead("rfc4106(gcm(aes))", 96),
        ipsec.Esp.AES_GCM_16: Aead("rfc4106(gcm(aes))", 128),
        ipsec.Esp.NULL_AES_GMAC: Aead("rfc4543(gcm(aes))", 128),
        ipsec.Esp.CHACHA20_POLY1305: Aead("rfc7539esp(chacha20,poly1305)", 128),
    }
)

CIPHERS = MappingProxyType(
    {
        ipsec.Esp.DES: "cbc(des)",
        ipsec.Esp._3DES: "cbc(des3_ede)",
        ipsec.Esp.CAST: "cbc(cast5)",
        ipsec.Esp.BLOWFISH: "cbc(blowfish)",
        ipsec.Esp.NULL: "ecb(cipher_null)",
        ipsec.Esp.AES: "cbc(aes)",
        ipsec.Esp.AES_CTR: "rfc3686(ctr(aes))",
        ipsec.Esp.CAMELLIA: "cbc(camellia)",
    }
)

HASHES = MappingProxyType(
    {
        ipsec.Auth.HMAC_MD5: Hash("hmac(md5)", 96),
        ipsec.Auth.HMAC_SHA: Hash("hmac(sha1)", 96),
        ipsec.Auth.HMAC_SHA2_256: Hash("hmac(sha256)", 128),
        ipsec.Auth.HMAC_SHA2_384: Hash("hmac(sha384)", 192),
        ipsec.Auth.HMAC_SHA2_512: Hash("hmac(sha512)", 256),
        ipsec.Auth.HMAC_RIPEMD: Hash("hmac(rmd160)", 96),
        ipsec.Auth.AES_XCBC_MAC: Hash("xcbc(aes)", 96),
        ipsec.Auth.AES_CMAC: Hash("cmac(aes)", 96),
    }
)

COMPRESSIONS = MappingProxyType({ipsec.Ipcomp.DEFLATE: "deflate"})


def algorithm_attributes(sa: SaSpec) -> bytes:
    """The attributes that hold an SA's algorithms and keys.

    ApplicationError where the kernel has no name for one.
    """
    if sa.protocol is isakmp.Protocol.IPCOMP:
        return attribute(Attr.ALG_COMP, ALG.pack(alg_name=_find(COMPRESSIONS, sa.encryption)))
    if sa.protocol is isakmp.Protocol.IPSEC_AH:
        return _auth(sa)
    if (aead := AEADS.get(sa.encryption)) is not None:  # type: ignore[call-overload]
        head = ALG_AEAD.pack(
            alg_name=aead.name, alg_key_len=8 * len(sa.enc_key), alg_icv_len=aead.icv_bits
        )
        return attribute(Attr.ALG_AEAD, head + sa.enc_key)
    name = _find(CIPHERS, sa.encryption)
    head = ALG.pack(alg_name=name, alg_key_len=8 * len(sa.enc_key))
    return attribute(Attr.ALG_CRYPT, head + sa.enc_key) + _auth(sa)


def names(sa: SaSpec) -> list[str]:
    """The kernel's names of what an SA needs of its crypto API, as far as there are any."""
    if sa.protocol is isakmp.Protocol.IPCOMP:
        return [COMPRESSIONS[ipsec.Ipcomp(sa.encryption)]]
    found = [HASHES[sa.auth].name] if sa.auth else []
    if sa.protocol is isakmp.Protocol.IPSEC_AH:
        return found
    aead = AEADS.get(sa.encryption)  # type: ignore[call-overload]
    return [aead.name if aead else _find(CIPHERS, sa.encryption), *found]


def _auth(sa: SaSpec) -> bytes:
    if not sa.auth:
        return b""
    found = HASHES.get(sa.auth)
    if found is None:
        raise ApplicationError(f"XFRM has no name for {name_of(ipsec.Auth, sa.auth)}")
    head = ALG_AUTH.pack(
        alg_name=found.name, alg_key_len=8 * len(sa.auth_key), alg_trunc_len=found.icv_bits
    )
    return attribute(Attr.ALG_AUTH_TRUNC, head + sa.auth_key)


def _find(table: MappingProxyType[ipsec.Esp, str] | MappingProxyType[ipsec.Ipcomp, str],
          number: int) -> str:  # fmt: skip
    name = table.get(number)  # type: ignore[call-overload]
    if name is None:
        raise ApplicationError(f"XFRM has no name for transform {number}")
    return str(name)
