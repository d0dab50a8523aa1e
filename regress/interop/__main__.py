"""Play the interop table and print scenario, role and result; build/interop.json has the same.

python -m regress.interop [--pair PAIR]... [-j JOBS] [-v] [--list] [NAME-PART]...

What went over the wire in IKEv2 is decrypted by tshark, with the keys that isakmpd logged.
"""

from __future__ import annotations

import argparse
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product

from regress.interop.isakmpd import Isakmpd
from regress.interop.needs import missing
from regress.interop.play import PAIRS, ROOT
from regress.interop.rows import PAIRS_6, SCENARIOS, WITH_6
from regress.interop.scan import NAME, scan
from regress.interop.scenario import Act, Role, Scenario
from regress.interop.table import Result, judged, one, report
from regress.interop.wireshark import available, decrypts


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="regress.interop", description=__doc__)
    parser.add_argument("names", nargs="*", help="only scenarios whose names contain one of these")
    parser.add_argument(
        "--pair", action="append", choices=list(PAIRS), help="may be given again; both roles"
    )
    parser.add_argument("-j", "--jobs", type=int, default=2, help="rows at a time")
    parser.add_argument("--list", action="store_true", help="print the table's rows and end")
    parser.add_argument("-v", action="store_true", help="with the logs of what failed")
    arguments = parser.parse_args()
    arguments.pair = arguments.pair or [role.value for role in Role]
    return arguments


def _one(row: Scenario | None, pair: str, *, verbose: bool) -> Result:
    """None: ike-scan's row."""
    if row is None:
        return judged(NAME, pair, scan, verbose)
    # A daemon that starts again writes its tables of keys anew.
    # tshark knows one set of keys of an IKE SA, and IKE_INTERMEDIATE makes others.
    readable = row.version == 2 and row.act is not Act.RESTARTED and row not in WITH_6
    extra = decrypts if readable and Isakmpd in PAIRS[pair] and available() else None
    return one(row, pair, extra=extra, verbose=verbose)


def main() -> int:
    """The exit status is 1 where a row failed."""
    arguments = _arguments()
    parts = arguments.names or [""]
    rows = [row for row in SCENARIOS if any(part in row.name for part in parts)]
    newer = [row for row in WITH_6 if any(part in row.name for part in parts)]
    plays: list[tuple[Scenario | None, str]] = list(product(rows, arguments.pair))
    plays += product(newer, [PAIRS_6.get(pair, pair) for pair in arguments.pair])
    if any(part in NAME for part in parts) and Role.RESPONDER.value in arguments.pair:
        plays.append((None, Role.RESPONDER.value))
    if arguments.list:
        print("\n".join(dict.fromkeys(row.name if row else NAME for row, _ in plays)))
        return 0
    if reason := missing():
        print(f"interop: {reason}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results: list[Result] = []
    pool = ThreadPoolExecutor(arguments.jobs)
    try:
        for result in pool.map(lambda each: _one(*each, verbose=arguments.v), plays):
            results.append(result)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    finally:
        pool.shutdown(cancel_futures=True)
    counts = report(results, ROOT / "build" / "interop.json")
    return 1 if counts["FAILED"] or len(results) < len(plays) else 0


if __name__ == "__main__":
    sys.exit(main())
