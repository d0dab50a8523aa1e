"""What a process of ours may do, made less at its start: prctl(2), setrlimit(2)."""

from __future__ import annotations

import os
import resource


def more_descriptors() -> None:
    """Let the process have as many descriptors as it may ask for."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def private_files() -> None:
    """What is written is its owner's alone, where nobody says otherwise; no core holds our keys."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
