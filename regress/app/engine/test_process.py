"""The key engine behind its sockets: clients, the relay, and a whole process."""

from __future__ import annotations

import os
import pwd
import resource
import select
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.app.base import Acquire, Expire, SpiRequest, Upcalls
from isakmp.app.engine import process
from isakmp.app.engine.process import Listener, RemoteUdp, listen
from isakmp.app.engine.relay import Datagram, Relay
from isakmp.app.engine.server import Server
from isakmp.app.pf_key import codec, link
from isakmp.app.pf_key.backend import PfKey
from isakmp.app.pf_key.constants import Type
from isakmp.app.pf_key.link import SocketLink, unix_socket
from isakmp.errors import ApplicationError
from isakmp.event.job import Job
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from regress.app.pf_key.fakes import (
    ESP,
    IN,
    IN_POLICY,
    NETS,
    OUT,
    OUT_POLICY,
    THEM,
    TUNNEL,
    US,
    WALL,
    FakeEngine,
    Heard,
    name_of,
)

TURNS = 200
REQUEST = SpiRequest(ESP, THEM, US, TUNNEL, 7)


class Place:
    """An engine's sockets and a daemon's back end on one loop, with a clock that tests set."""

    def __init__(self, folder: Path, make: Callable[[Upcalls], FakeEngine] = FakeEngine) -> None:
        self.clock = 0.0
        self.path = str(folder / "engine")
        self.timers = Timers(lambda: self.clock)
        self.loop = Loop(self.timers)
        self.heard = Heard()
        self.serve(make)
        self.app = PfKey(
            SocketLink(lambda: unix_socket(self.path), self.loop, self.timers),
            self.timers,
            wall=lambda: WALL,
        )

    def serve(self, make: Callable[[Upcalls], FakeEngine] = FakeEngine) -> None:
        self.server = Server(make, lambda: WALL)
        self.udp = RemoteUdp(self.loop)
        self.listener = Listener(self.path, self.server, self.udp, self.loop)

    def until(self, done: Callable[[], object]) -> None:
        for _ in range(TURNS):
            if done():
                return
            self.loop.turn(0.01)
        raise AssertionError("it did not happen")

    def result(self, job: Job):  # type: ignore[no-untyped-def,type-arg]
        self.until(lambda: job.done)
        if job.error:
            raise job.error
        return job.result

    def close(self) -> None:
        self.app.close()
        self.listener.close()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    # Both ends are on one loop: while one of them stands still, the other has no answer for it.
    monkeypatch.setattr(link, "WAIT_S", 0.0)
    place = Place(tmp_path)
    yield place
    place.close()
    assert not list(tmp_path.iterdir())


def test_a_handshake_over_a_socket(place: Place) -> None:
    place.app.start(place.heard)
    spi = place.result(place.app.get_spi(REQUEST))
    jobs = [
        place.app.update_sa(IN._replace(spi=spi)),
        place.app.add_sa(OUT),
        place.app.add_policy(OUT_POLICY),
        place.app.add_policy(IN_POLICY),
    ]
    assert [place.result(job) for job in jobs] == [None, None, 1, 2]
    assert place.result(place.app.usage(name_of(OUT))).packets == 3
    events = [Acquire(7, NETS, US, THEM), Expire(name_of(OUT), True)]
    place.server.acquire(events[0])
    place.server.expire(events[1])
    place.until(lambda: len(place.heard.events) == 2)
    assert place.heard.events == events
    with pytest.raises(ApplicationError, match="SPI in use"):
        place.result(place.app.add_sa(OUT))


def test_sockets_are_ours_alone(place: Place) -> None:
    for path in (place.path, place.path + ".esp"):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_a_path_in_use_and_a_stale_one(place: Place, tmp_path: Path) -> None:
    with pytest.raises(ApplicationError, match="somebody listens"):
        listen(place.path)
    with pytest.raises(ApplicationError, match="somebody listens"):
        Listener(place.path, place.server, place.udp, place.loop)
    plain = tmp_path / "plain"
    plain.write_text("mine")
    with pytest.raises(ApplicationError, match="no socket"):
        listen(str(plain))
    assert plain.read_text() == "mine"
    plain.unlink()
    missing = tmp_path / "missing"
    me = pwd.getpwuid(os.geteuid()).pw_name
    with pytest.raises(ApplicationError, match=f"No such file.*; install -d -o {me} {missing}$"):
        listen(str(missing / "x"))
    stale = str(tmp_path / "stale")
    listen(stale).close()
    listen(stale).close()
    os.unlink(stale)


def test_a_half_taken_pair_of_paths_is_given_back(place: Place, tmp_path: Path) -> None:
    (tmp_path / "other.esp").mkdir()
    with pytest.raises(ApplicationError):
        Listener(str(tmp_path / "other"), place.server, place.udp, place.loop)
    assert not (tmp_path / "other").exists()
    (tmp_path / "other.esp").rmdir()


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """The process may open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("end", ["", ".esp"])
def test_without_descriptors_it_waits_and_does_not_spin(place: Place, end: str) -> None:
    """Who waits at the socket makes it ready again at once; it is asked again after a while."""
    before = len(place.listener.connections)
    with unix_socket(place.path + end):
        with no_descriptor_left():
            for _ in range(TURNS):
                place.loop.turn(0.0)
            assert place.listener.refused == 1
        place.loop.turn(0.0)
        assert len(place.listener.connections) == before
        place.clock += process.ACCEPT_AGAIN_S
        place.until(lambda: place.udp._relay if end else len(place.listener.connections) > before)


def test_a_full_backlog_stops_nobody(tmp_path: Path) -> None:
    """An engine that is stopped takes nobody in; the daemon goes on, and tries again."""
    path = str(tmp_path / "engine")
    with listen(path), ExitStack() as waiting, pytest.raises(BlockingIOError):
        for _ in range(1000):
            waiting.enter_context(unix_socket(path))


def test_nobody_there(tmp_path: Path) -> None:
    timers = Timers(lambda: 0.0)
    missing = SocketLink(lambda: unix_socket(str(tmp_path / "x")), Loop(timers), timers)
    with pytest.raises(ApplicationError, match="cannot reach"):
        PfKey(missing, timers, wall=lambda: WALL).start(Heard())
    with pytest.raises(ApplicationError, match="down"):
        missing.send(b"")


def test_an_engine_that_dies_and_comes_back(place: Place) -> None:
    place.app.start(place.heard)
    place.result(place.app.add_sa(OUT))
    waiting = place.app.get_spi(REQUEST)
    place.listener.close()
    with pytest.raises(ApplicationError, match="link to the IPsec stack is lost"):
        place.result(waiting)
    with pytest.raises(ApplicationError, match="down"):
        place.result(place.app.add_sa(OUT))
    place.clock += link.RETRY_S
    place.loop.turn(0)
    assert (len(place.heard.lost), place.heard.restarts) == (1, 0)
    place.serve()
    place.clock += link.RETRY_S
    place.until(lambda: place.heard.restarts)
    assert len(place.heard.lost) == 1
    place.result(place.app.add_sa(OUT))
    assert list(place.server.engine.sas()) == [OUT]


def test_close_stops_the_retries(place: Place) -> None:
    place.app.start(place.heard)
    place.listener.close()
    place.until(lambda: place.heard.lost)
    place.app.close()
    assert not place.timers.pending()


def test_a_slow_client_is_dropped_and_others_are_not(place: Place) -> None:
    place.app.start(place.heard)
    slow = unix_socket(place.path)
    slow.send(codec.message(Type.REGISTER, 3, 1, 1))
    place.until(lambda: len(place.listener.connections) == 2)
    place.until(lambda: select.select([slow], [], [], 0)[0])
    sent = 0
    while len(place.listener.connections) == 2:
        assert sent < 100_000
        place.server.acquire(Acquire(7, NETS, US, THEM))
        place.loop.turn(0)
        sent += 1
    assert place.result(place.app.get_spi(REQUEST)) == 0x1001
    place.until(lambda: len(place.heard.events) == sent)
    slow.close()


def test_a_long_dump_waits_for_its_reader(place: Place) -> None:
    count = 10_000
    for spi in range(0x1000, 0x1000 + count):
        place.server.engine.add(OUT._replace(spi=spi))
    with unix_socket(place.path) as client:
        client.setblocking(False)
        client.send(codec.message(Type.DUMP, 0, 1, 1))
        place.until(lambda: place.listener.connections)
        for _ in range(20):
            place.loop.turn(0)
        assert place.listener.connections[0]._octets < 4096
        seen = 0
        while seen < count:
            place.loop.turn(0.01)
            while select.select([client], [], [], 0)[0]:
                seen += 1
                assert codec.parse(client.recv(65536)).seq == count - seen
    place.until(lambda: not place.listener.connections)


def test_dumps_in_waiting_are_bounded(place: Place) -> None:
    for spi in range(0x1000, 0x2000):
        place.server.engine.add(OUT._replace(spi=spi))
    with unix_socket(place.path) as client:
        with pytest.raises(BrokenPipeError):
            for _ in range(process.MOST_CLIENTS + 3):
                client.send(codec.message(Type.DUMP, 0, 1, 1))
                place.loop.turn(0.01)
        assert not place.listener.connections


def test_clients_are_few(place: Place) -> None:
    clients = [unix_socket(place.path) for _ in range(process.MOST_CLIENTS)]
    place.until(lambda: len(place.listener.connections) == process.MOST_CLIENTS)
    with unix_socket(place.path) as late:
        place.until(lambda: place.listener.refused)
        assert late.recv(1) == b""
    for client in clients:
        client.close()
    place.until(lambda: not place.listener.connections)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=100), max_size=20))
def test_random_messages_at_the_sockets(messages: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        with unix_socket(place.path) as client, unix_socket(place.path + ".esp") as relay:
            for data in messages:
                client.send(data)
                relay.send(data)
            for _ in range(3):
                place.loop.turn(0)
        place.close()


def test_esp_in_udp_goes_through_the_relay(place: Place) -> None:
    got: list[tuple[object, ...]] = []
    place.udp.esp_in = lambda *packet: got.append(packet)
    place.udp.send_udp(b"early", US, 4500, THEM, 4500)
    assert place.udp.counters == {"no daemon": 1}
    back: list[Datagram] = []
    ended: list[bool] = []
    sock = unix_socket(place.path + ".esp")
    daemon = Relay(sock, place.loop, back.append, lambda: ended.append(True))
    daemon.send(Datagram(b"an ESP packet", THEM, US, 4500, 4501, 3))
    sock.send(b"nonsense")
    place.until(lambda: got)
    assert got == [(b"an ESP packet", THEM, US, (4500, 4501), 3)]
    place.udp.send_udp(b"another", US, 4501, THEM, 4500)
    place.until(lambda: back)
    assert back == [Datagram(b"another", US, THEM, 4501, 4500)]
    second = unix_socket(place.path + ".esp")
    place.until(lambda: ended)
    second.close()
    place.until(lambda: place.udp._relay is None)
    daemon.send(Datagram(b"late", THEM, US, 1, 2))
    assert daemon.dropped == 1
