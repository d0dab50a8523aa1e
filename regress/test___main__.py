"""isakmpd as a process: flags, --check, signals, and what it says when it cannot start."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from isakmp.__main__ import main
from isakmp.flags import arguments
from isakmp.log.sink import SyslogSink
from regress.pair import WEST

GATEWAY = replace(WEST, address="127.0.0.1", peer_address="127.0.0.2",
                  general="Listen-on= 127.0.0.1\nApplication= none\n")  # fmt: skip


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "isakmpd.conf"
    general = f"Run-directory= {tmp_path}\n"
    path.write_text(GATEWAY.text().replace("[General]\n", f"[General]\n{general}"))
    path.chmod(0o600)
    return path


class Running:
    """One process; ports of its own."""

    def __init__(self, conf: Path, *flags: str, code: str = "") -> None:
        self.folder = conf.parent
        self.error = self.folder / "stderr"
        what = ["-c", code] if code else ["-m", "isakmp"]
        argv = [sys.executable, *what, "-c", str(conf), "-p", str(free_port()),
                "-N", str(free_port()), *flags]  # fmt: skip
        with self.error.open("w") as out:
            self.process = subprocess.Popen(argv, stderr=out, stdin=subprocess.DEVNULL)

    def until(self, text: str) -> None:
        """Wait for a line of the log."""
        for _ in range(1500):
            if text in self.error.read_text() or self.process.poll() is not None:
                break
            time.sleep(0.02)
        assert text in self.error.read_text()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@pytest.fixture
def running(conf: Path) -> Iterator[Running]:
    process = Running(conf, "-d")
    try:
        process.until("isakmpd runs")
        yield process
    finally:
        process.process.kill()
        process.process.wait()


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


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("-c", "/nonexistent/isakmpd.conf"), "/nonexistent/isakmpd.conf"),
        (("-i", "/nonexistent/pid"), "/nonexistent/pid: No such file"),
        (("-f", "/nonexistent/fifo"), "/nonexistent/fifo"),
        (("-l", "/nonexistent/pcap"), "/nonexistent/pcap: No such file"),
        (("-D", "Nonsense=5"), "Nonsense"),
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


@pytest.mark.parametrize("flag", ["Foo=3", "SA=100", "SA"])
def test_a_level_that_is_none_is_refused_with_check_too(
    conf: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    assert main(["--check", "-D", flag, "-c", str(conf)]) == 1
    assert "isakmpd: no debug " in capsys.readouterr().err


def test_check_colours_its_findings_on_a_terminal(conf: Path) -> None:
    assert checked(conf, TERM="xterm").endswith(f"\x1b[32m{conf}: no errors\x1b[0m\r\n")
    assert "\x1b" not in checked(conf, TERM="xterm", NO_COLOR="1")
    conf.write_text(conf.read_text() + "[stray]\nPhase= 1\n")
    assert "\x1b[33mwarning: " in checked(conf, TERM="xterm")
    conf.write_text(conf.read_text().replace("ISAKMP-peer= east", "ISAKMP-peer= est"))
    assert checked(conf, TERM="xterm").startswith("\x1b[31m")


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
