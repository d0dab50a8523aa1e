"""isakmpd: its arguments and an ordered start. The flags are isakmpd(8)'s."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from traceback import format_exception

from fifo_ui.screen import Tone, screen_of
from isakmp.conf.check import judge_file
from isakmp.conf.store import Conf
from isakmp.conf.user import owners, refuse_start
from isakmp.crypto.agreement import VERBS
from isakmp.daemon import Daemon
from isakmp.errors import ConfError, IsakmpError
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.event.worker import Work, Workers
from isakmp.flags import arguments, families, make_parser
from isakmp.garbage import uncollected
from isakmp.listening import listen_on
from isakmp.log.files import Outlets
from isakmp.log.log import Log, LogClass, Severity, parse_class, parse_level
from isakmp.log.sink import STDERR, Sink, StreamSink, SyslogSink
from isakmp.policy.ppk_reader import key_files
from isakmp.policy.supported import Stack
from isakmp.preload import preload
from isakmp.privilege import Identity, give_up, more_descriptors, private_files
from isakmp.privileged import Helper
from isakmp.ready import Starter, detach
from isakmp.run_directory import run_directory
from isakmp.service import work
from isakmp.transport.netif import interface, source
from isakmp.transport.udp import Udp

# Connections that an error names.
_NAMED = 5


def start(argv: Sequence[str] | None = None) -> int:
    """0; 1 with a message where isakmpd cannot run or its configuration has errors. SystemExit 2
    where the command line is wrong."""
    options = arguments(argv)
    for text in options.debug:
        try:
            _class_and_level(text)
        except IsakmpError as error:
            make_parser().error(f"-D {text}: {error}")
    try:
        if options.check:
            return check_only(options)
        if options.close or options.open:
            barrier(options)
        else:
            run(options)
    except IsakmpError as error:
        print(f"isakmpd: {error}", file=sys.stderr)
        return 1
    return 0


def check_only(options: argparse.Namespace) -> int:
    """Print every error and warning of a configuration, and what this host lacks to start with it;
    1 where there is an error."""
    from isakmp.app.make import asked_beforehand
    from isakmp.beforehand import lacking

    idle: bool = options.leave_alone

    def host(conf: Conf) -> tuple[Iterable[ConfError], Stack]:
        supports = None if idle else asked_beforehand(conf)
        return lacking(conf, options), Stack(supports, idle, families(options))

    path = Path(options.conf)
    screen, told = screen_of(sys.stderr), partial(print, file=sys.stderr)
    with uncollected():
        errors, warnings, _ = judge_file(path, interface, host)
    for error in errors:
        told(screen.paint(str(error), Tone.BAD))
    for warning in warnings:
        told(screen.paint(f"warning: {warning}", Tone.WARNING))
    if errors:
        told(f"{path}: {len(errors)} error{'s' * (len(errors) > 1)}")
        return 1
    print(screen_of(sys.stdout).paint(f"{path}: no errors", Tone.GOOD))
    return 0


def barrier(options: argparse.Namespace) -> None:
    """Close the network as the configuration has it, or open it, and end."""
    from isakmp.keeper.closing import close_network, open_network

    private_files()
    conf, timers = Conf.load(options.conf), Timers(time.monotonic)
    said: list[str] = []
    log = Log(time.time, said.append, stamp=False)
    try:
        if options.open:
            done = open_network(conf, timers, log)
        else:
            done = str(close_network(conf, interface, timers, log))
    finally:
        for line in said:
            if not line.startswith(Severity.INFO):
                print(line, file=sys.stderr)
    if any(line.startswith(Severity.INTERNAL_ERR) for line in said):
        raise IsakmpError("not all of it was done")
    print(f"{options.conf}: {done}")


def run(options: argparse.Namespace) -> None:
    """Start in order, run until a signal or command ends it, stop in order."""
    private_files()
    more_descriptors()
    with uncollected():
        conf = Conf.load(options.conf)
    sink: Sink = StreamSink(STDERR) if options.foreground else SyslogSink()
    with closing(_outlets(conf, sink)) as outlets:
        _run(conf, options, _log(conf, options, outlets), outlets)


def _outlets(conf: Conf, sink: Sink) -> Outlets:
    try:
        return Outlets(sink, conf.general("Logfile")[0], owners(conf))
    except IsakmpError as error:
        raise conf.error(str(error), "General", "Logfile") from None


def _run(conf: Conf, options: argparse.Namespace, log: Log, outlets: Outlets) -> None:
    starter = Starter(None if options.foreground else detach(), log)
    try:
        _serve(conf, options, log, starter, outlets)
    except Exception as error:
        if isinstance(error, ConfError):
            conf.place(error)
        if not options.foreground:  # nobody reads the standard error of a daemon
            log.critical("cannot run: %s", error)
        starter.failed(str(error))
        raise


def _serve(
    conf: Conf, options: argparse.Namespace, log: Log, starter: Starter, outlets: Outlets
) -> None:
    """Everything that takes privileges, then without them: work, and an end in order."""
    from isakmp.app.make import needs

    timers = Timers(time.monotonic)
    loop = Loop(timers, lambda error: log.internal_err("bug: %s", "".join(format_exception(error))))
    outlets.attach(loop)
    refuse_start(conf, families(options))
    general = partial(conf.get, "General")
    identity = Identity.wanted(general("User") or "", general("Group") or "")
    with ExitStack() as stack:
        if identity:
            preload()
        if identity and conf.path:
            helper = stack.enter_context(closing(Helper(conf.path, loop, log, key_files(conf))))
            conf.opener = helper.open
        count = int(conf.general("Workers")[0])
        workers = stack.enter_context(closing(Workers(count, VERBS, loop, log, identity)))
        daemon = _daemon(conf, options, loop, timers, log, starter, workers)
        stack.push(partial(_end, daemon, options))
        give_up(needs(conf, options.leave_alone), identity)
        work(daemon, options, loop, log, starter, outlets)


def _end(
    daemon: Daemon, options: argparse.Namespace, _: object, error: BaseException | None, *__: object
) -> None:
    """Stop; an error says what stays blocked for it, and how that ends."""
    blocked = daemon.stop(in_order=error is None)
    if not blocked or daemon.app.name == "none" or not isinstance(error, IsakmpError):
        return
    if isinstance(error, ConfError):
        daemon.conf.place(error)
    named, more = ", ".join(blocked[:_NAMED]), len(blocked) - _NAMED
    if more > 0:
        named += f" and {more} more"
    opens = f"isakmpd --open -c {options.conf}"
    if daemon.app.name == "pf_key":
        opens = "setkey -FP, which takes all of the kernel's IPsec policies away"
    raise IsakmpError(
        f"{error}; the traffic of {named} stays blocked until isakmpd runs, or: {opens}"
    ) from error


def _log(conf: Conf, options: argparse.Namespace, outlets: Outlets) -> Log:
    log = Log(time.time, outlets.write, stamp=options.foreground)
    outlets.serve(log)
    levels = [*conf.general("Loglevel")[0], *options.debug]
    if options.verbose or conf.general("Logverbose")[0]:
        levels.insert(0, "Negotiation=30")
    for text in levels:
        log.set_level(*_class_and_level(text))
    return log


def _class_and_level(text: str) -> tuple[LogClass | None, int]:
    cls, _, level = text.partition("=")
    return parse_class(cls), parse_level(level)


def _daemon(
    conf: Conf, options: argparse.Namespace, loop: Loop, timers: Timers, log: Log, starter: Starter,
    workers: Work,
) -> Daemon:  # fmt: skip
    from isakmp.app.make import MARK, make_application  # after the cheap ways out

    versions = families(options)
    nat_t_port = 0 if options.no_nat_t else options.nat_t_port
    transport = Udp(
        loop, log, listen=listen_on(conf, versions), port=options.port,
        nat_t_port=nat_t_port, families=versions, mark=MARK,
    )  # fmt: skip
    try:
        app, esp_in = make_application(
            conf, loop=loop, timers=timers, random=os.urandom, log=log,
            send_raw=transport.send_raw, leave_alone=options.leave_alone,
        )  # fmt: skip
    except IsakmpError:
        transport.close()
        raise
    transport.prepare(app.own_socket)
    return Daemon(
        conf, timers=timers, random=os.urandom, wall=time.time, transport=transport, app=app,
        log=log, source=source, resolve=interface,
        run_directory=run_directory(conf),
        nat_traversal=not options.no_nat_t, flows=not options.no_flows,
        active=not options.passive, port=options.port, nat_t_port=options.nat_t_port,
        report_path=Path(options.report) if options.report else None, esp_in=esp_in,
        families=versions, on_quit=loop.stop, reloading=starter.reload, calm=uncollected,
        work=workers,
    )  # fmt: skip
