"""The run directory: files of the umask's modes, and answers that do not lie about."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fifo_ui.commands import Commands
from fifo_ui.files import running, write_whole
from regress.fifo_ui.fake import FakeDaemon


@pytest.mark.parametrize("mask", [0, 0o077])
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_modes_are_not_the_umask_s(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    write_whole(tmp_path / "file", "text", mode)
    os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("end", ["a minute later", "isakmpd ends"])
def test_a_secret_that_was_asked_for_does_not_lie_about(daemon: FakeDaemon, end: str) -> None:
    commands = Commands(daemon, lambda: daemon.now)
    result = daemon.run_directory / "isakmpd.result"
    commands.line("C get [Phase 2]:Connections")
    os.utime(result, (daemon.now, daemon.now))
    commands.tidy()
    assert result.exists(), "whoever asked has a minute"
    if end == "isakmpd ends":
        commands.close()
    else:
        daemon.now += 61
        commands.tidy()
    assert not result.exists()


def test_a_process_number_that_is_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "isakmpd.pid")
    assert running(tmp_path) == 0
