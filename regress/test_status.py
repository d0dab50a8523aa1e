"""What a daemon says of itself."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from isakmp import status as module
from regress.pair import EAST, WEST, up


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
    assert west.daemon.status()["connections"][0]["state"] == "held down"
    assert net.now


def test_a_child_whose_isakmp_sa_is_gone_names_no_cookies() -> None:
    _, west, _ = up()
    (sa,) = west.daemon.sas.isakmp.values()
    west.daemon.keeper.delete_sa(sa)
    assert west.rows(2)[0]["cookies"] == ""
