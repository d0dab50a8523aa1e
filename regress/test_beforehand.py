"""What would end the start of isakmpd on this host is told by --check, in the same words."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from isakmp.__main__ import main
from regress import process, test_full_disk
from regress.process import Running

conf, small = process.conf, test_full_disk.small
root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who may become another")


def wrong(conf: Path, flags: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The errors of --check."""
    status = main(["--check", "-c", str(conf), *flags])
    out, err = capsys.readouterr()
    errors = [line for line in err.splitlines() if not line.startswith("warning: ")]
    assert status == bool(errors)
    assert out == f"{conf}: no errors\n" * (not errors)
    assert not errors or errors.pop() == f"{conf}: {len(errors)} error{'s' * (len(errors) > 1)}"
    return errors


def nothing(_: Path) -> None:
    """The host stays as it is."""


def others_may_write(folder: Path) -> None:
    folder.chmod(0o777)


def file_for_fifo(folder: Path) -> None:
    (folder / "isakmpd.fifo").write_text("")


def log_is_a_link(folder: Path) -> None:
    (folder / "log").symlink_to("elsewhere")


def log_is_a_directory(folder: Path) -> None:
    (folder / "log").mkdir()


def given_away(name: str) -> Callable[[Path], None]:
    """A file of another user, which only root can make so."""

    def give(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.chown(path, 65534, 65534)

    return give


def a_file(folder: Path) -> None:
    (folder / "file").touch()


def directory_given_away(folder: Path) -> None:
    (folder / "keys").mkdir()
    os.chown(folder / "keys", 65534, 65534)


# What is written in [General], which flags, what is done to the run directory, and what is said.
ROWS: list[tuple[str, str, Callable[[Path], None], str]] = [
    ("Listen-on= 192.0.2.77", "", nothing,
     "[General]:Listen-on: cannot listen on 192.0.2.77 port 500: Cannot assign requested address"),
    ("Listen-on= 2001:db8::77", "-6", nothing, "cannot listen on 2001:db8::77"),
    ("Listen-on= 2001:db8::77", "-4", nothing,
     "[General]:Listen-on: has no address of IPv4, and -4 leaves out all others"),
    ("Listen-on= ::ffff:127.0.0.1", "", nothing,
     "[General]:Listen-on: '::ffff:7f00:1' is 127.0.0.1 in the form of IPv6 (write 127.0.0.1)"),
    ("User= 9bad!", "", nothing, "[General]:User: '9bad!' is not a name"),
    ("Run-directory= run", "", nothing, "[General]:Run-directory: 'run' is not a path from / on"),
    ("Listen-on= eth99", "", nothing,
     "[General]:Listen-on: eth99 is no address, and no interface of this host with one"),
    ("", "", others_may_write, "[General]:Run-directory: the run directory"),
    ("", "", file_for_fifo, "a regular file is in the place of the FIFO"),
    ("Run-directory= /nonexistent/run", "", nothing, "there is no directory /nonexistent/run"),
    ("Run-directory= /dev/null", "", nothing, "[General]:Run-directory: /dev/null is no directory"),
    ("Run-directory= FOLDER/file", "", a_file, "/file is no directory"),
    ("Logfile= FOLDER/file/log", "", a_file, "[General]:Logfile: "),
    ("Logfile= /nonexistent/log", "", nothing, "there is no directory /nonexistent"),
    ("Logfile= FOLDER/log", "", log_is_a_link, "/log: Too many levels of symbolic links"),
    ("Logfile= FOLDER/log", "", log_is_a_directory, "/log: Is a directory"),
    ("Logfile= /dev/null", "", nothing, "[General]:Logfile: /dev/null is no plain file"),
    ("User= nobody\nRun-directory= /dev/null", "", nothing, "/dev/null is no directory"),
    ("Key-log= /dev/null", "", nothing, "[General]:Key-log: /dev/null is not a directory"),
    ("Key-log= /dev/null/keys", "", nothing, "[General]:Key-log: /dev/null is not a directory"),
    ("User= no-such-one", "", nothing, "[General]:User: this host has no user no-such-one"),
    ("User= nobody\nGroup= no-such-one", "", nothing, "[General]:Group: this host has no group"),
    ("Application= engine\nEngine-socket= /nonexistent/socket", "", nothing,
     "[General]:Engine-socket: no key engine listens at /nonexistent/socket: No such "
     "file or directory; start it: "),
    ("Application= magic", "", nothing, "'magic' is not one of engine"),
    ("", "-f /nonexistent/fifo", nothing, "/nonexistent/fifo: No such file or directory"),
    ("", "-i /nonexistent/pid", nothing, "/nonexistent/pid: No such file or directory"),
    ("", "-R /nonexistent/report", nothing, "/nonexistent/report: No such file or directory"),
    ("", "-l /nonexistent/pcap", nothing, "/nonexistent/pcap: No such file or directory"),
]  # fmt: skip
# What the start has other words for, or does not end for as it runs as root.
REWORDED = {"there is no directory /nonexistent": "No such file", "/dev/null is not a": "key log"}


def put(conf: Path, lines: str) -> None:
    """Those lines for the same tags, or beside them."""
    text = conf.read_text()
    for line in filter(None, lines.replace("FOLDER", str(conf.parent)).split("\n")):
        tag = line.partition("=")[0]
        kept = [each for each in text.split("\n") if not each.startswith(f"{tag}=")]
        text = "\n".join(kept).replace("[General]", f"[General]\n{line}", 1)
    conf.write_text(text)


THEIRS = "belongs to user 65534, who can read what is written there"
ROWS_OF_ROOT: list[tuple[str, str, Callable[[Path], None], str]] = [
    ("Logfile= FOLDER/log", "", given_away("log"), f"/log {THEIRS}"),
    ("Key-log= FOLDER/keys", "", given_away("keys/esp_sa"), f"/keys/esp_sa {THEIRS}"),
    ("Key-log= FOLDER/keys", "", directory_given_away, "/keys belongs to user 65534, who could"),
    ("", "-L", given_away("isakmpd.pcap"), f"/isakmpd.pcap: {THEIRS}"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "flags", "change", "said"),
    [*ROWS, *(pytest.param(*row, marks=root) for row in ROWS_OF_ROOT)],
)
def test_what_ends_a_start_is_an_error_of_check(
    conf: Path, capsys: pytest.CaptureFixture[str], lines: str, flags: str,
    change: Callable[[Path], None], said: str,
) -> None:  # fmt: skip
    assert wrong(conf, (), capsys) == []
    put(conf, lines)
    change(conf.parent)
    (error,) = wrong(conf, tuple(flags.split()), capsys)
    assert said in error
    started = Running(conf, "-d", *flags.split())
    assert started.process.wait(30) == 1
    same = next((new for old, new in REWORDED.items() if old in said), said)
    same = same.replace("port 500: ", "port ").removeprefix("[General]:Run-directory: ")
    same = same.removeprefix("[General]:Engine-socket: ")
    assert same.partition(" port ")[0] in started.error.read_text()


def test_a_run_directory_that_is_read_only(
    conf: Path, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(conf, f"Run-directory= {small}\nLogfile= {small}/log")
    assert wrong(conf, (), capsys) == []
    test_full_disk.remount(small, "ro")
    directory, log = sorted(wrong(conf, (), capsys), reverse=True)
    assert directory.endswith(f"Run-directory: {small} is on a file system that is read-only")
    assert log.endswith(f"[General]:Logfile: {small}/log: Read-only file system")


def test_a_run_directory_that_takes_no_files(
    conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(conf, "Run-directory= /proc")
    (error,) = wrong(conf, (), capsys)
    if os.geteuid() == 0:
        assert error.endswith("no FIFO can be made in /proc: No such file or directory")
    else:
        assert error.endswith("nothing may be written in /proc")
    assert "/proc/isakmpd.fifo" not in os.listdir("/proc")


@root
def test_what_the_user_may_not_write(
    conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "keys").mkdir(mode=0o700)
    put(conf, f"User= nobody\nKey-log= {tmp_path}/keys")
    run, keys = wrong(conf, (), capsys)
    assert f"nobody may not write in the run directory {tmp_path}: chown nobody" in run
    assert keys.endswith(f"nobody may not write in {tmp_path}/keys: chown nobody {tmp_path}/keys")


def test_warnings_are_told_beside_errors(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf.write_text(conf.read_text() + "[stray]\nPhase= 1\n[General]\nWorkers= many\n")
    assert main(["--check", "-c", str(conf)]) == 1
    err = capsys.readouterr().err
    assert "'many' is not a number" in err
    assert "nothing names this section" in err
    conf.write_text("[General]\nWorkers=\n[General\n")
    assert main(["--check", "-c", str(conf)]) == 1
    err = capsys.readouterr().err
    assert "section without its closing bracket" in err
    assert "warning: " in err, "of a file that cannot be parsed, too"
