"""Tests of the back ends that want more of a kernel than most machines' has, in the guest."""

from __future__ import annotations

import sys

import pytest

from regress.kernel import guest

# The kernel looks for a module for every algorithm that it does not know, when PF_KEY asks.
TIMEOUT_S = 220
TESTS = ("regress/app/pf_key/test_kernel.py",)


@pytest.mark.skipif(bool(guest.missing()), reason=guest.missing())
@pytest.mark.timeout(TIMEOUT_S + 40)
def test_the_back_ends_with_a_whole_kernel() -> None:
    options = ("-q", "--color=no", "-p", "no:cacheprovider", "-p", "no:xdist")
    done = guest.run([sys.executable, "-m", "pytest", *options, *TESTS], timeout_s=TIMEOUT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
    assert "not run" not in done.stdout
