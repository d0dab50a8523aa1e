"""SAs, whose they are, and when they are to be rekeyed."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isakmp.chosen import ChosenIke
from isakmp.constants import ipsec, isakmp
from isakmp.path import Path
from isakmp.policy.spd import Identity, Range, Unique
from isakmp.sa import Nat, State, called, offered_bits, same_peer, soft_limit
from isakmp.scripts.ikev1.message_ids import ANSWERED_MAX
from regress.pair import WEST, up


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


@pytest.mark.parametrize(
    ("nat", "path", "port"),
    [
        (NONE, WAS, 0),
        (NONE, FLOATED, 0),
        (THERE, FLOATED, 4500),
        (UNKNOWN, WAS, 0),
        (UNKNOWN, STRANGE, 1234),
        (HERE, STRANGE, 0),
    ],
)
def test_a_port_that_a_nat_has_made_tells_who_is_called(nat: Nat, path: Path, port: int) -> None:
    _, west, _ = up()
    assert called(west.daemon.catalog.remote("east"), path, nat) == (WAS.remote, port)


NEIGHBOUR = FLOATED._replace(remote_port=1234)


@pytest.mark.parametrize("unique", list(Unique))
@pytest.mark.parametrize("dead", [False, True])
@pytest.mark.parametrize(
    ("was", "now", "same", "another"),
    [  # same identity, where it may be at several places; another identity
        ((NONE, WAS), (NONE, WAS), True, True),
        ((NONE, WAS), (NONE, FLOATED), True, True),
        ((NONE, WAS), (NONE, MOVED), False, False),
        ((NONE, WAS), (THERE, FLOATED), True, False),
        ((THERE, FLOATED), (NONE, WAS), True, False),
        ((THERE, FLOATED), (NONE, FLOATED), True, True),
        ((THERE, FLOATED), (THERE, FLOATED), True, True),
        ((THERE, FLOATED), (THERE, NEIGHBOUR), False, False),
        ((THERE, FLOATED), (THERE, MOVED_TOO), False, False),
        ((UNKNOWN, STRANGE), (NONE, WAS), True, False),
        ((UNKNOWN, STRANGE), (UNKNOWN, WAS), True, False),
        ((UNKNOWN, WAS), (NONE, WAS), True, True),
    ],
)
def test_who_is_the_same_peer(
    was: tuple[Nat, Path], now: tuple[Nat, Path], same: bool, another: bool, dead: bool,
    unique: Unique,
) -> None:  # fmt: skip
    _, west, _ = up()
    (sa,) = west.daemon.sas.isakmp.values()
    (child,) = west.daemon.sas.all_children()
    named = replace(sa.remote, remote_id=None, unique=unique)
    several = replace(named, address=None)
    assert several.shared and not named.shared
    me, other = (Identity(ipsec.Id.FQDN, name) for name in (b"me", b"other"))
    for remote in (named, several):
        (old, new), (_, changed) = (
            [replace(sa, remote=remote, nat=nat, path=path, remote_id=identity)
             for identity, (nat, path) in zip((me, its), (was, now), strict=True)]
            for its in (me, other)
        )  # fmt: skip
        its = replace(child, peer=old.peer, path=old.path, nat=old.nat)
        if dead:
            old.state = its.state = State.DEAD
        assert same_peer(new, old) is same_peer(new, its) is (same or dead or unique.alone)
        assert same_peer(changed, old) is another
        assert same_peer(changed, its) is (another and not remote.shared)
    elsewhere = replace(new, remote=replace(named, name="another section"))
    assert not same_peer(elsewhere, old)


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
