"""Front: what comes to the ports of IKE, by the header, to the dialect that its version is.

RFC 2408 3.1, RFC 7296 3.1 and 2.5: both versions share ports and header.
"""

from __future__ import annotations

from collections.abc import Iterable

from isakmp.errors import MalformedPayload
from isakmp.exchange.dialect import Dialect
from isakmp.exchange.engine import Engine
from isakmp.message import parse_header, split
from isakmp.path import Path


class Front:
    """That of one engine. dialects: those that have IKE's header."""

    def __init__(self, engine: Engine, dialects: Iterable[Dialect]) -> None:
        self._engine, self._dialects = engine, {each.major: each for each in dialects}
        self._newest = self._dialects[max(self._dialects)]

    def receive(self, path: Path, datagram: bytes) -> None:
        """Take one datagram from a stranger. Whatever it is, nothing is raised."""
        for message in split(datagram):
            try:
                header = parse_header(message)
                if (dialect := self._dialects.get(header.major)) is None:
                    self._newest.unspoken(self._engine, path, header)
                    continue
            except MalformedPayload as error:
                self._engine.drop(path, str(error))
            else:
                self._engine.take(dialect, path, header, message)
