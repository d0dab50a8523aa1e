"""isakmpd --close-only and --open: the network before isakmpd, beside it, and after a kill."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from regress.interop.needs import missing
from regress.leak.rows import Site, Stack, end, kill
from regress.leak.sniffer import CELLS, Sniffer
from regress.live.pair import ROOT, hosts, wait_up

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "-")
KINDS = (Stack.ENGINE, Stack.OWN)


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """Both hosts with their configurations; nothing runs."""
    with (
        hosts(tmp_path) as (a, b),
        Sniffer(a.namespace, b.namespace) as sniffer,
        ExitStack() as stack,
    ):
        made = Site(a, b, sniffer, stack, kind=request.param)
        made.write(a)
        made.write(b)
        yield made


def isakmpd(site: Site, *flags: str) -> subprocess.CompletedProcess[str]:
    """A command at a."""
    command = [sys.executable, "-m", "isakmp", "-c", str(site.a.conf), *flags]
    return subprocess.run(
        site.a.namespace.command(command), cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def in_clear(site: Site) -> int:
    """How many of some packets of a's go out, or are taken, in clear; of all kinds, or none."""
    site.sniffer.clear()
    site.taken.clear()
    site.probe(site.a)
    seen = site.sniffer.clear() + site.taken
    assert len(+seen) in (0, len(CELLS)), seen
    return seen.total()


@pytest.mark.parametrize("site", KINDS, indirect=True, ids=("inside", "on its own"))
def test_closed_before_isakmpd_and_after_it_was_killed(site: Site) -> None:
    assert in_clear(site) > 0, "nothing is closed yet, and the sniffer sees it"
    done = isakmpd(site, "--close-only")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{len(site.a.connections)} connections are closed" in done.stdout
    assert in_clear(site) == 0
    site.start(site.b)
    daemon = site.start(site.a)
    wait_up(site.a, site.b, 60)
    site.ping(site.a)
    assert not site.sniffer.clear()
    kill(daemon)
    for engine in site.engines:
        kill(engine)
    assert in_clear(site) == 0
    done = isakmpd(site, "--open")
    assert (done.returncode, done.stderr) == (0, "")
    assert in_clear(site) > 0
    assert site.a.namespace.run("ip", "xfrm", "policy").stdout == ""
    assert "lookup 500" not in site.a.namespace.run("ip", "rule").stdout


@pytest.mark.parametrize("site", KINDS, indirect=True, ids=("inside", "on its own"))
def test_what_is_closed_stays_so_where_isakmpd_cannot_start(site: Site) -> None:
    assert isakmpd(site, "--close-only").returncode == 0
    if site.own:
        site.engine()
    site.a.folder.joinpath("isakmpd.fifo").write_text("a file in its place")
    assert isakmpd(site, "-d").returncode == 1
    for engine in site.engines:
        end(engine)
    assert in_clear(site) == 0


@pytest.mark.parametrize("site", KINDS, indirect=True, ids=("inside", "on its own"))
def test_a_start_that_fails_at_its_end_says_what_stays_blocked(site: Site) -> None:
    """The pid file comes last: the connections have their policies by then."""
    if site.own:
        site.engine()
    assert in_clear(site) > 0
    done = isakmpd(site, "-d", "-i", str(site.a.folder / "none" / "isakmpd.pid"))
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert "isakmpd.pid: No such file or directory" in said
    assert all(name in said for name in site.a.connections)
    opens = f"stays blocked until isakmpd runs, or: isakmpd --open -c {site.a.conf}"
    assert said.endswith(opens)
    for engine in site.engines:
        end(engine)
    assert in_clear(site) == 0
    assert isakmpd(site, "--open").returncode == 0
    assert in_clear(site) > 0


@pytest.mark.parametrize("site", [Stack.ENGINE], indirect=True)
def test_a_start_that_fails_before_its_policies_leaves_the_network_open(site: Site) -> None:
    site.a.folder.joinpath("isakmpd.fifo").write_text("a file in its place")
    done = isakmpd(site, "-d")
    assert done.returncode == 1
    assert "blocked" not in done.stderr
    assert in_clear(site) > 0


@pytest.mark.parametrize("site", KINDS, indirect=True, ids=("inside", "on its own"))
@pytest.mark.parametrize("flag", ["--close-only", "--open"])
def test_beside_a_running_one_it_is_refused(site: Site, flag: str) -> None:
    daemon = site.start(site.a)
    done = isakmpd(site, flag)
    assert (done.returncode, done.stdout) == (1, "")
    holder = site.engines[0] if site.own else daemon
    assert f"process {holder.pid} has the key engine of" in done.stderr
    assert in_clear(site) == 0


@pytest.mark.parametrize("site", [Stack.ENGINE], indirect=True)
def test_a_second_isakmpd_of_one_run_directory_takes_nothing_away(site: Site) -> None:
    site.start(site.a)
    before = site.a.namespace.run("ip", "xfrm", "policy").stdout
    done = isakmpd(site, "-d", "-p", "1500", "-N", "1501")
    assert done.returncode == 1 and "end it first" in done.stderr
    assert before and site.a.namespace.run("ip", "xfrm", "policy").stdout == before


@pytest.mark.parametrize("site", [Stack.ENGINE], indirect=True)
def test_a_service_manager_s_run_directory_is_the_written_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = site.a.conf.read_text()
    link = site.a.folder.parent / "run"
    link.symlink_to(site.a.folder)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(link))
    site.a.write(written.replace(f"Run-directory= {site.a.folder}\n", ""))
    daemon = site.start(site.a)
    done = isakmpd(site, "--open")
    assert done.returncode == 1 and f"process {daemon.pid} has the key engine" in done.stderr
    site.a.write(written)
    done = isakmpd(site, "--open")
    assert done.returncode == 1 and f"process {daemon.pid} has the key engine" in done.stderr
    kill(daemon)
    assert in_clear(site) == 0
    done = isakmpd(site, "--open")
    assert (done.returncode, done.stderr) == (0, "")
    assert in_clear(site) > 0


@pytest.mark.parametrize("site", [Stack.ENGINE], indirect=True)
def test_open_says_what_it_looked_at(site: Site) -> None:
    """Opened with another run directory, the network stayed closed, and was said to be open."""
    written, folder = site.a.conf.read_text(), site.a.folder
    assert isakmpd(site, "--close-only").returncode == 0
    other = folder / "other"
    other.mkdir()
    site.a.write(written.replace(f"Run-directory= {folder}\n", f"Run-directory= {other}\n"))
    done = isakmpd(site, "--open")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"nothing was kept closed by the key engine of {other}; " in done.stdout
    assert "another Run-directory" in done.stdout
    assert in_clear(site) == 0
    site.a.write(written)
    done = isakmpd(site, "--open")
    assert done.stdout.endswith(f"nothing is kept closed by the key engine of {folder} any more\n")
    assert in_clear(site) > 0


@pytest.mark.parametrize("site", [Stack.ENGINE], indirect=True)
def test_traffic_that_cannot_be_read_is_told_and_all_other_closed(site: Site) -> None:
    text = site.a.conf.read_text()
    wrong = "[second-remote]\nNetwork= 10.0.0.300\n"
    site.a.write(text.replace("[second-remote]\n", wrong))
    done = isakmpd(site, "--close-only")
    assert done.returncode == 1
    assert "not closed: second; all others are" in done.stderr
    assert in_clear(site) == 0


@pytest.mark.parametrize("site", [Stack.ENGINE], indirect=True)
def test_a_stack_that_keeps_nothing_back_is_refused(site: Site) -> None:
    site.a.write(site.a.conf.read_text().replace("[General]", "[General]\nApplication= none"))
    done = isakmpd(site, "--close-only")
    assert done.returncode == 1 and "Application= none keeps nothing back" in done.stderr
