"""The other end of the FIFO: commands that do not arrive, and replies that cannot be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fifo_ui import ctl
from fifo_ui.client import ControlError
from regress.fifo_ui.fake import (
    TOKEN,
    Running,
    client_of,
)


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
    command = [sys.executable, "-c", "input()", name]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        (tmp_path / "isakmpd.pid").write_text(f"{process.pid}\n")
        assert ctl.main(["--run-directory", str(tmp_path), "sa", "--json"]) == 1
        process.communicate(b"\n")
    answer = json.loads(capsys.readouterr().out)
    if name == "isakmpd":
        why = f"isakmpd runs, process {process.pid}, but there is no {tmp_path}/isakmpd.fifo"
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
    command = [sys.executable, "-c", "input()", "isakmpd"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        (tmp_path / "isakmpd.pid").write_text(f"{process.pid}\n")
        assert ctl.main(["--run-directory", str(tmp_path), "sa"]) == 1
        process.communicate(b"\n")
    told, mend = capsys.readouterr().err.splitlines()
    assert f"process {process.pid}, but another file is in the place of {tmp_path}" in told
    assert mend.startswith("  mend: move that file away: isakmpd makes its FIFO anew within 10 s")


def test_daemon_that_does_not_answer(running: Running) -> None:
    client = client_of(running, lambda: None)
    with pytest.raises(ControlError, match="did not answer within 5 s") as caught:
        client.ask("S")
    assert str(running.daemon.run_directory) in caught.value.mend


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
