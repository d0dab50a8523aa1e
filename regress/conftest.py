"""What every test may use: the folder of captures and vectors beside the checkout; skips told.

And who plays which test when: daemons that wait for each other share the processors.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
# Folders whose tests wait more than they compute; those with the longest first.
WAITING = ("live", "kernel", "leak", "interop")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Of -n auto: two for each processor, as about half of what they do is waiting."""
    return 2 * len(os.sched_getaffinity(0))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits comes first: begun last, a long wait would have the processors to itself."""
    rank = {name: place for place, name in enumerate(WAITING)}
    items.sort(key=lambda item: rank.get(item.path.relative_to(HERE).parts[0], len(WAITING)))


def pytest_configure() -> None:
    """TERM ends a run as ^C does: with every clean-up.

    A run in the background begins with ^C ignored, and so would all that it starts.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with vectors and captures; tests that need it are skipped where it is missing."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("ISAKMPD_SHARED", beside))
    if not (folder / "vectors" / "MANIFEST.md").is_file():
        pytest.skip(f"needs the vectors folder, which is not at {folder} (set ISAKMPD_SHARED)")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What could not run, and why: one table, a line for each reason."""
    tests: dict[str, list[str]] = {}
    for report in terminalreporter.getreports("skipped"):
        place = report.longrepr
        reason = place[2] if isinstance(place, tuple) else str(place)
        tests.setdefault(reason.removeprefix("Skipped: "), []).append(report.nodeid)
    if not tests:
        return
    terminalreporter.section("not run")
    for reason, names in sorted(tests.items()):
        files = sorted({name.partition("::")[0] for name in names})
        terminalreporter.write_line(f"{len(names):4}  {', '.join(files)}: {reason}")
