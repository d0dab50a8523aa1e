"""The numbers of PF_KEYv2: RFC 2367 3 and the extensions of KAME, Linux and FreeBSD.

Where the systems differ, the value of Linux and KAME stands here. Numbers of our own:

- Ext from 0xF000 on. RFC 2367 2.3 has unknown extensions ignored, and so does Linux; other
  systems answer EINVAL to them, so a back end that drives a kernel sends none.
- X_DROPS (200), a request with no extensions, answered with the engine's counters in our Ext.
- X_SWEEP (201), one as well: every policy is there, what a killed engine has left may go.
- SA_REPLAY (26) and the ESN flag are FreeBSD's; Linux has another extension under 26.
"""

from __future__ import annotations

from enum import IntEnum

PF_KEY_V2 = 2
ANY_PROTOCOL = 255
"""KAME's "any upper-layer protocol" in the address of a policy; 0 reads the same."""


class Type(IntEnum):
    """Message types, RFC 2367 3.1; from 11 on KAME and Linux."""

    GETSPI = 1
    UPDATE = 2
    ADD = 3
    DELETE = 4
    GET = 5
    ACQUIRE = 6
    REGISTER = 7
    EXPIRE = 8
    FLUSH = 9
    DUMP = 10
    X_SPDUPDATE = 13
    X_SPDADD = 14
    X_SPDDELETE = 15
    X_SPDGET = 16
    X_SPDDUMP = 18
    X_SPDFLUSH = 19
    X_SPDDELETE2 = 22
    X_NAT_T_NEW_MAPPING = 23
    X_MIGRATE = 24
    X_DROPS = 200
    X_SWEEP = 201


class Ext(IntEnum):
    """Extension types, RFC 2367 3.6; from 17 on KAME, Linux and FreeBSD, from 0xF000 on ours."""

    SA = 1
    LIFETIME_CURRENT = 2
    LIFETIME_HARD = 3
    LIFETIME_SOFT = 4
    ADDRESS_SRC = 5
    ADDRESS_DST = 6
    ADDRESS_PROXY = 7
    KEY_AUTH = 8
    KEY_ENCRYPT = 9
    PROPOSAL = 13
    SUPPORTED_AUTH = 14
    SUPPORTED_ENCRYPT = 15
    SPIRANGE = 16
    X_POLICY = 18
    X_SA2 = 19
    X_NAT_T_TYPE = 20
    X_NAT_T_SPORT = 21
    X_NAT_T_DPORT = 22
    X_NAT_T_OA = 23
    X_SA_REPLAY = 26
    X_SELECTOR = 0xF000
    X_STATISTICS = 0xF001
    X_REASON = 0xF002
    X_PORTS = 0xF003
    X_DROPS = 0xF004


class SaType(IntEnum):
    """SA types, RFC 2367 3.4; IPCOMP is KAME's."""

    UNSPEC = 0
    AH = 2
    ESP = 3
    IPCOMP = 9


class State(IntEnum):
    """SA states, RFC 2367 3.3."""

    LARVAL = 0
    MATURE = 1
    DYING = 2
    DEAD = 3


class Flag(IntEnum):
    """Bits of sadb_sa_flags: RFC 2367 3.2, FreeBSD's X_ESN."""

    PFS = 1
    X_ESN = 0x400


class Mode(IntEnum):
    """IPSEC_MODE of sadb_x_sa2 and sadb_x_ipsecrequest."""

    ANY = 0
    TRANSPORT = 1
    TUNNEL = 2


class Dir(IntEnum):
    """IPSEC_DIR of sadb_x_policy; FWD is Linux's."""

    ANY = 0
    INBOUND = 1
    OUTBOUND = 2
    FWD = 3


class PolicyType(IntEnum):
    """IPSEC_POLICY of sadb_x_policy."""

    DISCARD = 0
    NONE = 1
    IPSEC = 2
    ENTRUST = 3
    BYPASS = 4


class Level(IntEnum):
    """IPSEC_LEVEL of sadb_x_ipsecrequest; UNIQUE binds the policy to SAs of its reqid."""

    DEFAULT = 0
    USE = 1
    REQUIRE = 2
    UNIQUE = 3


class NatT(IntEnum):
    """UDP encapsulation types of sadb_x_nat_t_type."""

    ESP_IN_UDP_NON_IKE = 1
    ESP_IN_UDP = 2


class Aalg(IntEnum):
    """Authentication algorithms, RFC 2367 3.5; GMAC's are FreeBSD's, X_AES_CMAC is ours."""

    NONE = 0
    MD5_HMAC = 2
    SHA1_HMAC = 3
    X_SHA2_256_HMAC = 5
    X_SHA2_384_HMAC = 6
    X_SHA2_512_HMAC = 7
    X_RIPEMD160_HMAC = 8
    X_AES_XCBC_MAC = 9
    X_AES_128_GMAC = 11
    X_AES_192_GMAC = 12
    X_AES_256_GMAC = 13
    X_AES_CMAC = 249


class Ealg(IntEnum):
    """Encryption algorithms, RFC 2367 3.5; X_CHACHA20_POLY1305 is FreeBSD's."""

    NONE = 0
    DES_CBC = 2
    _3DES_CBC = 3
    X_CAST_CBC = 6
    X_BLOWFISH_CBC = 7
    NULL = 11
    X_AES_CBC = 12
    X_AES_CTR = 13
    X_AES_CCM_8 = 14
    X_AES_CCM_12 = 15
    X_AES_CCM_16 = 16
    X_AES_GCM_8 = 18
    X_AES_GCM_12 = 19
    X_AES_GCM_16 = 20
    X_CAMELLIA_CBC = 22
    X_NULL_AES_GMAC = 23
    X_CHACHA20_POLY1305 = 31


class Calg(IntEnum):
    """Compression algorithms of IPComp SAs, in the place of the encryption algorithm."""

    NONE = 0
    OUI = 1
    DEFLATE = 2
    LZS = 3
    LZJH = 4
