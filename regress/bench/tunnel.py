"""ESP throughput: UDP through the tunnel of two gateways of one kind, in two namespaces.

One process sends at one end and receives at the other, and keeps so many packets on the way that
both gateways have work and none has to be dropped. With two gateways and the generator on few
processors the rate says little of one gateway; its processor time for a packet does.
"""

from __future__ import annotations

import ctypes
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from regress.bench.responder import Process
from regress.interop.charon import Charon
from regress.interop.end import End, Failure, eventually
from regress.interop.isakmpd import Isakmpd
from regress.interop.namespace import Namespace, wire
from regress.interop.scenario import Role, Scenario, Suite
from regress.interop.site import sites

_ON_THE_WAY = 64
_PORT = 9
_LOST_S = 0.2
_KINDS: dict[str, type[End]] = {"isakmpd": Isakmpd, "charon": Charon}
SUITES = {"aes-gcm": Suite("AESGCM-128", "", None), "aes-sha2": Suite("AES-128", "SHA2-256", None)}


def throughput(kind: str, label: str, esp: str, size: int, seconds: float) -> dict[str, Any]:
    """A row: packets of ``size`` octets, IP header and all, for so many seconds."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        _gateways(_KINDS[kind], Scenario("bench", esp=SUITES[esp]), Path(folder)) as (near, far),
    ):
        near.initiate()
        eventually("the tunnel is up", far.children)
        return {"gateways": label, "esp": esp, "size": size} | _stream(near, far, size, seconds)


@contextmanager
def _gateways(kind: type[End], row: Scenario, folder: Path) -> Iterator[list[End]]:
    """Both gateways running and configured; all is gone afterwards."""
    with wire(nat=False) as namespaces:
        ends = [
            kind(row, role, site, namespace, folder / site.name)
            for role, site, namespace in zip(Role, sites(row), namespaces, strict=True)
        ]
        try:
            for end in ends:
                end.launch()
            for end in ends:
                end.ready()
            yield ends
        finally:
            for end in ends:
                end.kill()


def _stream(near: End, far: End, size: int, seconds: float) -> dict[str, float]:
    sender = _socket(near.namespace, near.site.host)
    receiver = _socket(far.namespace, far.site.host)
    with sender, receiver:
        sender.connect((far.site.host, _PORT))
        _pump(sender, receiver, size, 0.5)
        before = _cpu(near), _cpu(far)
        began = time.perf_counter()
        arrived, lost = _pump(sender, receiver, size, seconds)
        took = time.perf_counter() - began
        after = _cpu(near), _cpu(far)
    if not arrived:
        raise Failure("nothing comes through the tunnel")
    return {
        "packets_per_s": arrived / took,
        "mbit_per_s": arrived * size * 8 / took / 1e6,
        "seal_us": 1e6 * (after[0] - before[0]) / arrived,
        "open_us": 1e6 * (after[1] - before[1]) / arrived,
        "lost": lost,
    }


def _pump(
    sender: socket.socket, receiver: socket.socket, size: int, seconds: float
) -> tuple[int, int]:
    """Packets that arrived and that did not."""
    data, buffer = bytes(size - 28), bytearray(size)
    arrived = lost = on_the_way = 0
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        while on_the_way < _ON_THE_WAY:
            sender.send(data)
            on_the_way += 1
        try:
            for _ in range(_ON_THE_WAY // 2):
                receiver.recv_into(buffer)
                arrived += 1
                on_the_way -= 1
        except TimeoutError:
            lost += on_the_way
            on_the_way = 0
    return arrived, lost


def _cpu(end: End) -> float:
    if end.process is None:
        raise Failure(f"{end} does not run")
    return Process(end.process.pid).cpu_s()


def _socket(namespace: Namespace, address: str) -> socket.socket:
    """A UDP socket inside a namespace."""
    made: list[socket.socket] = []

    def inside() -> None:  # a namespace belongs to a thread; this one ends with it
        handle = os.open(f"/proc/{namespace.pid}/ns/net", os.O_RDONLY)
        entered = ctypes.CDLL(None).setns(handle, 0)
        os.close(handle)
        if entered == 0:
            made.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    if not made:
        raise Failure("the generator cannot enter a namespace")
    made[0].bind((address, _PORT))
    made[0].settimeout(_LOST_S)
    return made[0]
