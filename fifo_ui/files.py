"""Files of the run directory, which appear whole or not at all: results, reports, replies."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from isakmp.conf.files import octets_of
from isakmp.errors import IsakmpError

RESULT = "isakmpd.result"
REPLY = "isakmpd.reply."
PID = "isakmpd.pid"
ANSWER_MAX_AGE_S = 60.0
ANSWER_ROOM = 1 << 20  # octets that an answer may well have
FULL_PART = 20  # a file system with less than this part of it free is full
_NUMBER_MAX = 32  # octets of a process number
LOOK_S = 10.0  # how often isakmpd looks whether its FIFO is in its place


def why(error: OSError, directory: Path) -> str:
    """What the system says of a file there that was not made; where it says the mend, that too."""
    said, mend = error.strerror or str(error), mend_of(error, directory)
    return f"{said}; mend: {mend}" if mend else said


def mend_of(error: OSError, directory: Path) -> str:
    """What lets a file be made there, of a full or read-only file system; else empty."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return make_room(directory)
    return make_writable(directory) if error.errno == errno.EROFS else ""


def make_room(directory: Path) -> str:
    """The mend of a full disk."""
    return f"make room there (df -h {directory}; df -i {directory} counts files)"


def make_writable(directory: Path) -> str:
    """The mend of a file system that is read-only."""
    return (
        f"mount it writable (findmnt -T {directory} names it; mount -o remount,rw); dmesg says"
        " whether an error of its disk has made it read-only"
    )


def read_only(directory: Path) -> bool:
    """Whether it is on a file system that is read-only."""
    with suppress(OSError):
        return bool(os.statvfs(directory).f_flag & os.ST_RDONLY)
    return False


def is_full(directory: Path) -> bool:
    """Whether there may be no room for an answer."""
    with suppress(OSError):
        room = os.statvfs(directory)
        # Some file systems have no bound on files, and say 0 of 0.
        files = room.f_favail > 0 or not room.f_files
        # A small one that is hardly used is not full.
        least = min(ANSWER_ROOM, room.f_blocks * room.f_frsize // FULL_PART)
        return not files or room.f_bavail * room.f_frsize <= least
    return False


def write_whole(path: Path, text: str, mode: int = 0o600) -> None:
    """Put ``text`` in the place of ``path`` by way of a new file. OSError."""
    new = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        new.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(new, flags, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8", errors="backslashreplace") as file:
            os.fchmod(fd, mode)
            file.write(text)
        new.rename(path)
    except OSError:
        with suppress(OSError):
            new.unlink()
        raise


def running(run_directory: Path) -> int:
    """The process that isakmpd is by its file; 0 where it has gone, and another its number."""
    with suppress(OSError, ValueError, IsakmpError):
        pid = int(octets_of(run_directory / PID, _NUMBER_MAX, None)[0])
        if b"isakmp" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    return 0


def remove_answers(run_directory: Path, before: float) -> int:
    """Remove results and replies last written before then: they may hold secrets. How many."""
    removed = 0
    with suppress(OSError), os.scandir(run_directory) as entries:
        for entry in entries:
            if not entry.name.startswith((RESULT, REPLY, "." + RESULT, "." + REPLY)):
                continue
            with suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime < before:
                    os.unlink(entry.path)
                    removed += 1
    return removed
