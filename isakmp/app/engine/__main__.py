"""The key engine as a process: isakmpd-engine, or ``python -m isakmp.app.engine``.

It needs CAP_NET_ADMIN for its TUN device and CAP_NET_RAW for ESP. The daemon then needs neither,
unless a tunnelled network holds its peer's own address: only marked packets get past the tunnel.
TERM and INT end it in order: sockets and device go. What its clients have not taken back is dropped
from then on.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Sequence

from isakmp.app.base import Upcalls
from isakmp.app.engine.engine import KeyEngine
from isakmp.app.engine.flags import make_parser
from isakmp.app.engine.netif import Tun
from isakmp.app.engine.process import Listener, RemoteUdp
from isakmp.app.engine.server import Server
from isakmp.app.engine.wire import RawWire
from isakmp.errors import ApplicationError, IsakmpError
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from isakmp.log.sink import STDERR, StreamSink
from isakmp.privilege import Cap, Identity, give_up, more_descriptors, private_files
from isakmp.ready import Starter


def run(path: str, device: str, identity: Identity | None) -> None:
    """Serve until a signal comes. ApplicationError where the engine cannot start."""
    timers = Timers(time.monotonic)
    loop = Loop(timers)
    relay = RemoteUdp(loop)
    sink = StreamSink(STDERR)
    log = Log(time.time, sink.write)
    sink.told = lambda lost, why: log.internal_err("%d lines of this log were lost: %s", lost, why)
    sink.attach(loop)
    netif = Tun(log, path, device)  # before the sockets: who connects finds the routes possible
    netif.guard_with(loop)
    try:
        wire = RawWire(relay.send_udp)
    except ApplicationError:
        netif.close(block=True)
        raise

    def make(events: Upcalls) -> KeyEngine:
        return KeyEngine(
            timers=timers, random=os.urandom, wire=wire, netif=netif, events=events, log=log
        )

    server = Server(make, time.time)
    engine = server.engine
    relay.esp_in = engine.esp_in
    try:
        give_up(frozenset({Cap.NET_ADMIN, Cap.NET_RAW}), identity)
        listener = Listener(path, server, relay, loop)
        _stop_on_signals(loop)
        engine.attach(loop)
        starter = Starter(None, log)
        starter.ready()
        loop.run()
        starter.stopping()
        listener.close()
    finally:
        engine.close(block=True)


def _stop_on_signals(loop: Loop) -> None:
    """End the loop at TERM and INT: the signal's number in a socket wakes the loop."""
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def stop() -> None:
        woken.close()
        signal.set_wakeup_fd(-1)
        waker.close()
        loop.stop()

    loop.reader(woken.fileno(), stop)


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 with a message where the engine cannot start."""
    options = make_parser().parse_args(arguments)
    for number in (signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)  # they are the daemon's
    private_files()
    more_descriptors()
    try:
        identity = Identity.wanted(options.user, options.group)
        run(options.socket, options.device, identity)
    except IsakmpError as error:
        print(f"isakmpd-engine: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
