"""Signals that would end an isakmpd that is only just starting wait until it can hear of them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

PATIENT = (signal.SIGHUP, signal.SIGUSR1)
"""What asks something of a daemon that runs."""


@contextmanager
def patience() -> Iterator[None]:
    """Such signals wait meanwhile, or until somebody lets them come."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, PATIENT)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
