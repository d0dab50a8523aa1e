"""Events of nftables: somebody takes away what is ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from isakmp.app.nft import messages
from isakmp.app.nft.messages import Msg
from isakmp.app.nft.news import News
from isakmp.errors import ApplicationError
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers


class Socket:
    """Has these events to be read, or errors."""

    def __init__(self, *events: bytes | OSError) -> None:
        self.events = list(events)
        self.bound: tuple[int, int] | None = None
        self.closed = False

    def fileno(self) -> int:
        return 0

    def bind(self, where: tuple[int, int]) -> None:
        self.bound = where

    def recv(self, size: int) -> bytes:
        if not self.events:
            raise BlockingIOError
        event = self.events.pop(0)
        if isinstance(event, OSError):
            raise event
        return event

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def gone() -> Iterator[list[str]]:
    yield []


def news(monkeypatch: pytest.MonkeyPatch, gone: list[str], sock: Socket) -> News:
    monkeypatch.setattr("isakmp.app.nft.news.socket.socket", lambda *kind: sock)
    loop = Loop(Timers(lambda: 0.0))
    monkeypatch.setattr(loop, "reader", lambda fd, read: None)
    return News(loop, gone.append)


def taken(table: str, verb: Msg = Msg.DELRULE) -> bytes:
    return messages.message(verb, 0, messages.text(1, table))


def test_each_table_is_told_once_a_turn(
    monkeypatch: pytest.MonkeyPatch, gone: list[str]
) -> None:  # fmt: skip
    sock = Socket(
        taken("one"), taken("two", Msg.DELTABLE) + taken("one", Msg.DELCHAIN), taken("one")
    )
    heard = news(monkeypatch, gone, sock)
    assert sock.bound == (0, 1 << 6), "the group of nftables alone"
    heard._read()
    assert sorted(gone) == ["one", "two"]
    heard._read()
    assert len(gone) == 2, "nothing is told again"


def test_what_is_added_is_no_loss(monkeypatch: pytest.MonkeyPatch, gone: list[str]) -> None:
    news(monkeypatch, gone, Socket(taken("one", Msg.NEWRULE), taken("one", Msg.NEWTABLE)))._read()
    assert not gone


@pytest.mark.parametrize(
    "bad", [OSError(errno.ENOBUFS, "no room"), b"\x07\0\0\0" + bytes(12)], ids=["lost", "malformed"]
)
def test_lost_news_are_of_no_table_and_of_any(
    monkeypatch: pytest.MonkeyPatch, gone: list[str], bad: bytes | OSError
) -> None:
    news(monkeypatch, gone, Socket(bad, taken("one")))._read()
    assert sorted(gone) == ["", "one"]


def test_endless_news_do_not_hold_the_loop(
    monkeypatch: pytest.MonkeyPatch, gone: list[str]
) -> None:  # fmt: skip
    sock = Socket(*[taken("one")] * 1000)
    news(monkeypatch, gone, sock)._read()
    assert 900 < len(sock.events) < 1000 and gone == ["one"]


def test_where_it_may_not_hear_that_is_said(
    monkeypatch: pytest.MonkeyPatch, gone: list[str]
) -> None:  # fmt: skip
    sock = Socket()

    def refuse(where: tuple[int, int]) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    sock.bind = refuse  # type: ignore[method-assign]
    with pytest.raises(ApplicationError, match="events of nftables: Operation not permitted"):
        news(monkeypatch, gone, sock)
    assert sock.closed


def test_who_hears_no_more_gives_the_socket_back(
    monkeypatch: pytest.MonkeyPatch, gone: list[str]
) -> None:  # fmt: skip
    sock = Socket()
    news(monkeypatch, gone, sock).close()
    assert sock.closed
