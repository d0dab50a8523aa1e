"""What every payload codec is, and what every major version's set of payloads is.

A Codec holds one interpreted construct, the specification of a payload's body (what follows the
generic header), and may hold a Twin: the same layout in bounds-checked struct, for payloads that
every handshake carries. Both raise Misfit; Codec.parse turns that into MalformedPayload, the one
exception that leaves a codec.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum, IntFlag
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar, cast

from construct import Construct, ConstructError

from isakmp.errors import MalformedPayload

V = TypeVar("V")

Line = tuple[str, str]
"""A line of a symbolic dump: the path below the payload (``.proposal[0]``) and the text."""


new = tuple.__new__
"""Makes a NamedTuple of its fields, ``new(KeValue, (31, data))``, in half the time that its class
takes. It does not count them."""


class Misfit(ConstructError):  # type: ignore[misc]
    """A body that does not fit its layout, seen from inside the payload.

    where: path below the payload, ``.proposal[0].transform[2]`` or empty; at: octets from the
    start of the body to the first octet of what ``where`` names; so_far: the fields up to there,
    where the layout can be shown in part.
    """

    def __init__(self, where: str, at: int, reason: str) -> None:
        super().__init__(reason)
        self.where, self.at, self.reason = where, at, reason
        self.so_far: object = None


class Twin(NamedTuple, Generic[V]):
    """The struct form of a construct: equal to it on good and on bad input.

    parse raises Misfit; build may raise whatever a wrong value leads to.
    """

    parse: Callable[[bytes], V]
    build: Callable[[V], bytes]


_WRONG_VALUE = (ConstructError, struct.error, LookupError, AttributeError, TypeError, ValueError)


@dataclass(frozen=True, slots=True, eq=False)
class Codec(Generic[V]):
    """One payload type, whose values are of one NamedTuple each. rfc: the section that lays it out;
    vectors: (hex, value) pairs."""

    name: str
    type: int
    construct: Construct
    rfc: str
    vectors: tuple[tuple[str, V], ...]
    describe: Callable[[V], list[Line]]
    twin: Twin[V] | None = None
    read: Callable[[bytes], V] = field(init=False)
    """The fields of a body. Misfit where it does not fit."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "read", self.twin.parse if self.twin else self.specify)

    def parse(self, body: bytes, offset: int = 0) -> V:
        """The fields of ``body``, which lies ``offset`` octets into the message.

        MalformedPayload: its path and offset name the innermost part that does not fit.
        """
        try:
            return self.read(body)
        except Misfit as misfit:
            raise self.malformed(misfit, offset) from None

    def malformed(self, misfit: Misfit, offset: int) -> MalformedPayload:
        """The error that a misfit is in a message."""
        return MalformedPayload(
            self.name + misfit.where, offset + misfit.at, misfit.reason, self.rfc
        )

    def salvage(self, body: bytes) -> V | None:
        """What a body that does not fit shows up to its fault; None where that is nothing."""
        try:
            return self.read(body)
        except Misfit as misfit:
            return cast("V | None", misfit.so_far)

    def build(self, value: V) -> bytes:
        """The body for ``value``. MalformedPayload where no such payload can exist."""
        try:
            if self.twin:
                return self.twin.build(value)
            return bytes(self.construct.build(value))
        except _WRONG_VALUE as error:
            where, reason = getattr(error, "where", ""), reason_of(error)
            raise MalformedPayload(
                self.name + where, 0, f"cannot be built: {reason}", self.rfc
            ) from error

    def specify(self, body: bytes) -> V:
        """Parse by the construct alone, nothing left over accepted. Misfit where that fails."""
        stream = io.BytesIO(body)
        try:
            value: V = self.construct.parse_stream(stream)
        except Misfit:
            raise
        except ConstructError as error:
            raise Misfit("", 0, reason_of(error)) from error
        if stream.tell() != len(body):
            raise Misfit("", 0, f"{len(body) - stream.tell()} octets left over")
        return value

    def renamed(self, name: str, type: int) -> Codec[V]:
        """The same payload under another name and number, as drafts have them."""
        return replace(self, name=name, type=type)


class Family(NamedTuple):
    """The payloads of one protocol or major version, and the rules of its chain.

    rfc: the section that lays it out; header_size: octets in front of the first payload;
    nested: types that live inside other payloads only; enclosing: types that end the chain, whose
    next payload type speaks of what is inside them; critical: whether the reserved octet carries
    the critical bit and is otherwise ignored (RFC 7296 3.2), or has to be 0 (RFC 2408 3.2);
    private: numbers that are anybody's: what does not fit is another vendor's and stays opaque.
    """

    rfc: str
    payload: type[IntEnum]
    exchange: type[IntEnum]
    flag: type[IntFlag]
    codecs: Mapping[int, Codec[Any]]
    nested: frozenset[int] = frozenset()
    enclosing: frozenset[int] = frozenset()
    critical: bool = False
    private: frozenset[int] = frozenset()
    header_size: int = 28


def by_type(codecs: Iterable[Codec[Any]]) -> Mapping[int, Codec[Any]]:
    """Codecs by plain numbers: a lookup with an enum member as the key costs twice as much."""
    return MappingProxyType({int(codec.type): codec for codec in codecs})


def reason_of(error: BaseException) -> str:
    """What an exception says, without construct's own path."""
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
