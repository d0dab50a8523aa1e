"""What the rows are about: each act asks both ends, and looks at the wire and the kernel."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from regress.interop import xfrm
from regress.interop.capture import Capture, Wire
from regress.interop.end import Child, End, Failure, eventually
from regress.interop.isakmpd import Isakmpd
from regress.interop.scenario import SHORT_LIFE_S, Act, Role, Scenario, Stack
from regress.interop.stream import Stream

# Dead peers: long enough for charon's time-out, and for five unanswered probes 5 s apart.
_LIVELY_S = 4.0
_NOTICED_S = 60.0
# From the first packet that met a policy to the first answer.
_ACQUIRED_S = 10.0
# Pings for SAs that end by octets: some 11 KB/s, so that there is time to rekey before the end;
# and where there is nobody to rekey with.
_EVERY_S, _OCTETS, _MANY_OCTETS = 0.02, 200, 1000
# Of an IKEv2 header: exchange type, flag, and the first payload of a message in pieces.
_IKE_SA_INIT, _INITIATOR, _SKF = 34, 0x08, 53


@dataclass
class Play:
    """A scenario under way: ends a (initiator) and b, and what went over the wire so far.

    orphans: SPIs that the other's daemon, which was killed, has left in its kernel.
    """

    scenario: Scenario
    a: End
    b: End
    capture: Capture
    stack: Stack = Stack.USER
    orphans: set[int] = field(default_factory=set)

    @property
    def actor(self) -> End:
        return self.a if self.a.acts else self.b

    @property
    def other(self) -> End:
        return self.b if self.a.acts else self.a

    @property
    def wire(self) -> Wire:
        return self.capture.read()

    def until(self, what: str, check: Callable[[], object], timeout_s: float = 10) -> None:
        """Wait until ``check`` holds; Failure where it does not in time, or a daemon dies."""

        def alive_and_so() -> object:
            self.a.alive()
            self.b.alive()
            return check()

        eventually(what, alive_and_so, timeout_s)

    def gone(self, what: str, check: Callable[[], object], timeout_s: float = 10) -> None:
        """Wait until ``check`` finds nothing more."""
        self.until(what, lambda: not check(), timeout_s)

    def no_kernel_sas(self, *ends: End) -> None:
        """The kernel has no SA in the namespaces of these ends, where there is such a kernel."""
        if self.stack is Stack.KERNEL:
            for end in ends:
                self.gone(f"the kernel has no SA of {end}", partial(self._kernel_sas, end))

    def _kernel_sas(self, end: End) -> list[xfrm.KernelSa]:
        orphans = self.orphans if end is self.other else ()
        return [sa for sa in xfrm.sas(end.namespace) if sa.spi not in orphans]

    def common_ike(self) -> set[str]:
        """Phase 1 SAs that both have; a's where one of them does not tell the cookies."""
        a, b = self.a.ike(), self.b.ike()
        if self.a.names_cookies and self.b.names_cookies:
            return a & b
        return a if len(a) == len(b) else set()


def _in_step(play: Play, lost: int) -> bool:
    """Both ends have the same one SA pair and counted the same packets, but for those lost."""
    a, b = play.a.children(), play.b.children()
    return len(a) == len(b) == 1 and _arrives(a[0], b[0], lost) and _arrives(b[0], a[0], lost)


def _arrives(here: Child, there: Child, lost: int) -> bool:
    missing = here.packets_out - there.packets_in
    return here.spi_out == there.spi_in and 0 <= missing <= lost


def carries(play: Play, lost: int = 0) -> None:
    """Traffic both ways, counted alike by both ends, but for what was lost before."""
    play.until("both ends have the SA pair", lambda: play.a.children() and play.b.children())
    before = play.wire.esp()
    play.a.ping()
    play.b.ping()
    if (seen := play.wire.esp() - before) < 12:
        raise Failure(f"12 packets went through the tunnel, but only {seen} as ESP on the wire")
    try:
        play.until("both ends agree on their SAs and counters", lambda: _in_step(play, lost), 3)
    except Failure as failure:
        sides = f"a: {play.a.children()}, b: {play.b.children()}"
        raise Failure(f"{failure}; {sides}") from None


def _spis(end: End) -> set[int]:
    return {child.spi_in for child in end.children()}


def _traffic(play: Play) -> None:
    """Nothing more."""


def _renew_child(play: Play, act: Callable[[], None]) -> None:
    old_a, old_b = _spis(play.a), _spis(play.b)
    act()

    def renewed() -> bool:
        a, b = _spis(play.a), _spis(play.b)
        return bool(a and b) and not (a & old_a or b & old_b)

    play.until("both ends have a new SA pair only", renewed, 5 + play.actor.rekeys_within_s)


def _rekey_child(play: Play) -> None:
    _renew_child(play, play.actor.rekey_child)
    carries(play)


def _renew_ike(play: Play) -> None:
    old = play.common_ike()
    if len(old) != 1:
        raise Failure(f"phase 1 SAs differ: {play.a.ike()} and {play.b.ike()}")
    old_a, old_b = play.a.ike(), play.b.ike()
    play.actor.rekey_ike()

    def renewed() -> bool:
        # The old one may stay for a while: charon deletes it 10 s later.
        return bool(play.common_ike() - old and play.a.ike() - old_a and play.b.ike() - old_b)

    play.until("both ends have a new phase 1 SA", renewed, 5 + play.actor.rekeys_within_s)


def _rekey_ike(play: Play) -> None:
    _renew_ike(play)
    carries(play)


def _rekey_child_busy(play: Play) -> None:
    with Stream(play.a) as stream:
        _renew_child(play, play.actor.rekey_child)
        time.sleep(0.5)
        lost = stream.end(play.other.loses_by_haste)
    carries(play, lost)


def _rekey_ike_busy(play: Play) -> None:
    with Stream(play.a) as stream:
        _renew_ike(play)
        time.sleep(0.5)
        stream.end()
    carries(play)


def _reload_busy(play: Play) -> None:
    before = play.a.ike(), _spis(play.a)
    with Stream(play.a) as stream:
        time.sleep(0.5)
        play.actor.reload()
        time.sleep(2)
        stream.end()
    if (play.a.ike(), _spis(play.a)) != before:
        raise Failure("other SAs after reading the same configuration again")
    carries(play)


def _delete_child(play: Play) -> None:
    play.actor.delete_child()
    play.gone("the SA pair is gone from both ends", lambda: play.a.children() + play.b.children())
    if play.a.keeps_parents and play.b.keeps_parents and not play.common_ike():
        raise Failure("the phase 1 SA went with its child")
    play.no_kernel_sas(play.a, play.b)


def _delete_ike(play: Play) -> None:
    play.actor.delete_ike()
    play.gone("the phase 1 SA is gone from both ends", lambda: play.a.ike() | play.b.ike())
    play.gone(f"its children are gone from {play.other}", play.other.children)
    if play.actor.children_live_on:
        play.actor.delete_child()
    play.gone(f"its children are gone from {play.actor}", play.actor.children)
    play.no_kernel_sas(play.a, play.b)
    play.a.initiate()
    carries(play)


def _dead_peer(play: Play) -> None:
    time.sleep(_LIVELY_S)
    if not play.actor.ike():
        raise Failure(f"{play.actor} took its living peer for dead")
    play.other.kill()
    play.gone("its SAs with the dead peer are gone", lambda: play.actor.ike(), _NOTICED_S)
    play.gone("the children too", lambda: play.actor.children())
    play.no_kernel_sas(play.actor)


def _restarted(play: Play) -> None:
    """The peer's machine dies and is started again, while traffic goes on."""
    old = play.actor.ike()
    with Stream(play.actor):
        play.other.kill()
        if play.stack is Stack.KERNEL:
            # Its SAs would carry on without a daemon, and nobody would miss it.
            xfrm.flush(play.other.namespace)
        play.other.launch()
        play.other.ready()
        if play.actor is play.a and not play.a.begins_again:
            play.gone("its SAs with the dead peer are gone", lambda: play.a.ike() & old, _NOTICED_S)
        if play.other is play.a or not play.a.begins_again:
            play.a.initiate()
        play.until("both have a new phase 1 SA", lambda: play.common_ike() - old, _NOTICED_S)
    play.until("traffic flows both ways", lambda: play.a.reaches() and play.b.reaches(), _NOTICED_S)


def _killed(play: Play) -> None:
    """The peer's daemon dies alone: its kernel's SAs carry on, and it is missed in a silence."""
    old = play.actor.ike()
    with Stream(play.actor) as stream:
        play.other.kill()
        play.orphans = {sa.spi for sa in xfrm.sas(play.other.namespace)}
        time.sleep(_LIVELY_S)
        stream.end()
    if play.actor.ike() != old:
        raise Failure(f"{play.actor} took a peer for dead whose packets come")
    play.other.launch()
    play.other.ready()
    play.gone("its SAs with the dead peer are gone", lambda: play.actor.ike() & old, _NOTICED_S)
    play.a.initiate()
    play.until("both have a new phase 1 SA", lambda: play.common_ike() - old, _NOTICED_S)
    carries(play)


def _acquire(play: Play) -> None:
    """Traffic asks for the tunnel, and soon has it."""
    if play.a.ike() or play.a.children():
        raise Failure("there are SAs before there is traffic")

    play.until("a ping through the tunnel that it starts", play.a.reaches, _ACQUIRED_S)


def _bytes_soft(play: Play) -> None:
    with Stream(play.a, _EVERY_S, _OCTETS) as stream:
        _renew_child(play, lambda: None)
        lost = stream.end(play.other.loses_by_haste)
    carries(play, lost)


def _bytes_hard(play: Play) -> None:
    """With nobody to rekey with, the SA ends at its limit."""
    old = {child.spi_in for child in play.actor.children()}
    play.other.kill()
    with Stream(play.actor, _EVERY_S, _MANY_OCTETS):
        play.gone("the SA has ended", lambda: _spis(play.actor) & old, 20)
        left = partial(xfrm.sas, play.actor.namespace)
        play.gone("it is gone from the kernel", lambda: old & {sa.spi for sa in left()}, 3)


def _reauth(play: Play) -> None:
    """Both SAs anew, and never without: make before break."""
    old_ike, old = play.actor.ike(), _spis(play.actor)
    with Stream(play.a) as stream:
        within_s = 5 + SHORT_LIFE_S

        def renewed() -> bool:
            ends = (play.a, play.b)
            return all(len(end.ike()) == len(end.children()) == 1 for end in ends) and not (
                play.actor.ike() & old_ike or _spis(play.actor) & old
            )

        play.until("both ends have new SAs only", renewed, within_s)
        stream.end()
    carries(play)


def refused(play: Play) -> None:
    """They cannot agree, and isakmpd says why."""
    try:
        play.a.initiate()
    except Failure as failure:
        if "has not failed yet" in str(failure):
            raise
    else:
        raise Failure("they agreed")
    ours = next(end for end in (play.a, play.b) if isinstance(end, Isakmpd))
    wanted = play.scenario.refusal[0 if ours is play.a else 1]
    try:
        play.until(f"{ours} says {wanted!r}", lambda: wanted in ours.complaints(), 2)
    except Failure as failure:
        raise Failure(f"{failure}; it says {ours.complaints()}") from None
    if left := play.a.children() + play.b.children():
        raise Failure(f"there are child SAs: {left}")


def began(play: Play) -> None:
    """How the negotiation went, as the wire has it."""
    row, messages = play.scenario, play.wire.ike()
    seen = sum(message[18] == _IKE_SA_INIT for message in messages)
    if row.inits and seen != row.inits:
        raise Failure(f"{seen} messages of IKE_SA_INIT, not {row.inits}")
    cut = {bool(message[19] & _INITIATOR) for message in messages if message[16] == _SKF}
    if cut != {role is Role.INITIATOR for role in row.pieces}:
        raise Failure(f"pieces from the initiator: {cut}, expected from {row.pieces}")


def leave(play: Play) -> None:
    """a ends in peace; b hears of it and drops everything, then ends too."""
    if play.a.process and play.b.process:
        play.a.stop()
        left = play.a.vanished and not play.a.says_initial_contact
        within_s = _NOTICED_S if left else 10.0
        play.gone(f"{play.b} drops its SAs as {play.a} ends", lambda: play.b.ike(), within_s)
        play.gone("and their children", lambda: play.b.children())
        play.no_kernel_sas(play.a, play.b)
    play.a.stop()
    play.b.stop()


# What is done instead of a command to start, and what after the first traffic.
STARTS: dict[Act, Callable[[Play], None]] = {Act.ACQUIRE: _acquire}
ACTS: dict[Act, Callable[[Play], None]] = {
    Act.TRAFFIC: _traffic,
    Act.REKEY_CHILD: _rekey_child,
    Act.REKEY_IKE: _rekey_ike,
    Act.DELETE_CHILD: _delete_child,
    Act.DELETE_IKE: _delete_ike,
    Act.DEAD_PEER: _dead_peer,
    Act.RESTARTED: _restarted,
    Act.KILLED: _killed,
    Act.ACQUIRE: _traffic,
    Act.REKEY_CHILD_BUSY: _rekey_child_busy,
    Act.REKEY_IKE_BUSY: _rekey_ike_busy,
    Act.RELOAD_BUSY: _reload_busy,
    Act.BYTES_SOFT: _bytes_soft,
    Act.BYTES_HARD: _bytes_hard,
    Act.REAUTH: _reauth,
}
