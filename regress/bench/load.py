"""The load generator, a process of its own: ``python -m regress.bench.load OFFER``.

It takes commands as JSON lines on standard input (``{"count": 1000, "at_once": 32}``) and answers
each with a line: how many were done, how many failed, seconds, the latencies. Every handshake is
a peer of its own: source address 10.128.0.0 plus its number, client 11.0.0.0 plus its number.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from isakmp.constants import isakmp
from isakmp.errors import CryptoError, MalformedPayload
from regress.bench.handshake import Failed, Handshake, offer
from regress.bench.ikev2 import HandshakeV2, payloads

Shake = Handshake | HandshakeV2

_PEERS = int(IPv4Address("10.128.0.0"))
_CLIENTS = int(IPv4Address("11.0.0.0"))
_IP_PKTINFO = 8
_SO_RCVBUFFORCE = 33
_MARKER = bytes(4)
_RETRY_S = 1.0
_TRIES = 6
_REMEMBERED = 512


@dataclass
class Report:
    """One command's result. latencies_s: from the first message to the last."""

    done: int = 0
    failed: int = 0
    repeated: int = 0
    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    first_failure: str = ""


class Load:
    """The peers of one responder."""

    def __init__(self, make: Callable[[bytes, bytes], Shake], server: str) -> None:
        self._make, self._server = make, server
        self._sockets = {False: _socket(500), True: _socket(4500)}
        self._epoll = select.epoll()
        for sock in self._sockets.values():
            self._epoll.register(sock, select.EPOLLIN)
        self._by_fd = {sock.fileno(): natted for natted, sock in self._sockets.items()}
        self._running: dict[bytes, Shake] = {}
        # A lost last message is repeated when the responder asks for it.
        self._over: OrderedDict[bytes, Shake] = OrderedDict()
        self._number = 0
        self._report = Report()

    def run(self, count: int, at_once: int) -> Report:
        """``count`` handshakes, ``at_once`` of them at any time."""
        self._report = report = Report()
        began = time.perf_counter()
        left = count
        while left or self._running:
            while left and len(self._running) < at_once:
                left -= 1
                self._start()
            for fd, _ in self._epoll.poll(0.2):
                self._receive(self._by_fd[fd])
            self._repeat(time.perf_counter())
        report.seconds = time.perf_counter() - began
        return report

    def _start(self) -> None:
        self._number += 1
        shake = self._make(
            (_PEERS + self._number).to_bytes(4, "big"),
            (_CLIENTS + self._number).to_bytes(4, "big"),
        )
        self._running[shake.cky_i] = shake
        shake.began = time.perf_counter()
        self._say(shake, shake.begin())

    def _say(self, shake: Shake, message: bytes) -> None:
        shake.sent, shake.tries = message, 0
        shake.due = time.perf_counter() + _RETRY_S
        self._send(shake)

    def _send(self, shake: Shake) -> None:
        data = _MARKER + shake.sent if shake.natted else shake.sent
        info = struct.pack("=i4s4x", 0, shake.address)
        to = self._server, 4500 if shake.natted else 500
        ancillary = [(socket.IPPROTO_IP, _IP_PKTINFO, info)]
        self._sockets[shake.natted].sendmsg([data], ancillary, 0, to)

    def _receive(self, natted: bool) -> None:
        sock = self._sockets[natted]
        for _ in range(64):
            try:
                data = sock.recv(65535)
            except BlockingIOError:
                return
            if natted:
                if data[:4] != _MARKER:
                    continue
                data = data[4:]
            self._take(data)

    def _take(self, data: bytes) -> None:
        shake = self._running.get(data[:8])
        if shake is None:
            if (late := self._over.get(data[:8])) and data[18] == isakmp.Exchange.QUICK_MODE:
                self._send(late)
            return
        try:
            answer = shake.take(data)
        except (Failed, MalformedPayload, CryptoError) as error:
            self._end(shake, str(error))
            return
        if answer is not None:
            self._say(shake, answer)
        if shake.done:
            self._end(shake, "")

    def _end(self, shake: Shake, failure: str) -> None:
        report = self._report
        del self._running[shake.cky_i]
        if failure:
            report.failed += 1
            report.first_failure = report.first_failure or failure
            return
        report.done += 1
        report.latencies_s.append(time.perf_counter() - shake.began)
        self._over[shake.cky_i] = shake
        if len(self._over) > _REMEMBERED:
            self._over.popitem(last=False)

    def _repeat(self, now: float) -> None:
        for shake in [shake for shake in self._running.values() if shake.due < now]:
            shake.tries += 1
            if shake.tries == _TRIES:
                self._end(shake, f"no answer to message {2 * shake.step + 1}")
                continue
            shake.due = now + _RETRY_S * 2**shake.tries
            self._report.repeated += 1
            self._send(shake)


def _socket(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 8 << 20)
    sock.bind(("0.0.0.0", port))
    return sock


def main() -> None:
    """Take commands until standard input ends."""
    options: dict[str, Any] = json.loads(sys.argv[1])
    network = IPv4Network(options["network"])
    group = isakmp.Group(options["group"])
    plan = offer(
        group,
        options["esp"],
        options["secret"].encode(),
        IPv4Address(options["server"]).packed,
        network.network_address.packed + network.netmask.packed,
    )
    make: Callable[[bytes, bytes], Shake] = partial(Handshake, plan)
    if options["version"] == 2:
        make = partial(HandshakeV2, plan, payloads(plan, group, options["esp"]))
    load = Load(make, options["server"])
    for line in sys.stdin:
        command = json.loads(line)
        report = load.run(command["count"], command["at_once"])
        print(json.dumps(report.__dict__), flush=True)


if __name__ == "__main__":
    main()
