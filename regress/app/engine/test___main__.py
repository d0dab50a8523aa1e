"""The key engine as a process of its own: isakmpd-engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isakmp.app.base import SpiRequest
from isakmp.app.engine.wire import RawWire
from isakmp.app.pf_key.backend import PfKey
from isakmp.app.pf_key.link import SocketLink, unix_socket
from isakmp.errors import ApplicationError
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from regress.app.pf_key.fakes import (
    ESP,
    THEM,
    TUNNEL,
    US,
    Heard,
)

REQUEST = SpiRequest(ESP, THEM, US, TUNNEL, 7)


def test_the_whole_process(tmp_path: Path) -> None:
    """Start it, use it, end it with TERM: no socket, no device and no rule is left."""
    if os.geteuid() or not os.path.exists("/dev/net/tun"):
        pytest.skip("needs root and /dev/net/tun")
    path = str(tmp_path / "engine")
    command = [sys.executable, "-m", "isakmp.app.engine", "--socket", path]
    with subprocess.Popen(["unshare", "-n", *command], stderr=subprocess.PIPE) as child:
        try:
            timers = Timers(time.monotonic)
            loop = Loop(timers)
            app = wait_for(path, child, loop, timers)
            job = app.get_spi(REQUEST)
            while not job.done:
                loop.turn(10)
            assert job.result is not None
            # These are the daemon's, and may be meant for all of a service.
            for number in (signal.SIGHUP, signal.SIGUSR1):
                child.send_signal(number)
            again = app.get_spi(REQUEST)
            while not again.done:
                loop.turn(10)
            assert again.result is not None
            app.close()
        finally:
            child.send_signal(signal.SIGTERM)
            _, errors = child.communicate(timeout=20)
    assert child.returncode == 0
    # Which guard is in force is said, and nothing else.
    assert all(b" INFO " in line and b"isakmp0" in line for line in errors.splitlines()), errors
    assert not list(tmp_path.iterdir())


def wait_for(path: str, child: subprocess.Popen[bytes], loop: Loop, timers: Timers) -> PfKey:
    """A back end at ``path``, once the process listens."""
    for _ in range(400):
        app = PfKey(SocketLink(lambda: unix_socket(path), loop, timers), timers, wall=time.time)
        try:
            app.start(Heard())
            return app
        except ApplicationError:
            assert child.poll() is None, child.stderr and child.stderr.read()
            time.sleep(0.05)
    raise AssertionError("the key engine did not start")


def test_a_process_that_may_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:  # type: ignore[no-untyped-def]
    """No device: a message for people and 1."""
    from isakmp.app.engine import __main__ as main

    def refuse(log: object, instance: str, device: str) -> None:
        raise ApplicationError(f"{device}: not permitted")

    monkeypatch.setattr(main, "Tun", refuse)
    assert main.main(["--socket", str(tmp_path / "x"), "--device", "t0"]) == 1
    assert "t0: not permitted" in capsys.readouterr().err
    assert vars(main)["RawWire"] is RawWire
