"""The collisions of RFC 7296 2.25, and proof that the walk sees bugs that are put in on purpose."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.event.job import Job
from isakmp.keeper.children import Children
from isakmp.sa import State
from isakmp.scripts.ikev2 import rekey
from isakmp.scripts.ikev2.dialect import Ikev2
from isakmp.window import Window
from regress.sim.collisions import ACTIONS, SEEDS, Case, Run
from regress.sim.tree import Walk, go_on

REKEYS = Case("rekey-child", "rekey-child"), Case("rekey-ike", "rekey-ike")


@pytest.mark.parametrize("west", ACTIONS)
@pytest.mark.parametrize("east", ACTIONS)
def test_every_order(west: str, east: str) -> None:
    walked = Walk(Case(west, east), faults="").all()
    assert walked.paths > 5
    assert not walked.failures, walked.failures[0]


@pytest.mark.parametrize("case", REKEYS, ids=str)
def test_every_order_and_every_loss(case: Case) -> None:
    walked = Walk(case).all()
    assert walked.paths > 50
    assert not walked.failures, walked.failures[0]


@pytest.mark.parametrize("case", REKEYS, ids=str)
def test_a_larger_window(case: Case) -> None:
    walked = Walk(case._replace(window=2), faults="").all()
    assert not walked.failures, walked.failures[0]


@pytest.mark.parametrize("action", ["rekey-child", "rekey-ike"])
def test_either_end_wins(action: str) -> None:
    """The two seeds of every collision have the lowest nonce at either end."""
    winners = set()
    for seed in SEEDS:
        run = Run(Case(action, action, 1, seed), "")
        for choice in ("w", "e"):
            run.step(choice)
        while choices := go_on(run):
            run.step(choices[0])
        sas = run.west.daemon.sas
        live = sas.isakmp.values() if action == "rekey-ike" else sas.all_children()
        winners |= {sa.initiator for sa in live if sa.state is State.ESTABLISHED}
    assert winners == {True, False}


def test_a_path_is_the_same_again() -> None:
    states = []
    for _ in range(2):
        run = Run(REKEYS[0])
        for choice in ("w", "e", "1", "x0", "0"):
            go_on(run)
            run.step(choice)
        states.append(run.state)
    assert states[0] == states[1]


# --- bugs ------------------------------------------------------------------------------------


def caught(*words: str, cases: tuple[Case, ...] = REKEYS) -> None:
    """All of these must find the bug that is in, and say so in one of these words."""
    for case in cases:
        failures = Walk(case).all().failures
        assert failures, f"{case} did not see it"
        assert any(word in failures[0].what for word in words), failures[0]


def test_a_lost_delete_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ikev2, "tell_deleted", lambda *_: Job.of(None))
    cases = REKEYS[0], Case("down", "create-child")
    caught("does not take SA", "has [", cases=cases)


def test_a_reused_message_id_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    take = Window.take

    def again(window: Window) -> int:
        return min(take(window), 2)

    monkeypatch.setattr(Window, "take", again)
    caught("serves for another request")


def test_a_window_that_is_exceeded_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ikev2, "may_begin", lambda *_: True)
    sides = ("rekey-child", "down"), ("down", "rekey-child"), ("rekey-both", "rekey-ike")
    caught("have no answer yet", cases=tuple(Case(west, east) for west, east in sides))


def test_the_wrong_nonce_that_wins_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    decide = rekey._decide

    def wrong(heirs: Any) -> Any:
        winner, loser = decide(heirs)
        return (loser, winner) if loser is not None else (winner, None)

    monkeypatch.setattr(rekey, "_decide", wrong)
    caught("the lowest nonce has won")


def test_an_old_sa_that_is_never_deleted_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rekey, "_part", lambda *_: None)
    caught("has [", "not established", "IKE SAs are left")


def test_sending_too_early_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    rekeyed = Children.child_rekeyed

    def early(children: Children, old: Any, child: Any, specs: Any) -> None:
        rekeyed(children, old, child, specs)
        children.take_over(child)

    monkeypatch.setattr(Children, "child_rekeyed", early)
    caught("does not take SA", cases=REKEYS[:1])
