"""isakmpd as a process: flags, --check, signals, and what it says when it cannot start."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from isakmp.__main__ import main
from isakmp.flags import arguments
from regress import process
from regress.process import Running

conf = process.conf


def test_detached_with_a_pid_file_of_its_own(conf: Path) -> None:
    pid_file = conf.parent / "other.pid"
    process = Running(conf, "-i", str(pid_file), "-R", str(conf.parent / "report"))
    assert process.process.wait(20) == 0  # once the daemon is ready, not before
    number = int(pid_file.read_text())
    assert number != process.process.pid
    assert os.getsid(number) != os.getsid(0)
    os.kill(number, signal.SIGTERM)
    for _ in range(1000):
        if not pid_file.exists():
            break
        time.sleep(0.02)
    assert not pid_file.exists()


def test_a_service_manager_is_told(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(conf.parent / "notify"))
        manager.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(conf.parent / "notify"))
        process = Running(conf, "-d")
        try:
            ready = f"READY=1\nMAINPID={process.process.pid}".encode()
            assert manager.recv(4096) == ready
            process.process.send_signal(signal.SIGHUP)
            assert manager.recv(4096).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert manager.recv(4096) == ready
            assert process.stop() == 0
            assert manager.recv(4096) == b"STOPPING=1"
        finally:
            process.process.kill()
            process.process.wait()


def test_the_run_directory_that_systemd_made(
    conf: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = tmp_path_factory.mktemp("run")
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(made))
    conf.write_text("".join(
        line for line in conf.read_text().splitlines(True) if "Run-directory" not in line
    ))  # fmt: skip
    process = Running(conf, "-d")
    try:
        process.until("isakmpd runs")
        assert (made / "isakmpd.fifo").is_fifo()
        assert process.stop() == 0
    finally:
        process.process.kill()
        process.process.wait()


STARTED_WITH = """
import os, signal, sys
from isakmp import start
load = start.Conf.load
def signalled(*arguments):
    os.kill(os.getpid(), signal.{})
    return load(*arguments)
start.Conf.load = signalled
from isakmp.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
# While the first of the modules is read that isakmpd needs.
READ_WITH = """
import os, runpy, signal, sys
class Signalled:
    @staticmethod
    def find_spec(name, path, target=None):
        if name == "isakmp.daemon":
            os.kill(os.getpid(), signal.{})
sys.meta_path.insert(0, Signalled)
runpy.run_module("isakmp", run_name="__main__")
"""


@pytest.mark.parametrize("code", [STARTED_WITH, READ_WITH], ids=["starting", "being read"])
@pytest.mark.parametrize(
    ("name", "done"), [("SIGHUP", "configuration reloaded: "), ("SIGUSR1", "report written to ")]
)
def test_a_signal_to_one_that_is_starting_waits(
    conf: Path, name: str, done: str, code: str
) -> None:
    process = Running(conf, "-d", code=code.format(name))
    try:
        process.until(done)
        assert process.stop() == 0
    finally:
        process.process.kill()
        process.process.wait()


def test_run_reports_in_process(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-d", "-c", str(conf) + ".not"]) == 1
    assert capsys.readouterr().err.startswith("isakmpd: ")


def test_flags() -> None:
    options = arguments(["-4", "-a", "-d", "-D", "A=1", "-D", "2", "-K", "-L", "-n", "-S", "-T"])
    assert options.v4
    assert options.no_flows
    assert options.passive
    assert options.leave_alone
    assert options.no_nat_t
    assert options.debug == ["A=1", "2"]
    assert (options.port, options.nat_t_port) == (500, 4500)


@pytest.mark.parametrize(
    "argv",
    [["-p", "0"], ["-p", "70000"], ["-N", "x"], ["--nonsense"], ["--close-only", "--open"]],
)
def test_bad_flags(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(argv)
    assert "usage" in capsys.readouterr().err
