"""A daemon of Python as a fork of this process, which has its modules loaded already.

Starting Python anew costs half a second for each daemon, in the guest 2 s and more.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from regress.interop.namespace import Namespace

_PR_SET_PDEATHSIG = 1
_forking = threading.Lock()


@contextmanager
def forking() -> Iterator[None]:
    """Fork in here, also where there are threads, of which Python warns: the child runs what is
    its own, and nothing of theirs."""
    with _forking, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        yield


class Forked:
    """A child that runs ``main`` in a namespace, its output in a file; used as a Popen is."""

    def __init__(self, main: Callable[[], int], namespace: Namespace, output: Path) -> None:
        self.returncode: int | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        with forking():
            self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                _become(namespace, output)
                status = main()
            except SystemExit as leaving:
                status = leaving.code if isinstance(leaving.code, int) else 1
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)

    def poll(self) -> int | None:
        """The exit status, once there is one; negative: the signal that ended it."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status; subprocess.TimeoutExpired where there is none in time."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(["fork"], timeout or 0)
            time.sleep(0.02)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _become(namespace: Namespace, output: Path) -> None:
    """This process, just forked, in the namespace; it ends with its parent."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    handle = os.open(f"/proc/{namespace.pid}/ns/net", os.O_RDONLY)
    if libc.setns(handle, 0):
        raise OSError(ctypes.get_errno(), "setns")
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, file), (2, file)):
        os.dup2(source, number)
    os.closerange(3, 256)
    sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
