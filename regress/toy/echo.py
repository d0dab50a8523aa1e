"""An echo, of the transport and the timers alone.

asks or answers (8) | number (32) | octets
"""

from __future__ import annotations

import struct

from isakmp.errors import IsakmpError
from isakmp.event.job import Job
from isakmp.event.timer import Timers
from isakmp.path import Path
from isakmp.transport.base import Transport

_HEAD = struct.Struct(">BI")
ASKS, ANSWERS = 1, 2
TIMES, AGAIN_S = 4, 1.0
WAITING_MAX = 64


class Echo:
    """One end."""

    def __init__(self, transport: Transport, timers: Timers) -> None:
        self._transport, self._timers = transport, timers
        self._number = 0
        self.waiting: dict[tuple[Path, int], Job[bytes]] = {}
        transport.start(self._heard, lambda path, data: None)

    def ask(self, path: Path, data: bytes) -> Job[bytes]:
        """What comes back; IsakmpError where nothing does, or too many are asked already."""
        if len(self.waiting) >= WAITING_MAX:
            return Job.failed(IsakmpError("too many questions"))
        self._number = (self._number + 1) & 0xFFFFFFFF
        job: Job[bytes] = Job()
        key = path, self._number
        self.waiting[key] = job
        job.then(lambda _: self.waiting.pop(key))
        self._send(key, data, TIMES)
        return job

    def _send(self, key: tuple[Path, int], data: bytes, left: int) -> None:
        path, number = key
        job = self.waiting.get(key)
        if job is None:
            return
        if not left:
            job.fail(IsakmpError(f"no echo from {path.far}"))
            return
        self._transport.send(path, _HEAD.pack(ASKS, number) + data)
        self._timers.add("echo", AGAIN_S, self._send, key, data, left - 1)

    def _heard(self, path: Path, data: bytes) -> None:
        if len(data) < _HEAD.size:
            return
        what, number = _HEAD.unpack_from(data)
        if what == ASKS:
            self._transport.send(path, _HEAD.pack(ANSWERS, number) + data[_HEAD.size :])
        elif what == ANSWERS and (job := self.waiting.get((path, number))) is not None:
            job.finish(data[_HEAD.size :])
