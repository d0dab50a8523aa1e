"""What a socket hears that is to hear of losses alone, in a namespace of its own."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator

import pytest

from isakmp.app.losses import drained, hear_only
from regress.app.guards import inside
from regress.interop.namespace import Namespace
from regress.interop.needs import missing

LINKS, ROUTES, DELROUTE, DELRULE = 0x1, 0x40, 25, 33


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    if reason := missing():
        pytest.skip(reason)
    made = Namespace()
    made.shell("ip link set lo up")
    yield made
    made.close()


def hears(
    namespace: Namespace, types: tuple[int, ...], own: int = 0, groups: int = ROUTES
) -> socket.socket:  # fmt: skip
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
    with inside(namespace):
        sock = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
    sock.bind((0, groups))
    hear_only(sock, types, own)
    return sock


@pytest.mark.parametrize("types", [(DELROUTE,), (DELROUTE, DELRULE), (DELRULE, DELROUTE)])
def test_what_comes_is_not_heard_what_goes_is(
    namespace: Namespace, types: tuple[int, ...]
) -> None:  # fmt: skip
    with hears(namespace, types) as sock:
        namespace.shell("ip route add 10.9.0.0/16 dev lo")
        assert not drained(sock)
        namespace.shell("ip route del 10.9.0.0/16 dev lo")
        assert drained(sock)
        assert not drained(sock), "it is told once"


def test_other_types_are_not_heard(namespace: Namespace) -> None:
    with hears(namespace, (DELRULE,)) as sock:
        namespace.shell("ip route add 10.9.0.0/16 dev lo; ip route del 10.9.0.0/16 dev lo")
        assert not drained(sock)


def test_changes_of_one_device_are_heard(namespace: Namespace) -> None:
    namespace.shell("ip link add d0 type veth peer name d1")
    with inside(namespace):
        index = socket.if_nametoindex("d0")
    with hears(namespace, (DELROUTE,), groups=LINKS | ROUTES) as sock:
        hear_only(sock, (DELROUTE,), 1, index)
        for other in ("ip link set lo mtu 9000", "ip route add 10.9.0.0/16 dev lo"):
            namespace.shell(other)
            assert not drained(sock)
        for heard in ("ip link set d0 up", "ip link set d0 down", "ip route del 10.9.0.0/16"):
            namespace.shell(heard)
            assert drained(sock)


def test_what_one_does_oneself_is_no_news(namespace: Namespace) -> None:
    """The port is that of the socket that asks; another's is heard."""
    for own in (True, False):
        with inside(namespace):
            asks = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        asks.bind((0, 0))
        port = asks.getsockname()[0]
        with asks, hears(namespace, (DELROUTE,), port if own else port + 1) as sock:
            namespace.shell("ip route add 10.9.0.0/16 dev lo")
            body = bytes([2, 16, 0, 0, 254, 0, 255, 0, 0, 0, 0, 0])
            body += bytes([8, 0, 1, 0, 10, 9, 0, 0])
            head = struct.pack("=IHHII", 16 + len(body), DELROUTE, 5, 1, 0)
            asks.send(head + body)
            assert struct.unpack_from("=i", asks.recv(4096), 16) == (0,), "the kernel has done it"
            assert drained(sock) is not own


def test_more_than_there_is_room_for_is_news() -> None:
    class Full:
        said = [OSError(errno.ENOBUFS, "No buffer space available"), BlockingIOError()]

        def recv(self, size: int) -> bytes:
            raise self.said.pop(0)

    assert drained(Full())  # type: ignore[arg-type]


def test_endless_news_does_not_hold_the_loop() -> None:
    class Endless:
        reads = 0

        def recv(self, size: int) -> bytes:
            self.reads += 1
            return bytes(16)

    endless = Endless()
    assert drained(endless)  # type: ignore[arg-type]
    assert endless.reads < 1000
