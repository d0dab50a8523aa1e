"""What of a value is likely no part of it: comments and quotes, and names that stand again."""

from __future__ import annotations

import pytest

from isakmp.conf.check import warnings
from isakmp.conf.remarks import likely_outside, listed_twice
from isakmp.conf.store import Conf
from regress.pair import WEST, Network

CONF = """[General]
Application= none
[Phase 1]
192.0.2.2= east
[Phase 2]
{lists}
[east]
Address= 192.0.2.2
Key-exchange= ikev2
Authentication= {secret}
[a]
ISAKMP-peer= east
Local-selectors= 10.1.0.0/16
Remote-selectors= 10.2.0.0/16
"""
GOOD = "b7f1e2c94d0a6385fe12ab90cd34ef5687610293"


def said(secret: str = GOOD, lists: str = "Connections= a") -> str:
    return "\n".join(warnings(Conf.from_text(CONF.format(secret=secret, lists=lists), "f")))


@pytest.mark.parametrize("tag", ["Authentication", "PPK", "Address", "Name"])
@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("secret ; mine", "the ; and what follows it"),
        ("secret # mine", "the # and what follows it"),
        ('"secret" ; mine', "the quotes and the ; and what follows it"),
        ("'secret'\t# mine", "the quotes and the # and what follows it"),
        ('"se;c ; ret"', "the quotes"),
        ("se;c#ret", ""),
        ('"se" cret', ""),
        ("it's", ""),
    ],
)
def test_what_is_taken_for_a_part(tag: str, value: str, found: str) -> None:
    told = likely_outside(tag, value)
    assert told.startswith(f"{found} belong to the ") if found else not told
    is_secret = tag in ("Authentication", "PPK")
    assert ("ecret'" in told or "mine" in told or "ret" in told.replace("secret", "")) is (
        bool(found) and not is_secret
    )


@pytest.mark.parametrize("behind", ["; mine", "# mine"])
def test_a_comment_behind_a_secret_is_told_wherever_it_is_set(behind: str) -> None:
    told = said(f"{GOOD} {behind}")
    assert (
        f"[east]:Authentication: the {behind[0]} and what follows it belong to the secret" in told
    )
    assert GOOD not in told and "belong" not in said()
    net = Network()
    west = net.host(WEST)
    net.start()
    transaction = west.daemon.conf.begin()
    transaction.set("east", "Authentication", f"{GOOD} {behind}", True)
    job = west.daemon.alter(transaction, True)
    net.run(1)
    assert any("belong to the secret" in line for line in job.result or [])


def test_what_is_listed_twice_is_told() -> None:
    assert listed_twice(["a", "B", "b", "c", "A"]) == ["a", "B"]
    assert "[Phase 2]:Connections: a is listed twice" in said(lists="Connections= a, a")
    both = said(lists="Connections= a\nPassive-connections= a")
    assert "[Phase 2]:Passive-connections: a is in Connections, too, and so it is started" in both
    assert "twice" not in both
