"""Front: what comes to a port, to the protocol that has it.

Each protocol reads its own header. The versions of IKE share ports and header (RFC 2408 3.1,
RFC 7296 3.1 and 2.5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from isakmp.exchange.engine import Engine
from isakmp.message import Header, parse_header, split
from isakmp.path import Path

Read = Callable[[Engine, Path, bytes], object]
"""What finds or makes the exchange of a datagram and hands a message to engine.run().
MalformedPayload where it is nothing of that protocol's."""


class Front:
    """That of one engine. read: what has every port that no other protocol has."""

    def __init__(self, engine: Engine, read: Read) -> None:
        self._engine, self._read = engine, read
        self._ports: dict[int, Read] = {}

    def serve(self, port: int, read: Read) -> None:
        """Give a port of ours to another protocol."""
        self._ports[port] = read

    def receive(self, path: Path, datagram: bytes) -> None:
        """Take one datagram from a stranger. Whatever it is, nothing is raised."""
        read = self._ports.get(path.local_port, self._read)
        self._engine.take(path, read, self._engine, path, datagram)


class Version(Protocol):
    """What IKE's header leads to."""

    major: int
    """The version that is in it."""

    def receive(self, engine: Engine, path: Path, header: Header, datagram: bytes) -> None:
        """Take one message, as a Read does."""

    def unspoken(self, engine: Engine, path: Path, header: Header) -> None:
        """Refuse a major version that nobody speaks."""


class Ike:
    """IKE's header, by which a message goes to its version."""

    def __init__(self, versions: Iterable[Version]) -> None:
        self._versions = {each.major: each for each in versions}
        self._newest = self._versions[max(self._versions)]

    def receive(self, engine: Engine, path: Path, datagram: bytes) -> None:
        """Take one datagram, of one message or several. MalformedPayload for the last of them: what
        is wrong with one is not with those behind it."""
        header = Header.unpack(datagram)
        if header.length == len(datagram):
            self._lead(engine, path, header, datagram)
            return
        *before, last = split(datagram)
        for message in before:
            engine.take(path, self._take, engine, path, message)
        self._take(engine, path, last)

    def _take(self, engine: Engine, path: Path, message: bytes) -> None:
        self._lead(engine, path, parse_header(message), message)

    def _lead(self, engine: Engine, path: Path, header: Header, message: bytes) -> None:
        if version := self._versions.get(header.major):
            version.receive(engine, path, header, message)
        else:
            self._newest.unspoken(engine, path, header)
