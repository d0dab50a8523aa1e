"""IKE_SA_INIT: groups, cookies, versions, and proposals without anything in common."""

from __future__ import annotations

from typing import Any

from regress.scripts.ikev2.pairs import AUTH, INIT, kinds, only_reason, pair, up

GROUPS: dict[str, Any] = {
    "west": {"transforms": "AES-256-SHA2-256-GRP19,AES-256-SHA2-256-GRP31"},
    "east": {"transforms": "AES-256-SHA2-256-GRP31"},
}


def test_a_group_that_the_responder_lacks_is_asked_for_anew() -> None:
    net, west, east = pair(**GROUPS)
    up(west, east)
    assert kinds(net.history) == INIT * 2 + AUTH
    assert not west.reasons() + east.reasons()


def test_under_load_a_cookie_is_asked_for_and_nothing_is_kept() -> None:
    net, west, east = pair(general="Cookie-threshold= 0")
    up(west, east)
    assert kinds(net.history) == INIT * 2 + AUTH
    assert east.daemon.engine.counters["cookies"] == 1


def test_a_cookie_and_then_another_group() -> None:
    """RFC 7296 2.6.1 and 2.7."""
    net, west, east = pair(general="Cookie-threshold= 0", **GROUPS)
    up(west, east)
    assert kinds(net.history) == INIT * 3 + AUTH


def test_no_proposal_in_common() -> None:
    _, west, east = pair(
        west={"transforms": "AES-256-SHA2-256-GRP19"},
        east={"transforms": "AES-256-SHA2-256-GRP31"},
        seconds=12,
    )
    theirs, ours = only_reason(east), only_reason(west)
    assert theirs["cause"] == "no-proposal-chosen"
    assert theirs["misses"] == [
        "proposal 1 against AES-256-SHA2-256-GRP31: KE ECP_256, not CURVE25519",
    ]
    assert "Transforms" in theirs["line"]
    assert (ours["cause"], ours["came"]) == ("peer-refused", "NO_PROPOSAL_CHOSEN")
    assert not west.daemon.engine.exchanges
    assert not east.daemon.engine.half_open


def test_a_peer_that_does_not_speak_our_version() -> None:
    _, west, east = pair(east={"peer_tags": "Key-exchange= ikev1"}, seconds=12)
    assert "Key-exchange" in east.outcomes[0]["reason"]["mend"]
    assert "Key-exchange" in west.outcomes[0]["reason"]["mend"], "it cannot know of more"
