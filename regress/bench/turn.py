"""One checkout's half of a comparison: it works when it is told to, and says what that cost.

It is run as text (``python -c``) inside a checkout, with that checkout's own bench and
configuration, so it names only what every checkout's bench has. A line on standard input is a
turn; the answer is ``{"done": handshakes or packets, "cpu_s": of the daemons}``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from regress.bench import measure, responder, tunnel
from regress.interop.end import eventually
from regress.interop.scenario import Scenario

Turn = Callable[[], int]


def _cpu_s(pids: list[int]) -> float:
    """Processor time of all their threads, to the nanosecond; the tick of cpu_s is too coarse."""
    stats = [stat for pid in pids for stat in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(stat.read_text().split()[0]) for stat in stats) / 1e9


@contextmanager
def _handshakes(case: dict[str, Any], folder: Path) -> Iterator[tuple[Turn, list[int]]]:
    kind = getattr(responder, case["responder"])
    with measure.namespaces() as (peers, server):
        daemon = kind("", case["version"], case["group"], case["esp"], server, folder)
        daemon.start()
        generator = measure.Generator(peers, daemon)
        try:
            generator.run(case["count"], measure.AT_ONCE)
            yield (
                lambda: int(generator.run(case["count"], measure.AT_ONCE)["done"]),
                [daemon.process.pid],
            )
        finally:
            generator.close()
            daemon.stop()


@contextmanager
def _packets(case: dict[str, Any], folder: Path) -> Iterator[tuple[Turn, list[int]]]:
    row = Scenario("bench", esp=tunnel.SUITES[case["esp"]])
    with tunnel._gateways(tunnel._KINDS["isakmpd"], row, folder) as (near, far):
        near.initiate()
        eventually("the tunnel is up", far.children)
        sender = tunnel._socket(near.namespace, near.site.host)
        receiver = tunnel._socket(far.namespace, far.site.host)
        with sender, receiver:
            sender.connect((far.site.host, tunnel._PORT))
            yield (
                lambda: tunnel._pump(sender, receiver, case["size"], case["seconds"])[0],
                [end.process.pid for end in (near, far) if end.process],
            )


def main() -> None:
    """Take turns until standard input ends."""
    case = json.loads(sys.argv[1])
    kind = _packets if "size" in case else _handshakes
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        kind(case, Path(folder)) as (turn, pids),
    ):
        turn()
        print("{}", flush=True)
        for _ in sys.stdin:
            before = _cpu_s(pids)
            done = turn()
            print(json.dumps({"done": done, "cpu_s": _cpu_s(pids) - before}), flush=True)


if __name__ == "__main__":
    main()
