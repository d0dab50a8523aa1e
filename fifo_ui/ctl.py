"""isakmpctl: commands for a running isakmpd, and what it answers, for people or as JSON.

Every verb is one command of the FIFO (commands.py), so whatever it does can be done with echo(1)
as well. Exit status: 0 done, 1 not done (why, and what to do, on standard error), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from fifo_ui import asked, changes, explain, render
from fifo_ui.change import Change, parse
from fifo_ui.client import Client, ControlError
from fifo_ui.flags import CHANGE_TIMEOUT_S, CHANGES, COOKIES, TIMEOUT_S, make_parser
from fifo_ui.screen import Screen, Tone, screen_of
from fifo_ui.up import Wait
from isakmp.conf.alike import nearest
from isakmp.conf.values import is_address
from isakmp.errors import IsakmpError
from isakmp.run_directory import run_directory

FIFO = "isakmpd.fifo"


class Output(NamedTuple):
    """value: for --json; text: for people, a table being made for their screen."""

    value: Any
    text: str | Callable[[Screen], str] = ""

    def shown(self, screen: Screen) -> str:
        """The text on a screen."""
        return self.text if isinstance(self.text, str) else self.text(screen)


Verb = Callable[[Client, argparse.Namespace], Output]


def show_sas(client: Client, args: argparse.Namespace) -> Output:
    """All SAs."""
    status = client.ask("S")
    rows = status["sas"]
    if args.name:
        rows = asked.sas_of(status, args.name)
        if not rows:
            _expect_known(status, args.name)
        return Output(rows, partial(render.sas, rows))
    drops = render.drops(status["drops"])
    return Output(rows, lambda screen: render.sas(rows, screen) + drops)


def _expect_known(status: dict[str, Any], name: str) -> None:
    """ControlError where nothing is known of that name. An address may be anybody's."""
    known = asked.names(status)
    if name not in known and not is_address(name):
        hint = nearest(name, known)
        raise ControlError(f"no connection or peer {name}" + (f" ({hint})" if hint else ""))


def show_rows(client: Client, args: argparse.Namespace) -> Output:
    """Another table of the status, by the name of the verb."""
    rows = client.ask("S")[args.verb]
    tables = {"outcomes": render.outcomes, "connections": render.connections}
    return Output(rows, partial(tables.get(args.verb, render.things), rows))


def explain_failures(client: Client, args: argparse.Namespace) -> Output:
    """Why the last attempts failed: both sides, the nearest miss, the line, what to change."""
    status = client.ask("S")
    tables = (status[name] for name in ("connections", "exchanges", "sas", "peers"))
    peer = asked.meant(status, args.peer)
    rows = explain.failures(status["outcomes"], peer, *tables)
    if args.peer and not rows:
        _expect_known(status, peer or "")
    return Output(rows, partial(explain.text, rows, peer))


def bring_up(client: Client, args: argparse.Namespace) -> Output:
    """Start a connection; with --wait, until it is up or has failed."""
    if args.wait is None:
        more = "isakmpctl connections shows how it goes; --wait 30 would stay until it is up"
        return Output(client.ask(f"c {args.name}"), f"{args.name} is being started: {more}\n")
    wait = Wait(client, args.name, args.wait, client.say)
    return Output(rows := wait.run(), partial(_up, wait, rows))


def _up(wait: Wait, rows: list[dict[str, Any]], screen: Screen) -> str:
    up = screen.paint(f"{wait.name} is up", Tone.GOOD)
    if wait.in_part:
        up = screen.paint(f"{wait.name} is up in part: {wait.in_part}", Tone.WARNING)
    return f"{up}\n{render.phase_2(rows, screen)}"


def down(client: Client, args: argparse.Namespace) -> Output:
    """Tear down one connection, or all."""
    if args.all:
        return Output(client.ask("T"), "all connections are being torn down\n")
    phase = "main" if args.phase == 1 else "quick"
    return Output(client.ask(f"t {phase} {args.name}"), f"{args.name} is being torn down\n")


def rekey(client: Client, args: argparse.Namespace) -> Output:
    """Replace a connection's child SAs, or the SA they were negotiated under."""
    what = args.what or "quick"
    whose = args.name if what == "quick" else f"the IKE SA of {args.name}"
    more = f"isakmpctl explain {args.name} says where that fails"
    return Output(client.ask(f"k {what} {args.name}"), f"{whose} is being replaced: {more}\n")


def delete(client: Client, args: argparse.Namespace) -> Output:
    """Delete one SA."""
    of_cookies = re.fullmatch(COOKIES, args.cookies)
    if not of_cookies and args.message_id != "-":
        raise ControlError("an SPI names a child SA without a message id")
    more = f" {args.message_id}" if of_cookies else ""
    return Output(client.ask(f"d {args.cookies}{more}"), "deleted\n")


def conf(client: Client, args: argparse.Namespace) -> Output:
    """Read or change the configuration."""
    if args.action == "apply":
        return _told(client.ask(f"C {_changes(args.path)}"), "the configuration is changed")
    if args.action == "get":
        value = client.ask(f"C get [{args.section}]:{args.tag}")
        return Output(value, f"{value}\n")
    result = client.ask(f"C {_change(args)}")
    where = f"[{args.section}]:{args.tag}" if "tag" in args else f"[{args.section}]"
    return _told(result, f"{where} is {'removed' if args.action in ('rm', 'rms') else 'changed'}")


def _change(args: argparse.Namespace) -> Change:
    """The change of the command line. ControlError where isakmpd would read another one."""
    parts = {name: getattr(args, name) for name in ("tag", "value", "force") if name in args}
    change = Change(args.action, args.section, **parts)
    try:
        again = list(parse(str(change)))
    except IsakmpError as error:
        raise ControlError(str(error)) from None
    if again != [change]:
        raise ControlError("that is no section, tag and value", "isakmpctl conf --help")
    return change


def _changes(path: str) -> str:
    """Several changes: those of standard input on the line itself, a file's by its name."""
    if path != "-":
        return f"file {Path(path).absolute()}"
    try:
        found = changes.in_text(sys.stdin.read(changes.MAX_FILE_BYTES), "standard input")
    except IsakmpError as error:
        raise ControlError(str(error)) from None
    if not found:
        raise ControlError("no change on standard input", "a line each, such as: rms [a section]")
    return f"apply {changes.PART.join(str(placed.change) for placed in found)}"


def _told(lines: list[str], done: str) -> Output:
    """A change that was made, and what is to be told of it."""
    return Output(lines, "".join(f"{line}\n" for line in (done, *lines)))


def debug(client: Client, args: argparse.Namespace) -> Output:
    """Set levels of the log."""
    if args.cls != "toggle" and args.level is None:
        raise ControlError("a level is missing", "isakmpctl debug CLASS LEVEL, level 0 to 99")
    command = "D T" if args.cls == "toggle" else f"D {args.cls} {args.level}"
    levels = client.ask(command)
    return Output(levels, "".join(f"{name:<11} {level:>2}\n" for name, level in levels.items()))


def report(client: Client, args: argparse.Namespace) -> Output:
    """Everything there is to know."""
    if args.json:
        return Output(client.ask("S"))
    path = Path(client.ask("r")["path"])
    try:
        return Output(None, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ControlError(f"cannot read the report {path}: {error.strerror}") from error


def reload(client: Client, args: argparse.Namespace) -> Output:
    """Read the configuration again."""
    return _told(client.ask("R"), "the configuration is read again")


def quit_daemon(client: Client, args: argparse.Namespace) -> Output:
    """Shut isakmpd down."""
    return Output(client.ask("Q"), "isakmpd is shutting down\n")


def mode(client: Client, args: argparse.Namespace) -> Output:
    """Be the active or the passive one of two."""
    return Output(client.ask(f"M {args.verb}"), f"isakmpd is {args.verb}\n")


def capture(client: Client, args: argparse.Namespace) -> Output:
    """Start or stop a capture of decrypted messages."""
    if args.switch == "off":
        return Output(client.ask("p off"), "capture is off\n")
    path = f"={args.path.absolute()}" if args.path else ""
    result = client.ask(f"p on{path}")
    return Output(result, f"capturing to {result['path']}\n")


VERBS: dict[str, Verb] = {
    "sa": show_sas,
    "connections": show_rows,
    "exchanges": show_rows,
    "outcomes": show_rows,
    "explain": explain_failures,
    "report": report,
    "up": bring_up,
    "down": down,
    "rekey": rekey,
    "delete": delete,
    "conf": conf,
    "debug": debug,
    "reload": reload,
    "quit": quit_daemon,
    "active": mode,
    "passive": mode,
    "capture": capture,
}
"""All but ``dump``, which needs no isakmpd."""


def make_client(args: argparse.Namespace) -> Client:
    """The client for the FIFO and run directory that were named, or found by each other."""
    fifo, directory = args.fifo, args.run_directory
    fifo = fifo or (directory or run_directory()) / FIFO
    usual_s = CHANGE_TIMEOUT_S if args.verb in CHANGES else TIMEOUT_S
    return Client(
        fifo=fifo,
        run_directory=directory or fifo.parent,
        timeout_s=usual_s if args.timeout is None else args.timeout,
        clock=time.monotonic,
        sleep=time.sleep,
        token=lambda: secrets.token_hex(8),
    )


def perform(client: Client, args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Do what the command line says and print the answer; the exit status."""
    client = replace(client, say=_progress(args, err))
    try:
        output = VERBS[args.verb](client, args)
    except ControlError as error:
        if args.json:
            failure = {"ok": False, "error": str(error), "result": None}
            more = {"mend": error.mend, "reason": error.reason}
            json.dump(failure | {key: value for key, value in more.items() if value}, out)
            out.write("\n")
        else:
            err.write(f"{screen_of(err).paint(f'isakmpctl: {error}', Tone.BAD)}\n")
            if error.mend:
                err.write(f"  mend: {error.mend}\n")
        return 1
    if args.json:
        json.dump({"ok": True, "error": None, "result": output.value}, out)
        out.write("\n")
    else:
        out.write(output.shown(screen_of(out)))
    return 0


def _progress(args: argparse.Namespace, err: TextIO) -> Callable[[str], None]:
    """Where what a long wait waits for is said: to people at a terminal, and to nobody else."""

    said = ""

    def say(text: str) -> None:
        nonlocal said
        if text != said:
            said = text
            err.write(f"{text}\n")
            err.flush()

    return say if err.isatty() and not args.json else lambda _: None


def main(argv: Sequence[str] | None = None) -> int:
    """isakmpctl."""
    args = make_parser().parse_args(argv)
    try:
        if args.verb == "dump":
            from fifo_ui import dump  # reads captures, and needs much of isakmpd

            status = dump.run(args)
        else:
            status = perform(make_client(args), args, sys.stdout, sys.stderr)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain again at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
