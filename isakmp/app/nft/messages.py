"""Messages to nftables, as <linux/netfilter/nf_tables.h> has them: tables, chains, rules.

    batch      begin | message ... | end
    message    nlmsghdr | nfgenmsg | attributes
    attribute  nlattr | value, or attributes

Numbers in attributes are in network order. All is of the family ip6: IPv6 packets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum, IntFlag

from isakmp.errors import MalformedPayload

NETLINK_NETFILTER = 12
ERROR, DONE = 2, 3
_SUBSYSTEM = 10
_FAMILY = 10
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence number, port
_ATTRIBUTE = struct.Struct("=HH")
_NESTED = 0x8000


class Msg(IntEnum):
    """NFT_MSG_*."""

    NEWTABLE = 0
    GETTABLE = 1
    DELTABLE = 2
    NEWCHAIN = 3
    DELCHAIN = 5
    NEWRULE = 6
    DELRULE = 8


class Flag(IntFlag):
    """NLM_F_*. A new rule without APPEND is the first of its chain."""

    REQUEST = 1
    ACK = 4
    EXCL = 0x200
    DUMP = 0x300
    CREATE = 0x400
    APPEND = 0x800


class Hook(IntEnum):
    """NF_INET_*: what is for the host, what is for others behind it, and what leaves either."""

    LOCAL_IN = 1
    FORWARD = 2
    POST_ROUTING = 4


def number(value: int) -> bytes:
    """32 bits."""
    return struct.pack(">I", value & 0xFFFFFFFF)


def attribute(type: int, value: bytes) -> bytes:
    """One attribute, with its padding."""
    padding = bytes(-len(value) % 4)
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), type) + value + padding


def nest(type: int, *inner: bytes) -> bytes:
    """An attribute of attributes."""
    return attribute(type | _NESTED, b"".join(inner))


def text(type: int, value: str) -> bytes:
    """An attribute with a name."""
    return attribute(type, value.encode() + b"\0")


def message(type: Msg, flags: int, body: bytes = b"") -> bytes:
    """One message to nftables."""
    return _message(_SUBSYSTEM << 8 | type, flags, _FAMILY, 0, body)


def _message(type: int, flags: int, family: int, subsystem: int, body: bytes) -> bytes:
    body = struct.pack(">BBH", family, 0, subsystem) + body
    return _HEADER.pack(_HEADER.size + len(body), type, flags | Flag.REQUEST, 0, 0) + body


def numbered(one: bytes, seq: int, flags: int = 0) -> bytes:
    """A message with its sequence number, and more flags."""
    length, type, before, _, _ = _HEADER.unpack_from(one)
    return _HEADER.pack(length, type, before | flags, seq, 0) + one[_HEADER.size :]


def batch(messages: list[bytes], seq: int) -> bytes:
    """What is done as a whole or not at all; the answer has ``seq``: it is the last one's."""
    begin, end = (_message(t, 0, 0, _SUBSYSTEM, b"") for t in (_BATCH_BEGIN, _BATCH_END))
    return b"".join([begin, *messages[:-1], numbered(messages[-1], seq, Flag.ACK), end])


# --- tables, chains and rules ----------------------------------------------------------------


def table(type: Msg, name: str) -> bytes:
    """NEWTABLE or DELTABLE; a table goes with all that is in it."""
    return message(type, Flag.CREATE if type is Msg.NEWTABLE else 0, text(1, name))


def chain(table: str, name: str, hook: Hook | None = None, priority: int = 0) -> bytes:
    """A new chain; with ``hook`` packets come there of themselves."""
    body = text(1, table) + text(3, name)
    if hook is not None:
        body += nest(4, attribute(1, number(hook)), attribute(2, number(priority)))
        body += text(7, "filter")
    return message(Msg.NEWCHAIN, Flag.CREATE, body)


def rule(table: str, chain: str, expressions: bytes, last: bool = True) -> bytes:
    """A new rule, the last or the first of its chain."""
    flags = Flag.CREATE | (Flag.APPEND if last else 0)
    return message(Msg.NEWRULE, flags, text(1, table) + text(2, chain) + nest(4, expressions))


# --- answers ---------------------------------------------------------------------------------


def split(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, sequence number and body of each message. MalformedPayload."""
    at = 0
    while len(data) - at >= _HEADER.size:
        length, type, _, seq, _ = _HEADER.unpack_from(data, at)
        if not _HEADER.size <= length <= len(data) - at:
            raise MalformedPayload("nlmsghdr", at, f"length {length}")
        yield type, seq, data[at + _HEADER.size : at + length]
        at += (length + 3) & ~3


def error(body: bytes) -> int:
    """The errno of an answer, 0: it is done. MalformedPayload."""
    if len(body) < 4:
        raise MalformedPayload("nlmsgerr", 0, f"{len(body)} octets")
    refused: int = struct.unpack_from("=i", body)[0]
    return -refused


def taken_from(data: bytes) -> set[str]:
    """The tables that events say something was taken from. MalformedPayload."""
    losses = [_SUBSYSTEM << 8 | each for each in (Msg.DELTABLE, Msg.DELCHAIN, Msg.DELRULE)]
    return {table_name(body) for type, _, body in split(data) if type in losses}


def table_name(body: bytes) -> str:
    """The name of the table that a message is about, empty: of none. MalformedPayload."""
    at = 4
    while len(body) - at >= _ATTRIBUTE.size:
        length, type = _ATTRIBUTE.unpack_from(body, at)
        if not _ATTRIBUTE.size <= length <= len(body) - at:
            raise MalformedPayload("nlattr", at, f"length {length}")
        if type == 1:
            return body[at + 4 : at + length].rstrip(b"\0").decode("ascii", "replace")
        at += (length + 3) & ~3
    return ""
