"""Workers: what they answer, what becomes of it where one ends, and that none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isakmp.constants.isakmp import Group
from isakmp.crypto.agreement import VERBS, public_value, shared_secret
from isakmp.crypto.groups import get_group
from isakmp.errors import CryptoError, WorkError
from isakmp.event import worker
from isakmp.event.job import Job
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.event.worker import DEPTH, HERE, LATE_S, LOOKS, Workers
from isakmp.log.log import Log

MODP_2048, SECRET = Group.MODP_2048.to_bytes(2, "big"), bytes(range(1, 29))


class Shop:
    """Workers under a loop of their own."""

    def __init__(self, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.lines: list[str] = []
        self.loop = Loop(Timers(clock))
        log = Log(time.time, self.lines.append)
        self.workers = Workers(count, VERBS, self.loop, log, None)

    def wait(self, *jobs: Job[bytes]) -> None:
        for _ in range(1000):
            if all(job.done for job in jobs):
                return
            self.loop.turn(0.1)
        raise AssertionError("no answer")

    def ask(self) -> Job[bytes]:
        return self.workers.call(public_value, MODP_2048, SECRET)


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop(2)
    pids = shop.workers.pids
    yield shop
    shop.workers.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.parametrize("number", [Group.MODP_1024, Group.MODP_2048, Group.CURVE25519])
def test_what_they_compute_is_what_the_daemon_would(shop: Shop, number: Group) -> None:
    group, octets = get_group(number), number.to_bytes(2, "big")
    secret, other = bytes([7] * 20 if group.slow else [7] * 32), group.generate()
    public = shop.workers.call(public_value, octets, secret)
    shared = shop.workers.call(shared_secret, octets, secret, other.public)
    assert not public.done
    shop.wait(public, shared)
    assert public.result == group.from_private(secret).public
    assert shared.result == group.from_private(secret).shared(other.public)
    assert public.result and other.shared(public.result) == shared.result


def test_what_is_wrong_comes_back_as_it_was_said(shop: Shop) -> None:
    one = (1).to_bytes(get_group(Group.MODP_2048).public_size, "big")
    job = shop.workers.call(shared_secret, MODP_2048, SECRET, one)
    shop.wait(job)
    assert isinstance(job.error, CryptoError)
    here = HERE.call(shared_secret, MODP_2048, SECRET, one)
    assert str(job.error) == str(here.error) == (
        "a public value that is not in group MODP_2048"
    )  # fmt: skip


def test_what_is_more_than_they_may_have_is_done_at_once(shop: Shop) -> None:
    for pid in shop.workers.pids:
        os.kill(pid, signal.SIGSTOP)
    jobs = [shop.ask() for _ in range(2 * DEPTH + 3)]
    assert [job.done for job in jobs] == [False] * 2 * DEPTH + [True] * 3
    for pid in shop.workers.pids:
        os.kill(pid, signal.SIGCONT)
    shop.wait(*jobs)
    assert len({job.result for job in jobs}) == 1


def test_what_one_was_asked_that_is_killed_the_daemon_does(shop: Shop) -> None:
    first, second = shop.workers.pids
    os.kill(first, signal.SIGSTOP)
    jobs = [shop.ask(), shop.ask()]
    os.kill(first, signal.SIGKILL)
    shop.wait(*jobs)
    assert [job.error for job in jobs] == [None, None]
    assert len({job.result for job in jobs}) == 1
    assert shop.workers.pids == [second]


def test_one_that_crashes_fails_what_it_was_asked_and_the_others_go_on(shop: Shop) -> None:
    first, second = shop.workers.pids
    os.kill(first, signal.SIGSTOP)
    jobs = [shop.ask(), shop.ask()]
    os.kill(first, signal.SIGSEGV)
    os.kill(first, signal.SIGCONT)
    shop.wait(*jobs)
    assert sorted(job.error is None for job in jobs) == [False, True]
    (error,) = [job.error for job in jobs if job.error]
    assert isinstance(error, WorkError)  # nothing is wrong with what the peer sent
    assert shop.workers.pids == [second]
    assert f"process {first}, has ended: the others do its work from now on" in shop.lines[-1]
    again = shop.ask()
    assert not again.done
    shop.wait(again)
    os.kill(second, signal.SIGKILL)
    late = shop.ask()
    shop.wait(late)
    for _ in range(100):
        if shop.workers.pids:
            shop.loop.turn(0.1)  # its end may not be read yet
    assert "isakmpd does its work from now on" in shop.lines[-1]
    assert not shop.workers.takes(slow=True)
    assert shop.ask().done


def test_one_that_says_nothing_is_ended_and_what_it_may_hang_at_not_tried_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LATE_S", 0.3)
    monkeypatch.setattr(HERE, "call", lambda *_: pytest.fail("done by the daemon"))
    pids = shop.workers.pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    jobs = [shop.ask() for _ in range(3)]
    shop.wait(*jobs)
    assert all(isinstance(job.error, WorkError) for job in jobs)
    told = "has not answered for 0.3 s and is ended"
    assert all(told in str(job.error) for job in jobs)
    assert all(any(f"process {pid}, {told}: " in line for line in shop.lines) for pid in pids)
    assert not shop.workers.pids


class Stopped:
    """A clock that somebody else moves."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def at_work(clock: Stopped) -> Iterator[Shop]:
    shop = Shop(1, clock)
    os.kill(shop.workers.pids[0], signal.SIGSTOP)
    yield shop
    shop.workers.close()


def look(shop: Shop, clock: Stopped, *seconds: float) -> None:
    """The loop goes round after each of these."""
    for each in seconds:
        clock.at += each
        shop.loop.timers.run()
        shop.loop.turn(0)


@pytest.mark.parametrize("stood_s", [LATE_S * 0.51, LATE_S, 100 * LATE_S])
@pytest.mark.parametrize("looks", range(LOOKS))
def test_one_is_not_silent_while_the_daemon_itself_stands_still(stood_s: float, looks: int) -> None:
    """Both may have been stopped, or what it has said lies unread."""
    clock = Stopped()
    for shop in at_work(clock):
        (pid,) = shop.workers.pids
        job = shop.ask()
        look(shop, clock, *[LATE_S / LOOKS] * looks, stood_s)
        assert shop.workers.pids == [pid] and not job.done
        look(shop, clock, *[LATE_S / LOOKS] * (LOOKS - 1))
        assert shop.workers.pids == [pid]
        os.kill(pid, signal.SIGCONT)
        shop.wait(job)
        assert job.result == public_value(MODP_2048, SECRET)


def test_one_that_stays_silent_behind_that_is_ended() -> None:
    clock = Stopped()
    for shop in at_work(clock):
        job = shop.ask()
        look(shop, clock, 3 * LATE_S, *[LATE_S / LOOKS] * LOOKS)
        shop.wait(job)
        assert isinstance(job.error, WorkError)
        assert not shop.workers.pids


def test_a_listener_that_raises_keeps_nobody_else_from_an_answer(shop: Shop) -> None:
    def raises(_: object) -> None:
        raise RuntimeError("what one listener makes of it")

    for pid in shop.workers.pids:
        os.kill(pid, signal.SIGSTOP)
    jobs = [shop.ask() for _ in range(4)]
    jobs[0].then(raises)
    for pid in shop.workers.pids:
        os.kill(pid, signal.SIGKILL)
    raised = 0
    for _ in range(100):
        try:
            shop.loop.turn(0.05)
        except RuntimeError:
            raised += 1
    assert all(job.done for job in jobs) and raised <= 1


@pytest.mark.parametrize("answer", [b"abc", bytes(5), bytes(4) + b"\1\xff\xfe"])
def test_one_that_answers_what_was_not_asked_is_ended(
    shop: Shop, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shop.workers.pids
    monkeypatch.setattr(worker, "_received", lambda _: answer)
    shop.workers._heard(shop.workers._workers[0])
    assert shop.workers.pids == before[1:]


def test_what_is_too_long_for_a_message_the_daemon_does(shop: Shop) -> None:
    job = shop.workers.call(shared_secret, MODP_2048, SECRET, b"\1" * 70000)
    assert job.done and isinstance(job.error, CryptoError)


def test_they_may_do_nothing_and_hold_nothing(shop: Shop) -> None:
    shop.wait(shop.ask(), shop.ask())
    for pid in shop.workers.pids:
        status = Path(f"/proc/{pid}/status").read_text()
        held = dict(line.split("\t", 1) for line in status.splitlines())
        assert int(held["CapEff:"], 16) == int(held["CapPrm:"], 16) == 0
        assert held["NoNewPrivs:"] == "1"
        assert len(os.listdir(f"/proc/{pid}/fd")) == 1


def test_they_end_with_a_daemon_that_is_killed() -> None:
    script = (
        "import time; from isakmp.event.loop import Loop; from isakmp.event.timer import Timers;"
        "from isakmp.event.worker import Workers; from isakmp.log.log import Log;"
        "made = Workers(2, [], Loop(Timers(time.time)), Log(time.time, print), None);"
        "print(*made.pids, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout
        pids = daemon.stdout.readline().split()
        daemon.kill()
    assert len(pids) == 2
    for _ in range(100):
        alive = [pid for pid in pids if _runs(pid.decode())]
        if not alive:
            return
        time.sleep(0.05)
    raise AssertionError(f"left: {alive}")


def _runs(pid: str) -> bool:
    """Whether it is there, and no zombie that nobody reaps here."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_stopped_ones_do_not_hold_up_the_end() -> None:
    shop = Shop(1)
    (pid,) = shop.workers.pids
    os.kill(pid, signal.SIGSTOP)
    shop.workers.close()
    assert not Path(f"/proc/{pid}").exists()
    assert shop.workers.pids == []


def test_without_any_all_is_done_by_the_daemon() -> None:
    shop = Shop(0)
    assert not shop.workers.takes(slow=True)
    assert shop.ask().done
