"""Structures of the kernel's interface, declared once: packed, read and shown from one table.

Numbers are in the host's order unless a field says otherwise. What is not given is zero.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NamedTuple

from isakmp.errors import MalformedPayload
from isakmp.policy.spd import Address, Network

Values = dict[str, Any]


class Kind(NamedTuple):
    """A field that is more than one of struct's numbers. pack: None: as it is; show: None: repr."""

    format: str
    pack: Callable[[Any], Any] | None = None
    unpack: Callable[[Any], Any] = lambda value: value
    empty: Any = 0
    show: Callable[[Any], str] | None = None


def _big(octets: int) -> Kind:
    return Kind(
        f"{octets}s", lambda n: n.to_bytes(octets, "big"), lambda b: int.from_bytes(b, "big"),
        show=lambda n: f"{n:#x}" if octets == 4 else str(n),
    )  # fmt: skip


def to_address(data: bytes, family: int) -> Address:
    """An xfrm_address_t of that family. MalformedPayload where the family is no other's."""
    if family == socket.AF_INET:
        return IPv4Address(data[:4])
    if family == socket.AF_INET6:
        return IPv6Address(data)
    raise MalformedPayload("xfrm_address", 0, f"address family {family}")


def family_of(address: Address | Network) -> int:
    """AF_INET or AF_INET6."""
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def _show_address(data: bytes) -> str:
    if not any(data):
        return "-"
    return str(IPv6Address(data)) if any(data[4:]) else str(IPv4Address(data[:4]))


BE16, BE32 = _big(2), _big(4)
# An address is one of two families, which another field says: 16 octets, the rest zero.
ADDRESS = Kind(
    "16s", lambda a: a if isinstance(a, bytes) else a.packed, empty=b"", show=_show_address
)
NAME = Kind("64s", str.encode, lambda b: b.rstrip(b"\0").decode("ascii", "replace"), "", str)


class _Place(NamedTuple):
    """Where a field begins among struct's values, and what makes them: a structure of its own or
    a function; neither: the value is struct's."""

    first: int
    inner: Layout | None
    pack: Callable[[Any], Any] | None


class Layout:
    """One C structure: its fields in order; a name that begins with ``_`` is padding."""

    def __init__(self, name: str, **fields: str | Kind | Layout) -> None:
        self.name, self._fields = name, fields
        self._struct = struct.Struct("=" + "".join(self._formats()))
        self.size = self._struct.size
        self._empty: list[Any] = []
        self._places: dict[str, _Place] = {}
        for field, kind in fields.items():
            if not field.startswith("_"):
                inner = kind if isinstance(kind, Layout) else None
                pack = kind.pack if isinstance(kind, Kind) else None
                self._places[field] = _Place(len(self._empty), inner, pack)
                self._empty += _empty(kind)

    def _formats(self) -> Iterator[str]:
        for kind in self._fields.values():
            if isinstance(kind, Layout):
                yield from kind._formats()
            else:
                yield kind.format if isinstance(kind, Kind) else kind

    def pack(self, values: Mapping[str, Any] | None = None, **more: Any) -> bytes:
        """The octets of ``values``; KeyError where one is no field (a bug)."""
        flat = self._empty.copy()
        if values:
            self._fill(flat, 0, values)
        self._fill(flat, 0, more)
        return self._struct.pack(*flat)

    def _fill(self, flat: list[Any], at: int, values: Mapping[str, Any]) -> None:
        """Put ``values`` where they belong; most fields of most messages stay empty."""
        places = self._places
        for name, value in values.items():
            place, inner, pack = places[name]
            if inner is not None:
                inner._fill(flat, at + place, value)
            else:
                flat[at + place] = value if pack is None else pack(value)

    def packer(self, *names: str) -> Callable[..., bytes]:
        """struct's pack of these fields, in the structure's order, for what is packed often: all
        else is zero. A field of a field is ``outer.inner``; an address is its octets."""
        parts = [
            kind if name in names else f"{struct.calcsize('=' + kind)}x"
            for name, kind in self._named()
        ]
        return struct.Struct("=" + "".join(parts)).pack

    def _named(self, outer: str = "") -> Iterator[tuple[str, str]]:
        for name, kind in self._fields.items():
            if isinstance(kind, Layout):
                yield from kind._named(f"{outer}{name}.")
            else:
                yield outer + name, kind.format if isinstance(kind, Kind) else kind

    def unpack(self, data: bytes | memoryview, offset: int = 0) -> Values:
        """The values at ``offset``. MalformedPayload where the octets end before."""
        if len(data) - offset < self.size:
            raise MalformedPayload(self.name, offset, f"{len(data) - offset} octets")
        return self._nest(iter(self._struct.unpack_from(data, offset)))

    def _nest(self, flat: Iterator[Any]) -> Values:
        values: Values = {}
        for name, kind in self._fields.items():
            if isinstance(kind, Layout):
                values[name] = kind._nest(flat)
            elif isinstance(kind, Kind):
                values[name] = kind.unpack(next(flat))
            elif not name.startswith("_"):
                values[name] = next(flat)
        return values

    def show(self, values: Values) -> str:
        """``name value`` of every field that says something."""
        parts = []
        for name, kind in self._fields.items():
            value = values.get(name)
            if isinstance(kind, Layout):
                if inner := kind.show(value or {}):
                    parts.append(f"{name}({inner})")
            elif value and not (isinstance(value, bytes) and not any(value)):
                shown = kind.show(value) if isinstance(kind, Kind) and kind.show else repr(value)
                parts.append(f"{name} {shown}")
        return " ".join(parts)


def _empty(kind: str | Kind | Layout) -> list[Any]:
    """What struct is given for a field that nothing is said of."""
    if isinstance(kind, Layout):
        return kind._empty
    if isinstance(kind, str):
        return [0]
    return [kind.pack(kind.empty) if kind.pack else kind.empty]
