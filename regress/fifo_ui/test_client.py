"""The other end of the FIFO: commands that do not arrive, and replies that cannot be read."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from fifo_ui import client as asker
from fifo_ui import ctl
from fifo_ui.client import ControlError
from regress.fifo_ui.fake import (
    TOKEN,
    Running,
    client_of,
)

ANOTHER = 65534
root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")


@contextmanager
def process_of(user: int | None, name: str = "isakmpd") -> Iterator[int]:
    """The number of a process, of another user or ours (None), which has isakmpd's name.

    It is waited for until it speaks: while it is being executed, its command line may be empty.
    """
    command = ["/bin/sh", "-c", "echo ready; read line", name]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, user=user, cwd="/") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
        process.communicate(b"\n")


def test_no_fifo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl.main(["--run-directory", str(tmp_path), "sa"]) == 1
    err = capsys.readouterr().err
    assert f"there is no {tmp_path}/isakmpd.fifo" in err
    assert "mend: start isakmpd" in err


def test_no_reader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "isakmpd.fifo")
    assert ctl.main(["sa", "--fifo", str(tmp_path / "isakmpd.fifo"), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert "nobody reads" in answer["error"]
    assert answer["mend"].startswith("start isakmpd")


@pytest.mark.parametrize("name", ["isakmpd", "another"])
def test_no_fifo_of_an_isakmpd_that_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Somebody took it away. Who has the number of an isakmpd that was killed is none."""
    with process_of(None, name) as number:
        (tmp_path / "isakmpd.pid").write_text(f"{number}\n")
        assert ctl.main(["--run-directory", str(tmp_path), "sa", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    if name == "isakmpd":
        why = f"isakmpd runs, process {number}, but there is no {tmp_path}/isakmpd.fifo"
        assert answer["error"] == why
        assert "anew within 10 s, or at once for kill -HUP" in answer["mend"]
    else:
        assert answer["error"].startswith("isakmpd is not running: ")


def test_no_fifo_but_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "isakmpd.fifo"
    path.write_text("")
    assert ctl.main(["--fifo", str(path), "quit"]) == 1
    assert "is no FIFO" in capsys.readouterr().err
    assert path.read_text() == ""


def test_another_file_in_the_place_of_the_fifo_of_an_isakmpd_that_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "isakmpd.fifo").write_text("")
    with process_of(None) as number:
        (tmp_path / "isakmpd.pid").write_text(f"{number}\n")
        assert ctl.main(["--run-directory", str(tmp_path), "sa"]) == 1
    told, mend = capsys.readouterr().err.splitlines()
    assert f"process {number}, but another file is in the place of {tmp_path}" in told
    assert mend.startswith("  mend: move that file away: isakmpd makes its FIFO anew within 10 s")


def test_daemon_that_does_not_answer(running: Running) -> None:
    client = client_of(running, lambda: None)
    with pytest.raises(ControlError, match="did not answer within 5 s") as caught:
        client.ask("S")
    assert str(running.daemon.run_directory) in caught.value.mend


@pytest.mark.parametrize("wrong", ["is_full", "read_only"])
def test_a_long_wait_ends_where_no_answer_can_come(
    running: Running, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asker, wrong, lambda _: True)
    asking = replace(client_of(running, lambda: None), timeout_s=60.0)
    with pytest.raises(ControlError, match="did not answer within 5 s: the .* is (full|read-only)"):
        asking.ask("S")
    assert asking.clock() < 5.1


def test_a_long_wait_for_an_answer_is_told_once(running: Running) -> None:
    said: list[str] = []
    client = replace(client_of(running, lambda: None), say=said.append)
    with pytest.raises(ControlError, match="did not answer"):
        client.ask("S")
    assert said == ["waiting: isakmpd has the command and has not answered yet"]


def test_full_fifo(running: Running) -> None:
    fd = os.open(running.path, os.O_WRONLY | os.O_NONBLOCK)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(fd, b"x" * 4096)
    os.close(fd)
    with pytest.raises(ControlError, match="is full"):
        client_of(running).ask("S")


@pytest.mark.parametrize("command", ["c a\nQ", "c " + "x" * 5000, "c \x1b"])
def test_command_that_is_no_line_is_not_sent(running: Running, command: str) -> None:
    with pytest.raises(ControlError, match="cannot be sent"):
        client_of(running).ask(command)
    running.turn()
    assert running.daemon.calls == []


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '{"ok": false}'])
def test_reply_that_cannot_be_read(running: Running, text: str) -> None:
    path = running.daemon.run_directory / f"isakmpd.reply.{TOKEN}"
    path.write_text(text)
    with pytest.raises(ControlError, match="cannot be read"):
        client_of(running).ask("T")
    assert not path.exists()


def test_reply_that_is_no_file(running: Running) -> None:
    (running.daemon.run_directory / f"isakmpd.reply.{TOKEN}").mkdir()
    with pytest.raises(ControlError, match="cannot read"):
        client_of(running).ask("T")


@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_a_reply_that_is_no_plain_file_is_not_waited_for(running: Running, kind: str) -> None:
    path = running.daemon.run_directory / f"isakmpd.reply.{TOKEN}"
    if kind == "fifo":
        os.mkfifo(path)
    else:
        (path.parent / "theirs").write_text('{"ok": true, "result": "theirs"}')
        path.symlink_to(path.parent / "theirs")
    with pytest.raises(ControlError, match="cannot read") as caught:
        client_of(running).ask("T")
    assert "may have carried the command out" in caught.value.mend


@root
def test_a_reply_of_another_user_is_not_taken(running: Running) -> None:
    path = running.daemon.run_directory / f"isakmpd.reply.{TOKEN}"
    path.write_text('{"ok": true, "result": "theirs"}')
    os.chown(path, ANOTHER, ANOTHER)
    with pytest.raises(ControlError, match=f"it belongs to user {ANOTHER}, who is not isakmpd's"):
        client_of(running, lambda: None).ask("T")


@root
@pytest.mark.parametrize("pid", [False, True])
def test_another_user_s_fifo_gets_no_command(running: Running, pid: bool) -> None:
    """In a directory where all may make files, whose process number says nothing, either."""
    running.path.parent.chmod(0o1777)
    os.chown(running.path, ANOTHER, ANOTHER)
    with process_of(ANOTHER) as number:
        if pid:
            (running.path.parent / "isakmpd.pid").write_text(f"{number}\n")
        with pytest.raises(ControlError, match=f"belongs to user {ANOTHER}.*nothing was") as caught:
            client_of(running).ask("C set [west]:Authentication=secret")
    assert "Run-directory" in caught.value.mend
    running.turn()
    assert running.daemon.calls == []


@root
@pytest.mark.parametrize("by", ["directory", "process"])
def test_the_fifo_of_isakmpd_s_own_user_gets_it(running: Running, by: str) -> None:
    """User= nobody, and root runs isakmpctl."""
    os.chown(running.path, ANOTHER, ANOTHER)
    with process_of(ANOTHER) as number:
        if by == "process":
            (running.path.parent / "isakmpd.pid").write_text(f"{number}\n")
        else:
            os.chown(running.path.parent, ANOTHER, ANOTHER)
        client_of(running).ask("T")
    assert running.daemon.calls == [("teardown_all",)]
