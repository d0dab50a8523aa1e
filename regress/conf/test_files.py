"""Files that isakmpd writes what is secret to: whose they, and their directory, must be."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from isakmp.conf.files import check_directory, open_private
from isakmp.errors import IsakmpError

ANOTHER = 65534
root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A directory that any user comes to: those above tmp_path let nobody else in."""
    with TemporaryDirectory(prefix="files-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


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


def test_a_new_file_is_private_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    """Who rotates a log has chosen it: create 640 root adm."""
    os.close(open_private(tmp_path / "new"))
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
    (tmp_path / "new").chmod(0o640)
    os.close(open_private(tmp_path / "new"))
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


@root
def test_a_file_of_another_user_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    os.chown(path, ANOTHER, ANOTHER)
    with pytest.raises(OSError, match=f"belongs to user {ANOTHER}, who can read.*: move it away"):
        open_private(path)
    os.close(open_private(path, {ANOTHER}))


@root
@pytest.mark.parametrize("owner", [0, 1, ANOTHER])
def test_who_is_no_longer_root_writes_root_s_files_and_its_own(reachable: Path, owner: int) -> None:
    path = reachable / "file"
    path.write_text("")
    path.chmod(0o666)
    os.chown(path, owner, owner)
    os.seteuid(ANOTHER)
    try:
        if owner == 1:
            with pytest.raises(OSError, match="belongs to user 1, "):
                open_private(path)
        else:
            os.close(open_private(path))
    finally:
        os.seteuid(0)


@root
def test_the_cause_is_told_where_the_system_refuses_it(reachable: Path) -> None:
    """As fs.protected_regular has it; here, as whose it is lets nobody else write it."""
    path = reachable / "file"
    path.write_text("")
    os.chown(path, 1, 1)
    path.chmod(0o600)
    os.seteuid(ANOTHER)
    try:
        with pytest.raises(OSError, match="belongs to user 1, "):
            open_private(path)
    finally:
        os.seteuid(0)


def test_a_file_with_another_name_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("kept")
    (tmp_path / "file").hardlink_to(tmp_path / "theirs")
    with pytest.raises(OSError, match="another name, a hard link: move it away"):
        open_private(tmp_path / "file")
    assert (tmp_path / "theirs").read_text() == "kept"


def test_nothing_but_a_plain_file_is_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OSError, match="is no plain file"):
        open_private(tmp_path / "fifo")
    os.close(reader)
