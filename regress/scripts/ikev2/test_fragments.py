"""Messages in pieces: cut, put together again, and bounded. RFC 7383."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isakmp.errors import MalformedPayload
from isakmp.path import Path
from isakmp.policy.spd import Ikev2
from isakmp.scripts.ikev2.fragments import (
    MESSAGES_MAX,
    OCTETS_MAX,
    PIECES_MAX,
    REASSEMBLY_S,
    TRIES_V4,
    TRIES_V6,
    Fragments,
    Whole,
    split,
)

REQUEST, FIRST = (False, 1), 35
V4 = Path(ip_address("192.0.2.1"), 500, ip_address("192.0.2.2"), 500)
V6 = Path(ip_address("2001:db8::1"), 500, ip_address("2001:db8::2"), 500)


class Fixture:
    """One IKE SA's pieces, and a clock."""

    def __init__(self, size: int = 0, version: int = 4) -> None:
        self.now = 0.0
        self.fragments = Fragments(Ikev2(fragment_size=size), version, lambda: self.now)

    def add(
        self, number: int, total: int, data: bytes = b"data", key: tuple[bool, int] = REQUEST
    ) -> Whole | None:
        first = FIRST if number == 1 else 0
        return self.fragments.add(key, number, total, first, data, b"%03d" % number + data)

    def held(self) -> int:
        """Octets that are kept for messages that are not whole."""
        return sum(
            len(data)
            for pieces in self.fragments._incomplete.values()
            for data in pieces.data.values()
        )


@pytest.fixture
def one() -> Fixture:
    return Fixture()


@given(st.binary(min_size=1, max_size=400), st.integers(1, 100), st.integers(1, 12))
def test_pieces_are_the_message_and_fit(inner: bytes, room: int, least: int) -> None:
    pieces = split(inner, room, least)
    assert b"".join(pieces) == inner
    assert max(map(len, pieces)) <= room
    assert len(pieces) == max(least, -(-len(inner) // room))
    if len(inner) >= len(pieces):
        assert all(pieces)


@given(st.binary(min_size=1, max_size=300), st.integers(3, 60), st.randoms(use_true_random=False))
def test_pieces_in_any_order_and_twice(inner: bytes, room: int, random: object) -> None:
    pieces = list(enumerate(split(inner, room), 1))
    order = pieces * 2
    random.shuffle(order)  # type: ignore[attr-defined]
    one, whole, came = Fixture(), None, set()
    for number, data in order:
        whole = one.add(number, len(pieces), data)
        came.add(number)
        if len(came) == len(pieces):
            break
        assert whole is None
    assert whole is not None
    assert (whole.inner, whole.first) == (inner, FIRST)
    assert whole.mark == b"001" + pieces[0][1]
    assert whole.largest == 3 + max(len(data) for _, data in pieces)
    assert one.held() == 0


def test_the_first_piece_of_a_number_counts(one: Fixture) -> None:
    assert one.add(2, 2, b"two") is None
    assert one.add(2, 2, b"other") is None
    whole = one.add(1, 2, b"one ")
    assert whole is not None and whole.inner == b"one two"


def test_a_larger_total_begins_anew_and_a_smaller_one_is_ignored(one: Fixture) -> None:
    assert one.add(1, 2, b"large") is None
    assert one.add(3, 3, b"c") is None
    assert one.add(2, 2, b"old") is None
    assert one.add(1, 3, b"a") is None
    whole = one.add(2, 3, b"b")
    assert whole is not None and whole.inner == b"abc"


def test_requests_answers_and_message_ids_are_kept_apart(one: Fixture) -> None:
    for key in ((False, 1), (True, 1), (False, 2)):
        assert one.add(1, 2, b"%d%d" % key, key) is None
    for key in ((False, 1), (True, 1), (False, 2)):
        whole = one.add(2, 2, b"!", key)
        assert whole is not None and whole.inner == b"%d%d!" % key


def test_too_many_pieces_are_malformed(one: Fixture) -> None:
    with pytest.raises(MalformedPayload, match="65535 pieces"):
        one.add(1, 65535)
    assert one.add(1, PIECES_MAX) is None


def test_too_many_octets_are_malformed_and_forgotten(one: Fixture) -> None:
    for number in range(1, 5):
        assert one.add(number, 6, bytes(OCTETS_MAX // 4)) is None
    with pytest.raises(MalformedPayload, match="octets"):
        one.add(5, 6, b"x")
    assert one.held() == 0


def test_the_oldest_message_gives_way(one: Fixture) -> None:
    for number in range(MESSAGES_MAX + 1):
        one.add(1, 2, b"a", (False, number))
    assert one.held() == MESSAGES_MAX
    assert one.add(2, 2, b"b", (False, 0)) is None
    assert one.add(2, 2, b"b", (False, MESSAGES_MAX)) is not None


def test_pieces_age(one: Fixture) -> None:
    one.add(1, 2, b"old")
    one.now += REASSEMBLY_S - 1
    one.add(1, 2, b"young", (False, 2))
    one.now += 1
    assert one.add(2, 2, b"late") is None
    whole = one.add(2, 2, b"er", (False, 2))
    assert whole is not None and whole.inner == b"younger"


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 200), st.integers(1, 200),
                       st.integers(0, 70000)), max_size=30)
)  # fmt: skip
def test_memory_is_bounded(pieces: list[tuple[int, int, int, int]]) -> None:
    one = Fixture()
    for message, number, total, size in pieces:
        if number <= total:
            try:
                one.add(number, total, bytes(size), (False, message))
            except MalformedPayload as error:
                assert total > PIECES_MAX or "octets" in error.reason
        assert one.held() <= MESSAGES_MAX * OCTETS_MAX


# --- sizes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "size", "room"),
    [
        (V4, 1500, 1500 - 20 - 8 - 28 - 8 - 40),
        (V4._replace(encap=True), 1500, 1500 - 20 - 8 - 4 - 28 - 8 - 40),
        (V6, 1280, 1280 - 40 - 8 - 28 - 8 - 40),
        (V4, 100, 16),
    ],
)
def test_a_piece_fits_its_packet(path: Path, size: int, room: int) -> None:
    assert Fixture(size, path.remote.version).fragments.room(path, 40) == room


@pytest.mark.parametrize(("version", "tries"), [(4, TRIES_V4), (6, TRIES_V6)])
def test_sizes_go_down_to_what_every_host_takes(version: int, tries: tuple[int, ...]) -> None:
    fragments = Fixture(version=version).fragments
    sizes = [fragments.size]
    while fragments.shrink():
        sizes.append(fragments.size)
    assert tuple(sizes) == tries
    assert fragments.size == tries[-1]


def test_a_size_that_is_set_stays() -> None:
    fragments = Fixture(700).fragments
    assert not fragments.shrink()
    fragments.seen(300, V4)
    assert fragments.size == 700


def test_what_came_through_is_remembered_and_has_a_least() -> None:
    fragments = Fixture().fragments
    fragments.seen(1400, V4)
    assert fragments.size == 1428
    fragments.seen(1440, V4)
    assert fragments.size == 1428
    fragments.seen(1300, V4._replace(encap=True))
    assert fragments.size == 1332
    fragments.seen(1, V4)
    assert fragments.size == TRIES_V4[-1]


def test_a_successor_knows_the_size_and_no_pieces(one: Fixture) -> None:
    one.fragments.shrink()
    one.add(1, 2)
    heir = one.fragments.heir()
    assert heir.size == one.fragments.size
    assert heir.add(REQUEST, 2, 2, 0, b"x", b"x") is None
    assert heir.shrink()
    assert heir.size != one.fragments.size
