"""What others take away of our policies in the kernel is put back."""

from __future__ import annotations

import pytest

from isakmp.app.xfrm import watch
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from regress.app.guards import drops, guard, policies
from regress.interop.namespace import Namespace

NUMBER = 77


def test_what_somebody_takes_away_is_put_back(namespace: Namespace) -> None:
    loop, told = Loop(Timers(lambda: 0.0)), list[str]()
    one = guard(namespace, NUMBER, loop, told.append)
    one.add(drops("10.2.0.0/16"))
    loop.turn(0)
    before = policies(namespace)
    namespace.run("ip", "xfrm", "policy", "flush")
    assert policies(namespace) == ""
    told.clear()
    loop.turn(0)
    assert policies(namespace) == before
    assert len(told) == 1 and "took IPsec policies" in told[0]
    one.close()


def test_what_we_take_away_ourselves_is_no_news(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All policies would be looked at each time."""
    looks = list[object]()

    def looked(link: object) -> list[object]:
        looks.append(link)
        return []

    monkeypatch.setattr(watch, "present", looked)
    loop = Loop(Timers(lambda: 0.0))
    one = guard(namespace, NUMBER, loop)
    one.add(drops("10.2.0.0/16"))
    loop.turn(0)
    one.delete(drops("10.2.0.0/16"))
    loop.turn(0)
    loop.turn(0)
    assert policies(namespace) == "" and looks == []
    namespace.run("ip", "xfrm", "policy", "flush")
    one.close()
