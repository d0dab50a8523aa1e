"""The messages of NETLINK_XFRM: what each consists of, how it is built, read and shown.

    request   nlmsghdr | structure of its type | attributes
    attribute nlattr | structure, array of structures or number

Keys are in no dump.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from isakmp.app.xfrm.constants import (
    INFINITE,
    Attr,
    Dir,
    IpProtocol,
    Mode,
    Msg,
    PolicyAction,
    StateFlag,
)
from isakmp.app.xfrm.layout import ADDRESS, BE16, BE32, NAME, Kind, Layout, Values
from isakmp.constants import name_of
from isakmp.errors import MalformedPayload


def _named(format: str, numbers: type[IntEnum]) -> Kind:
    return Kind(format, show=lambda number: name_of(numbers, number))


_PROTOCOL, _MODE = _named("B", IpProtocol), _named("B", Mode)
_LIMIT = Kind("Q", empty=INFINITE, show=lambda n: "infinite" if n == INFINITE else str(n))

SELECTOR = Layout(
    "xfrm_selector", daddr=ADDRESS, saddr=ADDRESS, dport=BE16, dport_mask=BE16, sport=BE16,
    sport_mask=BE16, family="H", prefixlen_d="B", prefixlen_s="B", proto="B", _pad="3x",
    ifindex="i", user="I",
)  # fmt: skip
ID = Layout("xfrm_id", daddr=ADDRESS, spi=BE32, proto=_PROTOCOL, _pad="3x")
LIFETIME_CFG = Layout(
    "xfrm_lifetime_cfg", soft_byte_limit=_LIMIT, hard_byte_limit=_LIMIT, soft_packet_limit=_LIMIT,
    hard_packet_limit=_LIMIT, soft_add_expires_seconds="Q", hard_add_expires_seconds="Q",
    soft_use_expires_seconds="Q", hard_use_expires_seconds="Q",
)  # fmt: skip
LIFETIME_CUR = Layout("xfrm_lifetime_cur", bytes="Q", packets="Q", add_time="Q", use_time="Q")
STATS = Layout("xfrm_stats", replay_window="I", replay="I", integrity_failed="I")
REPLAY = Layout("xfrm_replay_state", oseq="I", seq="I", bitmap="I")
REPLAY_ESN = Layout(
    "xfrm_replay_state_esn", bmp_len="I", oseq="I", seq="I", oseq_hi="I", seq_hi="I",
    replay_window="I",
)  # fmt: skip
SA_INFO = Layout(
    "xfrm_usersa_info", sel=SELECTOR, id=ID, saddr=ADDRESS, lft=LIFETIME_CFG, curlft=LIFETIME_CUR,
    stats=STATS, seq="I", reqid="I", family="H", mode=_MODE, replay_window="B",
    flags=Kind("B", show=lambda n: StateFlag(n).name or str(n)), _pad="7x",
)  # fmt: skip
SA_ID = Layout(
    "xfrm_usersa_id", daddr=ADDRESS, spi=BE32, family="H", proto=_PROTOCOL, _pad="x"
)  # fmt: skip
SPI_INFO = Layout("xfrm_userspi_info", info=SA_INFO, min="I", max="I")
TEMPLATE = Layout(
    "xfrm_user_tmpl", id=ID, family="H", _pad="2x", saddr=ADDRESS, reqid="I", mode=_MODE,
    share="B", optional="B", _pad2="x", aalgos="I", ealgos="I", calgos="I",
)  # fmt: skip
POLICY_INFO = Layout(
    "xfrm_userpolicy_info", sel=SELECTOR, lft=LIFETIME_CFG, curlft=LIFETIME_CUR, priority="I",
    index="I", dir=_named("B", Dir), action=_named("B", PolicyAction), flags="B", share="B",
    _pad="4x",
)  # fmt: skip
POLICY_ID = Layout("xfrm_userpolicy_id", sel=SELECTOR, index="I", dir=_named("B", Dir), _pad="3x")
ACQUIRE = Layout(
    "xfrm_user_acquire", id=ID, saddr=ADDRESS, sel=SELECTOR, policy=POLICY_INFO, aalgos="I",
    ealgos="I", calgos="I", seq="I",
)  # fmt: skip
EXPIRE = Layout("xfrm_user_expire", state=SA_INFO, hard="B", _pad="7x")
MAPPING = Layout(
    "xfrm_user_mapping", id=SA_ID, reqid="I", old_saddr=ADDRESS, new_saddr=ADDRESS,
    old_sport=BE16, new_sport=BE16,
)  # fmt: skip
ENCAP = Layout(
    "xfrm_encap_tmpl", encap_type="H", encap_sport=BE16, encap_dport=BE16, _pad="2x",
    encap_oa=ADDRESS,
)  # fmt: skip
USER_MIGRATE = Layout(
    "xfrm_user_migrate", old_daddr=ADDRESS, old_saddr=ADDRESS, new_daddr=ADDRESS,
    new_saddr=ADDRESS, proto=_PROTOCOL, mode=_MODE, reserved="H", reqid="I", old_family="H",
    new_family="H",
)  # fmt: skip
KMADDRESS = Layout(
    "xfrm_user_kmaddress", local=ADDRESS, remote=ADDRESS, reserved="I", family="H", _pad="2x"
)
ALG = Layout("xfrm_algo", alg_name=NAME, alg_key_len="I")
ALG_AUTH = Layout("xfrm_algo_auth", alg_name=NAME, alg_key_len="I", alg_trunc_len="I")
ALG_AEAD = Layout("xfrm_algo_aead", alg_name=NAME, alg_key_len="I", alg_icv_len="I")
ADDRESS_ONLY = Layout("xfrm_address", address=ADDRESS)
QUAD = Layout("u64", value="Q")

BODIES = MappingProxyType(
    {
        Msg.NEWSA: SA_INFO,
        Msg.UPDSA: SA_INFO,
        Msg.DELSA: SA_ID,
        Msg.GETSA: SA_ID,
        Msg.ALLOCSPI: SPI_INFO,
        Msg.NEWPOLICY: POLICY_INFO,
        Msg.UPDPOLICY: POLICY_INFO,
        Msg.DELPOLICY: POLICY_ID,
        Msg.GETPOLICY: POLICY_ID,
        Msg.ACQUIRE: ACQUIRE,
        Msg.EXPIRE: EXPIRE,
        Msg.MAPPING: MAPPING,
        Msg.MIGRATE: POLICY_ID,
    }
)
"""The structure that each message begins with; what the kernel answers to ALLOCSPI is NEWSA's."""

ATTRIBUTES = MappingProxyType(
    {
        Attr.ALG_AUTH: ALG,
        Attr.ALG_CRYPT: ALG,
        Attr.ALG_COMP: ALG,
        Attr.ALG_AUTH_TRUNC: ALG_AUTH,
        Attr.ALG_AEAD: ALG_AEAD,
        Attr.ENCAP: ENCAP,
        Attr.TMPL: TEMPLATE,
        Attr.SA: SA_INFO,
        Attr.POLICY: POLICY_INFO,
        Attr.LTIME_VAL: LIFETIME_CUR,
        Attr.REPLAY_VAL: REPLAY,
        Attr.REPLAY_ESN_VAL: REPLAY_ESN,
        Attr.SRCADDR: ADDRESS_ONLY,
        Attr.COADDR: ADDRESS_ONLY,
        Attr.LASTUSED: QUAD,
        Attr.MIGRATE: USER_MIGRATE,
        Attr.KMADDRESS: KMADDRESS,
    }
)
"""What attributes hold: one of these, for TMPL and MIGRATE several. Keys and bitmaps follow."""

_ARRAYS = (Attr.TMPL, Attr.MIGRATE)
_HEADER = struct.Struct("=IHHII")
_NLATTR = struct.Struct("=HH")
_ERROR = struct.Struct("=i")
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_EXT_ACK_MESSAGE = 1
MAX_MESSAGE = 1 << 16


class Message(NamedTuple):
    """One netlink message as it came: its header without the length, and what follows it."""

    type: int
    flags: int
    seq: int
    port: int
    body: bytes


def message(type: int, flags: int, seq: int, body: bytes, port: int = 0) -> bytes:
    """A request for the kernel. port: by which others are told whose doing it was."""
    return _HEADER.pack(_HEADER.size + len(body), type, flags, seq, port) + body


def split(data: bytes) -> Iterator[Message]:
    """The messages of one datagram. MalformedPayload where lengths do not fit."""
    offset = 0
    while offset < len(data):
        if len(data) - offset < _HEADER.size:
            raise MalformedPayload("nlmsghdr", offset, f"{len(data) - offset} octets")
        length, type, flags, seq, port = _HEADER.unpack_from(data, offset)
        if not _HEADER.size <= length <= len(data) - offset:
            raise MalformedPayload("nlmsghdr", offset, f"length {length}")
        yield Message(type, flags, seq, port, data[offset + _HEADER.size : offset + length])
        offset += -(-length // 4) * 4


def attribute(type: Attr, value: bytes) -> bytes:
    """One attribute, padded to whole words."""
    length = _NLATTR.size + len(value)
    return (_NLATTR.pack(length, type) + value).ljust(-(-length // 4) * 4, b"\0")


def attributes(data: bytes, offset: int) -> dict[int, bytes]:
    """The attributes from ``offset`` on; of one that comes twice the last."""
    found: dict[int, bytes] = {}
    while len(data) - offset >= _NLATTR.size:
        length, type = _NLATTR.unpack_from(data, offset)
        if not _NLATTR.size <= length <= len(data) - offset:
            raise MalformedPayload("nlattr", offset, f"length {length}")
        found[type & _TYPE_MASK] = data[offset + _NLATTR.size : offset + length]
        offset += -(-length // 4) * 4
    return found


def read(layout: Layout, body: bytes) -> tuple[Values, dict[int, bytes]]:
    """A message's structure and its attributes."""
    return layout.unpack(body), attributes(body, layout.size)


def array(layout: Layout, data: bytes) -> list[Values]:
    """Every whole structure of an array."""
    return [layout.unpack(data, at) for at in range(0, len(data) - layout.size + 1, layout.size)]


def error(body: bytes, flags: int) -> tuple[int, str]:
    """The errno of an NLMSG_ERROR (0: done), and the kernel's words, if it has some."""
    if len(body) < _ERROR.size + _HEADER.size:
        raise MalformedPayload("nlmsgerr", 0, f"{len(body)} octets")
    (number,) = _ERROR.unpack_from(body)
    words = ""
    if flags & 0x200:  # NLM_F_ACK_TLVS: attributes stand behind the header or whole of the request
        length = _HEADER.unpack_from(body, _ERROR.size)[0]
        capped = flags & 0x100
        found = attributes(body, _ERROR.size + (_HEADER.size if capped else -(-length // 4) * 4))
        words = found.get(_EXT_ACK_MESSAGE, b"").rstrip(b"\0").decode("utf-8", "replace")
    return -number, words


def describe(type: int, body: bytes) -> list[str]:
    """Lines for the log: the message's structure, then its attributes. No key is shown."""
    layout: Any = BODIES.get(type)  # type: ignore[call-overload]
    if layout is SPI_INFO and len(body) < SPI_INFO.size:
        layout = SA_INFO
    name = name_of(Msg, type)
    if layout is None or len(body) < layout.size:
        return [f"{name}: {len(body)} octets"]
    lines = [f"{name} {layout.show(layout.unpack(body))}"]
    try:
        found = attributes(body, layout.size)
    except MalformedPayload as problem:
        return [*lines, f"{name} {problem}"]
    return lines + [
        f"{name} {name_of(Attr, t)} {_describe_attribute(t, v)}" for t, v in found.items()
    ]


def _describe_attribute(type: int, value: bytes) -> str:
    layout: Any = ATTRIBUTES.get(type)  # type: ignore[call-overload]
    if layout is None or len(value) < layout.size:
        return f"{len(value)} octets"
    if type in _ARRAYS:
        return "; ".join(layout.show(each) for each in array(layout, value))
    return str(layout.show(layout.unpack(value)))
