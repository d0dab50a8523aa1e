"""Message IDs under one ISAKMP SA: none is taken twice, and an SA lives for so many."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from isakmp.sa import IsakmpSa
from isakmp.scripts.ikev1.message_ids import USED_MAX, WORN_AT, MessageIds
from regress.pair import Host, Network, connected, up
from regress.scripts.ikev1.test_hostile import quick_mode_1


def use(sa: IsakmpSa, numbers: Iterable[int]) -> None:
    for number in numbers:
        sa.ids.use(number)


def dropped(host: Host) -> int:
    return host.daemon.engine.counters.get("dropped", 0)


def test_none_is_forgotten_and_all_cost_little() -> None:
    ids = MessageIds()
    for number in range(2 * USED_MAX, 0, -2):
        assert not ids.used_up
        ids.use(number)
        ids.use(number)
        assert ids.worn is (2 * USED_MAX - number >= 2 * (WORN_AT - 1))
    assert ids.used_up
    assert all(ids.is_used(n) is (n % 2 == 0 and n > 0) for n in range(2 * USED_MAX + 2))
    assert sys.getsizeof(ids.used) < 100_000


def test_a_record_is_not_carried_out_however_many_exchanges_ago() -> None:
    """What is beyond the bound is not begun, where the oldest was forgotten."""
    net, west, east = up()
    record = quick_mode_1(net, west)
    (sa,) = east.daemon.sas.isakmp.values()
    use(sa, range(1, USED_MAX + 10))
    before, lost = len(net.history), dropped(east)
    net.deliver(record._replace(src=west.address))
    assert len(net.history) == before and not east.daemon.engine.exchanges
    assert dropped(east) == lost + 1


def test_an_sa_whose_message_ids_are_nearly_used_up_is_renewed() -> None:
    net, west, east = up()
    old = [next(iter(host.daemon.sas.isakmp.values())) for host in (west, east)]
    for sa in old:
        use(sa, range(1, WORN_AT))
    _one_more(net, west)
    net.run(150)
    assert connected(west) and connected(east)
    left = [*west.daemon.sas.isakmp.values(), *east.daemon.sas.isakmp.values()]
    assert not {sa.cookies for sa in old} & {sa.cookies for sa in left}
    assert not any(sa.ids.worn for sa in left)


def test_with_none_left_the_peer_begins_nothing_until_another_sa_is_there() -> None:
    net, west, east = up()
    (sa,) = east.daemon.sas.isakmp.values()
    use(sa, range(1, WORN_AT))
    _one_more(net, west)
    use(sa, range(1, USED_MAX))
    used, lost = len(sa.ids.used), dropped(east)
    _one_more(net, west)
    assert len(sa.ids.used) == used
    assert dropped(east) > lost
    net.run(150)
    assert connected(west) and connected(east)
    assert sa not in east.daemon.sas.isakmp.values()


def _one_more(net: Network, west: Host) -> None:
    """West asks whether east lives: one more message ID, or two."""
    (sa,) = west.daemon.sas.isakmp.values()
    west.daemon.keeper.liveness.suspect(sa)
    net.pump()
