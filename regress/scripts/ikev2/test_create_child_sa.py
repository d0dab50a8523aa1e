"""CREATE_CHILD_SA: rekeying by either side, or both: RFC 7296 2.8, 2.17, 2.18."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.scripts.ikev2 import rekey
from regress.pair import agree
from regress.scripts.ikev2.pairs import WHO, child_of, kinds, pair, sa_of, settled, wear_out


@WHO
@pytest.mark.parametrize("suites", ["", "-PFS-GRP19"])
def test_either_side_may_rekey_the_child_sa(who: str, suites: str) -> None:
    """RFC 7296 1.3.3 and 2.8."""
    net, west, east = pair(suites=f"QM-ESP-AES-128-SHA2-256{suites}-SUITE")
    host = west if who == "west" else east
    old = child_of(host)
    wear_out(host)
    settled(net, west, east)
    assert child_of(host).inbound() != old.inbound()
    assert child_of(host).initiator
    assert len(set(sa_of(west).cookies)) > 1
    assert kinds(net.history[4:]) == [
        "CREATE_CHILD_SA", "CREATE_CHILD_SA'", "INFORMATIONAL", "INFORMATIONAL'",
    ]  # fmt: skip


@WHO
def test_either_side_may_rekey_the_ike_sa_and_its_children_move(who: str) -> None:
    """RFC 7296 1.3.2, 2.8 and 2.18."""
    net, west, east = pair()
    host = west if who == "west" else east
    old, child = sa_of(host), child_of(host)
    host.daemon.keeper.rekey_sa(old)
    settled(net, west, east)
    assert sa_of(host) is not old
    assert child_of(host) is child
    assert child.parent is sa_of(host)
    wear_out(host)
    settled(net, west, east)


def test_an_ike_sa_that_was_not_to_be_rekeyed_is_so_before_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusals = 2

    def check(x: Any) -> None:
        nonlocal refusals
        if refusals > 0:
            refusals -= 1
            raise rekey.busy("of the test")

    monkeypatch.setattr(rekey, "check_ike_request", check)
    net, west, east = pair(general="Default-phase-1-lifetime= 20,10:86400")
    first = sa_of(west)
    net.run(22)
    assert refusals == 0
    assert kinds(net.history).count("IKE_AUTH") == 1, "the first one has a successor"
    assert sa_of(west) is not first
    agree(west, east)


def test_both_rekey_the_child_sa_at_once() -> None:
    """RFC 7296 2.8.1."""
    net, west, east = pair()
    wear_out(west)
    wear_out(east)
    settled(net, west, east)


def test_both_rekey_the_ike_sa_at_once() -> None:
    """RFC 7296 2.8.2."""
    net, west, east = pair()
    for host in (west, east):
        host.daemon.keeper.rekey_sa(sa_of(host))
    settled(net, west, east)
