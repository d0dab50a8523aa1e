"""Proving everything anew (RFC 7296 2.8.3), where that fails, or is not possible for a while."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isakmp.sa import IsakmpSa, State
from regress.pair import Host, Network, connected
from regress.scripts.ikev2.pairs import gateways, sa_of

ANEW_S = 300
RETRY_S = 60


def proves_anew() -> tuple[Network, Host, Host, IsakmpSa]:
    one, other = gateways()
    net = Network()
    west = net.host(replace(one, peer_tags=f"{one.peer_tags}\nReauthenticate= {ANEW_S}"))
    east = net.host(other)
    net.start()
    net.run(ANEW_S - 1)
    return net, west, east, sa_of(west)


@pytest.mark.parametrize("what", ["no answer", "inactive"])
def test_it_is_tried_again(what: str) -> None:
    net, west, east, old = proves_anew()
    if what == "inactive":
        west.daemon.set_active(False)
    net.lose = lambda packet: bool(packet.data) and not any(packet.header.cky_r)
    net.run(RETRY_S)
    assert sa_of(west) is old and old.state is State.ESTABLISHED
    west.daemon.set_active(True)
    net.lose = lambda packet: False
    net.run(RETRY_S + 10)
    assert sa_of(west) is not old and connected(west) and connected(east)
    began = sa_of(west).established
    net.run(ANEW_S - 10 - net.now + began)
    assert sa_of(west).established == began, "it is not begun again for what is gone"


def test_so_it_is_where_the_new_one_has_gone_before_the_old_one() -> None:
    """Its time came while it was superseded."""
    net, west, east, old = proves_anew()
    west.daemon.connections.begin_sa(old.remote, old.path, None, old.nat)
    net.run(2)
    (new,) = (sa for sa in west.daemon.sas.isakmp.values() if sa is not old)
    assert old.state is State.SUPERSEDED
    west.daemon.keeper.delete_sa(new)
    net.run(0.5)
    assert sa_of(west) is old
    net.run(10)
    assert sa_of(west) is not old and connected(west)


def test_what_takes_its_place_meanwhile_is_proven_in_its_time() -> None:
    net, west, east, old = proves_anew()
    west.daemon.keeper.rekey_sa(old)
    net.run(0.5)
    assert old.heirs[0].reauth_at == old.reauth_at
    net.run(10)
    assert sa_of(west) not in (old, *old.heirs) and connected(west)
