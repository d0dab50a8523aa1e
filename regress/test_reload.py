"""A configuration is read in steps: what comes between them, and what ends them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fifo_ui.commands import run
from isakmp.conf.store import Conf
from isakmp.errors import ConfError, IsakmpError
from isakmp.event.steps import AT_ONCE, Steps
from isakmp.event.timer import Timers
from isakmp.reload import STEPS, Reload
from regress.configurations import many
from regress.pair import EAST, WEST, Host, Network, agree, connected

MORE = many(40)


class Written:
    """What is done in steps. lines: which were made, a name each; ends: with what."""

    def __init__(self) -> None:
        self.timers = Timers(lambda: 0.0)
        self.reload, self.lines = Reload(self.timers), list[str]()

    def make(
        self, name: str, count: int = 3 * STEPS, error: Exception | None = None, counts: int = -1
    ) -> Callable[[], Steps[list[str]]]:
        def steps() -> Steps[list[str]]:
            try:
                for number in range(count):
                    if number == counts:
                        self.reload.counts()
                    self.lines.append(name)
                    yield
                if error is not None:
                    raise error
            except GeneratorExit:
                self.lines.append(f"{name} left")
            return [name]

        return steps


@pytest.fixture
def written() -> Written:
    return Written()


def test_so_many_steps_are_made_in_a_turn(written: Written) -> None:
    job = written.reload.do(written.make("a", 2 * STEPS + 1))
    for turns in range(1, 3):
        assert len(written.lines) == turns * STEPS and not job.done
        assert written.reload.under_way and written.timers.timeout() == 0
        written.timers.run()
    assert job.result == ["a"] and not written.reload.under_way
    assert written.timers.timeout() is None


def test_one_after_the_other(written: Written) -> None:
    jobs = [written.reload.do(written.make(name)) for name in "ab"]
    settled = written.reload.settled()
    for _ in range(9):
        written.timers.run()
    assert [job.result for job in (*jobs, settled)] == [["a"], ["b"], []]
    assert written.lines == ["a"] * 3 * STEPS + ["b"] * 3 * STEPS


def test_what_fails_is_told_and_ends_nothing_else(written: Written) -> None:
    first = written.reload.do(written.make("a", error=IsakmpError("no")))
    other = written.reload.do(written.make("b"))
    for _ in range(9):
        written.timers.run()
    assert (str(first.error), other.result) == ("no", ["b"])


def test_a_bug_is_raised_and_ends_nothing_else(written: Written) -> None:
    first = written.reload.do(written.make("a", error=ZeroDivisionError()))
    other = written.reload.do(written.make("b"))
    with pytest.raises(ZeroDivisionError):
        for _ in range(9):
            written.timers.run()
    for _ in range(9):
        written.timers.run()
    assert isinstance(first.error, ZeroDivisionError) and other.result == ["b"]


def test_a_file_is_read_from_its_beginning_for_who_asks_again(written: Written) -> None:
    first = written.reload.again(written.make("a"))
    assert written.reload.again(written.make("b")) is first
    for _ in range(9):
        written.timers.run()
    assert written.lines == ["a"] * STEPS + ["a left"] + ["a"] * 3 * STEPS
    assert first.result == ["a"]


def test_what_counts_already_is_made_to_its_end(written: Written) -> None:
    first = written.reload.again(written.make("a", counts=1))
    second = written.reload.again(written.make("b"))
    assert written.reload.again(written.make("c")) is second
    for _ in range(9):
        written.timers.run()
    assert (first.result, second.result) == (["a"], ["b"])


def test_a_file_is_not_begun_again_before_a_change_that_came_between(written: Written) -> None:
    """It forgets that change, which must have been made then."""
    jobs = [
        written.reload.again(written.make("a")),
        written.reload.do(written.make("b")),
        written.reload.again(written.make("c")),
    ]
    for _ in range(12):
        written.timers.run()
    assert [job.result for job in jobs] == [["a"], ["b"], ["c"]]


def test_at_the_end_nothing_goes_on(written: Written) -> None:
    jobs = [written.reload.do(written.make(name)) for name in "ab"]
    written.reload.end()
    assert written.lines == ["a"] * STEPS + ["a left"]
    assert all("isakmpd ends" in str(job.error) for job in jobs)
    written.timers.run()
    assert written.timers.timeout() is None and not written.reload.under_way


# --- a daemon's -------------------------------------------------------------------------------


class Site:
    """West, which is connected to east and reads its file, in which there is ``more`` now."""

    def __init__(self, tmp_path: Path, more: str = MORE) -> None:
        self.path = tmp_path / "isakmpd.conf"
        self.write("")
        self.net = Network()
        self.west = self.net.add(WEST.address, "", conf=Conf.load(self.path))
        self.east = self.net.host(EAST)
        self.net.start()
        self.net.run(5)
        self.write(more)

    def write(self, more: str) -> None:
        text = WEST.text()
        if more:
            lists, peers = more.split("\n[Phase 1]\n", 1)
            names = lists.rpartition("= ")[2]
            text = text.replace("[Phase 2]\n", f"[Phase 2]\nPassive-connections= {names}\n")
            text = text.replace("[Phase 1]\n", f"[Phase 1]\n{peers.partition('[')[0]}")
            text += "[" + peers.partition("[")[2]
        self.path.write_text(text)
        self.path.chmod(0o600)

    def turn(self) -> None:
        """What is due is done, and comes."""
        self.west.timers.run()
        self.net.pump()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def names(host: Host) -> set[str]:
    return set(host.daemon.connections.entries)


ALL = {"west-east", *(f"c{number}" for number in range(40))}


def test_a_few_sections_are_read_between_two_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    true = Conf.get

    def get(conf: Conf, section: str, tag: str, default: str | None = None) -> str | None:
        nonlocal asked
        asked += 1
        return true(conf, section, tag, default)

    monkeypatch.setattr(Conf, "get", get)
    most = []
    for count in (40, 160):
        site = Site(tmp_path, many(count))
        turns, asked = [], 0
        job = site.west.daemon.reload()
        while not job.done:
            turns.append(asked)
            asked = 0
            site.turn()
        assert len(names(site.west)) == count + 1
        most.append(max(turns))
    few, more = most
    assert more < 1.2 * few < STEPS * 200, "a turn does no more for more connections"


def test_packets_are_answered_and_sas_rekeyed_meanwhile(site: Site) -> None:
    job = site.west.daemon.reload()
    site.east.daemon.rekey("east-west", "quick")
    site.net.pump()
    assert not job.done
    assert len(site.west.rows(2)) == 2, "a successor came between two steps"
    site.west.done(job)
    assert names(site.west) == ALL
    site.net.run(10)
    assert connected(site.west) and connected(site.east)
    agree(site.west, site.east)


def test_timers_run_meanwhile(site: Site) -> None:
    job, ran = site.west.daemon.reload(), list[bool]()
    site.west.timers.add("another", 0.0, lambda: ran.append(job.done))
    site.turn()
    assert ran == [False]
    site.west.done(job)


def test_what_was_read_before_counts_until_the_new_is_whole(site: Site) -> None:
    job = site.west.daemon.reload()
    while not site.west.daemon.conf.has_section("c0"):
        assert names(site.west) == {"west-east"} and not job.done
        assert set(site.west.daemon.catalog.connections) == {"west-east"}
        site.turn()
    assert set(site.west.daemon.catalog.connections) == ALL, "all at once"
    assert "c0: taken up" in site.west.done(job)


def test_a_second_hup_reads_what_the_file_says_then(site: Site) -> None:
    first = site.west.daemon.reload()
    site.turn()
    site.write(many(10))
    second = site.west.daemon.reload()
    site.west.done(second)
    assert first.result == second.result
    assert names(site.west) == {"west-east", *(f"c{number}" for number in range(10))}


def test_a_second_hup_while_connections_are_taken_up(site: Site) -> None:
    first = site.west.daemon.reload()
    while "c0" not in names(site.west):
        site.turn()
    assert not first.done
    site.write("")
    told = site.west.reload()
    assert {f"c{n}: removed, its SAs are deleted" for n in range(40)} < set(told)
    assert {f"c{n} is no longer configured: its traffic goes in clear" for n in range(40)} < set(
        told
    )
    assert len(told) == 80
    assert first.result is not None and "c39: taken up" in first.result
    assert names(site.west) == {"west-east"}
    agree(site.west, site.east)


def test_a_change_waits_and_is_not_lost(site: Site) -> None:
    job = site.west.daemon.reload()
    alone = run(site.west.daemon, "C set [General]:Retransmits=7")
    whole = run(site.west.daemon, "C rmv [Phase 2]:Passive-connections=c1 ; rms [c1]")
    assert not alone.done and site.west.daemon.engine.settings.retransmits == 3
    site.west.done(whole)
    assert job.result and alone.done and alone.error is None
    assert names(site.west) == ALL - {"c1"}
    assert site.west.daemon.engine.settings.retransmits == 7


def test_a_change_waits_for_a_file_that_is_broken(site: Site) -> None:
    site.path.write_text(site.path.read_text() + "nonsense\n")
    job = site.west.daemon.reload()
    alone = run(site.west.daemon, "C set [General]:Retransmits=7")
    site.west.done(alone)
    assert isinstance(job.error, ConfError)
    assert site.west.daemon.engine.settings.retransmits == 7
    assert names(site.west) == {"west-east"}


def test_a_connection_that_is_just_being_read_can_be_started(site: Site) -> None:
    job = site.west.daemon.reload()
    started = run(site.west.daemon, "c c3")
    assert not started.done
    site.west.done(started)
    assert job.done and site.west.daemon.connections.entries["c3"].wanted


def test_connections_set_by_command_come_though_a_broken_file_is_read(site: Site) -> None:
    site.west.done(run(site.west.daemon, "C rm [Phase 2]:Connections"))
    lines = STEPS * AT_ONCE * "# to be read for a while\n"
    site.path.write_text(site.path.read_text() + lines + "nonsense\n")
    site.net.run(4.999)
    job = site.west.daemon.reload()
    site.net.now += 0.002
    assert not job.done
    site.net.run(1)
    assert job.error is not None and names(site.west) == set()


@pytest.mark.parametrize("counts", [False, True], ids=["read", "taken up"])
def test_an_end_in_the_middle_is_in_order(site: Site, counts: bool) -> None:
    site.net.run(1)
    job = site.west.daemon.reload()
    while counts and "c0" not in names(site.west):
        site.turn()
    waits = run(site.west.daemon, "C set [General]:Retransmits=7")
    site.west.daemon.stop()
    site.net.pump()
    assert not site.east.rows(1) and not site.east.rows(2), "east was told"
    assert not site.west.app.policies and not site.west.app.sas
    assert "isakmpd ends" in str(job.error) and "isakmpd ends" in str(waits.error)
    site.west.timers.run()
    assert names(site.west) == set()


@pytest.mark.parametrize("where", ["nonsense\n", "[Phase2]\nConnections= c1\n"])
def test_a_broken_file_changes_nothing_and_is_told(site: Site, where: str) -> None:
    site.path.write_text(site.path.read_text() + where)
    before = site.west.daemon.conf.written
    with pytest.raises(ConfError, match="nothing has changed: what was read before holds"):
        site.west.reload()
    assert names(site.west) == {"west-east"} and site.west.daemon.conf.written == before
    site.net.run(1)
    agree(site.west, site.east)


def test_a_service_manager_hears_of_the_beginning_and_the_end(tmp_path: Path) -> None:
    site, heard = Site(tmp_path), list[str]()

    class Heard:
        def __enter__(self) -> None:
            heard.append("reads")

        def __exit__(self, *_: object) -> None:
            heard.append("has read")

    site.west.daemon._reloading = Heard
    job = site.west.daemon.reload()
    assert heard == ["reads"]
    site.west.done(job)
    assert heard == ["reads", "has read"]
