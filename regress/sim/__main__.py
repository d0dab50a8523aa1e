"""The simulation: ``python -m regress.sim --seeds 2000``, or ``--seed 17`` to look at one.

``--collisions`` walks the collisions of RFC 7296 2.25 (collisions.py) in the place of seeds.
Prints what was found with the command that replays it, then how many there were and, of seeds,
what was done to the daemons. The exit status is 1 where something was found.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from regress.sim.collisions import Case, all_cases
from regress.sim.play import Play, replay
from regress.sim.tree import Walk
from regress.sim.tree import show as show_path
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
    parser.add_argument("--collisions", action="store_true", help="every order, every loss")
    parser.add_argument("--faults", default="x", help="of which one happens: x loss, d double")
    parser.add_argument("--case", type=Case.read, help="only this collision")
    parser.add_argument("--choices", type=str.split, help="the one path to walk, with all it says")
    options = parser.parse_args()
    if options.case and options.choices is not None:
        print("\n".join(show_path(options.case, options.choices)))
        return 0
    if options.case or options.collisions:
        cases = [options.case] if options.case else list(all_cases())
        return walk(cases, options.faults, options.processes)
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


def walk(cases: list[Case], faults: str, processes: int | None) -> int:
    """Walk every path of these collisions; 1 where something was found."""
    began, paths, found = time.monotonic(), 0, 0
    with ProcessPoolExecutor(processes) as pool:
        for walked in pool.map(Walk.all, [Walk(case, faults) for case in cases]):
            paths += walked.paths
            found += len(walked.failures)
            for failure in walked.failures:
                print(f"{failure}\n", flush=True)
    seconds = time.monotonic() - began
    print(f"{len(cases)} collisions, {paths} paths, {paths / seconds:.0f} a second: {found} found")
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
