"""isakmpd as a process of its own, for tests."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

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
