"""The IPsec domain of interpretation: RFC 2407 and its IANA registries."""

from enum import IntEnum, IntFlag


class Situation(IntFlag):
    """RFC 2407 4.2."""

    IDENTITY_ONLY = 1
    SECRECY = 2
    INTEGRITY = 4


class IsakmpTransform(IntEnum):
    """RFC 2407 4.4.2."""

    KEY_IKE = 1


class Ah(IntEnum):
    """AH transform identifiers, RFC 2407 4.4.3."""

    MD5 = 2
    SHA = 3
    DES = 4
    SHA2_256 = 5
    SHA2_384 = 6
    SHA2_512 = 7
    RIPEMD = 8
    AES_XCBC_MAC = 9
    AES_128_GMAC = 11
    AES_192_GMAC = 12
    AES_256_GMAC = 13


class Esp(IntEnum):
    """ESP transform identifiers, RFC 2407 4.4.4."""

    DES_IV64 = 1
    DES = 2
    _3DES = 3
    RC5 = 4
    IDEA = 5
    CAST = 6
    BLOWFISH = 7
    _3IDEA = 8
    DES_IV32 = 9
    RC4 = 10
    NULL = 11
    AES = 12
    AES_CTR = 13
    AES_CCM_8 = 14
    AES_CCM_12 = 15
    AES_CCM_16 = 16
    AES_GCM_8 = 18
    AES_GCM_12 = 19
    AES_GCM_16 = 20
    SEED_CBC = 21
    CAMELLIA = 22
    NULL_AES_GMAC = 23
    # IKEv1 has no number for it: a private one (RFC 2407 6.5), understood between two isakmpd.
    CHACHA20_POLY1305 = 252


class Ipcomp(IntEnum):
    """IPComp transform identifiers, RFC 2407 4.4.5."""

    OUI = 1
    DEFLATE = 2
    LZS = 3
    LZJH = 4


class Attribute(IntEnum):
    """Phase 2 SA attributes, RFC 2407 4.5; 11 RFC 4304."""

    LIFE_TYPE = 1
    LIFE_DURATION = 2
    GROUP_DESCRIPTION = 3
    ENCAPSULATION_MODE = 4
    AUTHENTICATION_ALGORITHM = 5
    KEY_LENGTH = 6
    KEY_ROUNDS = 7
    COMPRESS_DICTIONARY_SIZE = 8
    COMPRESS_PRIVATE_ALGORITHM = 9
    ECN_TUNNEL = 10
    EXTENDED_SEQUENCE = 11


class Encapsulation(IntEnum):
    """Encapsulation modes, RFC 2407 4.5; 3 and 4 RFC 3947 5.1; 61443 and 61444 its drafts."""

    TUNNEL = 1
    TRANSPORT = 2
    UDP_ENCAP_TUNNEL = 3
    UDP_ENCAP_TRANSPORT = 4
    UDP_ENCAP_TUNNEL_DRAFT = 61443
    UDP_ENCAP_TRANSPORT_DRAFT = 61444


class Auth(IntEnum):
    """Authentication algorithms of AH and ESP, RFC 2407 4.5."""

    NONE = 0
    HMAC_MD5 = 1
    HMAC_SHA = 2
    DES_MAC = 3
    KPDK = 4
    HMAC_SHA2_256 = 5
    HMAC_SHA2_384 = 6
    HMAC_SHA2_512 = 7
    HMAC_RIPEMD = 8
    AES_XCBC_MAC = 9
    AES_128_GMAC = 11
    AES_192_GMAC = 12
    AES_256_GMAC = 13
    # RFC 4494. IKEv1 has no number for it, and never says this one of the private range.
    AES_CMAC = 61440


class Id(IntEnum):
    """Identification types, RFC 2407 4.6.2.1."""

    IPV4_ADDR = 1
    FQDN = 2
    USER_FQDN = 3
    IPV4_ADDR_SUBNET = 4
    IPV6_ADDR = 5
    IPV6_ADDR_SUBNET = 6
    IPV4_RANGE = 7
    IPV6_RANGE = 8
    DER_ASN1_DN = 9
    DER_ASN1_GN = 10
    KEY_ID = 11
