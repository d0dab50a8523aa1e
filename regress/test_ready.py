"""Who started isakmpd is told: the process that was called, and a service manager."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from threading import Thread

import pytest

from isakmp.errors import ConfError
from isakmp.log.log import Log
from isakmp.ready import DIED, Starter, _await, detach


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def log(lines: list[str]) -> Log:
    return Log(lambda: 0.0, lines.append)


def test_ready_releases_who_waits_once(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    starter = Starter(writing, log, {})
    starter.ready()
    starter.ready()  # after a reload
    assert _await(reading) == 0
    assert os.read(reading, 1) == b""
    os.close(reading)
    assert capsys.readouterr() == ("", "")


def test_who_waits_hears_what_is_left_out(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    for count, told in ((1, 1), (9, 9), (10_000, 9)):
        reading, writing = os.pipe()
        lines = [
            f"left out: net-{number}: " + "é" * 1000 * (number == 5) for number in range(count)
        ]
        Starter(writing, log, {}).ready(lines)
        assert _await(reading) == 0
        os.close(reading)
        said = capsys.readouterr().err.splitlines()
        assert len(said) == told
        assert said[0] == "isakmpd: left out: net-0: "
    assert said[-1] == "isakmpd: and 9992 more: isakmpd --check lists them"


@pytest.mark.parametrize("why", ["the address is taken", "x" * 100_000, "x" * 4095 + "é", ""])
def test_who_waits_hears_why_not(why: str, log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    Starter(writing, log, {}).failed(why)
    assert _await(reading) == 1
    os.close(reading)
    assert capsys.readouterr().err.startswith(f"isakmpd: {(why or DIED)[:4000]}")


def test_a_name_that_is_no_text_keeps_nobody_from_hearing_why(
    log: Log, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    reading, writing = os.pipe()
    manager = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(manager)
        starter = Starter(writing, log, {"NOTIFY_SOCKET": manager})
        starter.failed("/etc/\udcff.conf: cannot be read\nMAINPID=1")
        assert heard.recv(4096) == b"STATUS=cannot run: /etc/\\udcff.conf: cannot be read MAINPID=1"
    assert _await(reading) == 1
    os.close(reading)
    assert "cannot be read" in capsys.readouterr().err


def test_who_waits_hears_that_it_died(capsys: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    assert _await(reading) == 1
    os.close(reading)
    assert capsys.readouterr().err == f"isakmpd: {DIED}\n"


def test_nobody_waits_any_longer(log: Log, lines: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    Starter(writing, log, {}).ready()
    assert "nobody waits" in lines[0]


@pytest.mark.parametrize("abstract", [False, True])
def test_a_manager_hears_everything_and_no_child_can_speak_for_us(
    tmp_path: Path, log: Log, lines: list[str], abstract: bool
) -> None:
    name = f"@{tmp_path}" if abstract else str(tmp_path / "notify")
    environment = {"NOTIFY_SOCKET": name}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        manager.setblocking(False)
        starter = Starter(None, log, environment)
        starter.ready()
        with pytest.raises(ConfError), starter.reload():
            raise ConfError("broken")
        starter.stopping()
        starter.ready()  # of a reload that the end has cut short
        starter.failed("no TUN device")
        heard = [manager.recv(4096).decode().partition("\n")[0] for _ in range(5)]
    assert heard == [
        "READY=1", "RELOADING=1", "READY=1", "STOPPING=1", "STATUS=cannot run: no TUN device"
    ]  # fmt: skip
    assert environment == {} and lines == []


def test_a_manager_that_does_not_read_costs_words_and_stops_nobody(
    tmp_path: Path, log: Log, lines: list[str]
) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        starter = Starter(None, log, {"NOTIFY_SOCKET": name})

        def tell() -> None:
            while not starter.lost:
                starter.ready()

        telling = Thread(target=tell, daemon=True)
        telling.start()
        telling.join(30)
        assert not telling.is_alive()
    assert "was not told READY=1: Resource temporarily unavailable (1 lost)" in lines[0]


def test_a_manager_that_is_gone_is_said(tmp_path: Path, log: Log, lines: list[str]) -> None:
    Starter(None, log, {"NOTIFY_SOCKET": str(tmp_path / "none")}).ready()
    assert f"the service manager at {tmp_path}/none was not told READY=1: No such" in lines[0]


def test_who_waits_hears_that_there_is_no_dev_null(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.devnull", "/nonexistent/null")
    child = os.fork()
    if not child:  # the process that was called; detach() ends it
        detach()
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert capfd.readouterr().err == (
        "isakmpd: cannot open /nonexistent/null: No such file or directory\n"
    )
