"""isakmpd(8)'s command line. It imports nothing of isakmpd, so that a build can read it alone."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from isakmp import __version__

CONF_FILE = "/etc/isakmpd/isakmpd.conf"


class Flag(NamedTuple):
    """metavar: what the value is called; without one the flag is a switch. more: for argparse."""

    name: str
    dest: str
    help: str
    metavar: str = ""
    more: Mapping[str, Any] = MappingProxyType({})


def port(text: str) -> int:
    """The port that a text is the number of."""
    if not text.isdecimal() or not 0 < int(text) < 0x10000:
        raise argparse.ArgumentTypeError(f"{text} is not a port: 1 to 65535")
    return int(text)


FLAGS = (
    Flag("-4", "v4", "IPv4 only"),
    Flag("-6", "v6", "IPv6 only"),
    Flag("-a", "no_flows", "install no policies (flows): SAs only"),
    Flag("-c", "conf", "the configuration, %(default)s by default", "FILE", {"default": CONF_FILE}),
    Flag("-d", "foreground", "stay in the foreground and log to standard error"),
    Flag(
        "-D",
        "debug",
        "debug level (0 to 99) of a class, by number or name, A for all; may be repeated",
        "CLASS=LEVEL",
        {"action": "append", "default": []},
    ),
    Flag(
        "-f",
        "fifo",
        "the command FIFO, isakmpd.fifo in the run directory by default; - is standard input",
        "FIFO",
    ),
    Flag(
        "-i",
        "pid_file",
        "where the process number is written, isakmpd.pid in the run directory by default",
        "FILE",
    ),
    Flag("-K", "no_keynote", "no KeyNote policy; there is none yet, so it changes nothing"),
    Flag("-L", "capture", "capture all messages, decrypted, to isakmpd.pcap in the run directory"),
    Flag("-l", "capture_file", "the same, to that file", "FILE"),
    Flag(
        "-N",
        "nat_t_port",
        "the NAT-traversal port, %(default)s by default",
        "PORT",
        {"type": port, "default": 4500},
    ),
    Flag("-n", "leave_alone", "leave the kernel alone: negotiate, and install nothing"),
    Flag(
        "-p",
        "port",
        "the IKE port, %(default)s by default",
        "PORT",
        {"type": port, "default": 500},
    ),
    Flag(
        "-R",
        "report",
        "where reports are written, isakmpd.report in the run directory by default",
        "FILE",
    ),
    Flag("-S", "passive", "start passive: initiate nothing, and send no deletes at exit"),
    Flag("-T", "no_nat_t", "no NAT traversal"),
    Flag("-v", "verbose", "log negotiations: class Negotiation at level 30"),
    Flag(
        "--close-only",
        "close",
        "drop the traffic of all connections until isakmpd runs, and end: for before the network"
        " is up",
    ),
    Flag("--open", "open", "give back what --close-only or a killed isakmpd keeps closed, and end"),
    Flag("--check", "check", "check the configuration, print what is wrong, start nothing"),
)


def make_parser() -> argparse.ArgumentParser:
    """The parser of FLAGS, --help and --version."""
    parser = argparse.ArgumentParser(
        prog="isakmpd",
        description="ISAKMP/IKE key management daemon.",
        epilog="Exit status: 0 done; 1 it cannot run, or the configuration has errors, with the"
        " reason on standard error; 2 wrong usage. All else is in isakmpd(8).",
    )
    for flag in FLAGS:
        kind = {"metavar": flag.metavar} if flag.metavar else {"action": "store_true"}
        parser.add_argument(flag.name, dest=flag.dest, help=flag.help, **{**kind, **flag.more})
    version = f"isakmpd {__version__}"
    parser.add_argument("--version", action="version", version=version, help="print the version")
    return parser


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """What the command line says. SystemExit 2 with the usage where it is wrong."""
    parser = make_parser()
    options = parser.parse_args(argv)
    if options.close + options.open + options.check > 1:
        parser.error("--check, --close-only and --open: one of them")
    if options.port == options.nat_t_port and not options.no_nat_t:
        parser.error(f"-p and -N: both are {options.port}; each needs a port of its own, or -T")
    return options


def families(options: argparse.Namespace) -> tuple[int, ...]:
    """The versions of IP that the options leave."""
    return (4,) if options.v4 else (6,) if options.v6 else (4, 6)
