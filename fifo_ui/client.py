"""The other end of the FIFO: one command written at once, its reply waited for."""

from __future__ import annotations

import errno
import json
import os
import select
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fifo_ui.files import (
    LOOK_S,
    REPLY,
    is_full,
    make_room,
    make_writable,
    read_only,
    running,
)
from isakmp.errors import IsakmpError

DISK_S = 5.0  # who waits for so long looks at where the answer is to be
SLOW_S = 1.0  # who waits for longer is told for what
POLL_S = (0.005, 0.01, 0.02, 0.05)  # the first waits; then the last one again
MAX_REPLY = 64 * 1024 * 1024


class ControlError(IsakmpError):
    """Why a command could not be given or failed. mend: what to do about it."""

    def __init__(self, cause: str, mend: str = "", reason: dict[str, Any] | None = None) -> None:
        super().__init__(cause)
        self.mend, self.reason = mend, reason


class NotThere(ControlError):
    """Nobody answers: isakmpd is not running, or not yet."""


@dataclass(frozen=True, slots=True)
class Client:
    """Gives commands to the daemon that reads ``fifo`` and keeps its files in ``run_directory``.

    clock: seconds, steady; token: 16 hexadecimal digits, new each time; say: told what a long wait
    waits for.
    """

    fifo: Path
    run_directory: Path
    timeout_s: float
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    token: Callable[[], str]
    say: Callable[[str], None] = lambda _: None

    def ask(self, command: str) -> Any:
        """The result of ``command``. ControlError: it was not carried out, or not in time."""
        token = self.token()
        reply_path, was_full = self.run_directory / (REPLY + token), is_full(self.run_directory)
        owner = self._send(f"J {token} {command}")
        try:
            return self._result(self._await(reply_path, owner, was_full))
        finally:
            with suppress(OSError):
                reply_path.unlink()

    def _send(self, line: str) -> int:
        """Write one line in one piece; the user id of isakmpd, whose the FIFO is. ControlError."""
        data = line.encode() + b"\n"
        if not line.isprintable() or len(data) > select.PIPE_BUF:
            raise ControlError(
                f"a command of {len(data)} octets, or with control characters, cannot be sent",
                f"a command is one line of at most {select.PIPE_BUF} octets",
            )
        try:
            fd = os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                info = os.fstat(fd)
                if not stat.S_ISFIFO(info.st_mode):
                    raise self._another_file()
                if info.st_uid not in self._believed():
                    raise self._strange(info.st_uid)
                os.write(fd, data)
                return info.st_uid
            finally:
                os.close(fd)
        except OSError as error:
            raise self._unreachable(error) from error

    def _believed(self) -> set[int]:
        """Whose FIFO is given secrets: root's, ours, and of whose user isakmpd must be.

        Who owns the directory of the FIFO rules over what is in it. In one where all may write,
        the process number is anybody's word, and not asked.
        """
        users = {0, os.geteuid()}
        with suppress(OSError):
            users.add(self.fifo.parent.stat().st_uid)
            shared = self.run_directory.stat().st_mode & stat.S_IWOTH
            if not shared and (pid := running(self.run_directory)):
                users.add(Path(f"/proc/{pid}").stat().st_uid)
        return users

    def _strange(self, user: int) -> ControlError:
        """A FIFO that another user than isakmpd's may have put there."""
        return ControlError(
            f"{self.fifo} belongs to user {user}, who need not be isakmpd's: nothing was sent",
            "if isakmpd is that user, run isakmpctl as that user, or give isakmpd a directory of"
            " its own as [General]:Run-directory; if not, remove that file, and let nobody but"
            f" isakmpd's user write in {self.fifo.parent}",
        )

    def _unreachable(self, error: OSError) -> ControlError:
        if error.errno in (errno.ENXIO, errno.ENOENT):
            missing = "nobody reads" if error.errno == errno.ENXIO else "there is no"
            return self._not_there(f"{missing} {self.fifo}")
        cause, mend = {
            errno.EACCES: ("you may not write to {}", "run isakmpctl as the user isakmpd runs as"),
            errno.EAGAIN: (
                "{} is full: isakmpd runs but does not read it",
                "wait for what it is busy with, or stop it with a signal",
            ),
        }.get(error.errno or 0, (f"cannot write to {{}}: {error.strerror}", ""))
        return ControlError(cause.format(self.fifo), mend)

    def _another_file(self) -> ControlError:
        """Something else is in the FIFO's place: of an isakmpd that runs, somebody put it there."""
        if pid := running(self.run_directory):
            return NotThere(
                f"isakmpd runs, process {pid}, but another file is in the place of {self.fifo}",
                f"move that file away: isakmpd makes its FIFO anew within {LOOK_S:g} s, or at once"
                f" for kill -HUP {pid}; where it has another (-f), name that with --fifo",
            )
        return ControlError(f"{self.fifo} is no FIFO", "name it with --fifo")

    def _not_there(self, why: str) -> NotThere:
        """By the FIFO nobody is; whether isakmpd runs all the same, its process number tells."""
        if pid := running(self.run_directory):
            return NotThere(
                f"isakmpd runs, process {pid}, but {why}",
                f"it makes it anew within {LOOK_S:g} s, or at once for kill -HUP {pid}; where it"
                " has another (-f), name that with --fifo",
            )
        return NotThere(
            f"isakmpd is not running: {why}", "start isakmpd, or name its FIFO with --fifo"
        )

    def _await(self, path: Path, owner: int, was_full: bool) -> str:
        """The text of the reply, once it is there: ``owner`` or root has written it. was_full: its
        disk was; an isakmpd that ends makes room there."""
        begun, polls = self.clock(), 0
        told = looked = False
        while True:
            try:
                return _written(path, owner)
            except FileNotFoundError:
                pass
            except OSError as error:
                raise ControlError(
                    f"cannot read {path}: {error.strerror or error}",
                    f"remove it, and let nobody but isakmpd's user write in {path.parent}; isakmpd"
                    " may have carried the command out",
                ) from error
            waited = self.clock() - begun
            if waited >= SLOW_S and not told:
                told = True
                self.say("waiting: isakmpd has the command and has not answered yet")
            if waited >= self.timeout_s:
                raise self._unanswered(self.timeout_s, was_full)
            if waited >= DISK_S and not looked:
                looked = True
                if read_only(path.parent) or is_full(path.parent):
                    raise self._unanswered(DISK_S, was_full)
            self.sleep(POLL_S[min(polls, len(POLL_S) - 1)])
            polls += 1

    def _unanswered(self, waited_s: float, was_full: bool) -> NotThere:
        """The FIFO was read, and there is no reply in time."""
        why = f"isakmpd took the command but did not answer within {waited_s:.3g} s"
        where = self.run_directory
        again = "and give the command again: it may have been carried out"
        if read_only(where):
            return NotThere(
                f"{why}: the file system of {where}, where it answers, is read-only",
                f"{make_writable(where)}, {again}",
            )
        if was_full or is_full(where):
            return NotThere(
                f"{why}: the disk of {where}, where it answers, is full",
                f"{make_room(where)}, {again}",
            )
        return NotThere(
            why,
            f"see its log, and wait for longer with --timeout where that says that it is busy; it "
            f"answers in {where} (--run-directory, where that is another)",
        )

    @staticmethod
    def _result(text: str) -> Any:
        """What the reply says. ControlError where it says no."""
        try:
            reply = json.loads(text)
            if reply["ok"]:
                return reply["result"]
            cause, reason = str(reply["error"]), reply.get("reason")
        except (ValueError, KeyError, TypeError) as error:
            raise ControlError(f"the reply of isakmpd cannot be read: {error}") from error
        raise ControlError(cause, reason=reason)


def _written(path: Path, owner: int) -> str:
    """The text of a reply. OSError: it is not there, or not what isakmpd has written."""
    with open(path, encoding="utf-8", opener=_without_waiting) as file:
        info = os.fstat(file.fileno())
        if not stat.S_ISREG(info.st_mode):
            raise OSError("it is no plain file")
        if info.st_uid not in (0, owner):
            raise OSError(f"it belongs to user {info.st_uid}, who is not isakmpd's")
        return file.read(MAX_REPLY)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)
