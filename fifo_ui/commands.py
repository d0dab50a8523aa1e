"""What a line of the FIFO does: its first word, one letter, is the command.

``J token command`` runs a command and puts its answer, as JSON, in ``isakmpd.reply.token`` of the
run directory; without it an answer, where there is one, goes to ``isakmpd.result``. What is wrong
with a line is one error in the log (and the reply), never more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, Protocol

from fifo_ui import changes, render
from fifo_ui.change import FORMS, string
from fifo_ui.changes import Transaction
from fifo_ui.files import ANSWER_MAX_AGE_S, REPLY, RESULT, remove_answers, why, write_whole
from fifo_ui.flags import COOKIES, MESSAGE_ID, SPI
from isakmp.errors import HostError, IsakmpError, Refused
from isakmp.event.job import Job
from isakmp.log.log import Log, LogClass, parse_class, parse_level, severity_of_refusal

CAPTURE = "isakmpd.pcap"
FETCH_S = 5.0

_WHOLE = ("file", "apply")  # verbs whose changes are a transaction, be it of one

_TOKEN = re.compile(r"[0-9a-f]{16}")
_COUNTING = re.compile(r"(J \S+ +)?[Sr]\s*$")
"""The commands that show counters, which the application may have to be asked for."""
_TAG = re.compile(r"\[([^]]+)\]:([^=\s]+)")
_COOKIES, _MESSAGE_ID, _SPI = map(re.compile, (COOKIES, MESSAGE_ID, SPI))


class Store(render.Conf, Protocol):
    """The configuration, as commands and the report use it."""

    def begin(self) -> Transaction: ...


class Daemon(Protocol):
    """The daemon, as the FIFO sees it. What cannot be done is an IsakmpError, for people."""

    @property
    def conf(self) -> Store: ...

    @property
    def log(self) -> Log: ...

    @property
    def run_directory(self) -> Path: ...

    @property
    def report_path(self) -> Path: ...

    def connect(self, name: str, /) -> object: ...

    def teardown(self, name_or_address: str, phase: int, /) -> object: ...

    def teardown_all(self) -> object: ...

    def rekey(self, name_or_address: str, what: str, /) -> object: ...

    def delete_sa(self, cookies: bytes, message_id: int | None, /) -> object: ...

    def set_active(self, active: bool, /) -> object: ...

    def capture(self, path: Path | None, /) -> object: ...

    def reload(self) -> Job[list[str]]: ...

    def quit(self) -> object: ...

    def count(self) -> Job[None]:
        """Done when the counters that status() shows are up to date."""

    def status(self) -> dict[str, Any]: ...

    def alter(self, transaction: Any, together: bool, /) -> Job[list[str]]:
        """Make the changes; what is to be told of them. together: they are whole, and count now."""

    def settled(self) -> Job[list[str]]:
        """Done when every change of the configuration that has been asked for is over."""


@dataclass(frozen=True, slots=True)
class Answer:
    """value: for the JSON reply; text: for isakmpd.result, None where nothing goes there."""

    value: object = None
    text: str | None = None


DONE = Answer()


def usage(form: str) -> NoReturn:
    """IsakmpError: what was expected."""
    raise IsakmpError(f"expected: {form}")


def _nothing(letter: str, args: str) -> None:
    if args:
        usage(f"{letter} without arguments")


def _after(job: Job[list[str]], what: Callable[[list[str]], Answer]) -> Job[Answer]:
    """The answer to what is done in steps, or once that is done."""
    answered: Job[Answer] = Job()

    def done(job: Job[list[str]]) -> None:
        if job.error is not None:
            answered.fail(job.error)
        else:
            answered.take(Job.call(lambda: what(job.result or [])))

    job.then(done)
    return answered


def connect(daemon: Daemon, args: str) -> Job[Answer]:
    """``c name``: start the connection, which may be in a file that is just being read."""
    if not args:
        usage("c name")

    def settled(_: object) -> Answer:
        daemon.connect(string(args))
        return DONE

    return _after(daemon.settled(), settled)


def configure(daemon: Daemon, args: str) -> Answer | Job[Answer]:
    """``C set|add|rmv|rm|rms|get|file|apply ...``: change the configuration, or read it.

    Several changes on a line are made together and at once, or none, and so is what is in a file
    or behind ``apply``, be it one change.
    """
    verb, _, rest = args.partition(" ")
    verb = verb.lower()
    if verb == "get":
        section, tag = _section_tag(rest)
        value = daemon.conf.get(section, tag)
        if value is None:
            raise IsakmpError(f"[{section}]:{tag} is not set")
        return Answer(value, value + "\n")
    if verb not in (*FORMS, *_WHOLE):
        usage(f"C with one of {', '.join(FORMS)}, get, {', '.join(_WHOLE)}")
    if verb == "file":
        if not rest.strip().startswith("/"):
            usage("C file PATH, a path from / on, as isakmpd stands in no directory of yours")
        found = changes.in_file(Path(rest.strip()))
    else:
        found = changes.on_line(rest if verb in _WHOLE else args)
    transaction = daemon.conf.begin()
    changes.note(transaction, found)
    return _after(daemon.alter(transaction, verb in _WHOLE or len(found) > 1), Answer)


def _section_tag(text: str) -> tuple[str, str]:
    match = _TAG.fullmatch(text.strip())
    if match is None:
        usage("C get [section]:tag")
    return string(match[1]), string(match[2])


def delete(daemon: Daemon, args: str) -> Answer:
    """``d cookies msgid``, ``d spi``: delete one SA; ``-`` for the message id means phase 1."""
    words = args.split()
    if len(words) == 1 and _SPI.fullmatch(words[0]):
        daemon.delete_sa(bytes.fromhex(words[0][-8:]), None)
        return DONE
    if len(words) != 2 or not _COOKIES.fullmatch(words[0]):
        usage("d cookies msgid, the cookies of 32 hexadecimal digits")
    if not _MESSAGE_ID.fullmatch(words[1]):
        usage("d cookies msgid, the message id of 8 hexadecimal digits, or - for phase 1")
    cookies = bytes.fromhex(words[0].replace(":", ""))
    daemon.delete_sa(cookies, None if words[1] == "-" else int(words[1], 16))
    return DONE


def debug(daemon: Daemon, args: str) -> Answer:
    """``D class level``, ``D A level``, ``D T``: levels of the log."""
    words = args.split()
    if words == ["T"]:
        state = "on" if daemon.log.toggle() else "off"
        daemon.log.info("debugging is %s", state)
    elif len(words) == 2:
        daemon.log.set_level(parse_class(words[0]), parse_level(words[1]))
    else:
        usage("D class level, D A level or D T")
    return Answer({cls.label: level for cls, level in daemon.log.levels().items()})


def rekey(daemon: Daemon, args: str) -> Answer:
    """``k [quick|main|auth] name-or-address``: new SAs for those there are, quick by default."""
    what, name = _word_and_name(args, ("quick", "main", "auth"), "quick")
    if not name:
        usage("k [quick|main|auth] name-or-address")
    daemon.rekey(string(name), what)
    return DONE


def _word_and_name(args: str, words: Sequence[str], default: str) -> tuple[str, str]:
    """One of ``words``, where there is something behind it, and the rest."""
    word, _, rest = args.partition(" ")
    return (word, rest.strip()) if rest and word in words else (default, args)


def mode(daemon: Daemon, args: str) -> Answer:
    """``M active``, ``M passive``: whether this daemon starts anything."""
    if args not in ("active", "passive"):
        usage("M active or M passive")
    daemon.set_active(args == "active")
    return DONE


def capture(daemon: Daemon, args: str) -> Answer:
    """``p on[=path]``, ``p off``: capture of decrypted traffic."""
    word, equals, path = args.partition("=")
    if word == "off" and not equals:
        daemon.capture(None)
        return DONE
    if word != "on" or (equals and not path.strip()):
        usage("p on, p on=path or p off")
    where = Path(string(path.strip())) if equals else daemon.run_directory / CAPTURE
    daemon.capture(where)
    return Answer({"path": str(where)})


def quit_daemon(daemon: Daemon, args: str) -> Answer:
    """``Q``: shut down as TERM does."""
    _nothing("Q", args)
    daemon.quit()
    return DONE


def reload(daemon: Daemon, args: str) -> Job[Answer]:
    """``R``: read the configuration again as HUP does."""
    _nothing("R", args)
    return _after(daemon.reload(), Answer)


def report(daemon: Daemon, args: str) -> Answer:
    """``r``: everything there is to know, to the report file, as USR1 does."""
    _nothing("r", args)
    return Answer({"path": str(write_report(daemon))})


def sas(daemon: Daemon, args: str) -> Answer:
    """``S``: all SAs, to isakmpd.result. A JSON reply has the whole status."""
    _nothing("S", args)
    status = daemon.status()
    return Answer(status, render.sas(status["sas"]) + render.drops(status["drops"]))


def teardown_all(daemon: Daemon, args: str) -> Answer:
    """``T``: tear down all quick-mode connections."""
    _nothing("T", args)
    daemon.teardown_all()
    return DONE


def teardown(daemon: Daemon, args: str) -> Answer:
    """``t [main|quick] name-or-address``: tear one down, quick by default."""
    word, name = _word_and_name(args, ("main", "quick"), "quick")
    if not name:
        usage("t [main|quick] name-or-address")
    daemon.teardown(string(name), 1 if word == "main" else 2)
    return DONE


COMMANDS: Mapping[str, Callable[[Daemon, str], Answer | Job[Answer]]] = MappingProxyType(
    {
        "c": connect,
        "C": configure,
        "d": delete,
        "D": debug,
        "k": rekey,
        "M": mode,
        "p": capture,
        "Q": quit_daemon,
        "R": reload,
        "r": report,
        "S": sas,
        "T": teardown_all,
        "t": teardown,
    }
)


def write_report(daemon: Daemon) -> Path:
    """Write the report of the whole daemon; where it is. IsakmpError where it cannot be."""
    text = render.report(daemon.status(), daemon.log.levels(), daemon.conf)
    _write(daemon.report_path, text)
    return daemon.report_path


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text)
    except OSError as error:
        raise HostError(f"cannot write {path}: {why(error, path.parent)}") from error


def run(daemon: Daemon, line: str) -> Job[Answer]:
    """Do what a line without its J says. The job fails where it is no command, or that does."""
    letter, _, args = line.partition(" ")
    command = COMMANDS.get(letter)
    try:
        if command is None:
            raise IsakmpError(f"unknown command {letter[:20]!r}: one of {' '.join(COMMANDS)} J")
        answer = command(daemon, args.strip())
    except (IsakmpError, OSError) as error:
        return Job.failed(error)
    return answer if isinstance(answer, Job) else Job.of(answer)


class Commands:
    """Carries out the lines of one daemon's FIFO. now: seconds since the epoch, for old replies."""

    def __init__(self, daemon: Daemon, now: Callable[[], float]) -> None:
        self._daemon, self._now = daemon, now
        self.tidy()

    def tidy(self) -> None:
        """Take away the answers that nobody has fetched within a minute: they may be secrets."""
        remove_answers(self._daemon.run_directory, self._now() - ANSWER_MAX_AGE_S)

    def close(self) -> None:
        """Take them away at the end, but for what somebody is just fetching."""
        remove_answers(self._daemon.run_directory, self._now() - FETCH_S)
        with suppress(OSError):
            (self._daemon.run_directory / RESULT).unlink()

    def line(self, line: str) -> None:
        """One line. It raises nothing: what is wrong is said in the log, and in the reply."""
        # Values are left out: they may be secrets.
        self._daemon.log.debug(LogClass.UI, 30, "FIFO: %s", line.partition("=")[0])
        if _COUNTING.match(line):
            self._daemon.count().then(lambda _: self._do(line))
        else:
            self._do(line)

    def _refused(self, error: Exception) -> None:
        self._daemon.log.write(severity_of_refusal(error), "FIFO: %s", error)

    def _do(self, line: str) -> None:
        command, tell = line, self._result
        if line == "J" or line.startswith("J "):
            token, _, command = line[2:].strip().partition(" ")
            if not _TOKEN.fullmatch(token):
                form = "J token command, the token of 16 hexadecimal digits in lower case"
                self._refused(IsakmpError(f"expected: {form}"))
                return
            tell = partial(self._reply, token)
        run(self._daemon, command.strip()).then(partial(self._answered, tell))

    def _answered(self, tell: Callable[[Job[Answer]], None], job: Job[Answer]) -> None:
        if job.error is not None:
            self._refused(job.error)
        try:
            tell(job)
        except (IsakmpError, OSError) as error:
            self._refused(error)

    def _result(self, job: Job[Answer]) -> None:
        """An answer for whoever reads isakmpd.result."""
        if job.result is not None and job.result.text is not None:
            _write(self._daemon.run_directory / RESULT, job.result.text)

    def _reply(self, token: str, job: Job[Answer]) -> None:
        """The answer for whoever asked with that token."""
        reply = {"ok": True, "error": None, "result": job.result and job.result.value}
        if job.error is not None:
            reply = {"ok": False, "error": str(job.error), "result": None}
        if isinstance(job.error, Refused):
            reply["reason"] = job.error.reason.to_dict()
        self.tidy()
        _write(
            self._daemon.run_directory / (REPLY + token), json.dumps(reply, default=_plain) + "\n"
        )


def _plain(value: object) -> object:
    """What JSON has no form for."""
    return sorted(map(str, value)) if isinstance(value, (set, frozenset)) else str(value)
