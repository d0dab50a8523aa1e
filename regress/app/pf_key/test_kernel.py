"""The back end drives a Linux kernel, where there is one with PF_KEY."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from isakmp.app.pf_key.link import kernel_socket


def test_a_kernel() -> None:
    if os.geteuid():
        pytest.skip("needs root")
    try:
        kernel_socket().close()
    except OSError as error:
        pytest.skip(f"this kernel has no PF_KEY: {error.strerror}")
    command = ["unshare", "-n", sys.executable, "-m", "regress.app.pf_key.kernel"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
