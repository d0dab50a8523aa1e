"""isakmpd-engine's command line, which a build can read alone."""

from __future__ import annotations

import argparse

from isakmp import __version__


def make_parser() -> argparse.ArgumentParser:
    """The parser."""
    parser = argparse.ArgumentParser(
        prog="isakmpd-engine",
        description="isakmpd's key engine, in a process of its own.",
        epilog="Exit status: 0 ended in order; 1 it cannot run, with the reason on standard error;"
        " 2 wrong usage. All else is in isakmpd(8).",
    )
    version = f"isakmpd-engine {__version__}"
    parser.add_argument("--version", action="version", version=version, help="print the version")
    parser.add_argument("--socket", required=True, metavar="PATH", help="where clients connect")
    parser.add_argument(
        "--device", default="isakmp%d", metavar="NAME",
        help="of the TUN device, isakmp%%d by default",
    )  # fmt: skip
    parser.add_argument("--user", default="", metavar="NAME", help="whom to become, once it can")
    parser.add_argument("--group", default="", metavar="NAME", help="and the group")
    return parser
