"""An ordered start: what keeps isakmpd from it, and what --check says."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isakmp.__main__ import main
from isakmp.log.sink import SyslogSink
from regress import process
from regress.process import Running

conf = process.conf


def test_detached_it_says_in_the_log_why_it_cannot_run(
    conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(conf.parent / "log")
    reading, writing = os.pipe()
    monkeypatch.setattr("isakmp.start.detach", lambda: writing)
    monkeypatch.setattr("isakmp.start.SyslogSink", lambda: SyslogSink(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslogd:
        syslogd.bind(path)
        syslogd.settimeout(20)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            assert main(["-c", str(conf), "-p", str(taken.getsockname()[1])]) == 1
        told = f"{conf}:3 [General]:Listen-on: cannot listen on 127.0.0.1"
        while f"cannot run: {told}" not in syslogd.recv(9000).decode():
            pass
    assert os.read(reading, 4096).decode().startswith(told)
    os.close(reading)


def test_without_d_whoever_called_is_told_why_it_cannot_run(conf: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        process = Running(conf, "-p", str(taken.getsockname()[1]))
        assert process.process.wait(20) == 1
    told = f"isakmpd: {conf}:3 [General]:Listen-on: cannot listen on 127.0.0.1"
    assert process.error.read_text().startswith(told)
    assert not (conf.parent / "isakmpd.pid").exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("-c", "/nonexistent/isakmpd.conf"), "/nonexistent/isakmpd.conf"),
        (("-i", "/nonexistent/pid"), "/nonexistent/pid: No such file"),
        (("-f", "/nonexistent/fifo"), "/nonexistent/fifo"),
        (("-l", "/nonexistent/pcap"), "/nonexistent/pcap: No such file"),
    ],
)
def test_what_keeps_it_from_starting_is_said_in_a_line(
    conf: Path, capfd: pytest.CaptureFixture[str], flags: tuple[str, ...], said: str
) -> None:
    process = Running(conf, "-d", *flags)
    assert process.process.wait(20) == 1
    text = process.error.read_text()
    assert said in text
    assert text.splitlines()[-1].startswith("isakmpd: ")
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("Application= none", "Application= magic"), "'magic' is not one of engine"),
        (("Listen-on= 127.0.0.1", "Listen-on= nosuchif"), "[General]:Listen-on: nosuchif is no"),
        (("Listen-on= 127.0.0.1", "Listen-on= 192.0.2.201"), "address (no interface of this host"),
        (
            ("[General]", "[General]\nLogfile= /nosuch/log"),
            "[General]:Logfile: /nosuch/log: No such",
        ),
        (
            ("[General]", "[General]\nUser= no-such-user"),
            ":2 [General]:User: this host has no user no-such-user (useradd --system no-such-user",
        ),
        (
            ("[General]", "[General]\nKey-log= /dev/null/keys"),
            ":2 [General]:Key-log: no directory for the key log",
        ),
    ],
)
def test_configurations_that_cannot_run(conf: Path, change: tuple[str, str], said: str) -> None:
    conf.write_text(conf.read_text().replace(*change))
    process = Running(conf, "-d")
    assert process.process.wait(20) == 1
    assert said in process.error.read_text()
    assert "Traceback" not in process.error.read_text()


def test_without_d_whoever_called_is_told_what_is_left_out(conf: Path) -> None:
    conf.write_text(conf.read_text().replace("ISAKMP-peer= east", "ISAKMP-peer= est"))
    started = Running(conf)
    assert started.process.wait(20) == 0
    (line,) = started.error.read_text().splitlines()
    os.kill(int((conf.parent / "isakmpd.pid").read_text()), signal.SIGTERM)
    assert line.startswith("isakmpd: left out: west-east: ")
    assert "there is no section [est]" in line
    for _ in range(1000):
        if not (conf.parent / "isakmpd.pid").exists():
            break
        time.sleep(0.02)
    assert not (conf.parent / "isakmpd.pid").exists()


def test_check_says_whether_a_configuration_is_good(
    conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check", "-c", str(conf)]) == 0
    assert capsys.readouterr().out == f"{conf}: no errors\n"
    conf.write_text(conf.read_text().replace("ISAKMP-peer= east", "ISAKMP-peer= est"))
    assert main(["--check", "-c", str(conf)]) == 1
    error = capsys.readouterr().err
    assert f"{conf}:" in error
    assert "est" in error
    assert "1 error" in error or "2 errors" in error
    assert main(["--check", "-c", str(conf) + ".not"]) == 1


def checked(conf: Path, **environ: str) -> str:
    """What --check says on a terminal."""
    near, far = pty.openpty()
    command = [sys.executable, "-m", "isakmp", "--check", "-c", str(conf)]
    plain = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    subprocess.run(command, stdout=far, stderr=far, env=plain | environ, check=False)
    os.close(far)
    text = os.read(near, 65536).decode()
    os.close(near)
    return text


@pytest.mark.parametrize("flag", ["Foo=3", "SA=100", "SA", "Nonsense=5"])
def test_a_level_that_is_none_is_refused_with_check_too(
    conf: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--check", "-D", flag, "-c", str(conf)])
    assert ended.value.code == 2
    assert f"isakmpd: error: -D {flag}: no debug " in capsys.readouterr().err


def test_check_colours_its_findings_on_a_terminal(conf: Path) -> None:
    assert checked(conf, TERM="xterm").endswith(f"\x1b[32m{conf}: no errors\x1b[0m\r\n")
    assert "\x1b" not in checked(conf, TERM="xterm", NO_COLOR="1")
    conf.write_text(conf.read_text() + "[stray]\nPhase= 1\n")
    assert "\x1b[33mwarning: " in checked(conf, TERM="xterm")
    conf.write_text(conf.read_text().replace("ISAKMP-peer= east", "ISAKMP-peer= est"))
    assert checked(conf, TERM="xterm").startswith("\x1b[31m")
