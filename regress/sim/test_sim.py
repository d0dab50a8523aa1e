"""Some hundred seeds, and proof that the simulation sees bugs that are put in on purpose."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from isakmp.app.base import bundle_order
from isakmp.app.engine.embedded import Embedded
from isakmp.constants import isakmp
from isakmp.event.job import Job
from isakmp.exchange.engine import Engine
from isakmp.exchange.exchange import Exchange, ExchangeOf
from isakmp.exchange.script import Incoming, Wait
from isakmp.keeper.children import Children
from isakmp.keeper.flows import protecting
from isakmp.keeper.keeper import Keeper
from isakmp.keeper.places import Places
from isakmp.keeper.policies import Policies
from isakmp.policy.spd import Connection
from isakmp.sa import ChildSa, IsakmpSa
from isakmp.scripts.ikev1 import aggressive, quick_mode
from isakmp.scripts.ikev1.dialect import Ikev1
from isakmp.scripts.ikev1.message_ids import MessageIds
from isakmp.scripts.ikev1.quick import Quick
from isakmp.scripts.ikev2.dialect import Ikev2
from isakmp.window import Window
from regress.sim import play, storm
from regress.sim.play import Play, replay
from regress.sim.setting import HIDDEN, OUTSIDE, Setting
from regress.sim.world import Found

SEEDS = 120
AT_ONCE = 8


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_seeds(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        player = Play(seed)
        try:
            player.play()
        except Exception as error:
            lines = "\n".join(list(player.world.lines)[-60:])
            pytest.fail(f"{lines}\nseed {seed}: {error}\nagain: {replay(seed)}")


def test_a_seed_plays_the_same_again() -> None:
    def lines(seed: int) -> list[str]:
        player = Play(seed, level=30)
        player.play()
        return list(player.world.lines)

    assert lines(3) == lines(3) != lines(4)


def caught(seeds: int, *words: str) -> None:
    """One of some seeds must find the bug that is in, and say so in one of these words."""
    said = []
    for seed in range(seeds):
        try:
            Play(seed).play()
        except Found as found:
            if any(word in str(found) for word in words):
                return
            said.append(str(found))
        except Exception as error:
            said.append(repr(error))
    pytest.fail(f"{seeds} seeds did not see it; they said {said}")


def speaking(monkeypatch: pytest.MonkeyPatch, version: str, **changes: Any) -> None:
    """Every seed speaks that version alone."""
    draw = Setting.draw
    keywords: dict[str, Any] = {} if version == "ikev2" else {"ike": "", "esp": ""}

    def drawn(dice: Random) -> Setting:
        drawn = draw(dice)
        one, other = (replace(end, reauthenticate_s=0, **keywords) for end in drawn.ends)
        return replace(drawn, spoken=(version, version), ends=(one, other), **changes)

    monkeypatch.setattr(Setting, "draw", drawn)


def of_ikev2(monkeypatch: pytest.MonkeyPatch) -> None:
    """IKEv2, with short lifetimes."""
    speaking(monkeypatch, "ikev2", phase_1_s=40, phase_2_s=20)


def test_a_black_hole_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that was killed is back, and the number of its traffic goes with the child SA of its
    former life: policies have one that no SA has, and both ends say that all is well."""
    speaking(monkeypatch, "ikev2", phase_1_s=3600, phase_2_s=3600, both_start=False, part=True)
    monkeypatch.setattr(play, "FAULTS", ("crash",))
    established = Keeper.established

    def contact_first(keeper: Keeper, sa: IsakmpSa, brings: Connection | None = None) -> None:
        established(keeper, sa, brings)
        keeper.places.initial_contact(sa)

    def install(policies: Policies, child: ChildSa) -> None:
        flow = child.connection.name, child.selector
        policies.flows.put(flow, [
            spec._replace(reqid=policies.reqids.of(flow)) for spec in protecting(
                0, child.selector, child.path, child.protocols[0].chosen.encapsulation,
                bundle_order(p.chosen.protocol for p in child.protocols))
        ])  # fmt: skip

    def forget(policies: Policies, child: ChildSa) -> None:
        flow = child.connection.name, child.selector
        policies.flows.put(flow, [])
        if entry := policies.reqids._entries.pop(flow, None):
            del policies.reqids._numbers[entry.number]

    monkeypatch.setattr(Keeper, "established", contact_first)
    monkeypatch.setattr(Policies, "install", install)
    monkeypatch.setattr(Policies, "remove", forget)
    caught(8, "in a quiet world")


def test_a_responder_that_says_nothing_of_its_loss_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    speaking(monkeypatch, "ikev1", phase_1_s=40, phase_2_s=3600, exchange="AGGRESSIVE")
    monkeypatch.setattr(play, "FAULTS", ("crash",))
    monkeypatch.setattr(aggressive, "tell_twice", lambda *_: None)
    monkeypatch.setattr(Ikev1, "unknown_spi", lambda *_: None)
    caught(20, "in a quiet world", "pairs")


def losing_third_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """IKEv1 with a stack that says nothing of SPIs it does not have, as kernels'; of quick modes
    again and again all copies of the last message get lost."""
    speaking(monkeypatch, "ikev1", phase_1_s=3600, phase_2_s=3600)
    monkeypatch.setattr(play, "FAULTS", ("aim",))
    monkeypatch.setattr(storm, "AIMS", ((isakmp.Exchange.QUICK_MODE, "rekey"),))
    monkeypatch.setattr(Ikev1, "unknown_spi", lambda *_: None)


def test_lost_third_messages_leave_nothing_at_one_end(monkeypatch: pytest.MonkeyPatch) -> None:
    losing_third_messages(monkeypatch)
    for seed in range(20):
        Play(seed).play()


def test_a_quick_mode_that_is_given_up_in_silence_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    losing_third_messages(monkeypatch)
    monkeypatch.setattr(Ikev1, "withdraw", lambda *_: None)
    monkeypatch.setattr(Ikev1, "_given_up", lambda *_: None)
    monkeypatch.setattr(Children, "sends_alone", lambda *_: False)  # it would find out in time
    caught(20, "in a quiet world", "pairs", "one SAD only")


def roaming(monkeypatch: pytest.MonkeyPatch) -> None:
    """A NAT that moves one end of IKEv1, and long lives, so that nothing mends it by the way."""
    speaking(
        monkeypatch, "ikev1", phase_1_s=3600, phase_2_s=3600, both_start=False, part=False,
        addresses=HIDDEN, outside=OUTSIDE,
    )  # fmt: skip
    monkeypatch.setattr(play, "FAULTS", ("roam",))


@pytest.mark.parametrize("seed", range(8))
def test_who_roams_is_found(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    roaming(monkeypatch)
    Play(seed).play()


def test_a_child_sa_that_stays_where_its_peer_was_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    roaming(monkeypatch)
    monkeypatch.setattr(Places, "returned", lambda *_: None)
    monkeypatch.setattr(Keeper, "mapping", lambda *_: None)
    caught(8, "in a quiet world")


def test_a_lost_delete_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    speaking(monkeypatch, "ikev1")
    monkeypatch.setattr(Ikev1, "tell_deleted", lambda *_: Job.of(None))
    caught(3, "has deleted", "in one SAD only")


def test_a_reused_message_id_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    speaking(monkeypatch, "ikev1")
    monkeypatch.setattr(Ikev1, "message_id", lambda _, x: 1 if x.sa is not None else 0)
    caught(3, "used again")


def test_an_iv_that_a_refused_message_leaves_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    speaking(monkeypatch, "ikev1")
    run = Engine.run

    def careless(engine: Engine, exchange: Exchange, message: Incoming, data: bytes) -> None:
        if message.protected and exchange.sa is not None:
            exchange.protection = message.commit
        run(engine, exchange, message, data)

    monkeypatch.setattr(Engine, "run", careless)
    caught(20, "in the calm", "were lost")


def test_a_replay_that_is_carried_out_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    speaking(monkeypatch, "ikev1")
    monkeypatch.setattr(MessageIds, "use", lambda *_: None)
    caught(30, "carried out twice")


def test_keys_that_differ_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    speaking(monkeypatch, "ikev1")

    def own_value(x: ExchangeOf[Quick]) -> Wait:
        x.state.g_qm_xy = x.state.key_pair.public if x.state.key_pair else b""
        yield from ()

    monkeypatch.setattr(quick_mode, "_agree", own_value)
    caught(6, "disagree")


def test_an_sa_that_stays_in_the_sad_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Embedded, "delete_sa", lambda *_: Job.of(None))
    caught(3, "SAD and daemon differ")


def test_an_sa_that_is_never_replaced_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Children, "_supersede_child", lambda *_: None)
    caught(4, "pairs", "timers")


def test_a_lost_delete_of_ikev2_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    of_ikev2(monkeypatch)
    monkeypatch.setattr(Ikev2, "tell_deleted", lambda *_: Job.of(None))
    caught(4, "has deleted", "in one SAD only", "were lost", "pairs", "not the same")


def test_a_reused_message_id_of_ikev2_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    of_ikev2(monkeypatch)
    take = Window.take
    monkeypatch.setattr(Window, "take", lambda window: min(take(window), 3))
    caught(3, "serves for another")


def test_a_window_that_is_exceeded_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    of_ikev2(monkeypatch)
    monkeypatch.setattr(Ikev2, "may_begin", lambda *_: True)
    caught(20, "have no answer yet")
