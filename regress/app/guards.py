"""Guards of key engines in network namespaces of their own."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

from isakmp.app.base import Action, Direction, PolicySpec
from isakmp.app.engine.wire import MARK
from isakmp.app.guard import Guard
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from isakmp.policy.spd import Selector
from regress.interop.namespace import Namespace


@contextmanager
def inside(namespace: Namespace) -> Iterator[None]:
    """What is opened here is of the namespace."""
    setns = ctypes.CDLL(None, use_errno=True).setns
    with Path("/proc/self/ns/net").open() as home, \
            Path(f"/proc/{namespace.pid}/ns/net").open() as there:  # fmt: skip
        assert setns(there.fileno(), 0) == 0
        try:
            yield
        finally:
            assert setns(home.fileno(), 0) == 0


def guard(
    namespace: Namespace, number: int, loop: Loop | None = None,
    told: Callable[[str], None] = lambda line: None,
) -> Guard:  # fmt: skip
    log = Log(lambda: 0.0, told)
    with inside(namespace):
        return Guard(loop or Loop(Timers(lambda: 0.0)), log, number, "lo", MARK)


def drops(network: str) -> PolicySpec:
    selector = Selector(ip_network("10.1.0.0/16"), ip_network(network))
    return PolicySpec(Direction.OUT, selector, Action.DISCARD)


def policies(namespace: Namespace) -> str:
    return namespace.run("ip", "xfrm", "policy").stdout
