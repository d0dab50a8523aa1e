"""SAs, where to find them, and when they are to be rekeyed."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isakmp.chosen import ChosenIke
from isakmp.constants import isakmp
from isakmp.path import Path
from isakmp.policy.spd import Range
from isakmp.sa import Nat, SaDatabase, State, offered_bits, soft_limit
from isakmp.scripts.ikev1.message_ids import ANSWERED_MAX
from regress.pair import WEST, both, up


def test_an_sa_is_found_by_everything_it_is_known_by() -> None:
    _, west, _ = up()
    sas = west.daemon.sas
    (sa,) = sas.isakmp.values()
    (child,) = sas.all_children()
    (protocol,) = child.protocols
    assert sas.current(sa.peer) is sas.current_of_remote("east") is sa
    assert sas.of_peer(sa.peer) == [sa]
    assert sas.children_of(sa) == sas.of_connection("west-east") == [child]
    assert sas.in_slot(child.slot) == sas.of_flow("west-east", child.selector) == [child]
    assert sas.knows("east")
    assert not sas.knows("west")
    assert sas.child_by_spi(3, protocol.spi_out, "192.0.2.2") is child
    assert sas.child_by_spi(3, protocol.spi_out, "192.0.2.3") is None
    assert sas.child_by_spi(2, protocol.spi_out, "192.0.2.2") is None
    assert [n.spi for n in child.inbound() + child.outbound()] == [
        protocol.spi_in, protocol.spi_out
    ]  # fmt: skip
    assert str(sa).startswith("ISAKMP SA east ")
    assert f"in 0x{protocol.spi_in:08x}" in str(child)


def test_nothing_stays_behind() -> None:
    net, west, east = up(*both(suites="QM-ESP-AES-SHA-SUITE"))
    for host in (west, east):
        sas = host.daemon.sas
        (child,), (sa,) = sas.all_children(), sas.isakmp.values()
        sas.remove_child(child)
        sas.remove_child(child)
        sas.remove(sa)
        sas.remove(sa)
        assert (sa.state, child.state) == (State.DEAD, State.DEAD)
        assert not sa.events
        assert not child.events
        empty = vars(SaDatabase())
        assert {name: value for name, value in vars(sas).items() if value} == {
            name: value for name, value in empty.items() if value
        }
    assert net.now


def test_an_spi_that_two_peers_behind_one_address_have_stays_with_its_last() -> None:
    _, west, _ = up()
    (child,) = west.daemon.sas.all_children()
    sas = SaDatabase()
    other = replace(child, peer=(("another", b"", ""), None), protocols=tuple(
        p._replace(spi_in=p.spi_in ^ 1) for p in child.protocols
    ))  # fmt: skip
    sas.add_child(child)
    sas.add_child(other)
    sas.remove_child(child)
    assert sas.child_by_spi(3, other.protocols[0].spi_out, "192.0.2.2") is other


def test_the_newest_that_is_not_superseded_is_the_current_one() -> None:
    _, west, _ = up()
    sas = SaDatabase()
    (old,) = west.daemon.sas.isakmp.values()
    new = replace(old, cky_i=b"another!", established=old.established + 5)
    sas.add(old)
    sas.add(new)
    assert sas.current(old.peer) is new
    new.state = State.SUPERSEDED
    assert sas.current(old.peer) is old
    sas.remove(old)
    assert sas.current(old.peer) is sas.current_of_remote("east") is None
    assert sas.current((("nobody", b"", ""), None)) is None


def test_a_peer_that_moves_is_found_again() -> None:
    _, west, _ = up()
    sas = west.daemon.sas
    (sa,) = sas.isakmp.values()
    before = sa.peer
    sas.moved(sa, sa.path._replace(remote=ip_address("192.0.2.99")))
    assert sas.of_peer(before) == []
    assert sas.of_peer(sa.peer) == [sa]
    sas.remove(sa)
    assert sas.of_peer(sa.peer) == []


def test_the_sa_of_an_address_is_found_without_a_look_at_all_others() -> None:
    """It is looked for whenever ESP comes that nobody has an SA for."""
    _, west, _ = up()
    sas = west.daemon.sas
    (sa,) = sas.isakmp.values()
    old, new = sa.path, sa.path._replace(remote=ip_address("192.0.2.77"))

    class Closed(dict[Any, Any]):
        def values(self) -> Any:
            raise AssertionError("all of them are looked at")

    sas.isakmp = Closed(sas.isakmp)
    assert sas.at(old) is sa and sas.at(new) is None
    assert sas.at(old._replace(encap=True, remote_port=4500)) is None, "that is its neighbour"
    sas.moved(sa, new)
    assert sas.at(old) is None and sas.at(new) is sa
    sas.remove(sa)
    assert sas.at(new) is None


def test_peers_behind_different_nats_are_different_peers() -> None:
    """RFC 3947 6."""
    _, west, _ = up()
    (sa,) = west.daemon.sas.isakmp.values()
    other = replace(sa, path=sa.path._replace(remote=ip_address("192.0.2.99")))
    assert sa.peer != other.peer


WAS = Path(ip_address("192.0.2.1"), 500, ip_address("192.0.2.2"), 500)
FLOATED = WAS._replace(local_port=4500, remote_port=4500, encap=True)
MOVED = WAS._replace(remote=ip_address("203.0.113.9"))
MOVED_TOO = FLOATED._replace(remote=ip_address("203.0.113.9"))
STRANGE = WAS._replace(remote_port=1234)
UNKNOWN = Nat()
NONE, HERE, THERE = (Nat(spoken=True, local=n == 1, remote=n == 2) for n in range(3))
BOTH, REACHED = (Nat(spoken=True, local=True, remote=True, reached=r) for r in (False, True))


@pytest.mark.parametrize("nat", [UNKNOWN, NONE, HERE, THERE, BOTH, REACHED], ids=str)
@pytest.mark.parametrize("known", [WAS, FLOATED, STRANGE])
@pytest.mark.parametrize(
    "came", [WAS, FLOATED, MOVED, MOVED_TOO, STRANGE, FLOATED._replace(remote_port=1234)]
)
def test_a_peer_is_followed_from_the_right_side_of_a_nat_alone(
    nat: Nat, known: Path, came: Path
) -> None:
    """RFC 7296 2.23, RFC 3947 7. Nobody goes back from the NAT-traversal port."""
    follows = nat in (THERE, REACHED) and (came.encap or not known.encap)
    assert nat.followed(known, came) == (came if follows else known)
    if not follows and nat.spoken and came.encap and not known.encap and came.remote == WAS.remote:
        floats = came == FLOATED or known == STRANGE
        assert nat.settled(known, came) == (came if floats else known)
    else:
        assert nat.settled(known, came) == nat.followed(known, came)


def test_another_address_of_ours_is_no_other_port() -> None:
    ours = FLOATED._replace(local=ip_address("192.0.2.7"))
    assert NONE.settled(WAS, ours) == WAS
    assert NONE.settled(WAS, FLOATED) == FLOATED


def test_answers_are_remembered_within_bounds() -> None:
    _, west, _ = up()
    (sa,) = west.daemon.sas.isakmp.values()
    for number in range(100, 200):
        sa.ids.answer(number, b"in", (b"out",))
    assert len(sa.ids.answered) == ANSWERED_MAX
    assert 199 in sa.ids.answered
    assert 100 not in sa.ids.answered


def test_secrets_stay_out_of_reprs() -> None:
    _, west, _ = up()
    (sa,), (child,) = west.daemon.sas.isakmp.values(), west.daemon.sas.all_children()
    texts = repr(sa) + repr(child) + repr(list(west.app.sas.values()))
    assert WEST.secret not in texts
    for secret in (sa.keys.skeyid_d, *(s.enc_key for s in west.app.sas.values())):
        assert repr(secret)[2:-1] not in texts


def test_texts() -> None:
    chosen = ChosenIke(
        isakmp.Encryption.AES_CBC, 256, isakmp.Hash.SHA, isakmp.Group.MODP_2048,
        isakmp.Authentication.PRE_SHARED,
    )  # fmt: skip
    assert str(chosen) == "AES_CBC-256 SHA MODP_2048 PRE_SHARED"
    assert offered_bits(None) == 0
    assert offered_bits(Range(192, 128, 256)) == 192


@given(
    st.integers(1, 2**40), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True),
    st.integers(1, 50),
)  # fmt: skip
def test_the_initiator_rekeys_first_and_both_in_time(
    hard: int, ours: float, theirs: float, margin: int
) -> None:
    first, second = soft_limit(hard, ours, True, margin), soft_limit(hard, theirs, False, margin)
    assert 1 <= first <= second <= hard or hard == 1 or first - second <= 1
    assert first >= int(hard * (1 - margin / 100)) or first == 1
    assert soft_limit(0, ours, True, margin) == 0
