"""Why what was sent last has not left this host, by the way that it should have gone.

Who waits for an answer in vain asks here first: the silence is not the peer's then.
"""

from __future__ import annotations

import errno

from isakmp.errors import Reason
from isakmp.path import Path
from isakmp.transport.netif import lacks_address

UNSENT_MAX = 4096

_ROUTE = "no route leads there: add one, or bring up the interface that has it"
_MENDS = {
    None: "Listen-on or the options -4 and -6 leave it out: have them take it in, or mend "
    "Local-address",
    errno.EACCES: "a route of this host prohibits it, or it is a broadcast address",
    errno.EHOSTUNREACH: _ROUTE,
    errno.ENETDOWN: "bring up the interface that leads there",
    errno.ENETUNREACH: _ROUTE,
    errno.EPERM: "a packet filter or an IPsec policy of this host forbids it: let IKE out",
}


class Unsent:
    """What one transport could not send last, within bounds."""

    def __init__(self) -> None:
        self._reasons: dict[Path, Reason] = {}

    def note(self, path: Path, reason: Reason | None) -> None:
        """The last datagram of that way: why it was not sent, None where it was."""
        if reason is None and not self._reasons:
            return
        self._reasons.pop(path, None)
        if reason is None:
            return
        if len(self._reasons) >= UNSENT_MAX:
            del self._reasons[next(iter(self._reasons))]
        self._reasons[path] = reason

    def get(self, path: Path) -> Reason | None:
        """Why the last one was not sent; None where it was, or where there was none."""
        return self._reasons.get(path)


def cannot_send(path: Path, error: OSError) -> Reason:
    """The reason that an error of the host is, with what can be done about it."""
    why = error.strerror or str(error)
    mend = _MENDS.get(
        error.errno, f"ip route get {path.remote} from {path.local} shows where it would go"
    )
    if lacks_address(path.local):
        why = f"no interface of this host has {path.local}"
        mend = "give it to one, or mend Local-address"
    elif path.local.version != path.remote.version:
        why = "they are of different IP versions"
        mend = "make Address and Local-address of one, and Listen-on, -4 and -6 leave that"
    detail = f"cannot send from {path.local} to {path.remote}: {why}"
    return Reason("cannot-send", detail, mend=mend)
