"""What happens to a host and not to its daemon: it stands still, its address goes, the NAT before
it starts again. Traffic flows again both ways, soon after all is as it was.

A clock cannot be set for one process; test_recovery.py of the daemons in memory sets theirs.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from regress.interop.end import eventually
from regress.interop.namespace import SetupFailure, restart_nat
from regress.interop.needs import missing
from regress.live.pair import OUTER, THROUGH, Host, both_up, configuration, ends
from regress.live.test_recovery import passes, traffic

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "-")

# Patience with a busy machine.
SOON_S = 120.0
# A peer is dead after so long.
DEAD = "DPD-check-interval= 1\nDPD-timeout= 3\n"
SPOKEN = pytest.mark.parametrize("spoken", ["ikev1", "ikev2"])


@contextmanager
def scene(folder: Path, spoken: str, *, nat: bool = False) -> Iterator[list[Host]]:
    """Both ends are up, and traffic flows."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(ends(folder, nat=nat))
        except SetupFailure as failure:
            pytest.skip(str(failure))
        general = DEAD if not nat else "DPD-timeout= 3600\n"
        for host in (made[1], made[0]):
            host.write(configuration(
                host.name, host.folder, general=general, key_exchange=spoken,
                outer=THROUGH if nat else OUTER,
            ))  # fmt: skip
            host.running = stack.enter_context(host.daemon())
        a, b = made[:2]
        eventually("both are up", lambda: both_up(a, b), SOON_S)
        flows = stack.enter_context(traffic(a, b))
        eventually("traffic flows", flows, SOON_S)
        yield made


def dead(host: Host) -> int:
    """How often a host has found its peer dead."""
    return host.log().count("is given up: the peer is dead, ")


def missed(host: Host, before: int) -> bool:
    """Whether it has found so once more."""
    return dead(host) > before


@contextmanager
def paused(host: Host) -> Iterator[None]:
    """Its daemon, key engine and all, stands still."""
    os.kill(host.running.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(host.running.pid, signal.SIGCONT)


@contextmanager
def addressless(host: Host) -> Iterator[None]:
    """Its address outside is gone, with the routes of it."""
    address = f"{OUTER[host.name]}/24 dev veth0"
    host.namespace.shell(f"ip addr del {address}")
    try:
        yield
    finally:
        host.namespace.shell(
            f"ip addr add {address}\nip route add 10.0.0.0/8 via 192.168.77.253"
        )  # fmt: skip


@SPOKEN
def test_an_end_that_was_away_until_it_was_missed(tmp_path: Path, spoken: str) -> None:
    with scene(tmp_path, spoken) as (a, b):
        for fault, (host, other) in product((paused, addressless), ((a, b), (b, a))):
            found = dead(other)
            with fault(host):
                eventually("it is missed", partial(missed, other, found), SOON_S)
                assert not passes(a, b)
            eventually("traffic flows again", lambda: passes(a, b), SOON_S)
            eventually("both are up", lambda: both_up(a, b), SOON_S)


@SPOKEN
def test_a_nat_that_was_started_again(tmp_path: Path, spoken: str) -> None:
    """Nobody has to die for it: what a sends tells b where it is now."""
    with scene(tmp_path, spoken, nat=True) as (a, b, router):
        assert ":2" in where(b)
        restart_nat(router.namespace)
        eventually("traffic flows again", lambda: passes(a, b), SOON_S)
        assert ":3" in where(b)
        assert both_up(a, b) and not dead(a) + dead(b)


def where(host: Host) -> str:
    """Address and port at which the peer of a host is."""
    rows = host.status()["result"]
    return str(next(row["remote"] for row in rows if row["phase"] == 1))
