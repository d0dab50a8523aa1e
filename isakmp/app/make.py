"""Which application a configuration asks for, and how each is put together."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable
from functools import partial

from isakmp.app.base import Application, Upcalls
from isakmp.app.engine.embedded import Embedded
from isakmp.app.engine.engine import KeyEngine
from isakmp.app.engine.relay import Datagram, Relay
from isakmp.app.engine.wire import MARK, RawWire
from isakmp.app.held import Held
from isakmp.app.none import Nothing
from isakmp.app.pf_key.backend import PfKey
from isakmp.app.pf_key.link import SocketLink, kernel_socket, unix_socket
from isakmp.app.unavailable import unavailable
from isakmp.conf.kinds import Kind
from isakmp.conf.store import Conf
from isakmp.errors import ApplicationError
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from isakmp.path import Path
from isakmp.policy.spd import Address
from isakmp.policy.supported import Supports
from isakmp.privilege import Cap
from isakmp.run_directory import run_directory

DEVICES = "/dev/net/tun"
NETLINK_XFRM = 6

EspIn = Callable[..., object]
SendRaw = Callable[[Path, bytes], object]

__all__ = ["MARK", "make_application", "needs"]


def make_application(
    conf: Conf, *, loop: Loop, timers: Timers, random: Callable[[int], bytes], log: Log,
    send_raw: SendRaw, leave_alone: bool = False,
) -> tuple[Application, EspIn | None]:  # fmt: skip
    """The application, and where ESP that comes in UDP goes. leave_alone: negotiate only.

    send_raw: sends ESP in UDP for it. ConfError where the configuration names none that there
    is, ApplicationError where it cannot be had.
    """
    name, path = _named(conf)
    if leave_alone or name == "none":
        return Nothing(timers, random), None
    if path:
        return _engine_elsewhere(path, loop, timers, log, send_raw)
    if name == "engine":
        place = str(run_directory(conf))
        return _engine_here(place, loop, timers, random, log, send_raw)
    if name == "pf_key":
        return PfKey(SocketLink(kernel_socket, loop, timers), timers, wall=time.time,
                     private=False), None  # fmt: skip
    return _xfrm(loop, timers, log), None


def barrier_place(conf: Conf) -> str:
    """Whose traffic make_barrier() is about: the engine's of one place, which each has what is its
    own; empty: the network namespace has one for all."""
    name, path = _named(conf)
    return (path or str(run_directory(conf))) if name == "engine" else ""


def make_barrier(conf: Conf, *, loop: Loop, timers: Timers, log: Log) -> Application:
    """The application as far as it keeps traffic back, while no isakmpd runs.

    ApplicationError where it cannot be had, or an isakmpd, or its key engine, runs.
    """
    name, _ = _named(conf)
    if name == "xfrm":
        return _xfrm(loop, timers, log)
    if name != "engine":
        raise ApplicationError(
            f"Application= {name} keeps nothing back that can be told from what others have: there"
            " is nothing to close or to open"
        )
    place = barrier_place(conf)
    return _engine_here(place, loop, timers, os.urandom, log, lambda *_: None)[0]


def missing(conf: Conf) -> ApplicationError | None:
    """What the application needs and this host has not got, whoever starts it. ConfError where the
    configuration names none that there is."""
    name, path = _named(conf)
    try:
        if path:
            os.stat(path)
        elif name == "engine":
            os.stat(DEVICES)
        elif name == "xfrm":
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM).close()
        elif name == "pf_key":
            kernel_socket().close()
    except OSError as error:
        if path:
            return _not_listening(path, error)
        what, module = _NEEDED[name]
        privileged = error.errno in (errno.EPERM, errno.EACCES)
        return None if privileged else unavailable(
            what, error, capability="CAP_NET_ADMIN", module=module
        )  # fmt: skip
    return None


_NEEDED = {
    "engine": ("TUN device", "tun"),
    "xfrm": ("NETLINK_XFRM cannot be had", "xfrm_user"),
    "pf_key": ("cannot reach the IPsec stack", "af_key"),
}


def asked_beforehand(conf: Conf) -> Supports | None:
    """The IPsec stack's word on transforms while no isakmpd runs: the key engine's, which are those
    of this process. None of a kernel's, which tells them to root alone."""
    from isakmp.app.engine.ability import supports

    return supports if conf.general("Application")[0] == "engine" else None


def needs(conf: Conf, leave_alone: bool) -> frozenset[Cap]:
    """The capabilities that the application goes on to need, once it is made. ConfError."""
    name, path = _named(conf)
    if leave_alone or name == "none" or path:
        return frozenset()
    return frozenset({Cap.NET_ADMIN, Cap.NET_RAW})


def _named(conf: Conf) -> tuple[str, str]:
    """The application, and where its key engine listens that has a process of its own. ConfError
    where there is no such application: another one would leave traffic to another stack."""
    name = conf.value(Kind.GENERAL, "General", "Application")
    return name, conf.general("Engine-socket")[0] or "" if name == "engine" else ""


def _xfrm(loop: Loop, timers: Timers, log: Log) -> Application:
    """The kernel's stack over NETLINK_XFRM, which one isakmpd may have at a time."""
    from isakmp.app.xfrm.backend import Xfrm  # netlink is loaded for those who need it
    from isakmp.app.xfrm.link import Link

    held = Held("xfrm", "the kernel's IPsec stack")
    try:
        return Xfrm(Link(loop, log), timers, log, wall=time.time, held=held)
    except ApplicationError:
        held.close()
        raise


def _engine_here(
    place: str,
    loop: Loop,
    timers: Timers,
    random: Callable[[int], bytes],
    log: Log,
    send_raw: SendRaw,
) -> tuple[Application, EspIn]:  # fmt: skip
    """The key engine in this process."""
    from isakmp.app.engine.netif import Tun  # netlink is loaded for those who need a device

    def send_udp(esp: bytes, src: Address, sport: int, dst: Address, dport: int) -> None:
        send_raw(Path(src, sport, dst, dport, True), esp)

    netif = Tun(log, place)
    netif.guard_with(loop)
    try:
        wire = RawWire(send_udp)
    except ApplicationError:
        netif.close(block=True)
        raise

    def make(events: Upcalls) -> KeyEngine:
        return KeyEngine(
            timers=timers, random=random, wire=wire, netif=netif, events=events, log=log
        )

    app = Embedded(make, netif.listens)
    app.engine.attach(loop)
    return app, app.engine.esp_in


def _engine_elsewhere(
    path: str, loop: Loop, timers: Timers, log: Log, send_raw: SendRaw
) -> tuple[Application, EspIn]:
    """The key engine that listens at ``path``; it gets ESP in UDP over its relay."""

    def received(datagram: Datagram) -> None:
        esp, src, dst, sport, dport, _ = datagram
        send_raw(Path(src, sport, dst, dport, True), esp)

    def connect() -> Relay:
        return Relay(unix_socket(path + ".esp"), loop, received, lambda: None)

    link = SocketLink(partial(unix_socket, path), loop, timers)
    try:
        app = _Elsewhere(link, timers, connect, _start(path), log)
    except OSError as error:
        raise _not_listening(path, error) from None
    return app, app.esp_in


def _start(path: str) -> str:
    return f"start it: isakmpd-engine --socket {path}"


def _not_listening(path: str, error: OSError) -> ApplicationError:
    return ApplicationError(f"no key engine listens at {path}: {error.strerror}; {_start(path)}")


class _Elsewhere(PfKey):
    """PF_KEY to an engine of another process, and the relay for its ESP in UDP.

    connect: makes the relay; OSError where nobody listens. mend: how to start the engine.
    """

    name = "engine"

    def __init__(
        self, link: SocketLink, timers: Timers, connect: Callable[[], Relay], mend: str, log: Log,
    ) -> None:  # fmt: skip
        super().__init__(link, timers, wall=time.time, mend=mend)
        self._connect, self._log = connect, log
        self._relay = connect()

    def up(self) -> None:
        """The engine has been started again: its relay first, then what PF_KEY does."""
        self._relay.close()
        try:
            self._relay = self._connect()
        except OSError as error:
            self._log.internal_err("no relay for ESP in UDP: %s", error.strerror)
        super().up()

    def esp_in(
        self, packet: bytes, src: Address, dst: Address, encap: tuple[int, int] = (0, 0),
        tos: int = 0,
    ) -> None:  # fmt: skip
        """ESP that came in UDP goes to the engine."""
        self._relay.send(Datagram(packet, src, dst, *encap, tos))

    def close(self, block: bool = False) -> None:
        """Leave the engine, which goes on."""
        super().close()
        self._relay.close()
