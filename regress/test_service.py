"""isakmpd at work: signals, the FIFO, the report and its files."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from regress import process
from regress.process import Running

conf, running = process.conf, process.running


def test_it_runs_and_stops_in_order(running: Running) -> None:
    pid_file = running.folder / "isakmpd.pid"
    assert pid_file.read_text() == f"{running.process.pid}\n"
    assert (running.folder / "isakmpd.fifo").is_fifo()
    assert running.stop() == 0
    assert "stopping: SIGTERM" in running.error.read_text()
    assert not pid_file.exists()
    assert "Traceback" not in running.error.read_text()


def test_interrupt_stops_it_too(running: Running) -> None:
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(20) == 0


def test_hup_reads_the_configuration_again(running: Running, conf: Path) -> None:
    running.process.send_signal(signal.SIGHUP)
    running.until("configuration reloaded: nothing changed")
    text = conf.read_text()
    conf.write_text("[broken\n")
    running.process.send_signal(signal.SIGHUP)
    running.until("SIGHUP: ")
    conf.write_text(text.replace("10.2.0.0", "10.4.0.0"))
    running.process.send_signal(signal.SIGHUP)
    running.until("configuration reloaded: west-east: changed")
    assert running.stop() == 0


@pytest.mark.parametrize("how", ["HUP", "R", "R of a broken file"])
def test_a_service_manager_hears_of_every_reload(
    conf: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked for it: a signal, or a line of the FIFO (sd_notify(3), Type=notify)."""
    name = str(conf.parent / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        process = Running(conf, "-d")
        try:
            ready = f"READY=1\nMAINPID={process.process.pid}"
            assert manager.recv(4096).decode() == ready
            if how.endswith("file"):
                conf.write_text("[broken\n")
            if how == "HUP":
                process.process.send_signal(signal.SIGHUP)
            else:
                (conf.parent / "isakmpd.fifo").write_text("R\n")
            word, _, clock = manager.recv(4096).decode().partition("\nMONOTONIC_USEC=")
            assert word == "RELOADING=1" and int(clock) > 0
            assert manager.recv(4096).decode() == ready
            assert process.stop() == 0
            assert manager.recv(4096) == b"STOPPING=1"
        finally:
            process.process.kill()
            process.process.wait()


@pytest.mark.parametrize("how", ["HUP", "R"])
def test_a_log_that_was_renamed_is_made_anew_with_every_reload(conf: Path, how: str) -> None:
    """Whoever asked for it: what rotates logs may use either."""
    log, old = conf.parent / "all.log", conf.parent / "all.log.1"
    conf.write_text(conf.read_text().replace("[General]\n", f"[General]\nLogfile= {log}\n"))
    running = Running(conf, "-d")
    try:
        _until(lambda: log.exists() and "isakmpd runs" in log.read_text())
        log.rename(old)
        before = old.read_text()
        if how == "HUP":
            running.process.send_signal(signal.SIGHUP)
        else:
            (conf.parent / "isakmpd.fifo").write_text("R\n")
        _until(lambda: log.exists() and "configuration reloaded" in log.read_text())
        assert running.stop() == 0
        assert "stopping: SIGTERM" in log.read_text()
        assert old.read_text() == before
    finally:
        running.process.kill()
        running.process.wait()


def _until(reached: Callable[[], bool]) -> None:
    for _ in range(1500):
        if reached():
            break
        time.sleep(0.02)
    assert reached()


def test_usr1_writes_the_report(running: Running) -> None:
    running.process.send_signal(signal.SIGUSR1)
    running.until("report written to ")
    assert "west-east" in (running.folder / "isakmpd.report").read_text()
    assert running.stop() == 0


def test_commands_come_through_the_fifo_and_bad_ones_do_no_harm(running: Running) -> None:
    for line in (b"c nowhere\n", b"\xff\xfe\n", b"d\n", b"t\n", b"?" * 5000 + b"\n", b"C\n",
                 b"d 00 zz\n", b"C set [x\n", b"D x y z\n", b"r\n"):  # fmt: skip
        with (running.folder / "isakmpd.fifo").open("wb") as fifo:
            fifo.write(line)
    for _ in range(500):
        if (running.folder / "isakmpd.report").exists():
            break
        time.sleep(0.02)
    assert "nowhere" in running.error.read_text()
    with (running.folder / "isakmpd.fifo").open("wb") as fifo:
        fifo.write(b"Q\n")
    assert running.process.wait(20) == 0
    assert "bug" not in running.error.read_text()


def test_capture_and_fifo_where_they_are_wanted(conf: Path) -> None:
    capture, fifo = conf.parent / "c.pcap", conf.parent / "commands"
    process = Running(conf, "-d", "-l", str(capture), "-f", str(fifo), "-v", "-D", "Timer=10", "-4")
    try:
        process.until("isakmpd runs")
        assert capture.exists()
        assert fifo.is_fifo()
        assert process.stop() == 0
    finally:
        process.process.kill()
        process.process.wait()
