"""What stays lies in large pages, where the kernel has them for those who ask."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from isakmp.pages import LARGE, whole_pages

_MAPS = """\
00400000-00a00000 r-xp 00000000 fe:00 1 /usr/bin/python3
00a00000-01000000 rw-p 00600000 fe:00 1 /usr/bin/python3
01100000-01500000 rw-p 00000000 00:00 0                                  [heap]
7f0000000000-7f0000400000 rw-p 00000000 00:00 0
7f0000500000-7f0000600000 rw-p 00000000 00:00 0
7f0000700000-7f0000900000 rw-p 00000000 00:00 0
7f0001000000-7f0001400000 ---p 00000000 00:00 0
7f0002000000-7f0002400000 rw-s 00000000 00:01 5 /dev/zero (deleted)
7ffc00000000-7ffc00400000 rw-p 00000000 00:00 0                          [stack]
"""
_PROGRAM = """
from isakmp.pages import enlarge
kept = [bytes(100) for _ in range(200_000)]
enlarge()
print(open("/proc/self/smaps_rollup").read())
"""


def test_memory_of_no_file_that_fills_a_large_page() -> None:
    found = list(whole_pages(_MAPS.splitlines()))
    assert found == [(0x1200000, 0x1400000), (0x7F0000000000, 0x7F0000400000)]
    assert all(start % LARGE == end % LARGE == 0 for start, end in found)


def test_what_is_there_moves() -> None:
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    old = tuple(map(int, platform.release().split(".")[:2])) < (6, 1)
    if old or not setting.exists() or "[never]" in setting.read_text():
        pytest.skip("the kernel has no large pages for those who ask")
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("AnonHugePages"))
    assert int(line.split()[1]) >= LARGE // 1024
