"""Distinguished names in DER, RFC 5280 4.1.2.4 and X.690: into text and out of it.

The text has the order of the octets, ``C=DE, O=Example, CN=gw``; that of RFC 4514 is the other
way round.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

_SEQUENCE, _SET, _OID = 0x30, 0x31, 0x06
_UTF8, _PRINTABLE, _IA5, _BMP = 0x0C, 0x13, 0x16, 0x1E
_TEXTS = MappingProxyType(
    {_UTF8: "utf-8", _PRINTABLE: "ascii", _IA5: "ascii", _BMP: "utf-16-be", 0x14: "latin-1"}
)
MAX_PARTS = 32

_OIDS = MappingProxyType(
    {
        "CN": "550403",
        "SN": "550404",
        "SERIALNUMBER": "550405",
        "C": "550406",
        "L": "550407",
        "ST": "550408",
        "STREET": "550409",
        "O": "55040a",
        "OU": "55040b",
        "T": "55040c",
        "GN": "55042a",
        "E": "2a864886f70d010901",
        "EMAILADDRESS": "2a864886f70d010901",
        "DC": "0992268993f22c640119",
        "UID": "0992268993f22c640101",
    }
)
_NAMES = MappingProxyType({oid: name for name, oid in _OIDS.items() if name != "EMAILADDRESS"})

Part = tuple[str, str]
"""An attribute: its OID's octets in hexadecimal, and its text."""


def encode(text: str) -> bytes:
    """The DER of ``C=DE, O=Example, CN=gw``. ValueError says what is wrong with it."""
    parts = [_split(part) for part in _parts(text)]
    if not 0 < len(parts) <= MAX_PARTS:
        raise ValueError(f"1 to {MAX_PARTS} parts such as CN=gateway")
    return _tlv(_SEQUENCE, b"".join(_tlv(_SET, _tlv(_SEQUENCE, _attribute(*p))) for p in parts))


def _parts(text: str) -> Iterator[str]:
    """What stands between commas; a backslash takes one into the value."""
    part, escaped = "", False
    for char in text:
        if escaped:
            part, escaped = part + char, False
        elif char == "\\":
            escaped = True
        elif char == ",":
            yield part.strip()
            part = ""
        else:
            part += char
    yield part.strip()


def _split(part: str) -> Part:
    name, equals, value = part.partition("=")
    oid = _OIDS.get(name.strip().upper())
    if not equals or not value.strip():
        raise ValueError(f"{part!r} is not NAME=value")
    if oid is None:
        raise ValueError(f"{name.strip()!r} is none of {', '.join(_OIDS)}")
    return oid, value.strip()


def _attribute(oid: str, value: str) -> bytes:
    name = _NAMES[oid]
    kind = _PRINTABLE if name in ("C", "SERIALNUMBER") else _IA5 if name in ("E", "DC") else _UTF8
    return _tlv(_OID, bytes.fromhex(oid)) + _tlv(kind, value.encode(_TEXTS[kind]))


def _tlv(tag: int, value: bytes) -> bytes:
    size = len(value)
    if size < 0x80:
        return bytes((tag, size)) + value
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + value


def decode(data: bytes) -> tuple[tuple[Part, ...], ...]:
    """The attributes of each relative name. ValueError where it is no name in DER."""
    (names,) = _elements(data, _SEQUENCE)
    found = tuple(
        tuple(_read_attribute(attribute) for attribute in _elements(relative, _SEQUENCE))
        for relative in _elements(names, _SET)
    )
    if not all(found):
        raise ValueError("a relative name of nothing")
    return found


def folded(data: bytes) -> tuple[frozenset[Part], ...]:
    """What equal names have in common (RFC 5280 7.1): case and runs of spaces do not count, nor
    does the order within a relative name. ValueError where it is no name in DER."""
    return tuple(
        frozenset((oid, " ".join(value.casefold().split())) for oid, value in relative)
        for relative in decode(data)
    )


def _read_attribute(data: bytes) -> Part:
    (_, oid), (kind, value) = _tlvs(data)
    text = value.decode(_TEXTS[kind]) if kind in _TEXTS else "#" + value.hex()
    return oid.hex(), text


def _elements(data: bytes, tag: int) -> Iterator[bytes]:
    for kind, value in _tlvs(data):
        if kind != tag:
            raise ValueError(f"an element {kind:#x} instead of {tag:#x}")
        yield value


def _tlvs(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements one after the other, at most MAX_PARTS."""
    at = 0
    for _ in range(MAX_PARTS):
        if at == len(data):
            return
        if at + 2 > len(data):
            break
        kind, size = data[at], data[at + 1]
        at += 2
        if size >= 0x80:
            count = size - 0x80
            size, at = int.from_bytes(data[at : at + count], "big"), at + count
            if not 1 <= count <= 2:
                break
        if at + size > len(data):
            break
        yield kind, data[at : at + size]
        at += size
    else:
        if at == len(data):
            return
    raise ValueError("lengths that do not fit")


def text(data: bytes) -> str:
    """``C=DE, O=Example, CN=gw``. ValueError where it is no name in DER."""
    return ", ".join("+".join(_part_text(*part) for part in name) for name in decode(data))


def _part_text(oid: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace(",", "\\,")
    return f"{_NAMES.get(oid, oid)}={escaped}"
