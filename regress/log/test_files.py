"""Logfile=: lines of a class or severity go to files, which are private and opened anew on HUP."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from isakmp.errors import IsakmpError
from isakmp.log.files import Outlets
from isakmp.log.log import Log, LogClass, parse_route
from isakmp.log.sink import StreamSink

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")


class Paper:
    """A log whose lines that no file has are on a pipe."""

    def __init__(self, *entries: str) -> None:
        self.reading, writing = os.pipe()
        self.writing = writing
        self.outlets = Outlets(StreamSink(writing), map(parse_route, entries))
        self.log = Log(lambda: 1_000_000_000.25, self.outlets.write, stamp=False)
        self.outlets.serve(self.log)

    def rest(self) -> str:
        os.set_blocking(self.reading, False)
        try:
            return os.read(self.reading, 65536).decode()
        except BlockingIOError:
            return ""


def test_classes_and_severities_have_files_of_their_own(tmp_path: Path) -> None:
    refused, exchanges = tmp_path / "refused", tmp_path / "exchanges"
    paper = Paper(f"PROTO_ERR={refused}", f"exchange={exchanges}", f"7={exchanges}")
    paper.log.set_level(None, 10)
    paper.log.proto_err("one")
    paper.log.debug(LogClass.EXCHANGE, 10, "two")
    paper.log.info("three")
    assert refused.read_text() == "2001-09-09T01:46:40.250Z PROTO_ERR      one\n"
    assert exchanges.read_text() == "2001-09-09T01:46:40.250Z Exchange    10 two\n"
    assert paper.rest() == "INFO           three\n"
    assert refused.stat().st_mode & 0o777 == 0o600


def test_a_path_alone_has_all_that_no_other_has(tmp_path: Path) -> None:
    paper = Paper(str(tmp_path / "all"), f"INFO={tmp_path / 'some'}")
    paper.log.internal_warn("one")
    paper.log.info("two")
    assert (tmp_path / "all").read_text().endswith("INTERNAL_WARN  one\n")
    assert (tmp_path / "some").read_text().endswith("INFO           two\n")
    assert paper.rest() == ""


def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    paper = Paper(str(path))
    paper.log.info("one")
    path.rename(tmp_path / "log.0")
    paper.log.info("two")
    paper.outlets.reopen()
    paper.log.info("three")
    assert (tmp_path / "log.0").read_text().count("\n") == 2
    assert path.read_text().endswith("three\n")


def test_a_file_that_is_in_its_place_is_not_opened_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be root's, and we another user by now."""
    path = tmp_path / "log"
    paper = Paper(str(path))

    def refuse(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    paper.outlets.reopen()
    paper.log.info("still")
    assert path.read_text().count("\n") == 1


def test_what_cannot_be_opened_anew_is_told_and_written_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    paper = Paper(f"INFO={path}")
    path.rename(tmp_path / "log.0")
    path.symlink_to(tmp_path / "elsewhere")
    paper.outlets.reopen()
    paper.log.info("still")
    assert "the old one is written on" in paper.rest()
    assert (tmp_path / "log.0").read_text().endswith("still\n")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("kind", ["link", "directory", "nowhere"])
def test_only_plain_files_are_opened(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "log"
    if kind == "link":
        path.symlink_to(tmp_path / "other")
    elif kind == "directory":
        path.mkdir()
    else:
        path = tmp_path / "none" / "log"
    with pytest.raises(IsakmpError, match=str(path)):
        Paper(str(path))


@root
def test_a_log_of_another_user_is_not_opened(tmp_path: Path) -> None:
    """But of the user whom isakmpd becomes, who has made it anew when it was moved away."""
    path = tmp_path / "log"
    path.touch()
    os.chown(path, 65534, 65534)
    with pytest.raises(IsakmpError, match=f"{path} belongs to user 65534, who can read"):
        Paper(str(path))
    Outlets(StreamSink(1), [("", str(path))], {65534}).close()


@root
def test_rotation_by_another_user_is_refused_and_by_root_is_not(tmp_path: Path) -> None:
    """create 640 root adm, of logrotate: the mode stays as it was chosen."""
    path = tmp_path / "log"
    paper = Paper(str(path))
    path.rename(tmp_path / "log.0")
    path.touch()
    os.chown(path, 65534, 65534)
    paper.outlets.reopen()
    assert "belongs to user 65534" in (tmp_path / "log.0").read_text()
    path.unlink()
    path.touch()
    path.chmod(0o640)
    os.chown(path, 0, 4)
    paper.outlets.reopen()
    paper.log.info("here")
    assert path.read_text().endswith("here\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("text", ["log", "log=here", "Nothing=/log", "", "=log", "Exchange="])
def test_what_is_no_route(text: str) -> None:
    with pytest.raises(ValueError):
        parse_route(text)
