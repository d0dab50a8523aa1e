"""Message IDs: every request is taken once, and whoever lacks an answer can have it again."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.errors import IsakmpError
from isakmp.window import LAST_ID, SIZE_MAX, Judgement, Window

NEW, REPEATED, OLD, AHEAD = Judgement.NEW, Judgement.REPEATED, Judgement.OLD, Judgement.AHEAD


def mark(number: int) -> bytes:
    return b"request %d" % number


def reply(number: int) -> tuple[bytes, ...]:
    return b"answer %d" % number, b"its second piece"


# --- ours ------------------------------------------------------------------------------------


def test_one_request_at_a_time_until_the_peer_says_more() -> None:
    window = Window()
    assert window.room()
    assert window.take() == 0
    assert not window.room()
    window.resize_out(3)
    assert [window.room() and window.take() for _ in range(2)] == [1, 2]
    assert not window.room()
    window.done(1)
    assert not window.room(), "the window begins at the oldest request"
    window.done(0)
    assert [window.room() and window.take() for _ in range(2)] == [3, 4]
    assert not window.room()


def test_the_windows_only_grow_and_are_bounded() -> None:
    window = Window(1000)
    assert window.size_in == SIZE_MAX
    assert Window(0).size_in == 1
    for said, size in ((0, 1), (4, 4), (2, 4), (2**32 - 1, SIZE_MAX), (1, SIZE_MAX)):
        window.resize_out(said)
        assert window.size_out == size


def test_what_was_done_may_be_done_again() -> None:
    window = Window()
    window.done(window.take())
    window.done(0)
    window.done(77)
    assert (window.room(), window.take()) == (True, 1)


def test_the_message_ids_end() -> None:
    window = Window()
    window.next_out = LAST_ID
    assert window.take() == LAST_ID
    window.done(LAST_ID)
    with pytest.raises(IsakmpError, match="rekeyed"):
        window.take()


@given(st.lists(st.integers(0, 12)), st.integers(1, 5))
def test_never_more_of_ours_than_the_peer_takes(answers: list[int], size: int) -> None:
    window, sent = Window(), []
    window.resize_out(size)
    for number in answers:
        while window.room():
            sent.append(window.take())
        assert max(window.outstanding) - min(window.outstanding) < size
        window.done(number)
    assert sent == list(range(len(sent)))


# --- the peer's: every sequence against a model ----------------------------------------------


@dataclass
class Model:
    """What the window should know, said as plainly as possible."""

    size: int
    begun: frozenset[int] = frozenset()
    kept: tuple[int, ...] = ()

    def lowest(self) -> int:
        return next(n for n in range(len(self.begun) + 1) if n not in self.begun)

    def judge(self, number: int) -> Judgement:
        if number >= self.lowest() + self.size:
            return AHEAD
        if number not in self.begun:
            return NEW
        near = number >= self.lowest() - self.size
        return REPEATED if near or number in self.kept else OLD

    def begin(self, number: int) -> Model:
        return Model(self.size, self.begun | {number}, self.kept)

    def answer(self, number: int) -> Model:
        kept = sorted({*self.kept, number})[-self.size :]
        return Model(self.size, self.begun, tuple(kept))


History = tuple[tuple[str, int], ...]


def replayed(size: int, history: History) -> Window:
    window = Window(size)
    for verb, number in history:
        if verb == "begin":
            window.begin(number)
        else:
            window.answer(number, mark(number), reply(number))
    return window


@pytest.mark.parametrize("size", [1, 2, 3])
def test_every_sequence_is_judged_as_the_model_does(size: int) -> None:
    """Every order of beginning and answering six requests, as far as the window allows it."""
    last = 6
    seen: set[tuple[frozenset[int], frozenset[int], tuple[int, ...]]] = set()
    queue: list[tuple[Model, frozenset[int], History]] = [(Model(size), frozenset(), ())]
    while queue:
        model, done, history = queue.pop()
        state = model.begun, done, model.kept
        if state in seen:
            continue
        seen.add(state)
        window = replayed(size, history)
        for number in range(last + size + 2):
            assert window.judge(number) is model.judge(number), (history, number)
            expected = reply(number) if number in model.kept else ()
            assert window.answered(number, mark(number)) == expected
        for number in range(last):
            if model.judge(number) is NEW:
                queue.append((model.begin(number), done, (*history, ("begin", number))))
            if number in model.begun - done:
                queue.append((model.answer(number), done | {number},
                              (*history, ("answer", number))))  # fmt: skip
    assert len(seen) > 2**last // 2


@dataclass
class Peer:
    """A peer that keeps to our window and repeats what has no answer, over a bad network."""

    size: int
    next: int = 0
    unanswered: set[int] = field(default_factory=set)

    def may_send(self) -> list[int]:
        begin = min(self.unanswered, default=self.next)
        return sorted(self.unanswered) + [self.next] * (self.next < begin + self.size)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.booleans(), st.booleans()),
             max_size=80),
)  # fmt: skip
def test_a_peer_gets_every_answer_and_nothing_runs_twice(
    size: int, moves: list[tuple[int, bool, bool, bool]]
) -> None:
    window, peer = Window(size), Peer(size)
    executed: list[int] = []
    running: list[int] = []

    def exchange(number: int, arrives: bool, at_once: bool, returns: bool) -> None:
        peer.unanswered.add(number)
        peer.next = max(peer.next, number + 1)
        if not arrives:
            return
        judgement = window.judge(number)
        assert judgement in (NEW, REPEATED)
        if judgement is NEW:
            window.begin(number)
            executed.append(number)
            running.append(number)
        if at_once:
            for waiting in running:
                window.answer(waiting, mark(waiting), reply(waiting))
            running.clear()
        answer = window.answered(number, mark(number))
        assert answer == (() if number in running else reply(number))
        if answer and returns:
            peer.unanswered.discard(number)

    for choice, arrives, at_once, returns in moves:
        sendable = peer.may_send()
        exchange(sendable[choice % len(sendable)], arrives, at_once, returns)
        assert len(window._answers) <= size
        assert len(window._begun) < size
    for number in sorted(peer.unanswered):
        exchange(number, True, True, True)
    assert not peer.unanswered
    assert sorted(executed) == list(range(peer.next))


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 4), st.lists(st.integers(0, 40) | st.integers(LAST_ID - 4, LAST_ID)))
def test_a_peer_that_keeps_to_nothing_makes_nothing_grow(size: int, numbers: list[int]) -> None:
    window, executed = Window(size), set()
    for number in numbers:
        if window.judge(number) is NEW:
            assert number not in executed
            executed.add(number)
            window.begin(number)
            window.answer(number, mark(number), reply(number))
        assert len(window._answers) <= size
        assert len(window._begun) < size


def test_another_message_of_the_same_id_is_told_apart() -> None:
    window = Window()
    window.begin(0)
    assert window.answered(0, mark(0)) == ()
    window.answer(0, mark(0), reply(0))
    assert window.judge(0) is REPEATED
    assert window.answered(0, mark(0)) == reply(0)
    assert window.answered(0, mark(1)) is None
    window.answer_to(0, mark(1))
    assert (window.answered(0, mark(1)), window.answered(0, mark(0))) == (reply(0), None)


def test_the_last_answer_is_kept_while_the_next_request_runs() -> None:
    window = Window()
    window.begin(0)
    window.answer(0, mark(0), reply(0))
    window.begin(1)
    assert [window.judge(number) for number in range(4)] == [REPEATED, REPEATED, NEW, AHEAD]
    assert window.answered(0, mark(0)) == reply(0)
    window.answer(1, mark(1), reply(1))
    assert [window.judge(number) for number in range(4)] == [OLD, REPEATED, NEW, AHEAD]
    assert window.answered(0, mark(0)) == ()
