"""Datagrams beside the pings: what the negotiated traffic selectors take, and what they do not."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import closing

from regress.interop.end import End, Failure
from regress.interop.scenario import Probe

_ARRIVES_S, _STAYS_AWAY_S = 2.0, 0.5
_EVERY_S = 0.2


def probe(a: End, b: End, what: Probe) -> None:
    """Failure where a's datagram does not arrive, or one arrives that must not."""
    source, destination = f"{what.network}.1.1", f"{what.network}.2.1"
    with (
        closing(b.namespace.udp_socket(destination, what.port)) as there,
        closing(a.namespace.udp_socket(source)) as here,
    ):
        there.settimeout(_EVERY_S)
        deadline = time.monotonic() + (_ARRIVES_S if what.arrives else _STAYS_AWAY_S)
        came = False
        while not came and time.monotonic() < deadline:
            came = _sent(lambda: here.sendto(b"probe", (destination, what.port)), there)
    if came is not what.arrives:
        how = "came, though no selector takes it" if came else "did not come"
        raise Failure(f"a datagram from {source} to {destination} port {what.port} {how}")


def _sent(send: Callable[[], object], there: socket.socket) -> bool:
    try:
        send()
        return there.recv(64) == b"probe"
    except OSError:  # nothing came, or the sender's stack refuses to send it
        return False
