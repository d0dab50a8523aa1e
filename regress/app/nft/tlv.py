"""Netlink attributes read back, as the kernel reads them."""

from __future__ import annotations

import struct
from typing import Any

NESTED = 0x8000


def attributes(data: bytes) -> list[tuple[int, bytes]]:
    """Type, without the mark of nesting, and value of each, which must end where the data does."""
    found, at = [], 0
    while at < len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        assert 4 <= length <= len(data) - at
        found.append((kind & ~NESTED, data[at + 4 : at + length]))
        at += (length + 3) & ~3
    assert at == len(data)
    return found


def one(data: bytes, kind: int) -> bytes:
    """The only attribute of that type."""
    (value,) = [value for type, value in attributes(data) if type == kind]
    return value


def name(value: bytes) -> str:
    """A text with its zero."""
    assert value.endswith(b"\0")
    return value[:-1].decode()


def expressions(data: bytes) -> list[tuple[str, dict[int, bytes]]]:
    """The name of each expression, and its attributes."""
    return [(name(one(value, 1)), dict(attributes(one(value, 2)))) for _, value in attributes(data)]


def number(value: bytes) -> int:
    """32 bits, of either sign."""
    return int(struct.unpack(">i", value)[0])


def rule(message: bytes) -> dict[str, Any]:
    """Table, chain and expressions of a new rule; append: whether it is the last of its chain."""
    length, _, flags = struct.unpack_from("=IHH", message)
    assert length == len(message)
    body = dict(attributes(message[20:]))
    return {
        "table": name(body[1]), "chain": name(body[2]), "append": bool(flags & 0x800),
        "expressions": expressions(body[4]),
    }  # fmt: skip


def verdict(found: tuple[str, dict[int, bytes]]) -> tuple[int, str]:
    """What an immediate expression says, and the chain that it jumps to."""
    kind, values = found
    assert kind == "immediate"
    inner = dict(attributes(one(values[2], 2)))
    return number(inner[1]), name(inner[2]) if 2 in inner else ""
