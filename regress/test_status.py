"""What a daemon says of itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from fifo_ui import explain, render
from isakmp import status as module
from isakmp.app.base import Direction
from isakmp.causes import EXPECTED
from isakmp.conf.store import Conf
from isakmp.errors import Reason, Refused
from regress.pair import EAST, WEST, Gateway, Network, both, up
from regress.scripts.ikev2.pairs import gateways, pair


def test_the_status_is_ready_for_json() -> None:
    net, west, _ = up(replace(WEST, general="DPD-check-interval= 20"), EAST)
    net.lose = lambda packet: True
    west.daemon.teardown_all()
    west.daemon.connect("west-east")
    net.run(1)
    status = west.daemon.status()
    assert json.loads(json.dumps(status)) == status
    assert set(status) >= {
        "sas", "exchanges", "connections", "peers", "transports", "timers", "outcomes"
    }  # fmt: skip
    (running,) = [x for x in status["exchanges"] if x["exchange"] == "quick mode"]
    assert (running["name"], running["initiator"], running["step"]) == ("west-east", True, 1)
    assert {t["name"] for t in status["timers"]} >= {"retransmit", "exchange end", "DPD"}
    assert all(o["when"] >= 1_700_000_000 for o in status["outcomes"])
    (peer,) = status["peers"]
    assert peer["address"] == "192.0.2.2"


def documented(phase: int) -> set[str]:
    """The members of a row of ``sas`` by the manual."""
    manual = Path(__file__).resolve().parents[1] / "docs" / "isakmpctl.8.md"
    told = manual.read_text(encoding="utf-8").partition("A row of `sas` with")[2]
    first, _, second = told.partition("Every row")[0].partition("with `phase` 2")
    return {*re.findall(r"`(\w+)`", first if phase == 1 else second), "phase"}


@pytest.mark.parametrize("phase", [1, 2])
def test_sas_of_both_versions_have_the_members_of_the_manual(phase: int) -> None:
    for version in (1, 2):
        _, west, _ = up(*both()) if version == 1 else pair()
        (row,) = west.rows(phase)
        assert set(row) == documented(phase)
        assert all(row[name] for name in ("local", "remote", "encryption", "state"))
        if phase == 2:
            assert (row["local_selectors"], row["remote_selectors"]) == (
                ["10.1.0.0/16"], ["10.2.0.0/16"],
            )  # fmt: skip


def test_a_connection_shows_all_the_traffic_that_it_may_have() -> None:
    tags = "Local-selectors= 10.1.0.0/16, 10.3.0.0/24[tcp/80]\nRemote-selectors= 10.2.0.0/16"
    _, west, _ = pair(west={"connection_tags": tags})
    (row,) = west.daemon.status()["connections"]
    assert row["local_selectors"] == ["10.1.0.0/16", "10.3.0.0/24[tcp/80]"]
    assert row["remote_selectors"] == ["10.2.0.0/16"]
    _, west, _ = up(*both())
    (row,) = west.daemon.status()["connections"]
    assert (row["local_selectors"], row["remote_selectors"]) == (["10.1.0.0/16"], ["10.2.0.0/16"])


@pytest.mark.parametrize("version", [1, 2])
def test_a_connection_says_what_it_is_agreed_on_where_that_is_less(version: int) -> None:
    """At both ends."""
    west, east = gateways() if version == 2 else both()
    if version == 2:  # the peer narrows what we ask for
        hosts = up(west, replace(east, remote="10.1.0.0/24"))[1:]
    else:  # the peer asks for less
        hosts = up(replace(west, local="10.1.0.0/24"), east)[:0:-1]
    row, other = (host.daemon.status()["connections"][0] for host in hosts)
    ends = ["10.1.0.0/24 === 10.2.0.0/16", "10.2.0.0/16 === 10.1.0.0/24"]
    assert row["agreed"] == [ends[version - 2]]
    assert other["agreed"] == []
    assert f"note no more is agreed on than {row['agreed'][0]}" in render.connections([row])
    assert "agreed" not in render.connections([other]).lower()


def test_what_we_have_asked_for_ourselves_is_not_said_of_the_peer() -> None:
    """A part of a connection, as its packet waited."""
    west, east = gateways()
    _, host, _ = up(west, replace(east, remote="10.1.0.0/24"))
    (entry,) = host.daemon.connections.entries.values()
    assert host.daemon.status()["connections"][0]["less"]["cause"] == "narrowed"
    entry.less = None
    (row,) = host.daemon.status()["connections"]
    assert row["agreed"] and row["less"] is None


FIRST = "Local-selectors= 10.1.0.0/16\nRemote-selectors= 10.2.0.0/16, 10.5.0.0/16"


@pytest.mark.parametrize("version", [1, 2])
def test_why_there_is_less_is_said_whoever_began(version: int) -> None:
    """In the connection's row, and by explain, though no attempt has failed."""
    west, east = gateways() if version == 2 else both()
    if version == 2:  # the peer begins, and asks for less
        west = replace(west, remote="10.2.0.0/15", general="Acquire-Only= yes")
        hosts = up(west, replace(east, passive=False))[1:]
    else:  # RFC 2409 5.5: a quick mode is for one pair
        hosts = up(replace(west, connection_tags=FIRST), east)[1:]
    status = hosts[0].daemon.status()
    (row,), why = status["connections"], status["connections"][0]["less"]
    assert (why["cause"], why["came"]) == ("narrowed", "10.1.0.0/16 === 10.2.0.0/16")
    assert why["acceptable"].endswith(" === " + ", ".join(row["remote_selectors"]))
    assert why["line"].endswith("[west-east]") and "ikev2" in why["mend"] or version == 2
    assert not hosts[0].reasons()
    told = explain.failures(status["outcomes"], "west-east", status["connections"])
    text = explain.text(told, "west-east")
    assert text.startswith("now: the connection west-east is up in part\n  selectors: ")
    assert " ".join(why["detail"].split()) in " ".join(text.split())
    assert hosts[1].daemon.status()["connections"][0]["less"] is None


GONE = Reason("stack-gone", "the IPsec stack is gone: it was killed", mend="start the engine")


def test_nothing_is_up_without_its_ipsec_stack() -> None:
    """Every command said that all was well, and only the log knew better."""
    net, west, _ = pair()
    west.daemon.gone(GONE)
    assert "INTERNAL_ERR   the IPsec stack is gone: it was killed; mend: start" in west.lines[-1]
    status = west.daemon.status()
    (connection,), (ike, child) = status["connections"], status["sas"]
    assert [row["state"] for row in (connection, child)] == ["no stack"] * 2
    assert connection["reason"] == child["reason"] == GONE.to_dict()
    assert (ike["state"], connection["up_since"]) == ("established", None)
    for table in (render.connections([connection]), render.sas(status["sas"])):
        assert "the IPsec stack is gone: it was killed" in table and "start the engine" in table
    (told,) = explain.failures(status["outcomes"], "west-east", status["connections"])
    text = explain.text([told], None)
    assert text.startswith("now: nothing passes, of any connection\n  the IPsec stack: ")
    assert "to mend: start the engine" in text
    with pytest.raises(Refused, match="start the engine"):
        west.daemon.connect("west-east")
    west.daemon.restarted()
    net.run(5)
    status = west.daemon.status()
    assert [row["state"] for row in status["connections"] + status["sas"]] == [
        "up", "established", "established"
    ]  # fmt: skip
    assert explain.failures(status["outcomes"], None, status["connections"]) == []


def test_it_is_told_once_that_there_is_no_ipsec_stack() -> None:
    """However many connections have none."""
    _, west, _ = pair()
    west.daemon.gone(GONE)
    connection, *_ = west.daemon.status()["connections"]
    second = {**connection, "name": "second"}
    for asked in (None, "west-east", EAST.address):
        (row,) = explain.failures([], asked, [second, connection])
        assert (row["name"] == "west-east") is (asked == "west-east")


def test_a_connection_that_is_left_out_is_shown_and_explained_with_its_line() -> None:
    """Its traffic is dropped: it must not read as if there were none, and none had failed."""
    _, west, _ = up(replace(WEST, connection_tags="ESP-proposals= sha3"), EAST)
    status = west.daemon.status()
    (row,) = status["connections"]
    assert (row["name"], row["peer"], row["state"]) == ("west-east", WEST.peer, "left out")
    assert row["reason"]["line"].endswith("[west-east]:ESP-proposals")
    (told,) = explain.failures(status["outcomes"], "west-east", status["connections"])
    text = explain.text([told], None)
    assert "the connection west-east is left out" in text
    assert "[west-east]:ESP-proposals" in text
    assert "its traffic: dropped\n" in text
    assert explain.failures(status["outcomes"], "another", status["connections"]) == []


def test_what_a_change_at_run_time_spoils_is_not_mended_in_the_file() -> None:
    """The checker finds nothing wrong there."""
    _, west, _ = up(WEST, EAST)
    change = west.daemon.conf.begin()
    change.add("Phase 2", "Connections", "nothing")
    change.set("nothing", "Phase", "2")
    west.daemon.conf.become(change.draft())
    west.done(west.daemon.changes.do(west.daemon._reinitialise))
    row = next(x for x in west.daemon.status()["connections"] if x["name"] == "nothing")
    mend = row["reason"]["mend"]
    assert mend.startswith("what counts was changed at run time: mend it with isakmpctl conf")


def test_a_bypass_that_is_left_out_is_shown_and_explained_with_its_line() -> None:
    """What it was to let pass does not pass: nobody should have to look in the log for why."""
    text = WEST.text().replace("[Phase 2]", "[Phase 2]\nBypass= lan, dns")
    text += "[lan]\nRemote-selector= 10.2.3.0/24\n[dns]\nRemote-selectors= 10.2.0.53\n"
    net = Network()
    west = net.add(WEST.address, text)
    net.start()
    status = west.daemon.status()
    _, row = status["connections"]
    assert (row["name"], row["state"], row["bypass"]) == ("lan", "left out", True)
    assert row["fate"].startswith("as without the bypass")
    assert row["reason"]["line"].endswith("[lan]:Remote-selector")
    (told,) = explain.failures(status["outcomes"], "lan", status["connections"])
    text = explain.text([told], None)
    assert "the bypass lan is left out for an error" in text
    assert "its traffic: as without the bypass" in text


def test_a_connection_whose_traffic_cannot_be_read_is_not_said_to_be_dropped() -> None:
    text = re.sub("Remote-ID= .*\n", "", WEST.text())
    net = Network()
    west = net.add(WEST.address, text.replace(f"Address= {EAST.address}", "Address= 192.0.2.300"))
    net.start()
    (row,) = west.daemon.status()["connections"]
    assert (row["state"], row["fate"]) == ("left out", "not dropped: it cannot be read")


def test_what_is_not_dropped_is_told_first_at_a_start() -> None:
    text = WEST.text().replace("Connections= west-east", "Connections= lan, west-east") + (
        "[lan]\nISAKMP-peer= east\nLocal-selectors= 10.1.0.0/16\nESP-proposals= sha3\n"
        "Remote-selectors= 10.3.0.0/16\n"
    )
    text = text.replace("Network= 10.2.0.0", "Network= 10.2.0.300")
    net = Network()
    west = net.add(WEST.address, text)
    net.start()
    one, other = module.told_at_start(west.daemon.connections)
    assert one.startswith("left out: west-east: its traffic is not dropped: it cannot be read: ")
    assert other.startswith("left out: lan: ") and "its traffic" not in other


def test_a_connection_whose_near_side_cannot_be_read_drops_all_that_is_with_the_far_one() -> None:
    selectors = "Local-selectors= 10.1.0.0/33\nRemote-selectors= 10.2.0.0/16"
    net = Network()
    west = net.add(WEST.address, replace(WEST, connection_tags=selectors).text())
    net.start()
    (row,) = west.daemon.status()["connections"]
    assert row["fate"] == "all that is with its far side is dropped, unless that is everybody"
    (way,) = {p.selector for p in west.app.policies if p.direction is Direction.OUT}
    assert (str(way.src), str(way.dst)) == ("0.0.0.0/0", "10.2.0.0/16")


def test_a_passive_connection_with_everybody_cuts_nothing_off_when_it_is_left_out_either() -> None:
    """As while nobody is connected: a slip in one section must not take the network away."""
    everybody = "Local-selectors= 10.2.0.0/16, fd02::/16\nRemote-selectors= 0.0.0.0/0, fd01::/16"
    text = replace(EAST, connection_tags=f"{everybody}\nESP-proposals= sha3").text()
    net = Network()
    east = net.add(EAST.address, text)
    net.start()
    (row,) = east.daemon.status()["connections"]
    assert (row["state"], row["passive"]) == ("left out", True)
    assert row["fate"].startswith("not dropped where its remote network is everybody")
    remote = {str(p.selector.dst) for p in east.app.policies if p.direction is Direction.OUT}
    assert remote == {"fd01::/16"}
    assert "with everybody its traffic is not dropped, as it is passive" in east.said


def test_peers_have_the_versions_and_proposals_they_are_configured_for() -> None:
    _, west, _ = up(*both())
    (peer,) = west.daemon.status()["peers"]
    assert (peer["exchange"], peer["proposals"]) == ("ID_PROT", WEST.transforms)
    _, west, _ = pair(
        west={"peer_tags": "Key-exchange= ikev2\nIKE-proposals= aes256-sha256-x25519"}
    )
    (peer,) = west.daemon.status()["peers"]
    assert (peer["exchange"], peer["proposals"]) == ("IKEv2", "aes256-sha256-x25519")


def test_rows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    _, west, _ = up()
    monkeypatch.setattr(module, "ROWS_MAX", 0)
    status = west.daemon.status()
    assert status["sas"] == status["timers"] == []


def test_connections_say_how_they_are() -> None:
    net, west, east = up(WEST, replace(EAST, suites="QM-ESP-3DES-SHA-SUITE"))
    (ours,), (theirs,) = west.daemon.status()["connections"], east.daemon.status()["connections"]
    assert (ours["state"], theirs["state"]) == ("wanted", "idle")
    assert ours["reason"]["cause"] == "peer-refused"
    assert (ours["passive"], theirs["passive"]) == (False, True)
    west.daemon.teardown("west-east", 2)
    net.run(60)
    (row,) = west.daemon.status()["connections"]
    assert (row["state"], row["reason"]["cause"]) == ("held down", "taken-down")
    assert row["reason"]["mend"] == "isakmpctl up west-east"
    net.kill(east)
    west.daemon.connect("west-east")
    (row,) = west.daemon.status()["connections"]
    assert (row["state"], row["reason"]) == ("wanted", None), "nothing has failed since"


def test_a_child_whose_isakmp_sa_is_gone_names_no_cookies() -> None:
    _, west, _ = up()
    (sa,) = west.daemon.sas.isakmp.values()
    west.daemon.keeper.delete_sa(sa)
    assert west.rows(2)[0]["cookies"] == ""


PAIRS = pytest.mark.parametrize("pair_of", [gateways, both], ids=["ikev2", "ikev1"])


@PAIRS
def test_a_connection_tells_what_is_in_the_way_of_the_try_that_is_under_way(
    pair_of: Callable[[], tuple[Gateway, Gateway]], tmp_path: Path
) -> None:
    """Why its last SA went says that there is nothing to mend, while nobody answers a new one."""
    ours, theirs = pair_of()
    path = tmp_path / "isakmpd.conf"
    path.write_text(ours.text())
    path.chmod(0o600)
    net = Network()
    west = net.add(ours.address, "", conf=Conf.load(path))
    net.host(theirs)
    net.start()
    net.run(5)
    (row,) = west.daemon.status()["connections"]
    assert (row["state"], row["so_far"]) == ("up", None)
    path.write_text(ours.text().replace(theirs.address, "192.0.2.20"))
    west.reload()
    net.run(8)
    (row,) = west.daemon.status()["connections"]
    assert row["reason"] is None or row["reason"]["cause"] in EXPECTED
    assert row["so_far"]["cause"] == "timeout"
    text = " ".join(render.connections([row]).split())
    assert re.search(r"timeout: no answer yet to message 1 of [\w ]+ from 192\.0\.2\.20 port 500, "
                     r"repeated \d times? mend: is the peer reachable", text)  # fmt: skip
    assert "nothing: it is negotiated again" not in text and "so_far" not in text


def test_what_failed_last_is_told_beside_what_is_in_the_way_now() -> None:
    """Unless it mends itself."""
    late = {"cause": "timeout", "detail": "no answer yet", "mend": "look there"}
    for cause, told in (("no-proposal-chosen", True), ("sa-gone", False)):
        row = {"name": "a-b", "so_far": late, "reason": {"cause": cause, "detail": "before"}}
        text = render.connections([row])
        assert "timeout: no answer yet" in text and "mend: look there" in text
        assert (f"{cause}: before" in text) is told


@PAIRS
def test_a_child_sa_that_nobody_answers_is_told_too(
    pair_of: Callable[[], tuple[Gateway, Gateway]],
) -> None:
    net, west, _ = up(*pair_of())
    west.daemon.teardown("west-east", 2)
    net.run(3)
    net.lose = lambda packet: True
    west.daemon.connect("west-east")
    net.run(0.5)
    assert [row["so_far"] for row in west.daemon.status()["connections"]] == [None]
    net.run(2)
    (row,) = west.daemon.status()["connections"]
    assert row["so_far"]["detail"].startswith("no answer yet to message 1 of ")
    assert row["so_far"]["mend"]


@PAIRS
@pytest.mark.parametrize("arrive", [1, 2], ids=["unanswered", "answered"])
def test_answers_are_those_that_have_come(
    pair_of: Callable[[], tuple[Gateway, Gateway]], arrive: int
) -> None:
    """arrive: how many packets do, of both ends."""
    ours, theirs = pair_of()
    net, packets = Network(), count()
    west, east = net.host(ours), net.host(theirs)
    net.lose = lambda packet: next(packets) >= arrive
    net.start()
    net.run(2)
    (row,) = west.daemon.status()["exchanges"]
    assert row["answers"] == arrive - 1
    assert [row["answers"] for row in east.daemon.status()["exchanges"]] == [0], "it has asked none"
