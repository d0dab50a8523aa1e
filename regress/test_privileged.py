"""The privileged helper: what it opens, and when it ends."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from isakmp.conf.store import Conf
from isakmp.errors import ConfError
from isakmp.event.loop import Loop
from isakmp.event.steps import at_once
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from isakmp.privileged import Helper
from regress.interop.forked import forking

ROOT = Path(__file__).resolve().parents[1]


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
        at_once(conf.again())
