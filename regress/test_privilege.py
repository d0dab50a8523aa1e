"""Least privilege: what /proc says of daemon, helper and engine after their start; HUP then."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from isakmp.conf.store import Conf
from isakmp.errors import ConfError, IsakmpError
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from isakmp.privilege import Cap, Identity
from isakmp.privileged import Helper
from regress.interop.forked import forking
from regress.test___main__ import GATEWAY, Running

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


@pytest.mark.parametrize("said", [b"X", b"CC", b"C /etc/shadow", b"/etc/shadow"])
def test_the_helper_knows_one_verb_and_ends_at_any_other(tmp_path: Path, said: bytes) -> None:
    path = tmp_path / "conf"
    path.write_text("[General]\n")
    script = (
        "import sys, time; from pathlib import Path; from isakmp.privileged import Helper;"
        "from isakmp.event.loop import Loop; from isakmp.event.timer import Timers;"
        "from isakmp.log.log import Log;"
        f"helper = Helper(Path({str(path)!r}), Loop(Timers(time.time)), Log(time.time, print));"
        "print(helper.open(helper.path).read());"
        f"helper._socket.send({said!r}); helper._socket.setblocking(True);"
        "print(helper._socket.recv(10)); helper.close()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT, timeout=60)
    assert done.stdout.splitlines() == [repr(b"[General]\n").encode(), b"b''"], done.stderr


def test_the_helper_opens_the_files_with_keys_that_were_named(tmp_path: Path) -> None:
    """And no other, nor what is no regular file: that one is not waited for."""
    paths = [tmp_path / name for name in ("conf", "key", "fifo", "other")]
    for path in paths:
        if path.name == "fifo":
            os.mkfifo(path)
        else:
            path.write_text(path.name)
    with forking():
        helper = Helper(paths[0], Loop(Timers(time.monotonic)), Log(time.time, print), paths[1:3])
    asked: list[bytes] = []
    try:
        send = helper._socket.send
        helper._socket = _Spy(helper._socket, asked)  # type: ignore[assignment]
        for path in paths:
            with helper.open(path) as file:
                if path.name != "fifo":
                    assert file.read() == path.name.encode()
        assert asked == [b"C", b"K\0\0", b"K\0\1"], "what is not named is opened here"
        assert send(b"K\0\2") == 3
        helper._socket.setblocking(True)
        assert helper._socket.recv(1) == b"", "it ends at a number that there is not"
    finally:
        helper.close()


class _Spy:
    """A socket, and what is sent through it."""

    def __init__(self, sock: socket.socket, sent: list[bytes]) -> None:
        self._sock, self._sent = sock, sent

    def send(self, data: bytes) -> int:
        self._sent.append(data)
        return self._sock.send(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def test_nothing_is_waited_for_that_has_not_been_asked_yet(tmp_path: Path) -> None:
    """A look for answers that came too late is no wait: it held up every HUP for 5 s."""
    path = tmp_path / "conf"
    path.write_text("[General]\n")
    script = (
        "import time; from pathlib import Path; from isakmp import privileged;"
        "from isakmp.event.loop import Loop; from isakmp.event.timer import Timers;"
        "from isakmp.log.log import Log;"
        "privileged.ANSWER_S = 3600.0;"
        f"helper = privileged.Helper(Path({str(path)!r}), Loop(Timers(time.time)),"
        " Log(time.time, print)); print(helper.open(helper.path).read()); helper.close()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT, timeout=60)
    assert done.stdout.splitlines() == [repr(b"[General]\n").encode()], done.stderr


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


def test_an_answer_that_came_too_late_is_not_taken_for_the_next(tmp_path: Path) -> None:
    """Nor for the helper's end: it says something unasked, and is still there."""
    path, told = tmp_path / "conf", list[str]()
    path.write_text("old")
    loop = Loop(Timers(time.monotonic))
    with forking():
        helper = Helper(path, loop, Log(time.time, told.append))
    try:
        for _ in range(2):
            helper._socket.send(b"C")  # and nobody waits for the answer
            assert select.select([helper._socket], [], [], 20)[0]
            (tmp_path / "new").write_text("new")
            os.replace(tmp_path / "new", path)
            with helper.open(path) as file:
                assert file.read() == b"new"
        helper._socket.send(b"C")
        assert select.select([helper._socket], [], [], 20)[0]
        loop.turn(0.0)
        assert told == []
    finally:
        helper.close()


def test_a_file_that_is_gone_is_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "conf"
    path.write_text("[General]\n")
    conf = Conf.load(path)

    def refuse(path: Path) -> object:
        raise PermissionError(13, "Permission denied")

    conf.opener = refuse  # type: ignore[assignment]
    with pytest.raises(ConfError, match="cannot be read: Permission denied"):
        conf.reload()


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
