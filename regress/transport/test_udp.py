"""UDP over loopback: addresses come with datagrams and go with answers; errors are no end."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest

from isakmp.errors import ConfError
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from isakmp.path import Path
from isakmp.transport import udp as module
from isakmp.transport.netif import interface, source
from isakmp.transport.udp import Udp

LOCALHOST, SIX = ip_address("127.0.0.1"), ip_address("::1")


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Setup:
    """A transport on two free ports, and what it got."""

    def __init__(self, **options: Any) -> None:
        self.loop = Loop(Timers(lambda: 0.0))
        self.lines: list[str] = []
        self.port, self.nat_t_port = free_port(), free_port()
        chosen = {"listen": [LOCALHOST], "families": (4, 6), **options}
        self.udp = Udp(self.loop, Log(lambda: 0.0, self.lines.append), port=self.port,
                       nat_t_port=chosen.pop("nat_t_port", self.nat_t_port), **chosen)  # fmt: skip
        self.got: list[tuple[str, Path, bytes]] = []
        self.udp.start(lambda p, d: self.got.append(("ike", p, d)),
                       lambda p, d: self.got.append(("esp", p, d)))  # fmt: skip

    def turn(self, count: int = 1) -> None:
        for _ in range(50):
            if len(self.got) >= count:
                return
            self.loop.turn(0.1)


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


@pytest.mark.parametrize("listen", [[LOCALHOST], None])
def test_there_and_back(listen: Any, peer: socket.socket) -> None:
    """RFC 2408 2.5.1."""
    setup = Setup(listen=listen, families=(4,))
    try:
        peer.sendto(b"hello", ("127.0.0.1", setup.port))
        setup.turn()
        ((kind, path, data),) = setup.got
        assert (kind, data) == ("ike", b"hello")
        assert path == Path(LOCALHOST, setup.port, LOCALHOST, peer.getsockname()[1], False)
        setup.udp.send(path, b"answer")
        assert peer.recvfrom(100) == (b"answer", ("127.0.0.1", setup.port))
        assert setup.udp.describe()[-1] == {
            "transport": "udp", "sent": 1, "received": 1, "send_failed": 0
        }  # fmt: skip
    finally:
        setup.udp.close()


def test_an_answer_comes_from_the_address_that_was_asked(peer: socket.socket) -> None:
    setup = Setup(listen=None, families=(4,))
    try:
        peer.sendto(b"hello", ("127.0.0.5", setup.port))
        setup.turn()
        path = setup.got[0][1]
        assert str(path.local) == "127.0.0.5"
        setup.udp.send(path, b"answer")
        assert peer.recvfrom(100)[1][0] == "127.0.0.5"
    finally:
        setup.udp.close()


@pytest.mark.parametrize("to", ["127.255.255.255", "224.0.0.1"])
def test_what_comes_to_everybody_on_a_link_is_dropped(to: str, peer: socket.socket) -> None:
    """No answer can be sent from there: each such datagram made a warning of the host's."""
    setup = Setup(listen=None, families=(4,))
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    peer.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, LOCALHOST.packed)
    try:
        peer.sendto(b"hello", (to, setup.port))
        peer.sendto(b"hello", ("127.0.0.1", setup.port))
        setup.turn()
        assert [path.local for _, path, _ in setup.got] == [LOCALHOST]
    finally:
        setup.udp.close()


class Stranger:
    """A socket with one datagram that has come from port 0."""

    def __init__(self, local: bytes) -> None:
        self.said = [
            (b"hello", [(socket.IPPROTO_IP, 8, bytes(4) + 2 * local)], 0, ("192.0.2.9", 0))
        ]

    def recvmsg(self, *sizes: int) -> Any:
        if not self.said:
            raise BlockingIOError
        return self.said.pop()


def test_what_comes_from_no_port_is_dropped() -> None:
    """Anybody can send it, and no answer gets there."""
    setup, got = Setup(), list[bytes]()
    sock: Any = Stranger(LOCALHOST.packed)
    try:
        setup.udp._receive(sock, 4, setup.port, False, lambda _, data: got.append(data), print)
        assert not got and not sock.said
    finally:
        setup.udp.close()


def test_the_nat_traversal_port(peer: socket.socket) -> None:
    """RFC 2408 2.5.1."""
    setup = Setup()
    try:
        for data in (bytes(4) + b"ike", b"\0\0\1\0" + bytes(12), b"\xff", b"end of it"):
            peer.sendto(data, ("127.0.0.1", setup.nat_t_port))
        setup.turn(3)
        assert [(k, d) for k, _, d in setup.got] == [
            ("ike", b"ike"), ("esp", b"\0\0\1\0" + bytes(12)), ("esp", b"end of it"),
        ]  # fmt: skip
        path = setup.got[0][1]
        assert path.encap
        setup.udp.send(path, b"x")
        setup.udp.send_raw(path, b"\xff")
        assert [peer.recv(100), peer.recv(100)] == [bytes(4) + b"x", b"\xff"]
    finally:
        setup.udp.close()


def test_each_socket_is_shown_with_whether_esp_comes_in_there() -> None:
    setup, shown = Setup(), []
    try:
        setup.udp.prepare(lambda sock, encap: shown.append((sock.getsockname()[1], encap)))
        assert sorted(shown) == sorted([(setup.port, False), (setup.nat_t_port, True)])
    finally:
        setup.udp.close()


def test_ipv6() -> None:
    if not socket.has_ipv6 or source(SIX) is None:
        pytest.skip("this host has no IPv6 loopback address")
    setup = Setup(listen=[SIX])
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.sendto(b"six", ("::1", setup.port))
            setup.turn()
            assert setup.got[0][1].local == SIX
            setup.udp.send(setup.got[0][1], b"back")
            assert sock.recv(10) == b"back"
    finally:
        setup.udp.close()


def test_a_port_that_is_taken_is_an_error_with_a_hint(peer: socket.socket) -> None:
    port = peer.getsockname()[1]
    loop, log = Loop(Timers(lambda: 0.0)), Log(lambda: 0.0, lambda line: None)
    with pytest.raises(
        ConfError,
        match=rf"\[General\]:Listen-on: cannot listen on 127.0.0.1 port {port}"
        ".*another IKE.*Listen-on.*-p",
    ):
        Udp(loop, log, listen=[LOCALHOST], port=port, nat_t_port=0)
    with pytest.raises(ConfError, match="cannot listen on 192.0.2.77"):
        Udp(loop, log, listen=[ip_address("192.0.2.77")], port=free_port(), nat_t_port=0)


def test_a_host_without_that_family(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*args: object) -> socket.socket:
        raise OSError(97, "Address family not supported by protocol")

    loop, log = Loop(Timers(lambda: 0.0)), Log(lambda: 0.0, lambda line: None)
    monkeypatch.setattr(socket, "socket", none)
    with pytest.raises(ConfError, match="this host has no IPv4"):
        Udp(loop, log, port=500, nat_t_port=0, families=(4,))
    assert Udp(loop, log, port=500, nat_t_port=0, families=(6,)).describe() == [
        {"transport": "udp", "sent": 0, "received": 0, "send_failed": 0}
    ]


def test_addresses_for_which_no_descriptor_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    real, made = socket.socket, list[socket.socket]()
    port, nat_t_port = free_port(), free_port()

    def few(*args: int) -> socket.socket:
        if len(made) == 3:
            raise OSError(errno.EMFILE, "Too many open files")
        made.append(real(*args))
        return made[-1]

    loop, log = Loop(Timers(lambda: 0.0)), Log(lambda: 0.0, lambda line: None)
    monkeypatch.setattr(socket, "socket", few)
    addresses = [ip_address(f"127.0.0.{number}") for number in range(1, 9)]
    with pytest.raises(ConfError, match=r"Listen-on.*Too many open files.*LimitNOFILE"):
        Udp(loop, log, listen=addresses, port=port, nat_t_port=nat_t_port)
    assert [sock.fileno() for sock in made[:3]] == [-1, -1, -1], "what was had is given back"


def test_what_cannot_be_sent_is_counted_and_told() -> None:
    setup = Setup(nat_t_port=0)
    try:
        setup.udp.send(Path(LOCALHOST, setup.port, ip_address("192.0.2.9"), 0), b"x")
        setup.udp.send(Path(LOCALHOST, setup.port + 1, LOCALHOST, 9), b"x")
        setup.udp.send(Path(LOCALHOST, setup.port, LOCALHOST, 9), bytes(70000))
        assert setup.udp.counters["send_failed"] == 3
        assert any("no socket for 127.0.0.1" in line for line in setup.lines)
    finally:
        setup.udp.close()


def test_an_address_that_this_host_has_not_is_named() -> None:
    """A wrong Local-address: the log pointed at the peer."""
    setup = Setup(listen=None, families=(4,), nat_t_port=0)
    try:
        away = ip_address("192.0.2.77")
        setup.udp.send(Path(away, setup.port, LOCALHOST, 9), b"x")
        (line,) = setup.lines
        assert line.endswith(
            "cannot send from 192.0.2.77 to 127.0.0.1: no interface of this host has 192.0.2.77; "
            "mend: give it to one, or mend Local-address"
        )
        reason = setup.udp.unsent(Path(away, setup.port, LOCALHOST, 9))
        assert reason is not None and line.endswith(f"{reason.detail}; mend: {reason.mend}")
        assert setup.udp.unsent(Path(LOCALHOST, setup.port, LOCALHOST, 9)) is None
    finally:
        setup.udp.close()


def test_addresses_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = Setup(nat_t_port=0)
    try:
        monkeypatch.setattr(module, "_ADDRESSES_MAX", 10)
        for number in range(100):
            setup.udp._learn(number.to_bytes(4, "big"))
            setup.udp._learn(number.to_bytes(16, "big"))
            setup.udp._learn(f"192.0.2.{number}")
        assert len(setup.udp._addresses) <= 10
        learned = setup.udp._learn(LOCALHOST.packed)
        assert setup.udp._addresses[LOCALHOST.packed] is learned
    finally:
        setup.udp.close()


@pytest.mark.parametrize("text", ["192.0.2.1", "2001:db8::1", "fe80::1%lo", "::ffff:192.0.2.1"])
def test_an_address_is_learned_from_text_as_from_octets(text: str) -> None:
    setup = Setup(nat_t_port=0)
    try:
        plain = ip_address(text.partition("%")[0])
        assert setup.udp._learn(text) == setup.udp._learn(plain.packed) == plain
    finally:
        setup.udp.close()


def test_ways_to_send_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = Setup(listen=None, families=(4,), nat_t_port=0)
    try:
        monkeypatch.setattr(module, "_ADDRESSES_MAX", 10)
        for number in range(1, 100):
            local = ip_address(0x7F000000 + number)
            setup.udp.send(Path(local, setup.port, LOCALHOST, setup.port), b"x")
        assert 0 < len(setup.udp._ways) <= 10
    finally:
        setup.udp.close()
    assert not setup.udp._ways


def test_close_takes_the_sockets_from_the_loop() -> None:
    setup = Setup()
    setup.udp.close()
    assert not setup.loop._handlers
    assert len(setup.udp.describe()) == 1


def test_sources() -> None:
    assert source(LOCALHOST) == LOCALHOST
    assert source(ip_address("255.255.255.255")) is None


def test_interfaces() -> None:
    loopback = interface("lo", 4)
    assert loopback is None or str(loopback) == "127.0.0.1/8"
    assert interface("no-such-thing", 4) is None
    assert interface("no-such-thing", 6) is None
    default = interface("default", 4)
    assert default is None or default.version == 4
