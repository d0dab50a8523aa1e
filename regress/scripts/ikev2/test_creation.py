"""What comes of CREATE_CHILD_SA: the new IKE SA, and what is given back where nothing does."""

from __future__ import annotations

import pytest

from isakmp.constants import ikev2
from isakmp.errors import Reason, Refused
from isakmp.exchange.exchange import ExchangeOf
from isakmp.exchange.script import Outgoing
from isakmp.payloads.ikev2.notify import NotifyValue
from isakmp.sa import State
from isakmp.scripts.ikev2 import creation
from isakmp.scripts.ikev2.additional import Additional
from isakmp.scripts.ikev2.creation import LINK_SIZE, Create
from regress.pair import Host, Network, agree
from regress.scripts.ikev2.pairs import child_of, kinds, pair, sa_of

NOTIFY, ADDITIONAL = int(ikev2.Payload.NOTIFY), int(ikev2.Notify.ADDITIONAL_KEY_EXCHANGE)


def begun(host: Host) -> ExchangeOf[Create]:
    """A rekeying of the host's IKE SA that has been asked for."""
    engine, sa = host.daemon.engine, sa_of(host)
    engine.dialects["ikev2"].rekey_sa(engine, sa)
    (exchange,) = sa.running.values()
    found: ExchangeOf[Create] = exchange
    return found


@pytest.mark.parametrize("who", [0, 1])
def test_a_new_ike_sa_has_the_peer_of_the_old_one_and_keys_of_its_own(who: int) -> None:
    """RFC 7296 2.18: SPIs and keys are new, message IDs begin at 0, identities stay."""
    net, *hosts = pair("Reauthenticate= 7200")
    olds = [sa_of(host) for host in hosts]
    before = olds[0].keys.sk
    begun(hosts[who])
    net.run(1)
    west, east = (sa_of(host) for host in hosts)
    assert west.keys.sk == east.keys.sk
    assert west.tiebreak == east.tiebreak
    for old, new in zip(olds, (west, east), strict=True):
        assert new is not old and new.own_cookie != old.own_cookie
        assert (new.local_id, new.remote_id, new.peer) == (old.local_id, old.remote_id, old.peer)
        assert new.keys.sk != before and new.path == old.path
        assert new.exchange_type == ikev2.Exchange.CREATE_CHILD_SA
        assert new.initiator is (new.own_cookie == new.cky_i)
        assert new.reauth_at == old.reauth_at, "everything is proved anew when it was due"
    assert child_of(hosts[0]).parent is west and child_of(hosts[1]).parent is east


def test_an_spi_of_a_child_sa_that_was_refused_is_given_back() -> None:
    net, west, _ = pair()
    engine, sa, child = west.daemon.engine, sa_of(west), child_of(west)
    net.lose = lambda packet: True
    engine.dialects["ikev2"].begin_child(engine, sa, child.connection, child)
    assert len(west.app.larval) == 1
    (exchange,) = sa.running.values()
    creation.abandon(exchange)
    assert not west.app.larval
    assert child_of(west) is child


def rest(x: ExchangeOf[Create]) -> Outgoing:
    """What the answer ends with."""
    message = Outgoing()
    for _ in creation.add_rest(x, message):
        raise AssertionError("nothing has to wait")
    return message


def test_an_answer_says_that_more_follows_as_long_as_it_does() -> None:
    """RFC 9370 2.2.4."""
    _, west, _ = pair()
    x = begun(west)
    x.state.additional = Additional((19,))
    ((kind, value),) = rest(x).payloads
    assert (kind, value.notify, value.data) == (NOTIFY, ADDITIONAL, x.state.link)
    assert len(x.state.link) == LINK_SIZE
    first = x.state.link
    rest(x)
    assert x.state.link != first, "each has octets of its own"
    x.state.additional = Additional()
    assert rest(x).payloads == []


@pytest.mark.parametrize(("methods", "linked"), [((19,), False), ((), True)])
def test_ends_that_count_differently_do_not_agree(methods: tuple[int, ...], linked: bool) -> None:
    net, west, east = pair()
    x = begun(west)
    x.state.additional = Additional(methods)
    value = NotifyValue(0, ADDITIONAL, b"", b"link")
    with pytest.raises(Refused) as caught:
        list(creation.take_rest(x, {ADDITIONAL: [value]} if linked else {}))
    assert caught.value.reason.cause == "bad-choice"


def test_a_rekeying_is_one_request_and_one_answer() -> None:
    net: Network
    net, west, _ = pair()
    before = len(net.history)
    begun(west)
    net.run(0.1)
    assert kinds(net.history[before:])[:2] == ["CREATE_CHILD_SA", "CREATE_CHILD_SA'"]


@pytest.mark.parametrize("ends", ["peer changed", "taken down"])
def test_an_ike_sa_that_replaces_one_which_ends_meanwhile_ends_too(ends: str) -> None:
    """Its peer may be none of ours any more by the time that it answers."""
    net, west, east = pair()
    (sa,) = east.daemon.sas.isakmp.values()
    net.lose = lambda packet: packet.src == west.address
    east.daemon.engine.dialects["ikev2"].rekey_sa(east.daemon.engine, sa)
    net.run(0.2)
    if ends == "taken down":
        east.daemon.teardown("west", 1)
    else:
        (rekeying,) = sa.running.values()
        east.daemon.engine.cancel(rekeying, Reason("sa-gone", "peer changed or removed"))
        east.daemon.keeper.delete_sa(sa)
    net.lose = lambda packet: False
    net.run(60)
    names = {row["cookies"] for row in west.rows(1)}
    assert names == {row["cookies"] for row in east.rows(1)}
    assert sa.heirs and all(heir.state is State.DEAD for heir in sa.heirs)
    agree(west, east)
