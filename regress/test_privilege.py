"""Least privilege: what /proc says of daemon, helper and engine after their start; HUP then."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isakmp.errors import ConfError, IsakmpError
from isakmp.privilege import Cap, Identity
from regress.process import GATEWAY, Running

ROOT = Path(__file__).resolve().parents[1]
USER = "nobody"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="wants root, which it gives up")
NETWORK = 1 << Cap.NET_ADMIN | 1 << Cap.NET_RAW


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def capabilities(pid: int) -> set[int]:
    """Those of all sets."""
    found = status(pid)
    return {int(found[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")}


def children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def until(true: Callable[[], object]) -> None:
    for _ in range(1000):
        if true():
            return
        time.sleep(0.02)
    pytest.fail("it does not come true")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that another user can get to."""
    path = Path(tempfile.mkdtemp(prefix="isakmpd-test-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def run(folder: Path) -> Iterator[Callable[[str], Running]]:
    started: list[Running] = []

    def start(general: str = "") -> Running:
        conf = folder / "isakmpd.conf"
        text = GATEWAY.text().replace(
            "[General]\n", f"[General]\nRun-directory= {folder}\n{general}"
        )
        conf.write_text(text)
        conf.chmod(0o600)
        started.append(Running(conf, "-d"))
        started[-1].until("isakmpd runs")
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.wait()


def check_bounds(pid: int, uid: int, kept: int) -> None:
    found = status(pid)
    assert set(found["Uid"].split()) == {str(uid)}
    assert capabilities(pid) == {kept}
    assert int(found["CapAmb"], 16) == int(found["CapInh"], 16) == 0
    assert found["NoNewPrivs"] == "1"
    assert found["Umask"] == "0077"
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert next(line for line in limits.splitlines() if "core file" in line).split()[4] == "0"


@AS_ROOT
def test_without_a_user_it_stays_who_it_is_and_gives_up_the_rest(
    run: Callable[[str], Running],
) -> None:
    running = run("")
    check_bounds(running.process.pid, 0, 0)
    (worker,) = children(running.process.pid)
    check_bounds(worker, 0, 0)
    running.process.send_signal(signal.SIGHUP)
    running.until("configuration reloaded: nothing changed")
    assert running.stop() == 0


@AS_ROOT
def test_as_another_user_hup_reads_root_s_file_and_the_helper_has_one_capability(
    folder: Path, run: Callable[[str], Running]
) -> None:
    identity = Identity(USER, "")
    os.chown(folder, identity.uid, identity.gid)
    running = run(f"User= {USER}\n")
    pid = running.process.pid
    check_bounds(pid, identity.uid, 0)
    assert status(pid)["Groups"] == ""
    helper, worker = children(pid)
    check_bounds(helper, 0, 1 << Cap.DAC_READ_SEARCH)
    check_bounds(worker, identity.uid, 0)
    conf = folder / "isakmpd.conf"
    assert conf.stat().st_uid == 0
    running.process.send_signal(signal.SIGHUP)
    running.until("configuration reloaded: nothing changed")
    conf.write_text(conf.read_text().replace("10.2.0.0", "10.4.0.0"))
    running.process.send_signal(signal.SIGHUP)
    running.until("configuration reloaded: west-east: changed")
    (folder / "isakmpd.fifo").unlink()
    running.process.send_signal(signal.SIGHUP)
    running.until("it is made anew")
    os.kill(helper, signal.SIGKILL)
    running.until("the privileged helper")
    running.process.send_signal(signal.SIGHUP)
    running.until("SIGHUP: ")
    assert running.stop() == 0
    assert not (folder / "isakmpd.pid").exists()
    assert "Traceback" not in running.error.read_text()


@AS_ROOT
def test_as_another_user_it_takes_what_that_user_has_made_before(
    folder: Path, run: Callable[[str], Running]
) -> None:
    """A log that it has made at HUP, and a key log's directory: the next start is root's again."""
    identity = Identity(USER, "")
    (folder / "keys").mkdir(mode=0o700)
    (folder / "log").touch(mode=0o600)
    for path in (folder, folder / "keys", folder / "log"):
        os.chown(path, identity.uid, identity.gid)
    running = run(f"User= {USER}\nLogfile= Negotiation={folder}/log\nKey-log= {folder}/keys\n")
    (folder / "log").rename(folder / "log.0")
    running.process.send_signal(signal.SIGHUP)
    running.until("configuration reloaded: nothing changed")
    assert (folder / "log").stat().st_uid == identity.uid
    assert running.stop() == 0


@AS_ROOT
def test_as_another_user_hup_reads_root_s_files_with_keys(
    folder: Path, run: Callable[[str], Running]
) -> None:
    identity = Identity(USER, "")
    os.chown(folder, identity.uid, identity.gid)
    key, late = folder / "ppk", folder / "late"
    for path in (key, late):
        path.write_text("vK8/3xQpZ0+LmT5rJd2WcY7uHs9EaB4nGf6iOoPq1Rk=")
        path.chmod(0o600)
    peer = f"[east]\nKey-exchange= ikev2\nPPK-ID= one\nPPK-file= {key}\n"
    running = run(f"User= {USER}\n{peer}[General]\n")
    conf = folder / "isakmpd.conf"
    conf.write_text(conf.read_text().replace("PPK-ID= one", "PPK-ID= two"))
    running.process.send_signal(signal.SIGHUP)
    running.until("configuration reloaded: west-east: changed")
    conf.write_text(conf.read_text().replace(str(key), str(late)))
    running.process.send_signal(signal.SIGHUP)
    running.until(f"{late}: cannot be read: Permission denied")
    assert running.stop() == 0


@AS_ROOT
def test_its_processes_end_with_the_daemon(folder: Path, run: Callable[[str], Running]) -> None:
    identity = Identity(USER, "")
    os.chown(folder, identity.uid, identity.gid)
    running = run(f"User= {USER}\n")
    processes = children(running.process.pid)
    assert len(processes) == 2
    running.process.kill()
    running.process.wait()
    for pid in processes:
        until(lambda: not Path(f"/proc/{pid}").exists() or status(pid)["State"][0] == "Z")  # noqa: B023


@AS_ROOT
def test_a_user_who_cannot_read_isakmpd_s_modules_needs_none_of_them(folder: Path) -> None:
    """A checkout or a Python below /root: what is read when it is first used is read before."""
    private = folder / "private"
    private.mkdir(0o700)
    for package in ("isakmp", "fifo_ui"):
        shutil.copytree(ROOT / package, private / package)
    script = (
        "import sys; from isakmp.preload import preload; preload();"
        "from isakmp.privilege import Identity, give_up; from isakmp.constants.isakmp import Group;"
        f"give_up(frozenset(), Identity({USER!r}, '')); sys.path_importer_cache.clear();"
        "from isakmp.crypto.groups import get_group;"
        "[get_group(Group[n]).generate() for n in ('MODP_2048', 'ECP_384', 'CURVE448')];"
        "import isakmp.capture.writer, isakmp.app.xfrm.backend, isakmp.app.engine.netif;"
        "print('all there')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=private, timeout=60,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )  # fmt: skip
    assert done.stdout == "all there\n", done.stderr


def test_users_and_groups_that_there_are_not() -> None:
    with pytest.raises(ConfError, match=r"\[General\]:User: this host has no user no-such-user"):
        Identity("no-such-user", "")
    with pytest.raises(ConfError, match=r"\[General\]:Group: this host has no group no-such-one"):
        Identity("root", "no-such-one")
    assert Identity.wanted("", "") is None


def test_who_may_not_become_another_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(groups: list[int]) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setgroups", refuse)
    with pytest.raises(IsakmpError, match="cannot become the user root.*start isakmpd as root"):
        Identity("root", "").take()
