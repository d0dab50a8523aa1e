"""Run something inside a throw-away user-mode Linux, whose kernel has all of IPsec.

The guest sees the machine's files below a private overlay, boots in about 2 s, has one slow CPU
and dies with the caller. What is written there is lost but for the ``writable`` directories.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
OVER_TIME, KERNEL_DIED = 124, 125
_COMMANDS = ("linux.uml", "insmod", "ip", "unshare", "setpriv", "taskset")
# Beyond the guest's own time limit: what the host needs to end it.
_MERCY_S = 30.0


def missing() -> str:
    """Why no guest can run here; empty where one can."""
    if platform.system() != "Linux":
        return "needs Linux"
    places = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    lacking = [c for c in _COMMANDS if shutil.which(c, path=places) is None]
    if not Path("/usr/lib/uml/modules").is_dir() and "linux.uml" not in lacking:
        lacking.append("/usr/lib/uml/modules")
    if lacking:
        return f"needs user-mode-linux, kmod and iproute2: {', '.join(lacking)} not found"
    return ""


def run(
    arguments: Sequence[str | Path], timeout_s: float = 120, memory_mb: int = 512,
    writable: Sequence[Path] = (),
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run a command in a guest of its own; its output, errors apart, and its exit status.

    124: the time limit passed; 125: the kernel died, and its log is in stderr. The working
    directory and the environment are the caller's. writable: directories that exist, whose
    files stay.
    """
    return subprocess.run(
        command(arguments, timeout_s, memory_mb, writable),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s + _MERCY_S,
    )  # fmt: skip


def command(
    arguments: Sequence[str | Path], timeout_s: float = 120, memory_mb: int = 512,
    writable: Sequence[Path] = (),
) -> list[str]:  # fmt: skip
    """What boots a guest for a command; it ends with the thread that starts it."""
    words = [str(HERE / "vm"), "-t", str(max(1, int(timeout_s))), "-m", f"{memory_mb}M"]
    for directory in writable:
        words += ["-w", str(directory)]
    return ["setpriv", "--pdeathsig", "TERM", *words, *map(str, arguments)]
