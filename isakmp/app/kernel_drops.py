"""What Linux's IPsec has thrown away, by cause: /proc/net/xfrm_stat, whoever drives it."""

from __future__ import annotations

from pathlib import Path

from isakmp.errors import ApplicationError

XFRM_STAT = Path("/proc/net/xfrm_stat")


def kernel_drops(path: Path = XFRM_STAT) -> dict[str, int]:
    """The counters that are not 0, by the kernel's names; they are of the network namespace.

    ApplicationError where the kernel counts nothing (CONFIG_XFRM_STATISTICS).
    """
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise ApplicationError(f"{path}: {error.strerror}") from None
    counts = (line.split() for line in lines)
    return {row[0]: int(row[1]) for row in counts if len(row) == 2 and row[1] != "0"}
