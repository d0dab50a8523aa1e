"""isakmpctl(8)'s command line. It imports little, so that a build can read it alone."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from difflib import get_close_matches
from math import isnan, nan
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from isakmp import __version__
from isakmp.flags import port

TIMEOUT_S = 5.0
# What waits for the configuration to be read, which takes seconds where there is much of it.
CHANGES, CHANGE_TIMEOUT_S = ("reload", "conf", "up"), 60.0
COOKIES = "[0-9a-fA-F]{16}:?[0-9a-fA-F]{16}"
MESSAGE_ID = "[0-9a-fA-F]{8}|-"
_CHOICE = re.compile(r"invalid choice: '([^']*)' \(choose from (.*)\)", re.DOTALL)
SPI = "(?:0[xX])?[0-9a-fA-F]{8}"
NAME = "a connection, a peer's name or address, or an SA's SPI or cookies"

Add = Callable[..., argparse.ArgumentParser]


class Action(NamedTuple):
    """One action of ``conf``."""

    name: str
    help: str
    arguments: tuple[str, ...]


CONF_ACTIONS = (
    Action("get", "print a value", ("section", "tag")),
    Action("set", "set a value that is not set", ("section", "tag", "value")),
    Action("add", "append to a list", ("section", "tag", "value")),
    Action("rmv", "take a value out of a list", ("section", "tag", "value")),
    Action("rm", "remove a tag", ("section", "tag")),
    Action("rms", "remove a section", ("section",)),
    Action("apply", "make several changes together, or none", ("path",)),
)
CONF_ARGUMENTS = {
    "section": "a section's name, without its brackets",
    "tag": "a tag of isakmpd.conf(5)",
    "value": "the value",
    "path": "a file with a change a line, as it stands behind the FIFO's C; - for standard input",
}


class _Parser(argparse.ArgumentParser):
    """What is none of the words there are is told with the one that it looks like."""

    def error(self, message: str) -> NoReturn:
        if refused := _CHOICE.search(message):
            like = get_close_matches(refused[1], re.findall(r"[\w-]+", refused[2]), 1)
            message += f"; did you mean {like[0]}?" if like else ""
        super().error(message)


def make_parser() -> argparse.ArgumentParser:
    """The parser; what it leaves in ``verb`` says what is wanted."""
    parser = _Parser(
        prog="isakmpctl",
        description="Control a running isakmpd.",
        epilog="Exit status: 0 done; 1 not done, with the cause and what to do about it on standard"
        " error; 2 wrong usage; 130 interrupted. All else is in isakmpctl(8).",
    )
    _add_common(parser, None)
    version = f"isakmpctl {__version__}"
    parser.add_argument("--version", action="version", version=version, help="print the version")
    again = _Parser(add_help=False)
    _add_common(again, argparse.SUPPRESS)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", help="what to do")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, parents=[again], help=text, description=f"{text}.")

    _add_views(add)
    _add_tunnels(add)
    _add_conf(add("conf", "Read or change the configuration"), again)
    _add_daemon(add)
    _add_dump(verbs)
    return parser


def _seconds(text: str) -> float:
    """A time to wait, which may be none, or without end (inf)."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = nan
    if isnan(seconds):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    if seconds < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than no time")
    return seconds


def _add_common(parser: argparse.ArgumentParser, default: Any) -> None:
    parser.add_argument("--fifo", type=Path, default=default, metavar="PATH", help="isakmpd's FIFO")
    parser.add_argument(
        "--run-directory",
        type=Path,
        default=default,
        metavar="PATH",
        help="isakmpd's Run-directory; by default that of the FIFO",
    )
    parser.add_argument(
        "--json", action="store_true", default=default or False, help="print one JSON object"
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=default,
        metavar="S",
        help=f"seconds to wait for replies, inf: without end; {TIMEOUT_S:g} by default, "
        f"{CHANGE_TIMEOUT_S:g} for " + ", ".join(CHANGES),
    )


def _add_views(add: Add) -> None:
    add("sa", "All SAs").add_argument("name", nargs="?", help=f"only those of {NAME}")
    add("connections", "What should be up, and whether it is")
    add("exchanges", "Negotiations under way")
    add("outcomes", "How negotiations ended, and why they failed")
    made = add("explain", "Why the last attempts failed, and what to change")
    made.add_argument("peer", nargs="?", help=NAME)
    add("report", "Everything there is to know")


def _add_tunnels(add: Add) -> None:
    made = add("up", "Start a connection")
    made.add_argument(
        "name", type=_name, help="a connection, or all of a peer, by its name or address"
    )
    made.add_argument(
        "--wait",
        type=_seconds,
        metavar="S",
        help="stay until it is up or has failed, so many seconds at most (inf: without end), an"
        " isakmpd that is only just starting among them",
    )
    made = add("down", "Tear down one connection, or all")
    which = made.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?", type=_name, help=NAME)
    which.add_argument("--all", action="store_true", help="all connections")
    made.add_argument(
        "--phase", type=int, choices=(1, 2), default=2, help="1: the ISAKMP SA; 2, the default"
    )
    made = add("rekey", "Replace a connection's child SAs, or the SA they were negotiated under")
    made.add_argument("name", type=_name, help=NAME)
    which = made.add_mutually_exclusive_group()
    for flag, what, text in (
        ("--ike", "main", "the IKE SA; in IKEv1 by a new phase 1"),
        ("--reauthenticate", "auth", "the IKE SA, proving everything anew"),
    ):
        which.add_argument(flag, dest="what", action="store_const", const=what, help=text)
    made = add("delete", "Delete one SA")
    made.add_argument(
        "cookies",
        type=_cookies,
        help="32 hexadecimal digits, as sa shows them, or an SPI of a child SA",
    )
    made.add_argument(
        "message_id", nargs="?", default="-", type=_message_id, help="8 digits; none: phase 1"
    )


def _add_conf(parser: argparse.ArgumentParser, again: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="ACTION", help="what to do with it"
    )
    for action in CONF_ACTIONS:
        text = action.help
        made = actions.add_parser(action.name, parents=[again], help=text, description=f"{text}.")
        for argument in action.arguments:
            told = CONF_ARGUMENTS[argument]
            made.add_argument(argument, type=_PARTS.get(argument, str), help=told)
        if action.name == "set":
            made.add_argument("--force", action="store_true", help="replace the value it has")


def _add_daemon(add: Add) -> None:
    made = add("debug", "Set levels of the log")
    made.add_argument("cls", metavar="CLASS", help="number or name of a class, A for all; toggle")
    made.add_argument("level", metavar="LEVEL", nargs="?", help="0 (off) to 99")
    add("reload", "Read the configuration again")
    add("quit", "Shut isakmpd down")
    add("active", "Start connections")
    add("passive", "Start nothing, only answer")
    made = add("capture", "Start or stop a capture of decrypted messages")
    made.add_argument("switch", choices=("on", "off"), metavar="on|off", help="start or stop")
    made.add_argument("path", nargs="?", type=Path, help="the file, isakmpd's own by default")


def _add_dump(verbs: Any) -> None:
    text = "Print the messages of a capture"
    made = verbs.add_parser("dump", help=text, description=f"{text}.")
    made.add_argument("file", metavar="FILE", help="pcap or pcapng, gzipped or not; - for stdin")
    made.add_argument(
        "--keys",
        metavar="FILE",
        action="append",
        default=[],
        help="Wireshark's ikev1_decryption_table or ikev2_decryption_table, or a directory with "
        "them; may be repeated",
    )
    made.add_argument(
        "--port",
        metavar="N",
        type=port,
        action="append",
        default=[],
        help="a port that has IKE beside 500 and 4500, over UDP or TCP; may be repeated",
    )
    made.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object a message"
    )


def _matching(pattern: str, what: str) -> Callable[[str], str]:
    """What takes an argument of that form alone."""

    def take(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
        return text

    return take


_name = _matching(r".*\S.*", "a name")
_cookies = _matching(
    f"{COOKIES}|{SPI}",
    "the cookies of an SA: 32 hexadecimal digits, as sa shows them, nor an SPI of 8; "
    "by a connection's or peer's name SAs are taken down, with down",
)
_message_id = _matching(MESSAGE_ID, "a message id: 8 hexadecimal digits, as sa shows it")
_PARTS = {
    "section": _matching(r"[^][]+", "a section's name: it is given without brackets"),
    "tag": _matching(r"[^=\s]+", "a tag"),
}
