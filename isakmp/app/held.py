"""What only one process of a network namespace may have at a time, and who has it.

An abstract UNIX socket (unix(7)) of that name: the kernel takes it away with the process, however
that ends, and each network namespace has its own. Anybody can have such a name, so that of another
user's process counts for nothing.
"""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from isakmp.errors import ApplicationError

_CREDENTIALS = struct.Struct("=iII")  # ucred: process, user, group


class Held:
    """A name that is ours until close(). ApplicationError where a process like ours has it.

    name: what is held, for the kernel; what: the same in words; place: a path whose owner may be
    the user of such a process, beside root and ourselves.
    """

    def __init__(self, name: str, what: str, place: str = "") -> None:
        address = f"\0isakmpd {hashlib.sha256(name.encode()).hexdigest()}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.bind(address)
            self._socket.listen(1)
        except OSError as error:
            self.close()
            process, user = _holder(address) if error.errno == errno.EADDRINUSE else (0, -1)
            if user in _users(place):
                raise ApplicationError(
                    f"process {process} has {what} already: end it first"
                ) from None

    def close(self) -> None:
        """Let another have it."""
        self._socket.close()


def _holder(address: str) -> tuple[int, int]:
    """The process that listens there and its user; -1 for a user where nobody can be asked."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking, suppress(OSError):
        asking.setblocking(False)
        asking.connect(address)
        found = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        process, user, _ = _CREDENTIALS.unpack(found)
        return process, user
    return 0, -1


def _users(place: str) -> Iterable[int]:
    yield from (0, os.geteuid())
    with suppress(OSError):
        yield Path(place).stat().st_uid
