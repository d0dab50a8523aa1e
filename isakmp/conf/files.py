"""Files that hold secrets: the configuration, and what it keeps outside of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from isakmp.errors import ConfError

Opener = Callable[[Path], BinaryIO]


def open_now(path: Path) -> BinaryIO:
    """Open a file; a FIFO in its place would be waited for. OSError."""
    return open(path, "rb", opener=_without_waiting)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def octets_of(path: Path, most: int, opener: Opener | None) -> tuple[bytes, os.stat_result]:
    """What a file holds, and whose it is. ConfError where it cannot be read, or is longer."""
    try:
        with (opener or open_now)(path) as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise ConfError("is not a regular file", file=str(path))
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfError(f"cannot be read: {reason}", file=str(path)) from error
    if len(data) > most:
        raise ConfError(f"larger than {most} octets", file=str(path), line=1)
    return data, info


def exposed(path: Path, info: os.stat_result) -> tuple[str, str]:
    """Why a file must not hold a secret, and what mends it; empty where it may."""
    if info.st_uid not in (0, os.geteuid()):
        return "the file holds a secret and belongs to another user", f"chown root {path}"
    if info.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = stat.S_IMODE(info.st_mode)
        return f"the file holds a secret and has mode {mode:04o}", f"chmod 600 {path}"
    return "", ""
