"""ISAKMP messages: the header, a bounds-checked walk over the payload chain, build, dump.

RFC 2408 3.1 (header), 3.2 (generic header), 5.1 to 5.3 (processing); RFC 7296 3.1 and 3.2 lay
both out alike. What lies in a payload's body is its codec's (isakmp/payloads).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast

from isakmp.constants import isakmp, name_of
from isakmp.errors import MalformedPayload
from isakmp.payloads import family, show
from isakmp.payloads.base import Codec, Family, Misfit
from isakmp.payloads.shapes import HEADER as GENERIC

V = TypeVar("V")

_HEADER = struct.Struct(">8s8sBBBBII")
HEADER_SIZE = _HEADER.size
_LENGTH_AT = 24
_LENGTH = struct.Struct(">I")
_RFC_HEADER = "RFC 2408 3.1"
MAX_PAYLOADS = 64
MAX_MESSAGES = 4
CRITICAL = 0x80
_ENCRYPTION = int(isakmp.Flag.ENCRYPTION)

Item = tuple[int, object] | tuple[int, object, bool]
"""What build_payloads takes: type, value or body, and whether it is critical (IKEv2)."""


class Header(NamedTuple):
    """The ISAKMP header, RFC 2408 3.1. message_id and length are numbers, cookies 8 octets."""

    cky_i: bytes
    cky_r: bytes
    next_payload: int
    major: int
    minor: int
    exchange_type: int
    flags: int
    message_id: int
    length: int = 0

    def pack(self) -> bytes:
        """The 28 octets. MalformedPayload where a field does not fit."""
        try:
            if len(self.cky_i) != 8 or len(self.cky_r) != 8:  # struct would pad or cut them
                raise ValueError("cookies of 8 octets are needed")
            return _HEADER.pack(
                self.cky_i,
                self.cky_r,
                self.next_payload,
                self.major << 4 | self.minor,
                self.exchange_type,
                self.flags,
                self.message_id,
                self.length,
            )
        except (struct.error, TypeError, ValueError) as error:
            raise MalformedPayload("HDR", 0, f"cannot be built: {error}", _RFC_HEADER) from error

    @classmethod
    def unpack(cls, data: bytes) -> Header:
        """The header at the start of ``data``; its length field is not looked at."""
        if len(data) < HEADER_SIZE:
            reason = f"{len(data)} octets: {HEADER_SIZE} are needed"
            raise MalformedPayload("HDR", 0, reason, _RFC_HEADER)
        cky_i, cky_r, following, version, exchange, flags, message_id, length = _HEADER.unpack_from(
            data
        )
        major, minor = version >> 4, version & 0x0F
        return cls(cky_i, cky_r, following, major, minor, exchange, flags, message_id, length)


def parse_header(message: bytes) -> Header:
    """The header of a message that has exactly the length it declares (RFC 2408 5.1).

    A datagram that may hold more than one message goes through split() first.
    """
    header = Header.unpack(message)
    if header.length != len(message):
        reason = f"{header.length} octets declared, {len(message)} came"
        raise MalformedPayload("HDR.length", _LENGTH_AT, reason, _RFC_HEADER)
    return header


def split(datagram: bytes) -> list[bytes]:
    """The messages in a datagram: one, or several that peers have sent in one go.

    A message ends where its header says if another header fits behind it. Octets that are no
    message stay with the one before them, so that parse_header refuses it.
    """
    if len(datagram) >= HEADER_SIZE and _LENGTH.unpack_from(datagram, _LENGTH_AT)[0] == len(
        datagram
    ):
        return [datagram]
    messages: list[bytes] = []
    while len(datagram) >= 2 * HEADER_SIZE and len(messages) < MAX_MESSAGES - 1:
        (length,) = _LENGTH.unpack_from(datagram, _LENGTH_AT)
        if not HEADER_SIZE <= length <= len(datagram) - HEADER_SIZE:
            break
        messages.append(datagram[:length])
        datagram = datagram[length:]
    messages.append(datagram)
    return messages


_CUT = (0, 0, 0)
"""Read where less than a generic header is left: its length is none."""


class Payload(NamedTuple):
    """One payload. body: without the generic header; value: its fields, None where opaque.

    offset: from the start of the message to the generic header; next_type: what that header
    says follows; critical: its critical bit (IKEv2).
    """

    type: int
    body: bytes
    value: object = None
    offset: int = 0
    next_type: int = 0
    critical: bool = False

    def of(self, codec: Codec[V]) -> V:
        """Its value as that codec has read it. MalformedPayload where it is opaque."""
        if self.type != codec.type or self.value is None:
            reason = f"cannot be read as {codec.name}"
            raise MalformedPayload(codec.name, self.offset, reason, codec.rfc)
        return cast("V", self.value)


def values_of(payloads: Iterable[Payload], codec: Codec[V]) -> list[V]:
    """The values of the payloads of a codec's type, in their order. MalformedPayload where one is
    opaque."""
    return [payload.of(codec) for payload in payloads if payload.type == codec.type]


_payload = partial(tuple.__new__, Payload)
"""One of all its fields, in half the time."""


def parse_payloads(
    major: int,
    first_type: int,
    data: bytes,
    offset: int = HEADER_SIZE,
    max_payloads: int = MAX_PAYLOADS,
) -> tuple[list[Payload], int]:
    """The payload chain at the start of ``data``, and the octet of ``data`` where it ends.

    offset: where ``data`` lies in the message. What follows the end (the padding of an encrypted
    message, or nothing) is for the caller to check. MalformedPayload where the chain is broken.
    """
    rules = _rules(major)
    codecs, enclosing, nested = rules.codecs, rules.enclosing, rules.nested
    payloads: list[Payload] = []
    at, type, size = 0, first_type, len(data)
    for _ in range(max_payloads):
        if not type:
            return payloads, at
        following, reserved, length = GENERIC.unpack_from(data, at) if at + 4 <= size else _CUT
        stop, critical, value = at + length, False, None
        if length < 4 or stop > size or reserved or type in nested:
            critical = _unusual(rules, type, offset + at, reserved, length, size - at)
        body = data[at + 4 : stop]
        if codec := codecs.get(type):
            try:
                value = codec.read(body)
            except Misfit as misfit:
                if type not in rules.private:
                    raise codec.malformed(misfit, offset + at + 4) from None
        payloads.append(_payload((type, body, value, offset + at, following, critical)))
        at = stop
        if type in enclosing:
            return payloads, at
        type = following
    if type:
        raise _broken(rules, type, offset + at, f"more than {max_payloads} payloads")
    return payloads, at


def is_whole_chain(major: int, first_type: int, data: bytes, padding: int) -> bool:
    """Whether generic headers lead through ``data`` to less than ``padding`` octets: what a wrong
    key decrypts to hardly ever looks so."""
    rules, at, following = _rules(major), 0, first_type
    try:
        for _ in range(MAX_PAYLOADS):
            left = len(data) - at
            after, reserved, length = GENERIC.unpack_from(data, at) if left >= 4 else _CUT
            _unusual(rules, following, at, reserved, length, left)
            following = after
            at += int(length)
            if not following:
                return len(data) - at < padding
    except MalformedPayload:
        pass
    return False


def _unusual(rules: Family, type: int, at: int, reserved: int, length: int, left: int) -> bool:
    """Whether a generic header that is not as most are is critical. MalformedPayload where it is
    none (RFC 2408 5.3)."""
    if left < 4:
        raise _broken(rules, type, at, f"{left} octets left for a generic header of 4")
    if length < 4 or length > left:
        raise _broken(rules, type, at, f"length {length}, {left} octets left")
    if type in rules.nested:
        raise _broken(rules, type, at, "belongs inside another payload")
    if reserved and not rules.critical:
        raise _broken(rules, type, at, f"reserved octet is {reserved}")
    return bool(reserved & CRITICAL)


def missing(rules: Family, where: str, type: int) -> MalformedPayload:
    """The error that ``where`` lacks a mandatory payload, by its name and those rules."""
    lacks = f"lacks {name_of(rules.payload, type)}"
    return MalformedPayload(where, rules.header_size, lacks, rules.rfc)


def in_clear(rules: Family, where: str) -> MalformedPayload:
    """The error that ``where`` has to be protected, and is not."""
    return MalformedPayload(where, rules.header_size, "must be protected", rules.rfc)


def whole(header: Header, chain: bytes) -> bytes:
    """The octets of a message in clear: a header, with the length that it has now, and a chain."""
    return header._replace(length=HEADER_SIZE + len(chain)).pack() + chain


def _broken(rules: Family, type: int, at: int, reason: str) -> MalformedPayload:
    return MalformedPayload(name_of(rules.payload, type), at, reason, rules.rfc)


def _rules(major: int) -> Family:
    rules = family(major)
    if rules is None:
        raise MalformedPayload("HDR.version", 17, f"major version {major}", _RFC_HEADER)
    return rules


def build_payloads(major: int, items: Sequence[Item], last_next: int = 0) -> tuple[int, bytes]:
    """The type of the first payload and the octets of the chain.

    An item's value goes through its codec, octets are taken as the body. last_next: the next
    payload type in the last generic header, for a payload that encloses others (IKEv2).
    """
    rules = _rules(major)
    chain, following = b"", last_next if items else 0
    for type, value, *critical in reversed(items):
        if isinstance(value, bytes):
            body = value
        elif codec := rules.codecs.get(type):
            body = codec.build(value)
        else:
            raise _broken(rules, type, 0, "cannot be built: opaque, needs octets")
        length = len(body) + 4
        if length > 0xFFFF:
            raise _broken(rules, type, 0, f"cannot be built: {length} octets")
        flags = CRITICAL if critical and critical[0] else 0
        chain = GENERIC.pack(following, flags, length) + body + chain
        following = type
    return following, chain


def generic_header(following: int, body: bytes) -> bytes:
    """The generic header of a payload with that body, for one put before a chain that is built."""
    return GENERIC.pack(following, 0, GENERIC.size + len(body))


def build_message(header: Header, items: Sequence[Item]) -> bytes:
    """A message in clear: next payload and length of ``header`` are set to what they are."""
    first_type, chain = build_payloads(header.major, items)
    return whole(header._replace(next_payload=first_type), chain)


@dataclass(slots=True)
class Message:
    """A header and its payloads; ``encrypted``: what stands in their place in an IKEv1 message
    that is encrypted and has not been opened."""

    header: Header
    payloads: list[Payload] = field(default_factory=list)
    encrypted: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Message:
        """One whole message in clear, or the encrypted octets of an IKEv1 one.

        MalformedPayload where it breaks a rule, octets left over included.
        """
        header = parse_header(data)
        rules = _rules(header.major)
        if header.major == 1 and header.flags & _ENCRYPTION:
            if len(data) == HEADER_SIZE:
                raise MalformedPayload("HDR", HEADER_SIZE, "encrypted and empty", _RFC_HEADER)
            return cls(header, [], data[HEADER_SIZE:])
        payloads, end = parse_payloads(header.major, header.next_payload, data[HEADER_SIZE:])
        if left := len(data) - HEADER_SIZE - end:
            reason = f"{left} octets left over after the last payload"
            raise MalformedPayload("HDR", HEADER_SIZE + end, reason, rules.rfc)
        return cls(header, payloads)

    def first(self, type: int) -> Payload | None:
        """The first payload of a type."""
        for payload in self.payloads:
            if payload.type == type:
                return payload
        return None

    def all(self, type: int) -> list[Payload]:
        """All payloads of a type, in their order."""
        return [payload for payload in self.payloads if payload.type == type]

    def build(self) -> bytes:
        """The message, built anew from the values (the bodies of opaque payloads)."""
        if self.encrypted:
            length = HEADER_SIZE + len(self.encrypted)
            return self.header._replace(length=length).pack() + self.encrypted
        items: list[Item] = [
            (
                payload.type,
                payload.body if payload.value is None else payload.value,
                payload.critical,
            )
            for payload in self.payloads
        ]
        last_next = self.payloads[-1].next_type if self.payloads else 0
        first_type, chain = build_payloads(self.header.major, items, last_next)
        length = HEADER_SIZE + len(chain)
        return self.header._replace(next_payload=first_type, length=length).pack() + chain

    def dump(self) -> list[str]:
        """A line for every part, ``path: fields``, numbers by their registries' names."""
        names = _names(self.header)
        lines = ["HDR: " + " ".join(f"{name} {value}" for name, value in names.items())]
        for payload in self.payloads:
            lines += self._lines(payload)
        if self.encrypted:
            lines.append(f"encrypted: {show.octets(self.encrypted)}")
        return lines

    def _lines(self, payload: Payload) -> list[str]:
        rules = _rules(self.header.major)
        name = name_of(rules.payload, payload.type)
        codec = rules.codecs.get(payload.type)
        if codec is None or payload.value is None:
            return [f"{name}: {show.octets(payload.body)}"]
        return [f"{name}{where}: {text}" for where, text in codec.describe(payload.value)]

    def to_dict(self) -> dict[str, Any]:
        """Everything in what JSON can hold: octets as hexadecimal, ``dump`` lines beside values."""
        rules = _rules(self.header.major)
        payloads = [
            {
                "type": payload.type,
                "name": name_of(rules.payload, payload.type),
                "offset": payload.offset,
                "critical": payload.critical,
                "body": payload.body.hex(),
                "value": _plain(payload.value),
                "dump": self._lines(payload),
            }
            for payload in self.payloads
        ]
        return {
            "header": _names(self.header) | {"length": self.header.length},
            "payloads": payloads,
            "encrypted": self.encrypted.hex(),
        }


def _names(header: Header) -> dict[str, Any]:
    """The header as people read it."""
    rules = _rules(header.major)
    return {
        "cky_i": header.cky_i.hex(),
        "cky_r": header.cky_r.hex(),
        "next_payload": name_of(rules.payload, header.next_payload),
        "version": f"{header.major}.{header.minor}",
        "exchange": name_of(rules.exchange, header.exchange_type),
        "flags": _flags(rules.flag, header.flags),
        "message_id": f"{header.message_id:08x}",
        "length": header.length,
    }


def _flags(registry: type[IntFlag], flags: int) -> str:
    """Names of the flags that are set, the rest as a number."""
    names = [flag.name or "" for flag in registry if flags & flag]
    rest = flags & ~sum(registry)
    return "|".join(names + ([f"{rest:#04x}"] if rest else [])) or "-"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if not isinstance(value, tuple):
        return value
    if names := getattr(value, "_fields", ()):
        return {name: _plain(item) for name, item in zip(names, value, strict=True)}
    return [_plain(item) for item in value]
