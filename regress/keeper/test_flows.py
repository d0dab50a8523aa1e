"""The policies of connections: whose claim stands, and that no moment is without one."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from isakmp.app.base import Action, Direction, PolicySpec
from isakmp.app.none import Nothing
from isakmp.conf.store import Conf
from isakmp.errors import ApplicationError
from isakmp.event.job import Job
from isakmp.event.timer import Timers
from isakmp.keeper.flows import Flows, fixed, kept_back, unnegotiated, whole_family
from isakmp.log.log import Log
from isakmp.policy.spd import Selector

ONE, TWO = (Selector.of("10.1.0.0/16", f"10.{n}.0.0/16") for n in (2, 3))
OUT = Direction.OUT
ALL = Selector.of("10.1.0.0/16", "0.0.0.0/0")


class App(Nothing):
    """Notes what it is told. refuses: whether it fails."""

    def __init__(self) -> None:
        super().__init__(Timers(lambda: 0.0), Random(1).randbytes)
        self.told: list[tuple[str, PolicySpec]] = []
        self.refuses = False

    def add_policy(self, policy: PolicySpec) -> Job[int]:
        self.told.append(("add", policy))
        return Job.failed(ApplicationError("is full")) if self.refuses else Job.of(1)

    def delete_policy(self, policy: PolicySpec) -> Job[None]:
        self.told.append(("delete", policy))
        return Job.of(None)

    def news(self) -> list[tuple[str, PolicySpec]]:
        """What was told since this was asked last."""
        told, self.told = self.told, []
        return told


def spec(action: Action, selector: Selector = ONE, reqid: int = 0) -> PolicySpec:
    return PolicySpec(OUT, selector, action, reqid=reqid)


DROP, PASS = spec(Action.DISCARD), spec(Action.BYPASS)
PROTECT, OTHER = spec(Action.IPSEC, reqid=1), spec(Action.IPSEC, reqid=2)


def made() -> tuple[App, Flows, list[str]]:
    app, lines = App(), list[str]()
    return app, Flows(app, Log(lambda: 0.0, lines.append)), lines


def test_a_stronger_claim_covers_and_its_end_uncovers() -> None:
    app, flows, _ = made()
    flows.put(("net", None), [DROP])
    flows.put(("net", ONE), [PROTECT])
    assert app.news() == [("add", DROP), ("add", PROTECT)]
    flows.put(("net", ONE), [])
    assert app.news() == [("add", DROP)], "replaced where it stands, never deleted first"
    flows.put(("net", None), [])
    assert app.news() == [("delete", DROP)]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("weaker", "stronger"), [(DROP, PROTECT), (PROTECT, PASS), (DROP, PASS)])
def test_which_claim_stands_whatever_came_first(
    weaker: PolicySpec, stronger: PolicySpec, turned: bool
) -> None:
    app, flows, _ = made()
    claims = [(("weak", None), weaker), (("strong", None), stronger)]
    for owner, claim in reversed(claims) if turned else claims:
        flows.put(owner, [claim])
    flows.reinstall()
    assert app.news()[-1] == ("add", stronger)


def test_a_child_sa_stands_before_its_connection_and_the_latest_of_what_is_alike() -> None:
    app, flows, _ = made()
    flows.put(("net", ONE), [PROTECT])
    flows.put(("net", None), [OTHER])
    assert app.news() == [("add", PROTECT)]
    flows.put(("another", ONE), [OTHER])
    assert app.news() == [("add", OTHER)]


def test_the_same_again_costs_nothing() -> None:
    app, flows, _ = made()
    flows.put(("net", None), [DROP])
    app.news()
    flows.put(("net", None), [DROP])
    flows.put(("nobody", None), [])
    assert app.news() == [] and flows.has(("net", None)) and not flows.has(("nobody", None))


def test_what_comes_is_told_before_what_goes() -> None:
    app, flows, _ = made()
    flows.put(("net", None), [DROP])
    app.news()
    with flows.together():
        flows.put(("net", None), [])
        flows.put(("more", None), [spec(Action.DISCARD, TWO)])
        assert app.news() == [], "nothing before the end"
    assert app.news() == [("add", spec(Action.DISCARD, TWO)), ("delete", DROP)]


def test_a_connection_that_is_dropped_claims_nothing_any_more() -> None:
    app, flows, _ = made()
    flows.put(("net", None), [DROP])
    flows.put(("net", ONE), [PROTECT])
    flows.put(("more", None), [spec(Action.DISCARD, TWO)])
    app.news()
    flows.drop("net")
    assert app.news() == [("delete", PROTECT)]
    assert not flows.has(("net", ONE)) and not flows.has(("net", None))
    assert flows.has(("more", None))


class Unlisted(dict[Any, Any]):
    """A table that is looked up in alone."""

    def __iter__(self) -> Any:
        raise AssertionError("everybody's claims were looked through")


def test_a_connection_that_is_dropped_costs_no_look_at_those_of_others() -> None:
    _, flows, _ = made()
    for owner in (("a", None), ("a", ONE), ("b", None)):
        flows.put(owner, [DROP])
    flows._owned = Unlisted(flows._owned)
    flows.drop("a")
    assert [flows.has(owner) for owner in (("a", None), ("a", ONE), ("b", None))] == [0, 0, 1]
    flows.drop("a")


def test_at_the_end_what_was_protected_is_dropped() -> None:
    app, flows, _ = made()
    flows.put(("net", ONE), [PROTECT])
    flows.put(("clear", None), [spec(Action.BYPASS, TWO)])
    app.news()
    flows.block()
    assert app.news() == [("add", DROP)], "what goes in clear goes on"
    flows.put(("net", ONE), [])
    assert app.news() == [], "nothing that ends after this opens it again"


def test_a_policy_that_is_refused_is_told_of() -> None:
    app, flows, lines = made()
    app.refuses = True
    flows.put(("net", None), [DROP])
    assert "net" in lines[0] and "is full" in lines[0]


def test_fixed_policies_are_for_both_ways() -> None:
    assert fixed([ONE]) == [
        PolicySpec(OUT, ONE, Action.DISCARD),
        PolicySpec(Direction.IN, ONE.reversed(), Action.DISCARD),
    ]


@pytest.mark.parametrize(
    ("selector", "whole"), [(ONE, False), (ALL, True), (Selector.of("fd00::/8", "::/0"), True)]
)
def test_a_passive_connection_with_everybody_cuts_nobody_off(
    selector: Selector, whole: bool
) -> None:
    assert whole_family(selector) is whole
    assert kept_back([selector], passive=False) == [selector]
    assert kept_back([selector], passive=True) == ([] if whole else [selector])


def test_what_cannot_be_negotiated_is_dropped_and_what_is_to_go_in_clear_passes() -> None:
    catalog: Any = SimpleNamespace(
        conf=Conf.from_text("[Phase 2]\nPassive-connections= answered\n"),
        closed={"broken": (ALL,), "answered": (ALL, ONE)}, bypass={"lan": (TWO,)},
    )  # fmt: skip
    found = dict(unnegotiated(catalog))

    def actions(name: str) -> list[tuple[Selector, Action]]:
        return [(one.selector, one.action) for one in found[name] if one.direction is OUT]

    assert actions("broken") == [(ALL, Action.DISCARD)]
    assert actions("answered") == [(ONE, Action.DISCARD)]
    assert actions("Bypass lan") == [(TWO, Action.BYPASS)]
