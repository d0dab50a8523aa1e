"""Shapes that payload bodies share, as constructs and as struct twins.

RFC 2408 3.2 (generic header), 3.4 to 3.6 (chains of proposals and transforms); RFC 7296 3.3 has
the same chains. No shape swallows an error or leaves octets over: every declared length binds.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

from construct import (
    Adapter,
    Check,
    Const,
    Construct,
    ConstructError,
    FixedSized,
    GreedyBytes,
    Int8ub,
    Int16ub,
    Struct,
    Subconstruct,
    Terminated,
    evaluate,
    len_,
    stream_iseof,
    stream_tell,
    this,
)

from isakmp.payloads.base import Misfit, Twin, new, reason_of

T = TypeVar("T")
F = TypeVar("F", bound=tuple[Any, ...])

HEADER = struct.Struct(">BBH")
"""The generic header: next payload, reserved, length in octets with the header."""

KNOWN_MAX, KNOWN_OCTETS = 64, 512
"""How many bodies are known again, and how long these may be: with their values 2 MB at most."""


class Shared(tuple[T, ...]):
    """Elements that come again as the same object, such as those of a body that is known again, so
    that what was worked out of them may be known by that."""

    __slots__ = ()


class Typed(Adapter):  # type: ignore[misc]
    """A layout whose value is a NamedTuple of the fields that have no underscore before them."""

    def __init__(self, kind: type[tuple[Any, ...]], layout: Construct) -> None:
        super().__init__(layout)
        self.kind: Any = kind

    def _decode(self, obj: Any, context: Any, path: str) -> Any:
        fields = (obj[name] for name in self.kind._fields)
        return self.kind(*[tuple(one) if isinstance(one, list) else one for one in fields])

    def _encode(self, obj: Any, context: Any, path: str) -> Any:
        if not isinstance(obj, self.kind):
            raise ConstructError(f"{type(obj).__name__} instead of {self.kind.__name__}")
        return obj._asdict()


class Exactly(Subconstruct):  # type: ignore[misc]
    """A subconstruct, and then the end of its region."""

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        value = self.subcon._parsereport(stream, context, path)
        Terminated._parsereport(stream, context, path)
        return value


def _place(path: str) -> str:
    """The element that construct's path is in: our own part of it, before field names."""
    return path.partition(" -> ")[0].removeprefix("(parsing)").removeprefix("(building)")


class Chain(Subconstruct):  # type: ignore[misc]
    """Substructures behind generic headers: the next type is ``type``, in the last one 0.

    name: of one element, for paths; limit: most elements; count: what an earlier field declares.
    """

    def __init__(
        self, name: str, type: int, subcon: Construct, limit: int, count: Any = None
    ) -> None:
        super().__init__(subcon)
        self.element, self.type, self.limit, self.count = name, type, limit, count
        self.layout = Struct(
            "next" / Int8ub,
            "reserved" / Const(b"\0"),
            "length" / Int16ub,
            "value" / FixedSized(this.length - HEADER.size, Exactly(subcon)),
            "allowed" / Check(lambda ctx: ctx.next in (0, type)),
        )

    def _parse(self, stream: Any, context: Any, path: str) -> list[Any]:
        values: list[Any] = []
        place, more = _place(path), True
        while more:
            start, where = stream_tell(stream, path), f"{place}.{self.element}[{len(values)}]"
            if len(values) == self.limit:
                raise Misfit(where, start, f"more than {self.limit} of them")
            element = _located(self.layout, stream, context, where, start)
            values.append(element.value)
            more = element.next != 0
        declared = evaluate(self.count, context)
        if declared is not None and declared != len(values):
            raise ConstructError(f"{declared} {self.element}s declared, {len(values)} there")
        return values

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        if not 0 < len(obj) <= self.limit:
            raise ConstructError(f"{len(obj)} {self.element}s: 1 to {self.limit} are possible")
        for index, item in enumerate(obj):
            body, where = io.BytesIO(), f"{_place(path)}.{self.element}[{index}]"
            self.subcon._build(item, body, context, where)
            following = 0 if index == len(obj) - 1 else self.type
            data = body.getvalue()
            stream.write(HEADER.pack(following, 0, HEADER.size + len(data)) + data)
        return obj


class Series(Subconstruct):  # type: ignore[misc]
    """Elements one after the other to the end of the region, at most ``limit``."""

    def __init__(self, name: str, subcon: Construct, limit: int) -> None:
        super().__init__(subcon)
        self.element, self.limit = name, limit

    def _parse(self, stream: Any, context: Any, path: str) -> list[Any]:
        values: list[Any] = []
        place = _place(path)
        while not stream_iseof(stream):
            start, where = stream_tell(stream, path), f"{place}.{self.element}[{len(values)}]"
            if len(values) == self.limit:
                raise Misfit(where, start, f"more than {self.limit} of them")
            values.append(_located(self.subcon, stream, context, where, start))
        return values

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        if len(obj) > self.limit:
            raise ConstructError(f"{len(obj)} {self.element}s: {self.limit} are possible")
        for index, item in enumerate(obj):
            where = f"{_place(path)}.{self.element}[{index}]"
            self.subcon._build(item, stream, context, where)
        return obj


def _located(subcon: Construct, stream: Any, context: Any, where: str, start: int) -> Any:
    """Parse one element; what is wrong in it, and in no element inside it, is said of it."""
    try:
        return subcon._parsereport(stream, context, where)
    except Misfit:
        raise
    except ConstructError as error:
        raise Misfit(where, start, reason_of(error)) from error


Read = Callable[[bytes, int, int, str, list[T]], tuple[int, int]]
"""Appends the element of a chain that starts at an octet of a body and ends before another, as far
as it goes, at a path: what follows it, 0 for nothing, and where that is. Misfit."""


def read_chain(
    body: bytes, at: int, end: int, where: str, limit: int, read: Read[T], into: list[T]
) -> int:
    """The twin of Chain: append the elements from ``at`` on, as far as they go; where they end.
    where: the path of one, up to its number; limit: most elements. Misfit."""
    more = 1
    while more:
        element = f"{where}[{len(into)}]"
        if len(into) == limit:
            raise Misfit(element, at, f"more than {limit} of them")
        more, at = read(body, at, end, element, into)
    return at


def whole_chains(limit: int, read: Read[T]) -> Callable[[bytes], Shared[T] | None]:
    """What reads a chain that is whole, None of any other, and knows those again that came last:
    transforms come alike from many peers, behind an SPI that does not."""

    @lru_cache(KNOWN_MAX)
    def known(chain: bytes) -> Shared[T] | None:
        found: list[T] = []
        try:
            end = read_chain(chain, 0, len(chain), "", limit, read, found)
        except Misfit:
            return None
        return Shared(found) if end == len(chain) else None

    return known


_PROPOSAL = struct.Struct(">BBHBBBB")


class ProposalValue(NamedTuple, Generic[T]):
    """A proposal of either version, of transforms as that has them."""

    number: int
    protocol_id: int
    spi: bytes
    transforms: tuple[T, ...]


Region = Callable[[bytes, int, int, str, int], int]
"""Where the element at an octet of a body ends that has so many octets at least. Misfit."""


def proposal_reader(
    limit: int, transform: Read[T], region: Region, more: int, strange: str
) -> Read[ProposalValue[T]]:
    """What reads proposals of either version. limit: most transforms; transform: reads one; more:
    what a header says where another proposal follows; strange: what is said of anything else."""
    known, fixed = whole_chains(limit, transform), _PROPOSAL.size

    def read(
        body: bytes, start: int, end: int, where: str, into: list[ProposalValue[T]]
    ) -> tuple[int, int]:
        stop = region(body, start, end, where, fixed)
        following, _, _, number, protocol_id, spi_size, count = _PROPOSAL.unpack_from(body, start)
        at = start + fixed + spi_size
        if at > stop:
            raise Misfit(where, start, f"SPI of {spi_size} octets does not fit")
        spi = body[start + fixed : at]
        whole = known(body[at:stop]) if stop - at <= KNOWN_OCTETS else None
        found: list[T] = []
        try:
            if whole is None:
                at = read_chain(body, at, stop, f"{where}.transform", limit, transform, found)
            else:
                at = stop
        finally:  # up to a fault it can be shown
            transforms = tuple(found) if whole is None else whole
            into.append(new(ProposalValue, (number, protocol_id, spi, transforms)))
        if count != len(transforms):
            raise Misfit(where, start, f"{count} transforms declared, {len(transforms)} there")
        if at != stop:
            raise Misfit(where, start, f"{stop - at} octets left over after the last transform")
        if following not in (0, more):
            raise Misfit(where, start, strange.format(following))
        return following, stop

    return read


def build_chain(bodies: Sequence[bytes], type: int, limit: int) -> bytes:
    """The inverse: elements behind generic headers. ValueError where there are none or too many."""
    if not 0 < len(bodies) <= limit:
        raise ValueError(f"{len(bodies)} elements of type {type}: 1 to {limit} are possible")
    parts = [HEADER.pack(type, 0, HEADER.size + len(body)) + body for body in bodies[:-1]]
    last = bodies[-1]
    return b"".join(parts) + HEADER.pack(0, 0, HEADER.size + len(last)) + last


def remembering(parse: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """The same, for bodies that many peers send alike: of these, the last are not parsed again."""
    known = lru_cache(KNOWN_MAX)(parse)
    return lambda body: known(body) if len(body) <= KNOWN_OCTETS else parse(body)


def written_again(build: Callable[[T], bytes]) -> Callable[[T], bytes]:
    """The same, for values of which some are Shared: these are not built again. They are known by
    what they are, not by what they hold; one whose body is longer than others that are known again
    is built anew."""
    # With the tuple itself, so that nothing else can be where it was.
    known: dict[int, tuple[T, bytes]] = {}

    def built(value: T) -> bytes:
        if not isinstance(value, Shared):
            return build(value)
        if (found := known.get(id(value))) is not None:
            return found[1]
        body = build(value)
        if len(body) <= KNOWN_OCTETS:
            if len(known) >= KNOWN_MAX:
                del known[next(iter(known))]
            known[id(value)] = value, body
        return body

    return built


class Octets(NamedTuple):
    """The value of a payload that is octets without any structure."""

    data: bytes


def octets(least: int = 1, most: int = 0xFFFF) -> Construct:
    """A body of nothing but ``data``, ``least`` to ``most`` octets."""
    in_bounds = (least <= len_(this.data)) & (len_(this.data) <= most)
    return Typed(Octets, Struct("data" / GreedyBytes, Check(in_bounds)))


def octets_twin(least: int = 1, most: int = 0xFFFF) -> Twin[Octets]:
    """The twin of octets()."""

    def wrong(data: bytes) -> Misfit:
        return Misfit("", 0, f"{len(data)} octets of data: {least} to {most} are possible")

    def parse(body: bytes) -> Octets:
        if least <= len(body) <= most:
            return new(Octets, (body,))
        raise wrong(body)

    def build(value: Octets) -> bytes:
        data = value.data
        if least <= len(data) <= most:
            return b"" + data  # refuses what is no octets
        raise wrong(data)

    return Twin(parse, build)


def fields_twin(layout: str, kind: type[F], wrong: Callable[[F], str]) -> Twin[F]:
    """The twin of fixed fields and then octets, the last field of that NamedTuple. wrong: what is
    amiss with the value, or ""."""
    form = struct.Struct(layout)

    def parse(body: bytes) -> F:
        if len(body) < form.size:
            raise Misfit("", 0, f"{len(body)} octets: at least {form.size} are needed")
        value = new(kind, (*form.unpack_from(body), body[form.size :]))
        if reason := wrong(value):
            raise Misfit("", 0, reason)
        return value

    def build(value: F) -> bytes:
        if reason := wrong(value):
            raise Misfit("", 0, reason)
        data: bytes = value[-1]
        return form.pack(*value[:-1]) + data

    return Twin(parse, build)


class Encoded(NamedTuple):
    """A certificate, or a request of one. encoding: what ``data`` is."""

    encoding: int
    data: bytes


def encoded(least: int) -> Construct:
    """``encoding`` and at least ``least`` octets of ``data``: certificates and their requests."""
    layout = Struct("encoding" / Int8ub, "data" / GreedyBytes, Check(len_(this.data) >= least))
    return Typed(Encoded, layout)


def encoded_twin(least: int) -> Twin[Encoded]:
    """The twin of encoded()."""

    def wrong(value: Encoded) -> str:
        size = len(value.data)
        return f"{size} octets of data: at least {least} are needed" if size < least else ""

    return fields_twin(">B", Encoded, wrong)
