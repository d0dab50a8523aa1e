"""isakmpctl up --wait: what it waits for, what ends it, and what it says meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fifo_ui.client import Client, ControlError
from fifo_ui.up import Wait
from regress.fifo_ui.fake import FAILURE, PHASE_2, TOKEN, Running, Time, call, client_of


def client_at(directory: Path, work: Callable[[], object]) -> tuple[Client, Time]:
    """A client for an isakmpd that may not be there."""
    time, fifo = Time(work), directory / "isakmpd.fifo"
    return Client(fifo, directory, 5.0, lambda: time.now, time.sleep, lambda: TOKEN), time


def test_up_waits_until_it_is_up(running: Running) -> None:
    state = running.daemon.state
    state["sas"], turns = [], []

    def work() -> None:
        running.turn()
        turns.append(1)
        if len(turns) == 20:
            state["sas"] = [PHASE_2]

    status, out, _ = call(running, "up", "a-b", "--wait", "10", client=client_of(running, work))
    assert status == 0
    assert out.startswith("a-b is up\n")
    assert running.daemon.calls == [("connect", "a-b")]


def test_up_does_not_take_an_old_failure_for_its_own(running: Running) -> None:
    state = running.daemon.state
    state["sas"], state["outcomes"], turns = [], [FAILURE], []

    def work() -> None:
        running.turn()
        turns.append(1)
        if len(turns) == 20:
            state["outcomes"] = [FAILURE, {**FAILURE, "id": 5}]

    status, _, err = call(running, "up", "a-b", "--wait", "10", client=client_of(running, work))
    assert status == 1
    assert err == "isakmpctl: a-b failed: none of the peer's transforms fits\n" \
        "  mend: add 3DES-SHA-GRP2\n"  # fmt: skip
    assert len(turns) >= 20


def test_up_waits_for_an_isakmpd_that_is_only_starting(tmp_path: Path) -> None:
    """First there is no FIFO, then one that nobody reads, then one that is read late."""
    started: list[Running] = []
    turns: list[int] = []

    def work() -> None:
        turns.append(1)
        if len(turns) == 3:
            os.mkfifo(tmp_path / "isakmpd.fifo")
        if len(turns) == 6:
            (tmp_path / "isakmpd.fifo").unlink()
            started.append(Running(tmp_path))
        if len(turns) > 200:
            started[0].turn()

    client, _ = client_at(tmp_path, work)
    said: list[str] = []
    rows = Wait(client, "a-b", 30.0, said.append).run()
    assert [row["name"] for row in rows] == ["a-b"]
    assert started[0].daemon.calls == [("connect", "a-b")]
    for text, line in zip(("there is no", "nobody reads", "did not answer"), said, strict=True):
        assert line.startswith("waiting: ") and text in line
    started[0].fifo.close()


@pytest.mark.parametrize("there", [False, True])
def test_up_says_at_last_that_nobody_is_there(tmp_path: Path, there: bool) -> None:
    if there:
        os.mkfifo(tmp_path / "isakmpd.fifo")
    client, time = client_at(tmp_path, lambda: None)
    with pytest.raises(ControlError, match="isakmpd is not running"):
        Wait(client, "a-b", 3.0, lambda _: None).run()
    assert time.now >= 3.0


def test_up_says_how_far_it_is(running: Running) -> None:
    state, said, turns = running.daemon.state, list[str](), list[int]()
    state["sas"] = []
    row = {"exchange": "IKE_SA_INIT", "name": "peer-b", "retries": 0, "reason": None}

    def work() -> None:
        running.turn()
        turns.append(1)
        state["exchanges"] = [{**row, "name": "other"}, {**row, "retries": min(len(turns) // 9, 2)}]
        state["sas"] = [PHASE_2] if len(turns) == 60 else []

    Wait(client_of(running, work), "a-b", 10.0, said.append).run()
    assert said == [
        "waiting: IKE_SA_INIT with peer-b",
        "waiting: IKE_SA_INIT with peer-b, repeated 1 time",
        "waiting: IKE_SA_INIT with peer-b, repeated 2 times",
    ]


def test_up_gives_up(running: Running) -> None:
    running.daemon.state["sas"] = [{**PHASE_2, "state": "larval"}]
    status, _, err = call(running, "up", "a-b", "--wait", "2")
    assert status == 1
    assert "not up after 2 s" in err


def test_up_gives_up_and_says_what_it_waited_for(running: Running) -> None:
    hint = "the peer said PAYLOAD_MALFORMED (in clear, so unproven)"
    reason = {"cause": "peer-refused", "detail": hint, "mend": "ask there"}
    running.daemon.state["sas"] = []
    running.daemon.state["exchanges"] = [
        {"exchange": "main mode", "name": "peer-b", "retries": 3, "reason": reason}
    ]
    status, _, err = call(running, "up", "a-b", "--wait", "2")
    assert status == 1
    assert f"main mode with peer-b, repeated 3 times; {hint}; mend: ask there" in err
