"""Pages: what isakmpd has read, and will not give back, lies in large pages of memory.

A negotiation runs through hundreds of functions that lie all over the heap. A processor that has to
find each 4 kB of it anew spends some 3 % of a handshake on that.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from pathlib import Path

LARGE = 2 << 20
_MADV_COLLAPSE = 25  # Linux 6.1; who has an older kernel keeps small pages
_SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_LIBC = ctypes.CDLL(None)
_LIBC.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def enlarge() -> None:
    """Move the heap as it is now into pages of 2 MB, as far as it fills some. Nothing where the
    kernel cannot, or whoever runs the host wants none."""
    try:
        wanted = "[never]" not in _SETTING.read_text()
        maps = Path("/proc/self/maps").read_text().splitlines() if wanted else []
    except OSError:
        return
    for start, end in whole_pages(maps):
        _LIBC.madvise(start, end - start, _MADV_COLLAPSE)


def whole_pages(maps: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Where the memory that is in no file has large pages: start and end, in octets. maps: lines as
    those of /proc/PID/maps."""
    for line in maps:
        addresses, rights, _, _, _, *name = line.split()
        if "w" not in rights or name not in ([], ["[heap]"]):
            continue
        start, end = (int(number, 16) for number in addresses.split("-"))
        start, end = -(-start // LARGE) * LARGE, end // LARGE * LARGE
        if start < end:
            yield start, end
