"""Exchange: one negotiation's place in its script, and what its steps have learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha1
from typing import TYPE_CHECKING, Any, Generic

from isakmp.errors import Reason
from isakmp.event.job import Job
from isakmp.event.timer import Event
from isakmp.exchange.attempt import Attempt
from isakmp.exchange.script import Incoming, Outgoing, S, Script, Step, Waiting
from isakmp.path import OneWay, Path
from isakmp.policy.spd import Address, Remote
from isakmp.sa import IsakmpSa

if TYPE_CHECKING:
    from isakmp.exchange.candidates import Answers
    from isakmp.exchange.dialect import Dialect
    from isakmp.exchange.engine import Engine

Key = tuple[str, bytes, int]
"""What messages are found by: a dialect, what our end is called in them, a number."""

UNNUMBERED = -1
"""The message ID of an exchange that has not taken one yet."""

_JUST_S = 1.0  # phase 1 and what goes on under it are not this far apart


@dataclass(slots=True, eq=False)
class Exchange(Generic[S]):
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
    dialect: Dialect
    script: Script[S]
    initiator: bool
    remote: Remote
    path: Path
    cky_i: bytes
    cky_r: bytes
    message_id: int
    created: float
    origin: Address
    engine: Engine
    state: S
    sa: IsakmpSa | None = None
    stranger: bool = False
    name: str = ""
    step: int = 0
    attempt: Attempt | None = field(default=None, repr=False)
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
    stem: Exchange[S] | None = None
    untaken: bool = False
    answers: Answers | None = None
    back: Path | None = None
    before: str = ""
    declined: list[Reason] = field(default_factory=list)
    steps: tuple[Step, ...] = field(init=False, repr=False)
    own_cookie: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.sa is not None:
            self.own_cookie = self.sa.own_cookie
        else:
            self.own_cookie = self.cky_i if self.initiator else self.cky_r
        self.follow(self.script)

    def follow(self, script: Script[S]) -> None:
        """Go by that script from now on."""
        self.script = script
        self.steps = script.steps(self.initiator)

    def forked(self) -> Exchange[S]:
        """The same once more, to go on with one of several answers. Its end is that of this."""
        return Exchange(
            self.number, self.dialect, self.script, self.initiator, self.remote, self.path,
            self.cky_i, self.cky_r, self.message_id, self.created, self.origin, self.engine,
            self.script.fork(self.state), self.sa, self.stranger, self.name, self.step,
            last_in=self.last_in, last_out=self.last_out, protection=self.protection,
            finished=self.finished, stem=self, unwanted=self.unwanted, untaken=True,
            before=self.before,
        )  # fmt: skip

    @property
    def root(self) -> Exchange[S]:
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


@lru_cache(1)
def digest(datagram: bytes) -> bytes:
    """What a repeated datagram is recognized by; no secret hangs on it. Several ask of one."""
    return sha1(datagram, usedforsecurity=False).digest()
