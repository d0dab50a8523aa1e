"""Routes into a device: what is asked of the kernel, and what tells ours from those of others."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest

from isakmp.app.engine.routes import Kind, Routes

NEWROUTE, DELROUTE = 24, 25
REQUEST, ACK, REPLACE, CREATE = 1, 4, 0x100, 0x400
DST, OIF, METRIC, PREFSRC, TABLE = 1, 4, 6, 7, 15
V4, V6 = ip_network("10.9.0.0/16"), ip_network("2001:db8:9::/48")


class Kernel:
    """Keeps what it is asked for. error: its answer."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.error = 0

    def send(self, data: bytes) -> None:
        self.asked.append(data)

    def recv(self, size: int) -> bytes:
        return bytes(16) + struct.pack("=i", -self.error)

    def close(self) -> None: ...


@pytest.fixture
def made() -> Iterator[tuple[Routes, Kernel]]:
    routes, kernel = Routes(500, 7), Kernel()
    routes._requests.close()
    routes._requests = kernel  # type: ignore[assignment]
    yield routes, kernel
    routes.close()


def read(data: bytes) -> tuple[tuple[int, ...], tuple[int, ...], dict[int, bytes]]:
    """Type and flags, the route's numbers, and the attributes of a message."""
    length, verb, flags = struct.unpack_from("=IHH", data)
    assert length == len(data)
    numbers, attributes, at = struct.unpack_from("=BBBBBBBBI", data, 16), {}, 28
    while at < len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        assert size > 4 and size % 4 == 0
        attributes[kind] = data[at + 4 : at + size]
        at += size
    return (verb, flags), numbers, attributes


def number(value: int) -> bytes:
    return struct.pack("=I", value)


@pytest.mark.parametrize(("network", "family"), [(V4, 2), (V6, 10)])
def test_a_route_into_the_device(made: tuple[Routes, Kernel], network, family) -> None:  # type: ignore[no-untyped-def]
    routes, kernel = made
    near = ip_address("10.1.0.1" if family == 2 else "2001:db8:1::1")
    routes.replace(Kind.DEVICE, network, 3, near)
    what, numbers, attributes = read(kernel.asked[0])
    assert what == (NEWROUTE, REQUEST | ACK | CREATE | REPLACE)
    assert numbers[:2] == (family, network.prefixlen) and numbers[7] == 1
    assert attributes == {
        DST: network.network_address.packed, OIF: number(3), METRIC: number(3),
        TABLE: number(500), PREFSRC: near.packed,
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "type"), [(Kind.GUARD, 7), (Kind.PASS, 9)])
def test_a_route_to_nowhere_names_no_device(made: tuple[Routes, Kernel], kind, type) -> None:  # type: ignore[no-untyped-def]
    routes, kernel = made
    routes.replace(kind, V4, 3)
    _, numbers, attributes = read(kernel.asked[0])
    assert numbers[7] == type and OIF not in attributes and PREFSRC not in attributes
    assert attributes[METRIC] == number(routes.metric(kind, 3))


def test_it_is_taken_back_whatever_its_scope(made: tuple[Routes, Kernel]) -> None:
    routes, kernel = made
    routes.replace(Kind.DEVICE, V4, 3)
    routes.delete(Kind.DEVICE, V4, 3)
    what, numbers, attributes = read(kernel.asked[1])
    assert what == (DELROUTE, REQUEST | ACK) and numbers[6] == 255
    assert attributes[DST] == V4.network_address.packed and attributes[METRIC] == number(3)
    sequence = [struct.unpack_from("=I", data, 8)[0] for data in kernel.asked]
    assert sequence == [1, 2]


def test_what_the_kernel_refuses_is_an_os_error(made: tuple[Routes, Kernel]) -> None:
    routes, kernel = made
    kernel.error = 19
    with pytest.raises(OSError, match="No such device") as caught:
        routes.replace(Kind.DEVICE, V4, 99)
    assert caught.value.errno == 19


def test_metrics_of_instances_and_kinds_never_meet() -> None:
    """A device's number is lower than all others, and what is let pass goes before the guard."""
    found = []
    for instance in (0, 1, (1 << 27) - 1):
        routes = Routes(500, instance)
        device, passing, guard = (
            routes.metric(kind, 1 << 20) for kind in (Kind.DEVICE, Kind.PASS, Kind.GUARD)
        )
        assert device == 1 << 20 < passing < guard < 1 << 32
        found += [passing, guard]
        routes.close()
    assert len(set(found)) == len(found)
