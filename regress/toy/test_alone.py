"""What comes later and what carries datagrams, without an exchange: an echo, and neighbours."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path as FilePath
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isakmp.errors import IsakmpError
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from isakmp.path import Path
from isakmp.transport.memory import Memory
from isakmp.transport.udp import Udp
from regress.toy.echo import TIMES, WAITING_MAX, Echo
from regress.toy.neighbour import MAGIC, NEIGHBOURS_MAX, Neighbour

ROOT = FilePath(__file__).resolve().parents[2]
WEST, EAST = ip_address("127.7.9.21"), ip_address("127.7.9.22")
PORT = 7912
TO_EAST, TO_WEST = Path(WEST, PORT, EAST, PORT), Path(EAST, PORT, WEST, PORT)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


# --- an echo, over the transports ------------------------------------------------------------


class Pair:
    """Two echoes in memory; seed: of what is lost, a third, None: nothing; all: everything is."""

    def __init__(self, seed: int | None, *, all: bool = False) -> None:
        self.clock, self.sent = Clock(), 0
        self.timers, self._dice = Timers(self.clock), Random(seed)
        self._share = 1.0 if all else 0.0 if seed is None else 0.3
        self.near = Memory(lambda path, data: self._carry(self.far, TO_WEST, data))
        self.far = Memory(lambda path, data: self._carry(self.near, TO_EAST, data))
        self.west, self.east = Echo(self.near, self.timers), Echo(self.far, self.timers)

    def _carry(self, to: Memory, path: Path, data: bytes) -> None:
        self.sent += 1
        if self._dice.random() >= self._share:
            self.timers.add("wire", 0.01, to.receive, path, data)

    def run(self, seconds: float) -> None:
        for _ in range(int(seconds * 100)):
            self.clock.now += 0.01
            self.timers.run()


def test_an_echo_in_memory() -> None:
    pair = Pair(None)
    job = pair.west.ask(TO_EAST, b"hello")
    pair.run(1)
    assert job.result == b"hello" and pair.sent == 2
    pair.run(10)
    assert not pair.west.waiting and not pair.timers.pending()


@pytest.mark.parametrize("seed", range(20))
def test_an_echo_over_a_bad_network(seed: int) -> None:
    pair = Pair(seed)
    jobs = [pair.west.ask(TO_EAST, bytes([number])) for number in range(20)]
    pair.run(10)
    assert all(job.done for job in jobs) and not pair.west.waiting
    good = [number for number, job in enumerate(jobs) if job.error is None]
    assert len(good) > 10 and all(jobs[number].result == bytes([number]) for number in good)


def test_what_nobody_echoes_fails_in_the_end() -> None:
    pair = Pair(None, all=True)
    jobs = [pair.west.ask(TO_EAST, b"hello") for _ in range(WAITING_MAX + 1)]
    assert isinstance(jobs[-1].error, IsakmpError) and len(pair.west.waiting) == WAITING_MAX
    pair.run(10)
    assert all(isinstance(job.error, IsakmpError) for job in jobs)
    assert pair.sent == TIMES * WAITING_MAX
    assert not pair.timers.pending()


@given(data=st.binary(max_size=40))
def test_an_echo_takes_any_octets(data: bytes) -> None:
    pair = Pair(None)
    job = pair.west.ask(TO_EAST, b"hello")
    pair.near.receive(TO_EAST, data)
    pair.run(1)
    assert job.done


def test_an_echo_over_sockets() -> None:
    clock = Clock()
    loop = Loop(Timers(clock))
    log = Log(clock, lambda line: None)
    with ExitStack() as stack:
        udps = [Udp(loop, log, listen=[each], port=PORT, nat_t_port=0) for each in (WEST, EAST)]
        for udp in udps:
            stack.callback(udp.close)
        west, _ = (Echo(udp, loop.timers) for udp in udps)
        job = west.ask(TO_EAST, b"hello")
        for _ in range(50):
            if job.done:
                break
            loop.turn(0.1)
        assert job.result == b"hello"


# --- neighbours, over any link ---------------------------------------------------------------


class Link:
    """A pair of sockets, with one neighbour at its near end, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.loop = Loop(Timers(self.clock))
        self.near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.west = Neighbour("west", self.loop, self.near, self.near.send)

    def run(self, seconds: float) -> None:
        for _ in range(int(seconds * 10)):
            self.clock.now += 0.1
            self.loop.turn(0)
            self.loop.turn(0)


@pytest.fixture
def link() -> Iterator[Link]:
    link = Link()
    with link.near, link.far:
        yield link


def test_two_neighbours_meet_and_part(link: Link) -> None:
    """Over a pair of sockets."""
    met = link.west.met("east")
    link.run(2)
    assert not met.done
    east = Neighbour("east", link.loop, link.far, link.far.send)
    link.run(5)
    assert met.done and set(link.west.there) == {"east"} and set(east.there) == {"west"}
    assert link.west.met("east").done
    east.leave()
    link.run(1.5)
    assert set(link.west.there) == {"east"}, "a frame or two may be lost"
    link.run(3)
    assert not link.west.there
    link.west.leave()
    assert not link.loop.timers.pending()


def test_how_many_neighbours_there_are_is_bounded(link: Link) -> None:
    for number in range(100):
        link.far.send(MAGIC + b"%d" % number)
        link.run(0.1)
    assert len(link.west.there) <= NEIGHBOURS_MAX


def test_frames_of_others_are_nothing(link: Link) -> None:
    dice = Random(1)
    for size in range(64):
        link.far.send(dice.randbytes(size) or b"?")
        link.run(0.1)
    link.far.send(MAGIC + b"x" * 100)
    link.far.send(MAGIC + b"west")
    link.run(0.5)
    assert not link.west.there


def test_two_neighbours_meet_over_packet_sockets() -> None:
    """In a network namespace of its own, with a wire between two interfaces."""
    script = (
        "ip link add west type veth peer name east && ip link set west up && "
        f"ip link set east up && exec {sys.executable} -m regress.toy.neighbour west east"
    )
    enter = ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*enter, "true"], capture_output=True).returncode:
        pytest.skip("no network namespaces: the neighbours have met over a pair of sockets only")
    done = subprocess.run(
        [*enter, "sh", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "west and east have met, and east has left\n", done.stderr
    assert done.returncode == 0


# --- alone -----------------------------------------------------------------------------------


def test_neither_they_nor_what_they_need_know_of_exchanges() -> None:
    """Whatever is loaded for them, in a process that has nothing else."""
    modules = sorted(
        f"isakmp.{folder}.{path.stem}"
        for folder in ("event", "transport") for path in (ROOT / "isakmp" / folder).glob("[!_]*.py")
    )  # fmt: skip
    assert len(modules) >= 9
    script = (
        f"import sys, {', '.join(modules)}, regress.toy.echo, regress.toy.neighbour\n"
        "print(*(name for name in sys.modules if name.startswith('isakmp.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert set(modules) <= loaded
    rooms = {name.split(".")[1] for name in loaded}
    assert rooms == {
        "causes", "conf", "constants", "errors", "event", "log", "path", "policy", "privilege",
        "transport",
    }  # fmt: skip
    assert {name for name in loaded if name.startswith("isakmp.conf.")} == {"isakmp.conf.values"}
