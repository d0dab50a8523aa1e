"""isakmpctl: commands for a running isakmpd, and what it answers, for people or as JSON.

Every verb is one command of the FIFO (commands.py), so whatever it does can be done with echo(1)
as well. Exit status: 0 done, 1 not done (why, and what to do, on standard error), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from fifo_ui import explain, render
from fifo_ui.client import Client, ControlError

RUN_DIRECTORY = Path("/var/run")
FIFO = "isakmpd.fifo"
TIMEOUT_S = 5.0
WAIT_POLL_S = 0.1


class Output(NamedTuple):
    """value: for --json; text: for people."""

    value: Any
    text: str = ""


Verb = Callable[[Client, argparse.Namespace], Output]


def show_sas(client: Client, args: argparse.Namespace) -> Output:
    """All SAs."""
    status = client.ask("S")
    rows = status["sas"]
    if args.name:
        rows = [row for row in rows if row.get("name") == args.name]
        return Output(rows, render.sas(rows))
    return Output(rows, render.sas(rows) + render.drops(status["drops"]))


def show_rows(client: Client, args: argparse.Namespace) -> Output:
    """Another table of the status, by the name of the verb."""
    rows = client.ask("S")[args.verb]
    return Output(rows, (render.outcomes if args.verb == "outcomes" else render.things)(rows))


def explain_failures(client: Client, args: argparse.Namespace) -> Output:
    """Why the last attempts failed: both sides, the nearest miss, the line, what to change."""
    rows = explain.failures(client.ask("S")["outcomes"], args.peer)
    return Output(rows, explain.text(rows, args.peer))


def up(client: Client, args: argparse.Namespace) -> Output:
    """Start a connection; with --wait, until it is up or has failed."""
    if args.wait is None:
        return Output(client.ask(f"c {args.name}"), f"{args.name} is being started\n")
    before = {_outcome_key(row) for row in client.ask("S")["outcomes"]}
    client.ask(f"c {args.name}")
    deadline = client.clock() + args.wait
    while True:
        status = client.ask("S")
        rows = [row for row in status["sas"] if _is_up(row, args.name)]
        if rows:
            return Output(rows, f"{args.name} is up\n{render.phase_2(rows)}")
        _raise_failure(status, args.name, before)
        if client.clock() >= deadline:
            raise ControlError(
                f"{args.name} is not up after {args.wait:g} s, and has not failed yet",
                "isakmpctl exchanges shows how far it is; give it longer with --wait",
            )
        client.sleep(WAIT_POLL_S)


def _is_up(row: dict[str, Any], name: str) -> bool:
    return (row["phase"], row["name"], row["state"]) == (2, name, "established")


def _outcome_key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row.get("id"), row.get("when"), row.get("exchange")


def _raise_failure(status: dict[str, Any], name: str, before: set[tuple[Any, ...]]) -> None:
    """ControlError where the connection, or phase 1 with its peer, has failed since ``before``."""
    connections = [row for row in status["connections"] if row.get("name") == name]
    names = {name, *(row.get(field) for row in connections for field in ("peer", "remote"))}
    for row in status["outcomes"]:
        if not row.get("ok") and row.get("name") in names and _outcome_key(row) not in before:
            reason = row.get("reason") or {}
            detail = reason.get("detail") or reason.get("cause") or "no reason was given"
            raise ControlError(f"{name} failed: {detail}", reason.get("mend", ""), reason)


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
    return Output(client.ask(f"k {what} {args.name}"), f"{whose} is being replaced\n")


def delete(client: Client, args: argparse.Namespace) -> Output:
    """Delete one SA."""
    return Output(client.ask(f"d {args.cookies} {args.message_id}"), "deleted\n")


def conf(client: Client, args: argparse.Namespace) -> Output:
    """Read or change the configuration."""
    where = f"[{args.section}]"
    if args.action == "rms":
        return Output(client.ask(f"C rms {where}"), f"{where} is removed\n")
    where += f":{args.tag}"
    if args.action == "get":
        value = client.ask(f"C get {where}")
        return Output(value, f"{value}\n")
    if args.action == "rm":
        return Output(client.ask(f"C rm {where}"), f"{where} is removed\n")
    force = " force" if getattr(args, "force", False) else ""
    result = client.ask(f"C {args.action} {where}={args.value}{force}")
    return Output(result, f"{where} is changed\n")


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
    result = client.ask("R")
    changed = f"{render.text_of(result)}\n" if result else ""
    return Output(result, f"the configuration is read again\n{changed}")


def quit_daemon(client: Client, args: argparse.Namespace) -> Output:
    """Shut isakmpd down."""
    return Output(client.ask("Q"), "isakmpd is shutting down\n")


def mode(client: Client, args: argparse.Namespace) -> Output:
    """Be the active or the passive one of two."""
    return Output(client.ask(f"M {args.verb}"), f"isakmpd is {args.verb}\n")


def capture(client: Client, args: argparse.Namespace) -> Output:
    """Begin or end to capture decrypted traffic."""
    if args.switch == "off":
        return Output(client.ask("p off"), "capture is off\n")
    path = f"={args.path.absolute()}" if args.path else ""
    result = client.ask(f"p on{path}")
    return Output(result, f"capturing to {result['path']}\n")


def make_parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The command line. argv decides whether the verb ``dump`` brings its own arguments."""
    parser = argparse.ArgumentParser(prog="isakmpctl", description="Control a running isakmpd.")
    _add_common(parser, TIMEOUT_S)
    again = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    _add_common(again, argparse.SUPPRESS)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def add(name: str, call: Verb, **options: Any) -> argparse.ArgumentParser:
        text = options.pop("help", (call.__doc__ or "").rstrip("."))
        made = verbs.add_parser(name, parents=[again], help=text, description=text, **options)
        made.set_defaults(call=call)
        return made

    add("sa", show_sas).add_argument("name", nargs="?", help="only those of this name")
    for name, what in (
        ("connections", "What should be up, and whether it is"),
        ("exchanges", "Negotiations under way"),
        ("outcomes", "How negotiations ended, and why they failed"),
    ):
        add(name, show_rows, help=what)
    made = add("explain", explain_failures)
    made.add_argument("peer", nargs="?", help="a peer's name or address, or a connection")
    _add_tunnels(add)
    _add_conf(add("conf", conf), again)
    made = add("debug", debug)
    made.add_argument("cls", metavar="CLASS", help="number or name of a class, A for all; toggle")
    made.add_argument("level", metavar="LEVEL", nargs="?", help="0 (off) to 99")
    add("report", report)
    add("reload", reload)
    add("quit", quit_daemon)
    add("active", mode, help="Start connections")
    add("passive", mode, help="Start nothing, only answer")
    made = add("capture", capture)
    made.add_argument("switch", choices=("on", "off"))
    made.add_argument("path", nargs="?", type=Path, help="the file, isakmpd's own by default")
    _add_dump(verbs, argv)
    return parser


def _add_common(parser: argparse.ArgumentParser, timeout_s: float | str) -> None:
    default = argparse.SUPPRESS if timeout_s == argparse.SUPPRESS else None
    parser.add_argument("--fifo", type=Path, default=default, help="isakmpd's FIFO")
    parser.add_argument(
        "--run-directory",
        type=Path,
        default=default,
        help="isakmpd's Run-directory; by default that of the FIFO",
    )
    parser.add_argument("--json", action="store_true", default=default or False, help="as JSON")
    parser.add_argument(
        "--timeout", type=float, default=timeout_s, metavar="S", help="how long to wait for replies"
    )


def _add_tunnels(add: Callable[..., argparse.ArgumentParser]) -> None:
    made = add("up", up)
    made.add_argument("name")
    made.add_argument("--wait", type=float, metavar="S", help="wait for the outcome so long")
    made = add("down", down)
    which = made.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?", help="a connection, or a peer's name or address")
    which.add_argument("--all", action="store_true", help="all connections")
    made.add_argument("--phase", type=int, choices=(1, 2), default=2)
    made = add("rekey", rekey)
    made.add_argument("name", help="a connection; for the IKE SA also a peer's name or address")
    which = made.add_mutually_exclusive_group()
    for flag, what, text in (
        ("--ike", "main", "the IKE SA; in IKEv1 by a new phase 1"),
        ("--reauthenticate", "auth", "the IKE SA, proving everything anew"),
    ):
        which.add_argument(flag, dest="what", action="store_const", const=what, help=text)
    made = add("delete", delete)
    made.add_argument("cookies", help="32 hexadecimal digits")
    made.add_argument("message_id", nargs="?", default="-", help="8 digits; none: phase 1")


def _add_conf(parser: argparse.ArgumentParser, again: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, what, arguments in (
        ("get", "print a value", ("section", "tag")),
        ("set", "set a value that is not set", ("section", "tag", "value")),
        ("add", "append to a list", ("section", "tag", "value")),
        ("rmv", "take a value out of a list", ("section", "tag", "value")),
        ("rm", "remove a tag", ("section", "tag")),
        ("rms", "remove a section", ("section",)),
    ):
        made = actions.add_parser(action, parents=[again], help=what, description=what)
        for argument in arguments:
            made.add_argument(argument)
        if action == "set":
            made.add_argument("--force", action="store_true", help="replace the value it has")


def _add_dump(verbs: Any, argv: Sequence[str]) -> None:
    """dump reads captures and needs much of isakmpd: it is imported only when it is called."""
    text = "Print the messages of a capture"
    parser = verbs.add_parser("dump", help=text, description=text)
    if "dump" in argv:
        from fifo_ui import dump

        dump.add_arguments(parser)
        parser.set_defaults(run=dump.run)


def make_client(args: argparse.Namespace) -> Client:
    """The client for the FIFO and run directory that were named, or found by each other."""
    fifo, directory = args.fifo, args.run_directory
    fifo = fifo or (directory or RUN_DIRECTORY) / FIFO
    return Client(
        fifo=fifo,
        run_directory=directory or fifo.parent,
        timeout_s=args.timeout,
        clock=time.monotonic,
        sleep=time.sleep,
        token=lambda: secrets.token_hex(8),
    )


def perform(client: Client, args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Do what the command line says and print the answer; the exit status."""
    try:
        output = args.call(client, args)
    except ControlError as error:
        if args.json:
            failure = {"ok": False, "error": str(error), "result": None}
            more = {"mend": error.mend, "reason": error.reason}
            json.dump(failure | {key: value for key, value in more.items() if value}, out)
            out.write("\n")
        else:
            err.write(f"isakmpctl: {error}\n")
            if error.mend:
                err.write(f"  mend: {error.mend}\n")
        return 1
    if args.json:
        json.dump({"ok": True, "error": None, "result": output.value}, out)
        out.write("\n")
    else:
        out.write(output.text)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """isakmpctl."""
    words = sys.argv[1:] if argv is None else argv
    args = make_parser(words).parse_args(words)
    try:
        if args.verb == "dump":
            # Its own --json has a default, which hides the one before the verb.
            args.json = "--json" in words
            return int(args.run(args))
        status = perform(make_client(args), args, sys.stdout, sys.stderr)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain again at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
