"""What --close-only has closed, and what it says of that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from isakmp.app.base import Action
from isakmp.conf.store import Conf
from isakmp.event.timer import Timers
from isakmp.keeper import closing
from isakmp.log.log import Log
from isakmp.policy.identity import no_interfaces
from regress.pair import EAST, WEST, Gateway, Recorder

EVERYBODY = replace(EAST, remote="0.0.0.0/0")
IN_ONE_FAMILY = (
    "Remote-selectors= 0.0.0.0/0, 2001:db8::/32\nLocal-selectors= 10.2.0.0/16, 2001:db8:1::/48"
)
UNTIL = "closed until isakmpd runs, or isakmpd --open"
OPEN = "not closed, as it is with everybody and passive: east-west"


def close(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> tuple[str, set[str]]:
    """What is said, and the far networks that are dropped."""
    timers = Timers(lambda: 0.0)
    app = Recorder(timers, bytes)
    monkeypatch.setattr(closing, "make_barrier", lambda *_, **__: app)
    log = Log(lambda: 0.0, lambda line: None)
    told = closing.close_network(Conf.from_text(gateway.text()), no_interfaces, timers, log)
    assert all(policy.action is Action.DISCARD for policy in app.policies)
    return str(told), {str(policy.selector.dst) for policy in app.policies}


@pytest.mark.parametrize(
    ("gateway", "said", "dropped"),
    [
        (WEST, f"1 connection is {UNTIL}", {"10.1.0.0/16", "10.2.0.0/16"}),
        (EVERYBODY, f"0 connections are {UNTIL}; {OPEN}", set()),
        (
            replace(EVERYBODY, peer_tags="Key-exchange= ikev2", connection_tags=IN_ONE_FAMILY),
            f"1 connection is {UNTIL}; {OPEN}",
            {"2001:db8::/32", "2001:db8:1::/48"},
        ),
        (
            replace(EVERYBODY, suites="QM-NOTHING-SUITE"),
            f"0 connections are {UNTIL}; {OPEN}",
            set(),
        ),
        (
            replace(WEST, remote="0.0.0.0/0"),
            f"1 connection is {UNTIL}",
            {"10.1.0.0/16", "0.0.0.0/0"},
        ),
    ],
    ids=["a network", "everybody", "everybody in one family", "left out", "active"],
)  # fmt: skip
def test_only_what_is_dropped_is_counted(
    gateway: Gateway, said: str, dropped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A passive connection with everybody was counted as closed, and is not."""
    assert close(gateway, monkeypatch) == (said, dropped)
