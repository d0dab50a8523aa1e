"""What the interop tests need of the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from regress.interop.namespace import tun_device

CHARON = Path("/usr/lib/ipsec/charon")
# What conflicts with strongSwan's packages is only unpacked (tools/setup-peers).
PEERS = Path(__file__).resolve().parents[2] / "build" / "peers"
PLUTO = PEERS / "libreswan/usr/libexec/ipsec/pluto"
WHACK = PLUTO.with_name("whack")
IKED = PEERS / "openiked/usr/sbin/iked"
IKECTL = IKED.with_name("ikectl")
# A strongSwan that has ML-KEM, with its own libc.
CHARON_6 = PEERS / "strongswan6/usr/lib/ipsec/charon"
_TOOLS = ("swanctl", "ip", "mount", "ping", "nsenter", "unshare", "setpriv", "sysctl")


@cache
def missing() -> str:
    """Why nothing can run here, or nothing."""
    if os.geteuid() != 0:
        return "needs root (network namespaces)"
    if absent := [tool for tool in _TOOLS if not shutil.which(tool)]:
        return f"needs {', '.join(absent)}: run tools/setup-peers"
    if not CHARON.exists():
        return f"needs strongSwan ({CHARON}): run tools/setup-peers"
    if not tun_device():
        return "needs /dev/net/tun"
    probe = ["unshare", "--net", "--mount", "--propagation", "private", "true"]
    done = subprocess.run(probe, capture_output=True, text=True)
    return f"needs namespaces: {done.stderr.strip()}" if done.returncode else ""
