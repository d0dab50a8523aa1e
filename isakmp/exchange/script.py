"""What an exchange type is written in: scripts, their syntax, and messages as steps see them.

RFC 2408 4.1; the isakmpd paper, 4.3.1. A Script is two lists of steps, one per role, and a syntax
that says of each message which payloads it must have, and whether it is protected. Steps alternate
with the messages. A step acts once, on one message, and returns a verdict: go on (None), AGAIN,
RESTART or WAIT; it raises Refused to refuse. A step that must wait is a generator that yields a
Job; the exchange is parked until the answer is there. A message that is not the script's next one
may be that of one of its variants, which then takes over.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any, Generic, TypeVar

from isakmp.errors import MalformedPayload
from isakmp.event.job import Job
from isakmp.message import Payload, missing
from isakmp.path import Path
from isakmp.payloads.base import Codec, Family

S = TypeVar("S")
V = TypeVar("V")
State = TypeVar("State", covariant=True)
X = TypeVar("X", contravariant=True)
"""What goes by a script, an exchange; it knows its script, and the script none."""


def duplicate(value: S) -> S:
    """Another dataclass of the same values: copy() and replace() take several times as long."""
    kind: Any = type(value)
    other: S = kind(*_values_of(kind)(value))
    return other


@cache
def _values_of(kind: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """What reads all fields of such a dataclass, of which there are two at least."""
    return attrgetter(*[one.name for one in fields(kind)])


class Mark(Enum):
    """Marks in a syntax: between messages, at the end, the payload that authenticates, and before
    those of a message that is protected, which RFC 2409 writes HDR* and RFC 7296 HDR, SK {}."""

    SWITCH = "switch"
    END = "end"
    AUTH = "auth"
    PROTECTED = "protected"


SWITCH, END, AUTH, PROTECTED = Mark.SWITCH, Mark.END, Mark.AUTH, Mark.PROTECTED


@dataclass(frozen=True, slots=True)
class Row:
    """One message: the payloads that it must have, in their order and as a set, whether there must
    be the one that authenticates, and whether it has to be protected."""

    must: tuple[int, ...] = ()
    authentic: bool = False
    protected: bool = False
    needs: frozenset[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", frozenset(self.must))


class Verdict(Enum):
    """What a step says about the next one: another request and answer as this pair, begin again, or
    wait for another message in the place of this one, which changes nothing."""

    AGAIN = "again"
    RESTART = "restart"
    WAIT = "wait"


Waiting = Generator[Job[Any], Any, Verdict | None]
Wait = Generator[Job[Any], Any, None]
"""A part of a step that waits, and has no verdict of its own."""
Step = Callable[[X, Any], Verdict | Waiting | None]


@dataclass(frozen=True, eq=False, slots=True)
class Script(Generic[X, State]):
    """One exchange type, as its RFC draws it, for exchanges of type X with such a memory.

    state: makes the exchange's own memory; finalize: installs what was negotiated, once, after the
    last step, and may wait as a step does; abandon: gives back what a failed exchange holds;
    establishes: the exchange makes the SA that protects others (phase 1), so it begins without one;
    persistent: the responder too repeats its message until the next one comes; confirmed: the last
    message only confirms, and where it does not come the exchange has succeeded all the same;
    follows: the script that goes on where this one ends, with what was learned; variants: what it
    becomes where a message comes that is theirs; takes: which that is, of a variant (default: what
    the script itself lacks something in, and the variant nothing); refuses: a variant that takes
    over for one message only, as that refuses something; tells: what the peer is told stays true,
    whatever becomes of what is configured; fork: the memory once more (default: the same values),
    for another answer to the same message; question: what an answer is to, where several messages
    wait for one; joins: whether a fork takes another answer for its own, as the two make the same
    keys; rests: whether an answer lets others go first for a round trip; anew: whether the same
    message is to be sent once more, as a fork was refused under its keys for what another answer
    may mend; resumes: whether a request goes on with what waits for one, under whatever number
    (default: the next one does); rows: the syntax, message by message.
    """

    name: str
    exchange_type: int
    initiator: tuple[Step[X], ...]
    responder: tuple[Step[X], ...]
    syntax: tuple[int | Mark, ...]
    state: Callable[[], State]
    finalize: Callable[[X], Waiting | None] = lambda exchange: None
    abandon: Callable[[X], object] = lambda exchange: None
    establishes: bool = False
    persistent: bool = False
    confirmed: bool = False
    follows: Callable[[X], Script[X, State] | None] = lambda exchange: None
    variants: tuple[Script[X, State], ...] = ()
    takes: Callable[[X, Incoming], bool] | None = None
    refuses: bool = False
    tells: bool = False
    fork: Callable[[X], State] | None = None
    question: Callable[[X, Incoming], object] = lambda exchange, message: None
    joins: Callable[[X, Incoming], bool] = lambda exchange, message: False
    rests: Callable[[X, Incoming], bool] = lambda exchange, message: False
    anew: Callable[[X, X], bool] = lambda exchange, refused: False
    resumes: Callable[[X, Incoming], bool] | None = None
    rows: tuple[Row, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", _rows_of(self.syntax))

    def steps(self, initiator: bool) -> tuple[Step[X], ...]:
        """Those of one role."""
        return self.initiator if initiator else self.responder


def _rows_of(syntax: tuple[int | Mark, ...]) -> tuple[Row, ...]:
    rows = [Row()]
    for item in syntax:
        row = rows[-1]
        if item is Mark.SWITCH:
            rows.append(Row())
        elif item is Mark.PROTECTED:
            rows[-1] = replace(row, protected=True)
        elif item is Mark.AUTH:
            rows[-1] = replace(row, authentic=True)
        elif item is not Mark.END:
            rows[-1] = replace(row, must=(*row.must, item))
    return tuple(rows)


def refusable(script: Script[X, State], must: tuple[int, ...], step: Step[X]) -> Script[X, State]:
    """A request and its answer, with the variant that takes an answer of notifies alone. Where its
    step does not refuse, the script begins again or waits on."""
    request = script.syntax[: script.syntax.index(SWITCH)]
    protected = (PROTECTED,) if script.rows[1].protected else ()
    refusal = replace(
        script, initiator=(script.initiator[0], step), responder=(), variants=(), refuses=True,
        syntax=(*request, SWITCH, *protected, *must, END),
    )  # fmt: skip
    return replace(script, variants=(*script.variants, refusal))


_offset = attrgetter("offset")


@dataclass(slots=True)
class Incoming:
    """A message as a step sees it: checked, decrypted, its payloads claimed one by one.

    header: as its dialect reads it; rules: those of its payloads; data: the octets the payloads
    were read from, in clear; end: where the last payload ends; came: when, of an answer that may
    have to wait for its turn (candidates.py).
    commit: what the dialect notes once the message is accepted (an IV); proven: only who we talk to
    can have made it, as its dialect knows; outer: the datagram that a protected one came in, or the
    first of them; error: why it cannot be read, though it is proven; kinds: the types that its
    payloads have.
    """

    header: Any
    rules: Family
    payloads: list[Payload]
    data: bytes
    end: int
    path: Path
    offset: int
    protected: bool = False
    commit: Any = None
    proven: bool = False
    came: float = 0.0
    outer: bytes = field(default=b"", repr=False)
    error: MalformedPayload | None = None
    kinds: tuple[int, ...] = field(init=False)
    _left: dict[int, list[Payload]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.give_back()
        self.kinds = tuple(self._left)

    def give_back(self) -> None:
        """Nothing is claimed any more."""
        left: dict[int, list[Payload]] = {}
        for payload in self.payloads:
            if payload.type in left:
                left[payload.type].append(payload)
            else:
                left[payload.type] = [payload]
        self._left = left

    def take(self, kind: int) -> Payload:
        """The payload of that type, which the syntax has made sure of; it counts as handled."""
        there = self._left.get(kind)
        if there is None:
            raise missing(self.rules, "the message", kind)
        if len(there) == 1:
            del self._left[kind]
        return there.pop(0)

    def value(self, codec: Codec[V]) -> V:
        """What take() finds, as that codec has read it. MalformedPayload where it is opaque."""
        return self.take(codec.type).of(codec)

    def has(self, kind: int) -> bool:
        """Whether a payload of that type is there that nobody has claimed."""
        return kind in self._left

    def take_all(self, kind: int) -> list[Payload]:
        """All payloads of that type that nobody has claimed."""
        return self._left.pop(kind, [])

    def values(self, codec: Codec[V]) -> list[V]:
        """What take_all() finds, as that codec has read it. MalformedPayload as above."""
        return [payload.of(codec) for payload in self.take_all(codec.type)]

    @property
    def left(self) -> list[Payload]:
        """The payloads that no step has claimed, in their order."""
        if not self._left:
            return []
        return sorted((p for of_kind in self._left.values() for p in of_kind), key=_offset)

    def after(self, payload: Payload) -> bytes:
        """The octets behind ``payload`` up to the end of the last one, which a HASH covers."""
        return self.data[payload.offset - self.offset + 4 + len(payload.body) : self.end]


@dataclass(slots=True)
class Outgoing:
    """A message under construction. hash_over: makes the HASH that goes before all the rest."""

    payloads: list[tuple[int, Any]] = field(default_factory=list)
    hash_over: Callable[[bytes], bytes] | None = None
    protected: bool = False
    flags: int = 0
    proven: bool = True

    def add(self, kind: int, value: Any) -> None:
        """Append a payload: its codec's value, or its body as octets."""
        self.payloads.append((kind, value))
