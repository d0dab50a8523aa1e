"""Where an isakmpd keeps its FIFO, answers and reports: one rule for all who must find them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

USUAL = Path("/var/run")
# Of everybody's daemons: whoever owned them could put files in the place of others'.
COMMON = frozenset((USUAL, Path("/run"), Path("/tmp")))
SERVICE = USUAL / "isakmpd"  # isakmpd.service's


class Store(Protocol):
    """A configuration."""

    def is_written(self, section: str, tag: str) -> bool: ...

    def general(self, tag: str) -> tuple[Any, Exception | None]: ...


def run_directory(conf: Store | None = None) -> Path:
    """As the configuration says, where one is given that does; else as a service manager has made
    it for this process; else that of the service, where it is there; else /var/run."""
    if conf and conf.is_written("General", "Run-directory"):
        path, refused = conf.general("Run-directory")
        if not refused:
            return Path(path)
    if made := os.environ.get("RUNTIME_DIRECTORY"):
        return Path(made.partition(":")[0])
    return SERVICE if SERVICE.is_dir() else USUAL
