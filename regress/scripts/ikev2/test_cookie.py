"""Cookies are for who was given them, for a while: RFC 7296 2.6."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isakmp.scripts.ikev2.cookie import SECRET_S, SECRET_SIZE, Cookies

NI, HERE, SPI = bytes(range(32)), ip_address("192.0.2.1"), b"initiate"


class Clock:
    """A clock that a test turns on."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def secrets() -> Any:
    """Random octets that are another secret each time."""
    count = iter(range(1, 1 << 20))
    return lambda size: next(count).to_bytes(size, "big")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cookies(clock: Clock) -> Cookies:
    return Cookies(secrets(), clock)


def test_a_cookie_is_known_again_and_has_a_size_that_may_be(cookies: Cookies) -> None:
    """RFC 7296 2.6."""
    cookie = cookies.make(NI, HERE, SPI)
    assert 1 <= len(cookie) <= 64
    assert cookies.check(cookie, NI, HERE, SPI)
    assert cookies.make(NI, HERE, SPI) == cookie


@pytest.mark.parametrize(
    ("ni", "address", "spi"),
    [
        (NI[:-1] + b"\0", HERE, SPI),
        (NI + b"\0", HERE, SPI),
        (NI, ip_address("192.0.2.2"), SPI),
        (NI, ip_address("::ffff:192.0.2.1"), SPI),
        (NI, HERE, b"initiatf"),
    ],
)
def test_a_cookie_is_no_good_to_another(
    cookies: Cookies, ni: bytes, address: Any, spi: bytes
) -> None:
    """RFC 7296 2.6."""
    assert not cookies.check(cookies.make(NI, HERE, SPI), ni, address, spi)


def test_an_ipv6_sender_gets_no_cookie_for_an_ipv4_address(cookies: Cookies) -> None:
    there = ip_address("2001:db8::c000:201")
    cookie = cookies.make(NI, there, SPI)
    assert not cookies.check(cookie, NI + there.packed[:12], HERE, SPI)
    assert not cookies.check(cookie, there.packed[4:] + NI, HERE, SPI)


@pytest.mark.parametrize("bad", [b"", b"\0", b"\1", b"\1" * 33, b"\xff" * 64, b"\1" * 65])
def test_what_is_no_cookie_of_ours(cookies: Cookies, bad: bytes) -> None:
    assert not cookies.check(bad, NI, HERE, SPI)
    cookies.make(NI, HERE, SPI)
    assert not cookies.check(bad, NI, HERE, SPI)


@given(st.binary(max_size=80))
def test_no_octets_are_a_cookie(cookie: bytes) -> None:
    assert not Cookies(secrets(), Clock()).check(cookie, NI, HERE, SPI)


def test_the_secret_is_of_its_size_and_changes_with_time_alone(clock: Clock) -> None:
    asked: list[int] = []

    def random(size: int) -> bytes:
        asked.append(size)
        return bytes([len(asked)]) * size

    cookies = Cookies(random, clock)
    for _ in range(5):
        cookies.make(NI, HERE, SPI)
    assert asked == [SECRET_SIZE]
    clock.now += SECRET_S
    cookies.make(NI, HERE, SPI)
    assert asked == [SECRET_SIZE] * 2


@pytest.mark.parametrize(
    ("age", "good"),
    [(0, True), (SECRET_S - 1, True), (SECRET_S, True), (2 * SECRET_S, False), (1e6, False)],
)
def test_a_cookie_ages(cookies: Cookies, clock: Clock, age: float, good: bool) -> None:
    cookie = cookies.make(NI, HERE, SPI)
    clock.now += age
    assert cookies.check(cookie, NI, HERE, SPI) is good


def test_only_the_secret_before_is_honoured(cookies: Cookies, clock: Clock) -> None:
    first = cookies.make(NI, HERE, SPI)
    clock.now += SECRET_S
    second = cookies.make(NI, HERE, SPI)
    assert first != second
    assert cookies.check(first, NI, HERE, SPI)
    clock.now += SECRET_S
    assert cookies.check(second, NI, HERE, SPI)
    assert not cookies.check(first, NI, HERE, SPI)


def test_the_version_begins_anew_after_255(cookies: Cookies, clock: Clock) -> None:
    versions = set()
    for _ in range(300):
        cookie = cookies.make(NI, HERE, SPI)
        versions.add(cookie[0])
        assert cookies.check(cookie, NI, HERE, SPI)
        clock.now += SECRET_S
    assert versions == set(range(256))


def test_secrets_are_in_no_text(cookies: Cookies) -> None:
    cookies.make(NI, HERE, SPI)
    assert (1).to_bytes(SECRET_SIZE, "big").hex() not in repr(cookies)
    assert "secret" not in repr(cookies)
