"""Exchange: one negotiation's place in its script, and what its steps have learned.

Whoever asks only where it stands, or to whom it belongs, knows an Exchange; who wrote its script
knows an ExchangeOf what its steps have learned. The Host is who runs it, as they see it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha1
from typing import Any, Generic, Protocol, Self, TypeGuard

from isakmp.app.base import Application
from isakmp.errors import Reason
from isakmp.event.job import Job
from isakmp.event.timer import Event, Timers
from isakmp.event.worker import Work
from isakmp.exchange.answers import Answers
from isakmp.exchange.attempt import Attempt
from isakmp.exchange.bounds import Bounds
from isakmp.exchange.budget import Budget
from isakmp.exchange.dialect import Dialect
from isakmp.exchange.host import Owner
from isakmp.exchange.script import Incoming, Outgoing, S, Script, Step, Waiting, duplicate
from isakmp.exchange.settings import Settings
from isakmp.log.log import Log
from isakmp.path import OneWay, Path
from isakmp.policy.spd import Address, Remote
from isakmp.sa import IsakmpSa
from isakmp.sa_database import SaDatabase

UNNUMBERED = -1
"""The message ID of an exchange that has not taken one yet."""

_JUST_S = 1.0  # phase 1 and what goes on under it are not this far apart


@dataclass(slots=True, eq=False)
class Exchange:
    """One negotiation: its place in the script and what its steps have learned.

    cky_i, cky_r, message_id: what its messages are found by, as the dialect has it: IKE's cookies
    or SPIs; stranger: somebody began it of whom we know nothing yet; attempt: the step that waits;
    now_in, last_in: digests of the message that is looked at, and of the last one accepted;
    last_out: the datagrams of our last message; unwanted: why what it makes is not kept, where it
    cannot end before its answer; resting: it was refused, without proof; rounds: how many there
    have been beyond the script's own; plain: what last_out holds, where it may be cut otherwise.
    first_in: digest of the message it was begun with; stem: what it goes on from, with one of
    several answers, untaken: which it has not accepted yet, or not done with; after_send: what is
    left to do once our message has left, which may wait as steps do; early: the way of what came
    before that was done, and what reads it; answers: those that came to our last message without
    proof (candidates.py); back: where our answer goes, if not to where the peer is. steps: our half
    of the script; own_cookie: the one we chose; under an SA, when that was made; before: the script
    that came before this one, or the same begun anew; declined: what the peer has asked for and we
    have left out of our answer; mirrored: what to say where nothing but our own message has come.
    """

    number: int
    dialect: Dialect[Exchange]
    script: Script[Self, object]
    initiator: bool
    remote: Remote
    path: Path
    cky_i: bytes
    cky_r: bytes
    message_id: int
    created: float
    origin: Address
    host: Host
    state: object
    sa: IsakmpSa | None = None
    stranger: bool = False
    name: str = ""
    step: int = 0
    attempt: Attempt[Exchange] | None = field(default=None, repr=False)
    unwanted: Reason | None = None
    resting: bool = False
    over: bool = False
    retries: int = 0
    rounds: int = 0
    repeats: int = 0
    first_in: bytes = b""
    now_in: bytes = b""
    last_in: bytes = b""
    last_out: tuple[bytes, ...] = ()
    plain: tuple[int, bytes] | None = field(default=None, repr=False)
    hint: Reason | None = None
    mirrored: Reason | None = None
    protection: Any = None
    after_send: list[Callable[[], Waiting | None]] = field(default_factory=list)
    early: tuple[Path, Callable[[], object]] | None = field(default=None, repr=False)
    events: dict[str, Event] = field(default_factory=dict)
    finished: Job[None] = field(default_factory=Job)
    stem: Self | None = None
    untaken: bool = False
    answers: Answers[Self] | None = None
    back: Path | None = None
    before: str = ""
    declined: list[Reason] = field(default_factory=list)
    steps: tuple[Step[Self], ...] = field(init=False, repr=False)
    own_cookie: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.sa is not None:
            self.own_cookie = self.sa.own_cookie
        else:
            self.own_cookie = self.cky_i if self.initiator else self.cky_r
        self.steps = self.script.steps(self.initiator)

    def follow(self, script: Script[Self, object]) -> None:
        """Go by that script from now on."""
        self.script = script
        self.steps = script.steps(self.initiator)

    def forked(self) -> Self:
        """The same once more, to go on with one of several answers. Its end is that of this."""
        script = self.script
        another: Callable[..., Self] = type(self)
        return another(
            self.number, self.dialect, script, self.initiator, self.remote, self.path,
            self.cky_i, self.cky_r, self.message_id, self.created, self.origin, self.host,
            script.fork(self) if script.fork else duplicate(self.state),
            self.sa, self.stranger, self.name, self.step,
            last_in=self.last_in, last_out=self.last_out, protection=self.protection,
            finished=self.finished, stem=self, unwanted=self.unwanted, untaken=True,
            before=self.before,
        )  # fmt: skip

    @property
    def root(self) -> Self:
        """The one that stands for the whole attempt."""
        found = self
        while found.stem is not None:
            found = found.stem
        return found

    @property
    def where(self) -> Path:
        """Where our message goes: an answer to where the request came from (RFC 7296 2.11)."""
        return self.back or self.path

    @property
    def phase(self) -> int:
        """1 where it makes the SA that protects others, whatever else comes along with that."""
        return 1 if self.script.establishes else 2

    @property
    def answered(self) -> bool:
        """Whether it goes on with an answer to a message of ours."""
        return self.stem is not None or (self.initiator and bool(self.last_in))

    @property
    def way(self) -> OneWay:
        """That of its first message."""
        return self.path.out if self.initiator else self.path.came

    @property
    def unheard(self) -> bool:
        """Whether the peer has said nothing under its SA since this began, and just before: it may
        have lost it."""
        return self.sa is not None and self.sa.last_heard + _JUST_S < self.created

    @property
    def parked(self) -> bool:
        """Whether the step in turn waits for an answer from somewhere else."""
        return self.attempt is not None and self.attempt.waits

    @property
    def looks(self) -> bool:
        """Whether the peer's message is there, and its step waits."""
        attempt = self.attempt
        return self.parked and attempt is not None and isinstance(attempt.message, Incoming)

    @property
    def unready(self) -> bool:
        """Whether our message has left, and something is left to do before the peer's is read."""
        return (
            self.parked
            and not self.sends(self.step)
            and self.attempt is not None
            and (isinstance(self.attempt.message, Outgoing))
        )

    @property
    def complete(self) -> bool:
        """Whether every step has been taken."""
        return self.step >= len(self.steps)

    @property
    def expects(self) -> bool:
        """Whether a message of the peer's is what comes next."""
        free, step = self.attempt is None or not self.attempt.waits, self.step
        return free and step < len(self.steps) and (step % 2 == 0) is not self.initiator

    def sends(self, step: int) -> bool:
        """Whether we send the message of that step: the initiator sends the even ones."""
        return (step % 2 == 0) == self.initiator

    def __str__(self) -> str:
        role = "initiator" if self.initiator else "responder"
        return f"#{self.number} {self.script.name} {role} {self.name or self.remote.name}"


@dataclass(slots=True, eq=False)
class ExchangeOf(Exchange, Generic[S]):
    """One whose steps keep what they learn in a state of that type, as every one is."""

    script: Script[ExchangeOf[S], S]
    state: S


ScriptOf = Script[ExchangeOf[S], S]
"""What such exchanges go by."""


def has(exchange: Exchange, state: type[S]) -> TypeGuard[ExchangeOf[S]]:
    """Whether its steps keep what they learn in that."""
    return isinstance(exchange.state, state)


class Proofs(Protocol):
    """Who knows which answers to one message are followed."""

    def proven(self, exchange: Exchange) -> None:
        """The peer of one has proved itself."""

    def refused(self, exchange: Exchange, reason: Reason, *, proven: bool) -> None:
        """An answer was refused, or refuses us. proven: under the keys of who gave that answer."""


class Beginnings(Protocol):
    """Who takes the steps."""

    def begin_again(self, exchange: Exchange) -> None:
        """Send the first message anew, though no answer has asked for it just now."""


class Repeats(Protocol):
    """Who sends messages again."""

    def until_heard(self, exchange: Exchange, sa: IsakmpSa) -> None:
        """Repeat a last message that nobody answers, until the peer says something under ``sa``."""


class Host(Protocol):
    """Who runs exchanges, as their steps and dialects see it.

    app: the IPsec stack; work: who does what takes long; sas: those that there are; owner: who
    keeps them; bounds, budget: what peers may have, and what strangers are told; capture: what
    takes each message in clear, where it came or goes, and whether it goes.
    """

    @property
    def owner(self) -> Owner: ...

    @property
    def sas(self) -> SaDatabase: ...

    @property
    def app(self) -> Application: ...

    @property
    def work(self) -> Work: ...

    @property
    def log(self) -> Log: ...

    @property
    def timers(self) -> Timers: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def bounds(self) -> Bounds: ...

    @property
    def budget(self) -> Budget: ...

    @property
    def capture(self) -> Callable[[Path, bool, bytes], None] | None: ...

    @property
    def candidates(self) -> Proofs: ...

    @property
    def walk(self) -> Beginnings: ...

    @property
    def retransmission(self) -> Repeats: ...

    def now(self) -> float:
        """In seconds, of a clock that only goes forward."""

    def random(self, size: int, /) -> bytes:
        """So many octets."""

    def transmit(self, path: Path, datagram: bytes, /) -> None:
        """Send what no exchange repeats."""

    def new_cookie(self) -> bytes:
        """Eight random octets that no exchange or SA of ours has, and not all zero."""

    def find(self, dialect: str, cookie: bytes, number: int) -> Exchange | None:
        """The exchange of that dialect whose messages come with that cookie of ours and number."""

    def initiate(
        self, dialect: Dialect[Exchange], script: ScriptOf[S], remote: Remote, path: Path, *,
        name: str = "", sa: IsakmpSa | None = None, prepare: Callable[[S], object] | None = None,
    ) -> ExchangeOf[S]:  # fmt: skip
        """Begin an exchange of ours; its ``finished`` job tells how it ended."""

    def known(self, exchange: Exchange) -> None:
        """The peer of an exchange has proved who it is."""

    def number(self, exchange: Exchange) -> None:
        """Have it found by a message ID of its own."""

    def unlist(self, exchange: Exchange) -> None:
        """Messages of that key find another exchange of the same attempt, or none."""

    def repeat(self, exchange: Exchange) -> None:
        """Send its last message once more."""

    def allow_time(self, exchange: Exchange, most: float | None = None) -> None:
        """Have it end in so many seconds, counted from now, or in what its own are."""

    def begin_waiting(self, sa: IsakmpSa) -> None:
        """Exchanges that wait for a place under ``sa`` take what has become free."""

    def remark(self, exchange: Exchange, reason: Reason, *, goes_on: bool = False) -> None:
        """It has done what it is for, but not all of it, or not as it should be. goes_on: nothing
        is given up for that."""

    def conclude(self, exchange: Exchange) -> bool:
        """End one well that only lacks its confirmation; whether it was one."""

    def fail(self, exchange: Exchange, reason: Reason) -> None:
        """End one without result; whoever waits for it learns why."""


@lru_cache(1)
def digest(datagram: bytes) -> bytes:
    """What a repeated datagram is recognized by; no secret hangs on it. Several ask of one."""
    return sha1(datagram, usedforsecurity=False).digest()
