"""isakmpd against other daemons with a kernel's ESP, in the guest; build/kernel.json has it all.

python -m regress.kernel [--peer PEER]... [--pair PAIR]... [--jobs N] [-v] [--list] [NAME-PART]...
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

from regress.interop.play import ROOT
from regress.interop.table import report
from regress.kernel.batches import play_all
from regress.kernel.needs import missing
from regress.kernel.rows import PEERS, TABLES

# Guests at a time: each has one processor.
_JOBS = 2


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="regress.kernel", description=__doc__)
    parser.add_argument("names", nargs="*", help="only scenarios whose names contain one of these")
    parser.add_argument("--peer", action="append", choices=PEERS, help="may be given again")
    parser.add_argument("--pair", action="append", help="as pluto-isakmpd; may be given again")
    parser.add_argument(
        "--table", choices=TABLES, default="kernel",
        help="foreign: the peers with each other; interop: what make interop plays in user space",
    )  # fmt: skip
    parser.add_argument("--jobs", type=int, default=min(_JOBS, os.cpu_count() or 1))
    parser.add_argument("--list", action="store_true", help="print the table's rows and end")
    parser.add_argument("-v", action="store_true", help="with the logs of what failed")
    return parser.parse_args()


def main() -> int:
    """The exit status is 1 where a row failed or was not played."""
    arguments = _arguments()
    rows = [
        (row, pair)
        for row, pair in TABLES[arguments.table]
        if (not arguments.names or any(name in row.name for name in arguments.names))
        and (not arguments.peer or any(peer in pair for peer in arguments.peer))
        and (not arguments.pair or pair in arguments.pair)
    ]
    if arguments.list:
        print("\n".join(f"{row.name:44} {pair}" for row, pair in rows))
        return 0
    if reason := missing():
        print(f"kernel: {reason}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results = play_all(rows, arguments.jobs)
    if arguments.v:
        print("\n\n".join(r["detail"] for r in results if r["result"] == "FAILED"))
    counts = report(results, ROOT / "build" / "kernel.json")
    return 1 if counts["FAILED"] or len(results) < len(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
