"""Files that hold secrets: the configuration, what it keeps elsewhere, and what isakmpd writes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection
from pathlib import Path
from typing import BinaryIO

from isakmp.errors import ConfError, IsakmpError

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


def open_private(path: Path, owners: Collection[int] = ()) -> int:
    """A descriptor that appends to a file which is made, mode 0600, where there is none.

    owners: user ids, besides root and ourselves, whose it may be. OSError: of the system, or
    without its number where the file is not fit(), in words that follow its path.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
    except PermissionError:  # as fs.protected_regular has it for root, whose cause nobody sees
        if os.path.lexists(path) and (unfit := unfit_to_write(os.lstat(path), owners)):
            raise OSError(unfit) from None
        raise
    if unfit := unfit_to_write(os.fstat(fd), owners):
        os.close(fd)
        raise OSError(unfit)
    return fd


def unfit_to_write(info: os.stat_result, owners: Collection[int] = ()) -> str:
    """Why nothing that others must not read is written to a file; empty where it may be.

    Whose file it is may read it, whatever its mode, and who made another name for it chose it.
    """
    if not stat.S_ISREG(info.st_mode):
        return "is no plain file"
    if info.st_uid not in (0, os.geteuid(), *owners):
        return (
            f"belongs to user {info.st_uid}, who can read what is written there: move it away,"
            " and isakmpd makes its own, or name another"
        )
    if info.st_nlink > 1:
        return "has another name, a hard link: move it away, and isakmpd makes its own"
    return ""


def is_other(path: Path) -> bool:
    """Whether there is something that is no directory."""
    return os.path.exists(path) and not path.is_dir()


def check_directory(
    path: Path, owners: Collection[int], what: str = "run directory", tag: str = "Run-directory"
) -> None:
    """IsakmpError where ``path`` is no directory, or others than ``owners`` (user ids) could put
    files of theirs there.

    A directory that is not there is for whoever makes a file in it to say.
    """
    try:
        info = path.stat()
    except OSError:
        return
    if not stat.S_ISDIR(info.st_mode):
        raise IsakmpError(f"the {what} {path} is no directory: name one as [General]:{tag}")
    if info.st_uid not in owners:
        who = f"belongs to user {info.st_uid}"
    elif info.st_mode & 0o022 and not info.st_mode & stat.S_ISVTX:
        who = f"may be written by others (mode {stat.S_IMODE(info.st_mode):04o})"
    else:
        return
    raise IsakmpError(
        f"the {what} {path} {who}, who could put files in the place of isakmpd's:"
        f" chown it to isakmpd's user and chmod 755 it, or name another as [General]:{tag}"
    )
