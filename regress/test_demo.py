"""The demo is right: as root, and as root of a user namespace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from regress.interop.namespace import tun_device

ROOT = Path(__file__).resolve().parents[1]
IN_USER_NAMESPACE = ["unshare", "--user", "--map-root-user", "--net"]


def allowed(prefix: list[str]) -> bool:
    """Whether this machine lets us do that."""
    return shutil.which(prefix[0]) is not None and subprocess.run([*prefix, "true"]).returncode == 0


@pytest.mark.skipif(not tun_device(), reason="needs /dev/net/tun")
@pytest.mark.parametrize("prefix", [[], IN_USER_NAMESPACE], ids=["root", "user-namespace"])
@pytest.mark.parametrize(
    ("protocol", "message"),
    [("ikev1", "QUICK_MODE: HASH, SA, NONCE"), ("ikev2", "IKE_AUTH: IDI, AUTH, SA, TSI, TSR")],
)
def test_demo(prefix: list[str], protocol: str, message: str) -> None:
    if prefix and not allowed(prefix):
        pytest.skip("this machine allows no user namespaces")
    if not prefix and os.geteuid() != 0:
        pytest.skip("needs root")
    environment = {**os.environ, "ISAKMPD_DEMO": "1"} if prefix else None
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "regress.demo", "--protocol", protocol],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ("All of it was right", message, "The wire saw: 20 ESP"):
        assert words in done.stdout
