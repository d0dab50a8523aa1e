"""What the kernel's rows need of the machine."""

from __future__ import annotations

import os
import shutil

from regress.interop.needs import CHARON
from regress.kernel import guest

_TOOLS = ("swanctl", "ip", "mount", "ping", "nsenter", "unshare", "setpriv", "sysctl")


def missing() -> str:
    """Why nothing can run here, or nothing. Peers that are missing are told by their rows."""
    if reason := guest.missing():
        return reason
    places = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    if absent := [tool for tool in _TOOLS if not shutil.which(tool, path=places)]:
        return f"needs {', '.join(absent)}: run tools/setup-peers"
    return "" if CHARON.exists() else f"needs strongSwan ({CHARON}): run tools/setup-peers"
