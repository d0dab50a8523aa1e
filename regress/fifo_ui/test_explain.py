"""Why attempts failed, as both ends of a pair explain it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fifo_ui import explain
from isakmp.log.log import stamp_of
from regress.pair import WEST, Gateway, Host, Network, both, connected, network_id, up
from regress.scripts.ikev2.pairs import SPOKEN, gateways, pair

WHO = "[who]\nID-type= FQDN\nName= {}.example\n"
CASES: dict[str, tuple[dict[str, Any], str, list[str], list[str]]] = {
    "proposals": (
        {"west": {"transforms": "AES-256-SHA2-256-GRP19"}, "seconds": 12.0},
        "proposals",
        ["* KE     ECP_256            CURVE25519", "[phase-1]:Transforms", "KE ECP_256, not"],
        ["NO_PROPOSAL_CHOSEN", "cannot mean: secrets and identities", "we offered: AES_CBC-256"],
    ),
    "secrets": (
        {"west": {"secret": "another"}},
        "authentication",
        ["identity 192.0.2.1", "[west]:Authentication", "to mend"],
        ["AUTHENTICATION_FAILED", "can mean: the secrets of both ends differ"],
    ),
    "selectors": (
        {"west": {"remote": "10.3.0.0/16"}, "seconds": 1.0},
        "selectors",
        ["* east-west local   10.3.0.0/16       10.2.0.0/16", "[east-west]"],
        ["TS_UNACCEPTABLE", "we offered: 10.1.0.0/16 === 10.3.0.0/16"],
    ),
    "one side": (
        {"west": {"local": "10.1.5.0/24", "remote": "10.3.0.0/16"}, "seconds": 1.0},
        "selectors",
        ["* east-west local   10.3.0.0/16       10.2.0.0/16",
         "\n      east-west remote  10.1.5.0/24       10.1.0.0/16"],
        ["TS_UNACCEPTABLE"],
    ),
    "esp": (
        {"west": {"suites": "QM-ESP-AES-256-SHA2-512-SUITE"}, "seconds": 1.0},
        "proposals",
        ["* ENCR   AES_CBC-256        AES_CBC-128", "[phase-2]:Suites"],
        ["NO_PROPOSAL_CHOSEN", "can mean: none of our ESP proposals"],
    ),
    "identities": (
        {"west": {"peer_tags": f"{SPOKEN}\nID= who", "more": WHO.format("west")},
         "east": {"peer_tags": f"{SPOKEN}\nRemote-ID= who", "more": WHO.format("other")}},
        "identities",
        ["FQDN west.example", "Remote-ID is FQDN other.example"],
        ["AUTHENTICATION_FAILED", "can mean: the peer expects another identity of us"],
    ),
}  # fmt: skip


def said(host: Host, peer: str | None = None) -> tuple[str, str]:
    """The topic of the last failure, and all that is told of it."""
    rows = explain.failures(host.outcomes, peer)[:1]
    return rows[0]["topic"], explain.text(rows, peer)


@pytest.mark.parametrize("case", CASES)
def test_both_ends_tell_what_kept_them_apart(case: str) -> None:
    changes, topic, theirs, ours = CASES[case]
    _, west, east = pair(**changes)
    told, text = said(east)
    assert told == topic
    for part in theirs:
        assert part in text
    told, text = said(west)
    assert told == "what the peer says"
    for part in ours:
        assert part in text
    assert "a secret of both" not in said(west)[1] + said(east)[1]


def test_a_stranger_that_no_configuration_knows() -> None:
    _, _, east = pair(east={"peer_address": "192.0.2.77"}, seconds=12)
    told, text = said(east, "192.0.2.1")
    assert told == "no configuration matches"
    assert "no peer is configured for 192.0.2.1" in text
    assert "add 192.0.2.1= to [Phase 1]" in text


def test_a_peer_that_is_configured_for_ikev1_alone() -> None:
    _, _, east = pair(east={"peer_tags": "Key-exchange= ikev1"}, seconds=12)
    told, text = said(east)
    assert told == "no configuration matches"
    assert "Key-exchange" in text


def test_ikev1_shows_for_every_transform_what_decided() -> None:
    tags = {"peer_tags": "Key-exchange= ikev1"}
    _, _, east = pair(
        west={"transforms": "AES-128-MD5-GRP2, AES-256-SHA2-512-GRP31", **tags},
        east={"transforms": "3DES-SHA-GRP14, AES-256-SHA2-256-GRP31", **tags},
        seconds=12,
    )
    told, text = said(east)
    assert told == "proposals"
    for line in (
        "                             the peer offered  we accept",
        "      ENCRYPTION_ALGORITHM   AES_CBC           AES_CBC",
        "    * HASH_ALGORITHM         SHA2_512          SHA2_256",
        "      GROUP_DESCRIPTION      CURVE25519        CURVE25519",
        "      KEY_LENGTH             256               256",
    ):
        assert f"\n{line}\n" in text
    assert text.count("* ") == 1
    assert "decided by:" in text and "[phase-1]:Transforms" in text
    plain = " ".join(text.split())
    came = "AES_CBC-128 MD5 MODP_1024 PRE_SHARED"
    for miss in (
        f"tried too: transform 1 ({came}) against AES-256-SHA2-256-GRP31: HASH_ALGORITHM MD5, not "
        "SHA2_256; GROUP_DESCRIPTION MODP_1024, not CURVE25519; KEY_LENGTH 128, not 256 tried too:",
        f"tried too: transform 1 ({came}) against 3DES-SHA-GRP14: ENCRYPTION_ALGORITHM AES_CBC, ",
        "tried too: transform 2 (AES_CBC-256 SHA2_512 CURVE25519 PRE_SHARED) against 3DES-SHA-GRP",
    ):
        assert miss in plain


def test_only_failures_of_the_one_asked_for() -> None:
    _, west, east = pair(west={"secret": "another"})
    assert explain.failures(east.outcomes, "nobody") == []
    assert explain.text([], "nobody") == "no attempt with nobody has failed\n"
    for name in ("west", "192.0.2.1", None):
        assert explain.failures(east.outcomes, name)
    assert explain.failures(west.outcomes, "west-east")


def test_a_stranger_has_no_name_but_its_address() -> None:
    row = {"when": 0.0, "exchange": "phase 1", "remote": "192.0.2.1", "topic": "the exchange"}
    for name, head in (
        ("192.0.2.1", "with 192.0.2.1, the"),
        ("west", "with 192.0.2.1 (west), the"),
    ):
        assert f"phase 1 {head} peer began\n" in explain.text([{**row, "name": name}], None)


def test_what_fails_alike_again_and_again_is_told_once() -> None:
    """Else five attempts of one kind leave no room for any other."""
    row = {"exchange": "quick mode", "name": "a-b", "remote": "192.0.2.1", "ok": False}
    same, other = {"cause": "no-connection", "detail": "x"}, {"cause": "timeout", "detail": "y"}
    rows = [{**row, "when": 1.0, "reason": other}]
    rows += [{**row, "when": 2.0 + i, "reason": same} for i in range(7)]
    first, second = explain.failures(rows, None)
    assert (first["when"], first["times"], first["reason"]) == (8.0, 7, same)
    assert (second["when"], second["times"]) == (1.0, 1)
    assert "the peer began, 7 times\n" in explain.text([first], None)


@pytest.mark.parametrize("pair_of", [gateways, both], ids=["ikev2", "ikev1"])
def test_what_is_up_again_is_said_to_be(pair_of: Callable[[], tuple[Gateway, Gateway]]) -> None:
    """An old failure reads as if nothing worked; since when it is up outlives a rekeying."""
    ours, theirs = pair_of()
    net, west, east = up(ours, replace(theirs, secret="another"), 10)

    def told(peer: str | None = None) -> list[dict[str, Any]]:
        status = west.daemon.status()
        tables = (status[name] for name in ("connections", "exchanges", "sas"))
        return explain.failures(status["outcomes"], peer, *tables)

    net.until(lambda: west.reasons())
    assert not [row for row in told() if "up_since" in row]
    net.kill(east)
    net.host(theirs, seed=2).daemon.start()
    net.until(lambda: connected(west), 200)
    since = net.wall
    net.run(30)
    west.daemon.rekey("west-east", "quick")
    net.run(70)
    rows = told("east")
    assert told(theirs.address) == rows, "by its address as well"
    assert rows and all(since - 0.25 <= row["up_since"] <= since for row in rows)
    stamp = stamp_of(rows[0]["up_since"])
    assert f"it is up again since {stamp}\n" in explain.text(rows, None)
    west.daemon.teardown("west-east", 2)
    net.run(3)
    assert not [row for row in told() if "up_since" in row]


def test_another_one_of_a_section_that_is_up_does_not_count() -> None:
    status = pair()[1].daemon.status()
    row = {"when": 0.0, "exchange": "main mode", "name": "west-east", "remote": "192.0.2.2"}
    for remote, found in (("192.0.2.2", True), ("192.0.2.9", False)):
        outcome = {**row, "remote": remote, "ok": False}
        (told,) = explain.failures([outcome], None, status["connections"], (), status["sas"])
        assert ("up_since" in told) is found


def test_an_attempt_that_is_refused_so_far_is_told_before_it_has_ended() -> None:
    """Anybody can have sent what does not fit, so a responder waits two minutes for better."""
    west, east = both()
    net = Network()
    hosts = net.host(replace(west, secret="one")), net.host(replace(east, secret="another"))
    net.start()
    net.run(5)
    status = hosts[1].daemon.status()
    assert not [row for row in status["outcomes"] if not row["ok"]]
    (row,) = explain.failures(status["outcomes"], None, (), status["exchanges"])
    text = explain.text([row], None)
    assert row["topic"] == "authentication"
    assert text.startswith("now, and not ended yet: main mode with 192.0.2.1 (west), the peer")
    assert "does not fit our pre-shared key" in text
    assert "[west]:Authentication" in text
    assert explain.failures(status["outcomes"], "other", (), status["exchanges"]) == []


@pytest.mark.parametrize("exchange", ["ID_PROT", "AGGRESSIVE"])
def test_what_is_refused_so_far_stands_behind_what_failed_later_once_it_is_up(
    exchange: str,
) -> None:
    """A responder waits long for better: by then the secret is mended, and the tunnel up."""
    west, east = both(exchange=exchange)
    net, far, near = up(replace(west, secret="one"), east)
    status = near.daemon.status()
    (pending,) = (row for row in status["exchanges"] if row["reason"])
    net.kill(far)
    anew = net.host(west, seed=2)
    anew.daemon.start()
    net.run(1)
    assert connected(near)
    status = near.daemon.status()
    assert [row["id"] for row in status["exchanges"] if row["reason"]] == [pending["id"]]
    row = {**pending, "ok": False, "when": pending["began"] + 2, "reason": {"cause": "timeout"}}
    tables = (status[name] for name in ("connections", "exchanges", "sas", "peers"))
    later, told = explain.failures([*status["outcomes"], row], None, *tables)
    assert (later["topic"], told["id"]) == ("no answer", pending["id"]) and "when" not in told
    (up_row,) = (row for row in status["connections"] if row["name"] == "east-west")
    assert told["up_since"] == up_row["up_since"] > told["began"]
    stamp, began = stamp_of(told["up_since"]), stamp_of(pending["began"])
    text = explain.text([told], None)
    assert text.startswith(f"{began}, and not ended yet: ")
    assert f"\n  it is up again since {stamp}\n" in text


def test_what_is_in_the_way_of_what_is_up_stays_first() -> None:
    """A rekeying that gets no answer: it is up, and may not be for long."""
    net, west, east = up()
    net.run(5)
    net.kill(east)
    west.daemon.rekey("west-east", "quick")
    net.run(2)
    (told,) = asked(west, None)
    assert told["topic"] == "no answer" and told["up_since"] < told["began"]
    text = explain.text([told], None)
    assert text.startswith("now, and not ended yet: ")
    assert "\n  it is up since " in text


SECOND = "west-more"


def two_of_one_peer(gateway: Gateway) -> str:
    """A configuration with a second connection of its peer."""
    own = f"[{gateway.connection}]\nPhase= 2\nISAKMP-peer= {gateway.peer}\n"
    text = gateway.text().replace(f"Connections= {gateway.connection}\n",
                                  f"Connections= {gateway.connection}, {SECOND}\n")  # fmt: skip
    more = network_id("near-more", "10.11.0.0/16") + network_id("far-more", "10.12.0.0/16")
    ids = "Configuration= phase-2\nLocal-ID= near-more\nRemote-ID= far-more\n"
    assert own in text
    return f"{text}\n[{SECOND}]\nPhase= 2\nISAKMP-peer= {gateway.peer}\n{ids}{more}"


def asked(host: Host, whom: str | None) -> list[dict[str, Any]]:
    """What `isakmpctl explain` finds."""
    status = host.daemon.status()
    tables = (status[name] for name in ("connections", "exchanges", "sas", "peers"))
    return explain.failures(status["outcomes"], whom, *tables)


def topics(host: Host, whom: str | None) -> list[str]:
    return [row["topic"] for row in asked(host, whom)]


PAIRS = pytest.mark.parametrize("pair_of", [gateways, both], ids=["ikev2", "ikev1"])


@PAIRS
@pytest.mark.parametrize("seconds", [4.0, 200.0], ids=["during", "after"])
def test_of_a_connection_is_what_fails_for_its_peer_as_a_whole(
    pair_of: Callable[[], tuple[Gateway, Gateway]], seconds: float
) -> None:
    """Phase 1 is every connection's, whichever it was begun for."""
    ours, theirs = pair_of()
    net = Network()
    west = net.add(ours.address, two_of_one_peer(ours))
    east = net.host(replace(theirs, secret="another"))
    net.start()
    net.run(seconds)
    for whom in (ours.connection, SECOND, ours.peer, theirs.address, None):
        assert "the peer" in "".join(topics(west, whom)), whom
        assert asked(west, whom) == asked(west, None)
    for whom in (theirs.connection, theirs.peer, ours.address):
        assert topics(east, whom)[0] == "authentication"
    assert asked(west, "another") == []


@PAIRS
def test_of_a_connection_is_not_what_fails_for_another_of_its_peer(
    pair_of: Callable[[], tuple[Gateway, Gateway]],
) -> None:
    """Nor where it came along with phase 1, as IKEv2 has it; of the peer is all of it."""
    ours, theirs = pair_of()
    ours = replace(ours, remote="10.66.0.0/16")
    net = Network()
    west = net.add(ours.address, two_of_one_peer(ours))
    net.host(theirs)
    net.start()
    net.run(4)
    for name in (ours.connection, SECOND):
        rows = asked(west, name)
        assert rows and {row["name"] for row in rows} == {name}
    assert {row["name"] for row in asked(west, ours.peer)} == {ours.connection, SECOND}


@PAIRS
def test_who_is_turned_away_at_a_peers_address_is_of_that_peer(
    pair_of: Callable[[], tuple[Gateway, Gateway]],
) -> None:
    """Before there is a name for it: the peer speaks a version that it is not configured for."""
    ours, theirs = pair_of()
    other = both() if pair_of is gateways else gateways()
    net = Network()
    net.host(ours)
    east = net.host(other[1])
    net.start()
    net.run(4)
    for whom in (theirs.connection, theirs.peer, ours.address):
        assert topics(east, whom) == ["no configuration matches"]
    assert asked(east, "192.0.2.99") == []


@PAIRS
def test_what_nobody_answers_is_told_with_its_mend(
    pair_of: Callable[[], tuple[Gateway, Gateway]],
) -> None:
    """By the connection, its peer and the address alike, once it has been repeated."""
    ours, _ = pair_of()
    net = Network()
    west = net.add(ours.address, two_of_one_peer(ours))
    net.start()
    net.run(0.5)
    assert asked(west, None) == []
    net.run(2)
    for whom in (ours.connection, SECOND, ours.peer, ours.peer_address, None):
        (row,) = asked(west, whom)
        assert row["topic"] == "no answer" and row["reason"]["cause"] == "timeout"
        text = explain.text([row], whom)
        assert text.startswith("now, and not ended yet: ")
        assert "no answer yet to message 1 of " in text and "repeated 1 time" in text
        assert "to mend: is the peer reachable on this address and port" in text


def test_what_there_is_no_way_to_begin_is_told_though_no_attempt_was_made() -> None:
    net = Network()
    text = WEST.text().replace(f"Local-address= {WEST.address}\n", "")
    west = net.add(WEST.address, text, source=lambda _: None)
    net.start()
    status = west.daemon.status()
    for name in (None, "west-east", "east"):
        rows = explain.failures([], name, status["connections"], peers=status["peers"])
        (told,) = rows
        assert told["topic"] == "the way to the peer"
        assert told["reason"]["mend"] == "add a route to 192.0.2.2"
        said = explain.text(rows, name)
        assert "now: the connection west-east is not up" in said
        assert "there is no route to 192.0.2.2" in said
