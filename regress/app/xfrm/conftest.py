"""A network namespace of this machine's kernel with the application in it."""

from __future__ import annotations

import ctypes
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from isakmp.app.base import Acquire, Expire, Mapping, UnknownSpi
from isakmp.app.xfrm.backend import Xfrm
from isakmp.app.xfrm.link import Link
from isakmp.errors import ApplicationError
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from regress.interop.namespace import Namespace, SetupFailure


class Heard:
    """The upcalls, as they came."""

    def __init__(self) -> None:
        self.acquires: list[Acquire] = []
        self.expires: list[Expire] = []
        self.mappings: list[Mapping] = []

    def acquire(self, event: Acquire) -> None:
        self.acquires.append(event)

    def expire(self, event: Expire) -> None:
        self.expires.append(event)

    def unknown_spi(self, event: UnknownSpi) -> None: ...

    def mapping(self, event: Mapping) -> None:
        self.mappings.append(event)

    def gone(self, reason: object) -> None:
        raise AssertionError("a kernel is never gone")

    def restarted(self) -> None:
        raise AssertionError("a kernel does not start again")


class Here:
    """An interface with 10.9.0.1/24 and fd09::1/64, routes for 10.1.0.0/16, and the stack."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        namespace.shell(
            "ip link set lo up; ip link add v0 type veth peer name v1;"
            "ip addr add 10.9.0.1/24 dev v0; ip addr add fd09::1/64 dev v0 nodad;"
            "ip link set v0 up; ip link set v1 up; ip route add 10.1.0.0/16 via 10.9.0.2"
        )
        self.lines: list[str] = []
        self.log = Log(time.time, self.lines.append)
        self.timers = Timers(time.monotonic)
        self.loop = Loop(self.timers)
        self.heard = Heard()
        self.app = self.begin()

    def begin(self) -> Xfrm:
        """An isakmpd's application; ApplicationError where the kernel has none."""
        with self.inside():
            app = Xfrm(Link(self.loop, self.log), self.timers, self.log, wall=time.time)
            app.start(self.heard)
        return app

    @contextmanager
    def inside(self) -> Iterator[None]:
        """What is opened here is of the namespace."""
        libc = ctypes.CDLL(None, use_errno=True)
        handles = [
            os.open(path, os.O_RDONLY)
            for path in (f"/proc/{self._namespace.pid}/ns/net", "/proc/self/ns/net")
        ]
        try:
            assert libc.setns(handles[0], 0) == 0
            yield
        finally:
            assert libc.setns(handles[1], 0) == 0
            for handle in handles:
                os.close(handle)

    def ip(self, *arguments: str) -> str:
        """What ``ip`` says inside."""
        done = self._namespace.run("ip", *arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def sysctl(self, setting: str) -> None:
        self._namespace.shell(f"sysctl -qw {setting}")

    def udp(self, address: str, port: int = 0) -> socket.socket:
        """A UDP socket of the namespace."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self.inside():
            sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.bind((address, port))
        return sock

    def until(self, holds: Callable[[], Any], seconds: float = 10.0) -> None:
        """Turn the loop until something holds."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "did not come to hold"
            self.loop.turn(0.1)


@pytest.fixture
def here() -> Iterator[Here]:
    """Skipped where no namespace can be made, or the kernel has no NETLINK_XFRM."""
    if os.geteuid() != 0:
        pytest.skip("needs root for a network namespace")
    try:
        namespace = Namespace()
    except (SetupFailure, FileNotFoundError) as failure:
        pytest.skip(f"needs a network namespace: {failure}")
    try:
        try:
            site = Here(namespace)
        except ApplicationError as error:
            pytest.skip(str(error))
        yield site
        site.app.close()
    finally:
        namespace.close()
