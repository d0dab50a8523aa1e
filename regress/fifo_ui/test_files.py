"""The run directory: whose it must be, and answers that do not lie about."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fifo_ui.commands import Commands
from fifo_ui.files import check_directory, write_whole
from isakmp.errors import IsakmpError
from regress.fifo_ui.fake import FakeDaemon


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o1777])
def test_a_directory_where_nobody_else_can_replace_files(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    check_directory(tmp_path, {os.geteuid()})
    check_directory(tmp_path / "missing", {os.geteuid()})


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_directory_that_others_may_write(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(IsakmpError, match=r"may be written by others \(mode 0.*chmod 755"):
        check_directory(tmp_path, {os.geteuid()})


def test_a_directory_of_another_user(tmp_path: Path) -> None:
    with pytest.raises(IsakmpError, match=f"belongs to user {os.geteuid()}.*chown"):
        check_directory(tmp_path, {os.geteuid() + 1})


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
