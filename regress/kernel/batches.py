"""Rows in guests, some in each boot and some guests at a time."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from regress.interop.play import ROOT
from regress.interop.table import Result, told
from regress.kernel import guest
from regress.kernel.rows import Row, key

# Where the folders of failed rows go.
KEPT = ROOT / "build" / "kernel"
# A boot takes 3 s; a guest that dies takes the rest of its rows with it.
_ROWS_A_BOOT = 8
_BOOT_S, _ROW_S = 30, 60


def play_all(rows: Sequence[Row], jobs: int = 1) -> list[Result]:
    """All rows; each prints its line. What has been played counts where it is interrupted."""
    KEPT.mkdir(parents=True, exist_ok=True)
    size = min(_ROWS_A_BOOT, max(1, -(-len(rows) // jobs)))
    batches = [rows[at : at + size] for at in range(0, len(rows), size)]
    guests = Guests()
    results: list[Result] = []
    pool = ThreadPoolExecutor(jobs)
    try:
        for found in pool.map(guests.play, batches):
            results += found
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    finally:
        guests.end()
        pool.shutdown(cancel_futures=True)
    return results


class Guests:
    """The guests that run, so that they can be ended together."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._ended = False
        self._lock = threading.Lock()

    def end(self) -> None:
        """End all of them, and start no more."""
        with self._lock:
            self._ended = True
            for process in self._running:
                process.terminate()

    def play(self, rows: Sequence[Row]) -> list[Result]:
        """A boot; rows that it did not come to have failed."""
        with tempfile.TemporaryDirectory(prefix="kernel-") as folder:
            report = Path(folder) / "report.json"
            said = self._boot(
                [sys.executable, "-m", "regress.kernel.inside", report, KEPT, *map(key, rows)],
                _BOOT_S + _ROW_S * len(rows), [Path(folder), KEPT],
            )  # fmt: skip
            results: list[Result] = json.loads(report.read_text()) if report.exists() else []
        if not self._ended:
            results += _unplayed(rows[len(results) :], said)
        return results

    def _boot(self, command: list[str | Path], timeout_s: float, writable: list[Path]) -> str:
        """Run in a guest, its output shown; what it said of errors."""
        with self._lock:
            if self._ended:
                return ""
            process = subprocess.Popen(
                guest.command(command, timeout_s, writable=writable), cwd=ROOT, text=True,
                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )  # fmt: skip
            self._running.add(process)
        _, errors = process.communicate()
        with self._lock:
            self._running.discard(process)
        return errors


def _unplayed(rows: Iterable[Row], said: str) -> list[Result]:
    lines = said.strip().splitlines() or ["nothing was said"]
    detail = "\n".join([f"the guest ended: {lines[-1]}", *lines[-40:]])
    return [told(row.name, pair, "FAILED", 0.0, detail) for row, pair in rows]
