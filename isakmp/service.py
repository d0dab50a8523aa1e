"""isakmpd at work: a daemon under its loop, with the FIFO, the signals and its process number.

HUP: read the configuration again; USR1: write the report; TERM and, in the foreground, INT: stop
in order.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import socket
import time
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from fifo_ui.commands import CAPTURE, Commands, write_report
from fifo_ui.fifo import Fifo
from fifo_ui.files import LOOK_S, PID, why, write_whole
from isakmp.conf.files import check_directory
from isakmp.daemon import Daemon
from isakmp.errors import IsakmpError
from isakmp.event.loop import Loop
from isakmp.garbage import Garbage, uncollected
from isakmp.log.files import Outlets
from isakmp.log.log import Log, severity_of_refusal
from isakmp.pages import enlarge
from isakmp.patience import PATIENT
from isakmp.ready import Starter
from isakmp.status import told_at_start


def work(
    daemon: Daemon, options: argparse.Namespace, loop: Loop, log: Log, starter: Starter,
    outlets: Outlets,
) -> None:  # fmt: skip
    """Run until a signal or a command ends it. IsakmpError where it cannot."""
    check_directory(daemon.run_directory, {0, os.geteuid()})
    if options.report and not Path(options.report).parent.is_dir():
        raise IsakmpError(f"{options.report}: {os.strerror(errno.ENOENT)}")
    with ExitStack() as stack:
        # The FIFO before the connections: they can be watched from the first message on.
        commands = Commands(daemon, time.time)
        stack.callback(commands.close)
        fifo = Fifo(fifo_path(options, daemon.run_directory), loop, log, commands.line)
        stack.callback(fifo.close)
        daemon.renew = partial(_rotate, fifo, outlets)
        for sock in _signals(daemon, loop, log):
            stack.enter_context(sock)
        garbage = Garbage()
        _look(daemon, fifo, commands, garbage)
        if options.capture or options.capture_file:
            default = daemon.run_directory / CAPTURE
            daemon.capture(Path(options.capture_file or default))
        garbage.watch()
        enlarge()
        with uncollected():
            daemon.start()
        pid_file = _write_pid(options, daemon.run_directory)
        log.info("isakmpd runs, process %d", os.getpid())
        starter.ready(told_at_start(daemon.connections))
        loop.run()
        starter.stopping()
        with suppress(OSError):
            pid_file.unlink()


def _look(daemon: Daemon, fifo: Fifo, commands: Commands, garbage: Garbage) -> None:
    """Now and then: whether the FIFO is in its place, and neither answers nor garbage lie about."""
    fifo.look()
    commands.tidy()
    garbage.look()
    again = partial(_look, daemon, fifo, commands, garbage)
    daemon.timers.add("look at the run directory", LOOK_S, again)


def fifo_path(options: argparse.Namespace, run_directory: Path) -> str:
    """Where commands come from, ``-``: standard input."""
    return options.fifo or str(run_directory / "isakmpd.fifo")


def _write_pid(options: argparse.Namespace, run_directory: Path) -> Path:
    path = Path(options.pid_file) if options.pid_file else run_directory / PID
    try:
        write_whole(path, f"{os.getpid()}\n", 0o644)
    except OSError as error:
        raise IsakmpError(f"{path}: {why(error, path.parent)}") from None
    return path


def _signals(daemon: Daemon, loop: Loop, log: Log) -> tuple[socket.socket, socket.socket]:
    """Signals become events of the loop: their numbers come through these sockets."""
    woken, waker = socket.socketpair()
    woken.setblocking(False)
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    for number in (*PATIENT, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PATIENT)

    def read() -> None:
        for number in set(woken.recv(64)):
            _signal(number, daemon, log)

    loop.reader(woken.fileno(), read)
    return woken, waker


def _rotate(fifo: Fifo, outlets: Outlets) -> None:
    fifo.look()
    outlets.reopen()


def _signal(number: int, daemon: Daemon, log: Log) -> None:
    try:
        if number == signal.SIGHUP:
            daemon.reload().otherwise(_refused, log, "SIGHUP")
        elif number == signal.SIGUSR1:
            daemon.count().then(lambda _: _report(daemon, log))
        else:
            log.info("stopping: %s", signal.Signals(number).name)
            daemon.quit()
    except IsakmpError as error:
        _refused(log, signal.Signals(number).name, error)


def _refused(log: Log, name: str, error: Exception) -> None:
    log.write(severity_of_refusal(error), "%s: %s", name, error)


def _report(daemon: Daemon, log: Log) -> None:
    try:
        log.info("report written to %s", write_report(daemon))
    except IsakmpError as error:
        log.write(severity_of_refusal(error), "no report: %s", error)
