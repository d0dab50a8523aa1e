"""The simulation: ``python -m regress.sim --seeds 2000``, or ``--seed 17`` to look at one.

Prints what was found with the command that replays it, then seeds a second and what was done to
the daemons. The exit status is 1 where something was found.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from regress.sim.play import Play, replay
from regress.sim.world import Found

Result = tuple[int, str, list[str], Counter[str]]


def one(level: int, seed: int) -> Result:
    """Play a seed: what was found (empty: nothing), the last that happened, and the faults."""
    play = Play(seed, level)
    what = ""
    try:
        play.play()
    except Found as found:
        what = str(found)
    except Exception:
        what = traceback.format_exc()
    return seed, what, list(play.world.lines), play.world.counts


def main() -> int:
    """Play all seeds that are asked for."""
    parser = argparse.ArgumentParser(prog="regress.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--start", type=int, default=0, help="the first")
    parser.add_argument("--seed", type=int, help="only this one, with all that happened")
    parser.add_argument("--level", type=int, default=10, help="of the daemons' debug classes")
    parser.add_argument("--processes", type=int, default=None)
    options = parser.parse_args()
    if options.seed is not None:
        return show(one(max(options.level, 50), options.seed), 400)
    began = time.monotonic()
    found, counts = 0, Counter[str]()
    seeds = range(options.start, options.start + options.seeds)
    with ProcessPoolExecutor(options.processes) as pool:
        for result in pool.map(partial(one, options.level), seeds, chunksize=8):
            counts += result[3]
            found += show(result, 60) if result[1] else 0
    seconds = time.monotonic() - began
    done = ", ".join(f"{count} {what}" for what, count in counts.most_common())
    print(f"{options.seeds} seeds, {options.seeds / seconds:.1f} a second: {found} found\n{done}")
    return 1 if found else 0


def show(result: Result, last: int) -> int:
    """Print how one seed ended, with the last lines; 1 where something was found."""
    seed, what, lines, _ = result
    print(f"seed {seed}: {what or 'nothing found'}")
    print("\n".join(f"    {line}" for line in lines[-last:]))
    if what:
        print(f"again: {replay(seed)}\n", flush=True)
    return 1 if what else 0


if __name__ == "__main__":
    sys.exit(main())
