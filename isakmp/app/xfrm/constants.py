"""The numbers of NETLINK_XFRM: <linux/netlink.h>, <linux/xfrm.h>, <linux/udp.h>."""

from enum import IntEnum, IntFlag

NETLINK_XFRM = 6
INFINITE = 2**64 - 1
ALL_ALGORITHMS = 0xFFFFFFFF
ESP_IN_UDP = 2


class Msg(IntEnum):
    """Message types: netlink's own, and XFRM_MSG_*."""

    NOOP = 1
    ERROR = 2
    DONE = 3
    OVERRUN = 4
    NEWSA = 0x10
    DELSA = 0x11
    GETSA = 0x12
    NEWPOLICY = 0x13
    DELPOLICY = 0x14
    GETPOLICY = 0x15
    ALLOCSPI = 0x16
    ACQUIRE = 0x17
    EXPIRE = 0x18
    UPDPOLICY = 0x19
    UPDSA = 0x1A
    POLEXPIRE = 0x1B
    FLUSHSA = 0x1C
    FLUSHPOLICY = 0x1D
    NEWAE = 0x1E
    GETAE = 0x1F
    REPORT = 0x20
    MIGRATE = 0x21
    NEWSADINFO = 0x22
    GETSADINFO = 0x23
    NEWSPDINFO = 0x24
    GETSPDINFO = 0x25
    MAPPING = 0x26


class NetlinkFlag(IntFlag):
    """NLM_F_*, of requests."""

    REQUEST = 0x1
    MULTI = 0x2
    ACK = 0x4
    ACK_TLVS = 0x200  # of answers
    DUMP = 0x300
    EXCL = 0x200
    CREATE = 0x400


class Attr(IntEnum):
    """Attributes, XFRMA_*."""

    ALG_AUTH = 1
    ALG_CRYPT = 2
    ALG_COMP = 3
    ENCAP = 4
    TMPL = 5
    SA = 6
    POLICY = 7
    SEC_CTX = 8
    LTIME_VAL = 9
    REPLAY_VAL = 10
    REPLAY_THRESH = 11
    ETIMER_THRESH = 12
    SRCADDR = 13
    COADDR = 14
    LASTUSED = 15
    POLICY_TYPE = 16
    MIGRATE = 17
    ALG_AEAD = 18
    KMADDRESS = 19
    ALG_AUTH_TRUNC = 20
    MARK = 21
    TFCPAD = 22
    REPLAY_ESN_VAL = 23
    SA_EXTRA_FLAGS = 24
    PROTO = 25
    ADDRESS_FILTER = 26
    PAD = 27
    OFFLOAD_DEV = 28
    SET_MARK = 29
    SET_MARK_MASK = 30
    IF_ID = 31
    MTIMER_THRESH = 32
    SA_DIR = 33


class Group(IntFlag):
    """What the kernel tells, as a mask of multicast groups: bit n - 1 of XFRMNLGRP_* n."""

    ACQUIRE = 0x01
    EXPIRE = 0x02
    SA = 0x04
    POLICY = 0x08
    AEVENTS = 0x10
    REPORT = 0x20
    MIGRATE = 0x40
    MAPPING = 0x80


class Mode(IntEnum):
    """XFRM_MODE_*."""

    TRANSPORT = 0
    TUNNEL = 1
    ROUTEOPTIMIZATION = 2
    IN_TRIGGER = 3
    BEET = 4


class Dir(IntEnum):
    """XFRM_POLICY_IN, OUT and FWD."""

    IN = 0
    OUT = 1
    FWD = 2


class PolicyAction(IntEnum):
    """XFRM_POLICY_ALLOW and BLOCK."""

    ALLOW = 0
    BLOCK = 1


class StateFlag(IntFlag):
    """XFRM_STATE_*, the flags of an SA."""

    NOECN = 1
    DECAP_DSCP = 2
    NOPMTUDISC = 4
    WILDRECV = 8
    ICMP = 16
    AF_UNSPEC = 32
    ALIGN4 = 64
    ESN = 128


class IpProtocol(IntEnum):
    """The protocols of SAs in the IP header."""

    ESP = 50
    AH = 51
    COMP = 108
