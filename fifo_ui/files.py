"""Files that appear whole or not at all: results, reports, replies."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

RESULT = "isakmpd.result"
REPLY = "isakmpd.reply."
REPLY_MAX_AGE_S = 60.0


def write_whole(path: Path, text: str) -> None:
    """Put ``text`` in the place of ``path``, mode 0600, by way of a new file. OSError."""
    new = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        new.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(new, flags, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        new.rename(path)
    except OSError:
        with suppress(OSError):
            new.unlink()
        raise


def remove_stale_replies(run_directory: Path, now: float) -> int:
    """Remove replies nobody fetched within 60 s; how many there were."""
    removed = 0
    with suppress(OSError), os.scandir(run_directory) as entries:
        for entry in entries:
            if not entry.name.startswith((REPLY, "." + REPLY)):
                continue
            with suppress(OSError):
                if now - entry.stat(follow_symlinks=False).st_mtime > REPLY_MAX_AGE_S:
                    os.unlink(entry.path)
                    removed += 1
    return removed
