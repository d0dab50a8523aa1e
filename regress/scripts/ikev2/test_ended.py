"""What is left of an IKE SA that has ended."""

from __future__ import annotations

from typing import Any

from isakmp.event.timer import Timers
from isakmp.scripts.ikev2.ended import ENDED_MAX, Ended
from isakmp.window import Window
from regress.pair import both, connected, up


class Gone:
    """What of an IKE SA counts here."""

    def __init__(self, number: int) -> None:
        self.cky_i = self.own_cookie = number.to_bytes(8, "big")
        self.cky_r, self.initiator, self.ids = bytes(8), True, Window()


def gone(number: int) -> Any:
    return Gone(number)


def test_they_are_bounded_and_forgotten_in_time() -> None:
    clock = [0.0]
    timers = Timers(lambda: clock[0])
    ended = Ended(timers.now)
    for number in range(3 * ENDED_MAX):
        clock[0] += 0.001
        ended.add(timers, gone(number))
    assert len(ended) == ENDED_MAX and len(timers.pending()) == 1
    assert ended.get(gone(3 * ENDED_MAX - 1).own_cookie) is not None
    for _ in range(ENDED_MAX):
        wait = timers.timeout()
        if wait is None:
            break
        clock[0] += wait
        timers.run()
    assert len(ended) == 0 and not timers.pending()


def test_no_keys_are_kept() -> None:
    """Of both versions, at both ends, in whatever may still know the SA or its children."""
    for version in ("ikev1", "ikev2"):
        net, west, east = up(*both(peer_tags=f"Key-exchange= {version}"))
        assert connected(west) and connected(east)
        sas = [sa for host in (west, east) for sa in host.daemon.sas.isakmp.values()]
        children = [c for host in (west, east) for c in host.daemon.sas.all_children()]
        assert all(sa.keys for sa in sas) and children
        west.daemon.connections.settings.active = False
        for sa in west.daemon.sas.isakmp.copy().values():
            west.daemon.keeper.delete_sa(sa)
        net.run(3)
        assert not west.daemon.sas.isakmp
        assert not east.daemon.sas.isakmp
        assert [sa.keys for sa in sas] == [None, None]
        assert not any(child.specs for child in children)
