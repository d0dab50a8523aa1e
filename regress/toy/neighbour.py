"""Neighbours on one link, who say that they are there: of the loop and the timers alone.

Every second each sends a frame with its name. Who has not been heard for three is gone. The frames
are those of a socket: of a pair, or of AF_PACKET, with an Ethernet type for experiments.

    python -m regress.toy.neighbour INTERFACE INTERFACE

has a neighbour at each of two interfaces, and ends once they have met and one of them has left.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable

from isakmp.event.job import Job
from isakmp.event.loop import Loop
from isakmp.event.timer import Event, Timers

ETHER_TYPE = 0x88B5
EVERY_S, GONE_S = 1.0, 3.0
MAGIC, NAME_MAX, NEIGHBOURS_MAX = b"hi", 32, 16
Send = Callable[[bytes], object]


class Neighbour:
    """One of them. send: puts a frame on the link."""

    def __init__(self, name: str, loop: Loop, sock: socket.socket, send: Send) -> None:
        self.name, self._loop, self._sock, self._send = name, loop, sock, send
        self.there: dict[str, Event] = {}
        self._met: dict[str, Job[None]] = {}
        sock.setblocking(False)
        loop.reader(sock.fileno(), self._heard)
        self._hello = loop.timers.add("hello", 0.0, self._say)

    def met(self, name: str) -> Job[None]:
        """Done once that neighbour is there."""
        return Job.of(None) if name in self.there else self._met.setdefault(name, Job())

    def _say(self) -> None:
        self._send(MAGIC + self.name.encode())
        self._hello = self._loop.timers.add("hello", EVERY_S, self._say)

    def _heard(self) -> None:
        frame = self._sock.recv(2048).rstrip(b"\0")  # short frames are padded
        name = frame[len(MAGIC) :].decode("ascii", "ignore")
        if frame[: len(MAGIC)] != MAGIC or not name or len(name) > NAME_MAX or name == self.name:
            return
        if event := self.there.pop(name, None):
            event.cancel()
        elif len(self.there) >= NEIGHBOURS_MAX:
            return
        self.there[name] = self._loop.timers.add("gone", GONE_S, self.there.pop, name)
        if job := self._met.pop(name, None):
            job.finish(None)

    def leave(self) -> None:
        """Say nothing more."""
        self._hello.cancel()
        self._loop.reader(self._sock.fileno(), None)
        for event in self.there.values():
            event.cancel()
        self.there.clear()


def at(interface: str, loop: Loop) -> Neighbour:
    """The neighbour at an interface. OSError where there may be no such socket."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETHER_TYPE))
    sock.bind((interface, ETHER_TYPE))
    everybody = (interface, ETHER_TYPE, 0, 0, b"\xff" * 6)
    return Neighbour(interface, loop, sock, lambda data: sock.sendto(data, everybody))


def main(interfaces: list[str]) -> int:
    """The exit status: 0 where all was as it should be."""
    loop = Loop(Timers(time.monotonic))
    west, east = (at(interface, loop) for interface in interfaces)
    met = Job.gather([west.met(east.name), east.met(west.name)])
    met.then(lambda _: east.leave())
    for _ in range(200):
        loop.turn(0.1)
        if met.done and not west.there:
            print(f"{west.name} and {east.name} have met, and {east.name} has left")
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:3]))
