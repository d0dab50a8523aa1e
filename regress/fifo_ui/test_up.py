"""isakmpctl up --wait: what it waits for, what ends it, and what it says meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from fifo_ui.client import Client, ControlError
from fifo_ui.up import Wait
from isakmp.daemon import Daemon
from isakmp.errors import Reason
from regress.fifo_ui.fake import FAILURE, PHASE_2, TOKEN, Running, Time, call, client_of
from regress.pair import EAST, WEST, Gateway, Host, Network, both, up
from regress.scripts.ikev2.pairs import gateways, kinds, pair


def client_at(directory: Path, work: Callable[[], object]) -> tuple[Client, Time]:
    """A client for an isakmpd that may not be there."""
    time, fifo = Time(work), directory / "isakmpd.fifo"
    return Client(fifo, directory, 5.0, lambda: time.now, time.sleep, lambda: TOKEN), time


@pytest.mark.parametrize("wait", ["10", "inf"])
def test_up_waits_until_it_is_up(running: Running, wait: str) -> None:
    state = running.daemon.state
    state["sas"], turns = [], []

    def work() -> None:
        running.turn()
        turns.append(1)
        if len(turns) == 20:
            state["sas"] = [PHASE_2]

    status, out, _ = call(running, "up", "a-b", "--wait", wait, client=client_of(running, work))
    assert status == 0
    assert out.startswith("a-b is up\n")
    assert running.daemon.calls == [("connect", "a-b")]


def test_up_says_of_what_is_narrowed_that_it_is_up_in_part(running: Running) -> None:
    """RFC 7296 2.9: there is a child SA, and traffic without one; with why it is."""
    why = Reason("narrowed", "the peer takes less").to_dict()
    running.daemon.state |= {"connections": [{"name": "a-b", "state": "up", "less": why}]}
    status, out, _ = call(running, "up", "a-b", "--wait", "10")
    assert status == 0
    told = "narrowed: the peer takes less: isakmpctl explain a-b"
    assert out.startswith(f"a-b is up in part: {told}\n")


def test_up_looks_at_its_own_connection_alone(running: Running) -> None:
    other = {"name": "a-c", "state": "up", "agreed": ["10.1.0.0/16 === 10.2.0.0/16"]}
    running.daemon.state |= {"connections": [other, {"name": "a-b", "state": "up", "agreed": []}]}
    status, out, _ = call(running, "up", "a-b", "--wait", "10")
    assert (status, out.splitlines()[0]) == (0, "a-b is up")


@dataclass(frozen=True, kw_only=True)
class InMemory(Client):
    """Gives commands to a daemon of a network in memory."""

    daemon: Daemon

    def ask(self, command: str) -> Any:
        if command == "S":
            return self.daemon.status()
        return self.daemon.connect(command.removeprefix("c "))


def wait_in(net: Network, west: Host, meanwhile: Callable[[], object] = lambda: None) -> Wait:
    """A wait for west's connection, while its clock on the wall is set little by little."""

    def sleep(seconds: float) -> None:
        net.set_clock_s += 0.001
        meanwhile()
        net.run(seconds)

    client = InMemory(
        Path(), Path(), 5.0, lambda: net.now, sleep, lambda: TOKEN, daemon=west.daemon
    )
    return Wait(client, "west-east", 60.0, lambda _: None)


@pytest.mark.parametrize("version", [1, 2])
def test_up_says_that_it_is_up_in_part_whoever_began(version: int) -> None:
    """Also where the peer has asked for less, or IKEv1 can have no more."""
    if version == 2:
        one, other = gateways()
        one = replace(one, remote="10.2.0.0/15", general="Acquire-Only= yes")
        net, west, _ = up(one, replace(other, passive=False))
    else:
        one, other = both()
        tags = "Local-selectors= 10.1.0.0/16\nRemote-selectors= 10.2.0.0/16, 10.5.0.0/16"
        net, west, _ = up(replace(one, connection_tags=tags), other)
    wait = wait_in(net, west)
    assert wait.run()
    less = "no more is agreed on than 10.1.0.0/16 === 10.2.0.0/16; narrowed: "
    assert wait.in_part.startswith(less)


@pytest.mark.parametrize("pair_of", [gateways, both], ids=["ikev2", "ikev1"])
def test_up_does_not_take_an_old_failure_for_its_own(
    pair_of: Callable[[], tuple[Gateway, Gateway]],
) -> None:
    """Not where it has another time now, by the clock on the wall."""
    net, west, east = up(pair_of()[0], replace(pair_of()[1], secret="another"), 60)
    net.until(lambda: not west.daemon.status()["exchanges"])
    net.kill(east)
    assert set(west.reasons()) == {"peer-refused"}
    with pytest.raises(ControlError) as caught:
        wait_in(net, west).run()
    assert str(caught.value).startswith("west-east failed: no answer to message 1 of ")
    assert "reachable" in caught.value.mend


def test_up_goes_on_where_isakmpd_does() -> None:
    """What it has begun under an SA that the peer then deletes is begun anew."""
    net, west, east = pair()
    west.daemon.teardown("west-east", 2)
    net.run(1)
    net.lose = lambda packet: kinds([packet]) == ["CREATE_CHILD_SA"]

    def delete() -> None:
        for sa in list(east.daemon.sas.isakmp.values()):
            if net.now > 7:
                east.daemon.keeper.delete_sa(sa)

    (row,) = wait_in(net, west, delete).run()
    gone = {row["reason"]["detail"] for row in west.outcomes if row["reason"]}
    assert gone == {"its IKE SA was deleted"}, "not IKEv1's ISAKMP SA"
    assert row["name"] == "west-east"


def test_up_that_somebody_else_takes_down_waits_no_longer() -> None:
    net, west, east = pair()
    west.daemon.teardown("west-east", 1)
    net.run(3)
    net.kill(east)
    with pytest.raises(ControlError) as caught:
        wait_in(net, west, west.daemon.teardown_all).run()
    assert str(caught.value) == "west-east failed: it was taken down by command"
    assert caught.value.mend == "isakmpctl up west-east"


def test_up_whose_ipsec_stack_goes_meanwhile_waits_no_longer() -> None:
    net, west, east = pair()
    west.daemon.teardown("west-east", 1)
    net.run(3)
    net.kill(east)
    gone = Reason("stack-gone", "the IPsec stack is gone: it was killed", mend="start it")
    with pytest.raises(ControlError) as caught:
        wait_in(net, west, lambda: west.daemon.gone(gone)).run()
    assert str(caught.value) == "west-east failed: the IPsec stack is gone: it was killed"
    assert caught.value.mend == "start it"


def test_up_says_at_once_that_there_is_no_address_to_begin_with() -> None:
    west, net = replace(WEST, passive=True), Network()
    text = west.text().replace(f"{EAST.address}= east", "Default= east")
    host = net.add(west.address, text.replace(f"\nAddress= {EAST.address}\n", "\n"))
    net.start()
    with pytest.raises(
        ControlError, match="peer east has no Address, and has not called"
    ) as caught:
        wait_in(net, host).run()
    assert caught.value.mend.startswith("set Address")
    assert net.now == 0.0


def test_up_tells_the_failure_of_its_own_connection(running: Running) -> None:
    """With the reason whole, and none that was there before."""
    state, turns = running.daemon.state, list[int]()
    row = {**state["connections"][0], "state": "wanted"}
    state["sas"], state["outcomes"] = [], [FAILURE]
    state["connections"] = [{**row, "tries": 0, "reason": {"cause": "timeout", "detail": "old"}}]

    def work() -> None:
        running.turn()
        turns.append(1)
        if len(turns) == 20:
            state["connections"] = [{**row, "tries": 1, "reason": FAILURE["reason"]}]

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


@pytest.mark.parametrize("answers", [0, 1, 2])
def test_up_waits_for_no_answer_longer_than_for_the_connection(
    running: Running, answers: int
) -> None:
    """Whatever it is that is not answered: whether there is somebody, the command, how it goes."""
    running.daemon.state["sas"] = []
    time, given = Time(lambda: running.turn() if len(given) <= answers else None), list[int]()

    def token() -> str:
        given.append(1)
        return TOKEN

    directory = running.daemon.run_directory
    client = Client(running.path, directory, 60.0, lambda: time.now, time.sleep, token)
    with pytest.raises(ControlError, match="did not answer within [0-9.]+ s"):
        Wait(client, "a-b", 3.0, lambda _: None).run()
    assert 3.0 <= time.now < 4.1


def test_up_says_how_far_it_is(running: Running) -> None:
    state, said, turns = running.daemon.state, list[str](), list[int]()
    state["sas"] = []
    row = {"exchange": "IKE_SA_INIT", "name": "peer-b", "retries": 0, "reason": None}
    row |= {"peer": "peer-b", "phase": 1, "remote": "198.51.100.22"}
    other = {"name": "other", "peer": "other"}

    def work() -> None:
        running.turn()
        turns.append(1)
        state["exchanges"] = [{**row, **other}, {**row, "retries": min(len(turns) // 9, 2)}]
        state["sas"] = [PHASE_2] if len(turns) == 60 else []

    Wait(client_of(running, work), "a-b", 10.0, said.append).run()
    assert said == [
        "waiting: IKE_SA_INIT with 198.51.100.22 (peer-b)",
        "waiting: IKE_SA_INIT with 198.51.100.22 (peer-b), repeated 1 time",
        "waiting: IKE_SA_INIT with 198.51.100.22 (peer-b), repeated 2 times",
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
        {
            "exchange": "main mode",
            "name": "peer-b",
            "peer": "peer-b",
            "phase": 1,
            "retries": 3,
            "reason": reason,
            "remote": "198.51.100.22",
        }
    ]
    status, _, err = call(running, "up", "a-b", "--wait", "2")
    assert status == 1
    assert f"main mode with 198.51.100.22 (peer-b), repeated 3 times; {hint}\n" in err
    assert err.endswith("\n  mend: ask there\n"), "not to wait longer for what time does not mend"


@pytest.mark.parametrize("pair_of", [gateways, both], ids=["ikev2", "ikev1"])
def test_up_of_what_nobody_answers_says_what_mends_silence(
    pair_of: Callable[[], tuple[Gateway, Gateway]],
) -> None:
    """Not to wait longer, where it has not failed yet."""
    net = Network()
    west = net.host(pair_of()[0])
    net.start()
    wait = wait_in(net, west)
    wait.wait_s = 3.0
    with pytest.raises(ControlError, match="has not failed yet: ") as caught:
        wait.run()
    assert "no answer yet to message 1 of " in str(caught.value)
    assert str(caught.value).count("repeated") == 1
    assert caught.value.mend.startswith("is the peer reachable")


def test_up_waits_for_what_was_begun_for_another_connection_of_the_peer(running: Running) -> None:
    """In IKEv2 phase 1 has the name of the connection that it was begun for."""
    state, said = running.daemon.state, list[str]()
    row = {"exchange": "IKE_SA_INIT", "peer": "peer-b", "phase": 1, "remote": "198.51.100.22"}
    row |= {"retries": 0, "reason": None}
    other = {**row, "exchange": "CREATE_CHILD_SA", "phase": 2}
    state["sas"] = []
    state["exchanges"] = [{**row, "name": "a-more"}, {**other, "name": "a-more"}]
    with pytest.raises(ControlError):
        Wait(client_of(running), "a-b", 1.0, said.append).run()
    assert said == ["waiting: IKE_SA_INIT with 198.51.100.22 (a-more)"]
