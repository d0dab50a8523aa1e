"""What the tables let in and what they drop, by packets on the wire between two namespaces."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import count

import pytest

from isakmp.app.base import Action, Direction, PolicySpec
from isakmp.app.engine.wire import MARK
from isakmp.app.nft import messages
from isakmp.app.nft.link import Link
from isakmp.app.nft.tables import Tables
from isakmp.errors import ApplicationError
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from isakmp.policy.spd import OPAQUE_PORTS, Selector
from regress.app.guards import inside
from regress.app.nft.packets import datagram, fragments, icmp, ipv6, options, udp
from regress.interop.namespace import Namespace, wire
from regress.interop.needs import missing
from regress.leak.sniffer import NOBODY, put

HERE, THERE, BEHIND = "fd10:1::1", "fd10:2::1", "fd10:1::7"
GATE, FAR_GATE = "fd77::1", "fd77::2"
NUMBERS = count(1000)
Site = tuple[Namespace, Namespace]


@dataclass
class Guarded:
    """Tables in a namespace, on a clock of their own."""

    namespace: Namespace
    number: int = field(default_factory=lambda: next(NUMBERS))
    device: str = "isakmp0"
    now: float = 0.0
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.timers = Timers(lambda: self.now)
        self.loop = Loop(self.timers)
        with inside(self.namespace):
            log = Log(lambda: self.now, self.said.append)
            self.tables = Tables(self.loop, log, self.number, self.device, MARK)

    def add(
        self, selector: Selector, action: Action = Action.DISCARD,
        direction: Direction = Direction.IN,
    ) -> None:  # fmt: skip
        self.tables.add(PolicySpec(direction, selector, action))
        self.turn()

    def delete(self, selector: Selector, direction: Direction = Direction.IN) -> None:
        self.tables.delete(PolicySpec(direction, selector))
        self.turn()

    def turn(self) -> None:
        """What is due soon."""
        self.now += 1
        self.timers.run()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    if reason := missing():
        pytest.skip(reason)
    with wire(nat=False) as (a, b):
        a.shell(
            f"ip -6 neigh replace fd77::fd lladdr {NOBODY} dev veth0 nud permanent &&"
            f" ip -6 route add {BEHIND}/128 via fd77::fd"
        )
        yield a, b


@contextmanager
def guarded(site: Site, device: str = "isakmp0") -> Iterator[Guarded]:
    """Tables at a, gone at the end as after an orderly one."""
    one = Guarded(site[0], device=device)
    try:
        yield one
    finally:
        for direction, selector in list(one.tables._specs):
            one.delete(selector, direction)
        one.tables.sweep()
        one.tables.close()
    assert one.said == []
    assert names(site[0], one.number) == []


def names(namespace: Namespace, number: int) -> list[str]:
    with inside(namespace):
        link = Link()
    found = [name for name in link.tables() if f"{number:016x}" in name]
    link.close()
    return found


def taken(site: Site, *packets: bytes) -> int:
    """How many of the packets reach UDP or ICMP of a, or are sent on from there."""
    before = _counted(site[0])
    with site[0].packet_socket("veth0") as tap:
        put(site[1], site[0], list(packets))
        time.sleep(0.05)
        return _counted(site[0]) - before + _sent_on(tap)


def sent(site: Site, *packets: bytes, mark: int = 0) -> int:
    """How many of the packets for BEHIND leave a, which has made them."""
    with inside(site[0]):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with sock, site[0].packet_socket("veth0") as tap:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        for packet in packets:
            with suppress(PermissionError):  # so a drop is told
                sock.sendto(packet, (BEHIND, 0))
        return _sent_on(tap)


def _counted(namespace: Namespace) -> int:
    lines = namespace.run("cat", "/proc/net/snmp6").stdout.splitlines()
    numbers = {name: int(value) for name, value in map(str.split, lines)}
    return sum(numbers[name] for name in ("Udp6InDatagrams", "Udp6NoPorts", "Icmp6InEchos"))


def _sent_on(tap: socket.socket) -> int:
    tap.setblocking(False)
    found = 0
    with suppress(BlockingIOError):
        while True:
            frame, (_, _, kind, *_) = tap.recvfrom(2048)
            found += kind == socket.PACKET_OUTGOING and frame[38:54] == _packed(BEHIND)
    return found


def nets(
    protocol: int = 0, src_port: int = 0, dst_port: int = 0, src_last: int | None = None,
    dst_last: int | None = None,
) -> Selector:  # fmt: skip
    made = Selector.of("fd10:2::/64", "fd10:1::/64", protocol, src_port, dst_port)
    return made._replace(src_last=src_last, dst_last=dst_last)


HIDING = fragments(THERE, HERE, 60, options(17) + datagram(THERE, HERE, 9, 99), 8)
PIECES = fragments(THERE, HERE, 17, datagram(THERE, HERE, 9, 99, 24), 16)
PASSES, DROPPED = True, False
CASES = [
    (nets(), udp(THERE, HERE, 9, 99), DROPPED),
    (nets(), udp(THERE, BEHIND, 9, 99), DROPPED),
    (nets(), udp("fd10:3::1", HERE, 9, 99), PASSES),
    (nets(), udp("fd10:3::1", BEHIND, 9, 99), PASSES),
    (nets(), udp(THERE, GATE, 9, 99), PASSES),
    (nets(), icmp(THERE, HERE, 128), DROPPED),
    (Selector.of("::/0", "fd10:1::/64"), udp("2001:db8::1", HERE, 9, 99), DROPPED),
    (Selector.of("fd10:2::/63", "fd10:1::/64"), udp("fd10:2:0:1::1", HERE, 9, 99), DROPPED),
    (Selector.of("fd10:2::/63", "fd10:1::/64"), udp("fd10:2:0:2::1", HERE, 9, 99), PASSES),
    (nets(protocol=17), udp(THERE, HERE, 9, 99), DROPPED),
    (nets(protocol=6), udp(THERE, HERE, 9, 99), PASSES),
    (nets(protocol=17, dst_port=99), udp(THERE, HERE, 9, 99), DROPPED),
    (nets(protocol=17, dst_port=99), udp(THERE, HERE, 99, 9), PASSES),
    (nets(protocol=17, src_port=9, src_last=12), udp(THERE, HERE, 12, 99), DROPPED),
    (nets(protocol=17, src_port=9, src_last=12), udp(THERE, HERE, 13, 99), PASSES),
    (nets(protocol=58, src_port=128), icmp(THERE, HERE, 128), DROPPED),
    (nets(protocol=58, src_port=129), icmp(THERE, HERE, 128), PASSES),
    (nets(protocol=58, src_port=128, dst_port=1, dst_last=9), icmp(THERE, HERE, 128), PASSES),
]  # fmt: skip


@pytest.mark.parametrize(("selector", "packet", "passes"), CASES, ids=range(len(CASES)))
def test_a_packet_meets_a_policy(
    site: Site, selector: Selector, packet: bytes, passes: bool
) -> None:
    with guarded(site) as one:
        assert taken(site, packet) == 1, "without a policy it is taken"
        one.add(selector)
        assert taken(site, packet) == passes


def behind(packet: bytes) -> bytes:
    """The same packet, for who is behind a."""
    return packet.replace(_packed(HERE), _packed(BEHIND))


LEAVING = [
    case for case in CASES if case[1][24:40] in (ip_address(HERE).packed, ip_address(BEHIND).packed)
]


@pytest.mark.parametrize(("selector", "packet", "passes"), LEAVING, ids=range(len(LEAVING)))
def test_what_leaves_meets_a_policy(
    site: Site, selector: Selector, packet: bytes, passes: bool
) -> None:
    packet = behind(packet)
    with guarded(site) as one:
        assert sent(site, packet) == 1, "without a policy it goes"
        one.add(selector, direction=Direction.OUT)
        assert sent(site, packet) == passes
        assert taken(site, packet) == passes, "nor does it leave for who is behind us"
        assert sent(site, packet, mark=MARK) == 1, "what we send ourselves is ESP, or IKE"


def test_neighbours_are_found_where_all_that_leaves_is_protected(site: Site) -> None:
    a, b = site
    with guarded(site) as one:
        one.add(Selector.of("::/0", "::/0"), direction=Direction.OUT)
        for host in site:
            host.shell("ip -6 neigh flush dev veth0")
        b.run("ping", "-c1", "-W1", GATE)
        known = b.run("ip", "-6", "neigh", "show", GATE, "dev", "veth0").stdout
        assert "lladdr" in known, known
        assert sent(site, icmp(HERE, BEHIND, 143)) == 1
        assert sent(site, icmp(HERE, BEHIND, 128)) == 0
        assert a.run("ping", "-c1", "-W1", HERE).returncode == 0, "loopback is the host's own"


def test_what_goes_by_the_engines_device_is_the_engines_to_judge(site: Site) -> None:
    with guarded(site, device="veth0") as one:
        one.add(nets(), direction=Direction.OUT)
        assert sent(site, udp(THERE, BEHIND, 9, 99)) == 1


def test_a_bypass_leaves_in_clear(site: Site) -> None:
    with guarded(site) as one:
        one.add(nets(), direction=Direction.OUT)
        one.add(nets(protocol=17, dst_port=53), Action.BYPASS, Direction.OUT)
        assert sent(site, udp(THERE, BEHIND, 9, 53)) == 1
        assert sent(site, udp(THERE, BEHIND, 9, 99)) == 0
        assert taken(site, udp(THERE, HERE, 9, 99)) == 1, "what comes is another matter"


@pytest.mark.parametrize("ports", [{"dst_port": 99}, {}], ids=["ports", "protocol"])
@pytest.mark.parametrize("packets", [PIECES, HIDING], ids=["plain", "hidden"])
def test_fragments_are_no_way_out(site: Site, ports: dict[str, int], packets: list[bytes]) -> None:
    first = behind(packets[0])
    with guarded(site) as one:
        assert sent(site, first) == 1
        one.add(nets(protocol=17, **ports), direction=Direction.OUT)
        assert sent(site, first) == 0


@pytest.mark.parametrize("ports", [{"dst_port": 99}, {}], ids=["ports", "protocol"])
@pytest.mark.parametrize("packets", [PIECES, HIDING], ids=["plain", "hidden"])
def test_fragments_are_no_way_in(site: Site, ports: dict[str, int], packets: list[bytes]) -> None:
    with guarded(site) as one:
        assert taken(site, *packets) <= 1  # a kernel may refuse the second kind itself
        one.add(nets(protocol=17, **ports))
        assert taken(site, *packets) == 0
        assert taken(site, behind(packets[0])) == 0, "nor is the first of them sent on"


def _packed(address: str) -> bytes:
    return ipv6(address, address, 0, b"")[8:24]


def test_later_fragments_alone_are_dropped_where_ports_are_opaque(site: Site) -> None:
    first, last = OPAQUE_PORTS
    opaque = nets(protocol=17, src_port=first, src_last=last, dst_port=first, dst_last=last)
    behind = fragments(THERE, BEHIND, 17, datagram(THERE, BEHIND, 9, 99, 24), 16)
    with guarded(site) as one:
        assert taken(site, *behind) == 2
        one.add(opaque)
        assert taken(site, *behind) == 1
        assert taken(site, udp(THERE, HERE, 9, 99)) == 1


def test_a_bypass_comes_before_what_was_there_first(site: Site) -> None:
    with guarded(site) as one:
        one.add(nets())
        one.add(nets(protocol=17, dst_port=53), Action.BYPASS)
        packets = [udp(THERE, HERE, 9, 53), udp(THERE, BEHIND, 9, 53)]
        assert taken(site, *packets) == 2
        assert taken(site, udp(THERE, HERE, 9, 99), icmp(THERE, HERE, 128)) == 0
        one.add(nets(protocol=17, dst_port=53))
        assert taken(site, *packets) == 0, "it is none any more"


def test_what_comes_by_the_engines_device_is_the_engines_to_judge(site: Site) -> None:
    with guarded(site, device="veth0") as one:
        one.add(nets())
        assert taken(site, udp(THERE, HERE, 9, 99), udp(THERE, BEHIND, 9, 99)) == 2


def test_loopback_is_the_hosts_own(site: Site) -> None:
    with guarded(site) as one:
        one.add(Selector.of("::/0", "::/0"))
        assert site[0].run("ping", "-c1", "-W1", HERE).returncode == 0


def test_ike_esp_and_neighbour_discovery_between_the_gateways(site: Site) -> None:
    """All between two hosts is protected, their own messages apart."""
    a, b = site
    with guarded(site) as one:
        one.add(Selector.of(FAR_GATE, GATE))
        one.tables.listens(1500)
        one.turn()
        for port in (500, 4500, 1500):
            pieces = fragments(FAR_GATE, GATE, 17, datagram(FAR_GATE, GATE, 7, port, 24), 16)
            assert taken(site, udp(FAR_GATE, GATE, 7, port)) == 1
            assert taken(site, *pieces) == 1
        assert taken(site, udp(FAR_GATE, GATE, 500, 7), icmp(FAR_GATE, GATE, 128)) == 0
        for host in site:
            host.shell("ip -6 neigh flush dev veth0")
        a.run("ping", "-c1", "-W1", FAR_GATE)
        for host, far in ((a, FAR_GATE), (b, GATE)):
            known = host.run("ip", "-6", "neigh", "show", far, "dev", "veth0").stdout
            assert "lladdr" in known, known


def test_esp_is_let_in(site: Site) -> None:
    with guarded(site) as one:
        one.add(Selector.of(FAR_GATE, GATE))
        before = _esp(site[0])
        put(site[1], site[0], [ipv6(FAR_GATE, GATE, 50, bytes(40))])
        time.sleep(0.05)
        assert _esp(site[0]) == before + 1


def _esp(namespace: Namespace) -> int:
    """ESP that came up to the host's protocols, and met none."""
    text = namespace.run("cat", "/proc/net/snmp6").stdout.split()
    return int(text[text.index("Ip6InUnknownProtos") + 1])


def test_what_a_killed_process_left_stays_until_all_is_there(site: Site) -> None:
    killed = Guarded(site[0])
    killed.add(nets())
    killed.tables.close()
    other = Guarded(site[0])
    assert other.tables.sweep() == 0, "another's is none of ours"
    other.tables.close()
    packet = udp(THERE, HERE, 9, 99)
    assert taken(site, packet) == 0

    again = Guarded(site[0], killed.number, device="isakmp1")
    again.add(nets(protocol=58))
    assert taken(site, packet) == 0
    assert again.tables.sweep() == 1
    assert len(names(site[0], killed.number)) == 1
    assert taken(site, packet) == 1
    assert taken(site, icmp(THERE, HERE, 128)) == 0
    again.delete(nets(protocol=58))
    assert names(site[0], killed.number) == []
    again.tables.close()


def test_the_next_ones_device_passes_what_was_left(site: Site) -> None:
    killed = Guarded(site[0])
    killed.add(nets())
    killed.tables.close()
    packets = [udp(THERE, HERE, 9, 99), udp(THERE, BEHIND, 9, 99)]
    assert taken(site, *packets) == 0
    again = Guarded(site[0], killed.number, device="veth0")
    assert taken(site, *packets) == 2
    again.tables.sweep()
    again.tables.close()


def test_those_who_are_killed_again_and_again_leave_two_tables(site: Site) -> None:
    number = next(NUMBERS)
    for _ in range(5):
        one = Guarded(site[0], number)
        one.add(nets())
        one.tables.close()
        assert len(names(site[0], number)) <= 3
    one = Guarded(site[0], number)
    assert one.tables.sweep() == 2
    assert names(site[0], number) == []
    one.tables.close()


def test_an_end_that_blocks_leaves_what_was_not_written_yet(site: Site) -> None:
    one = Guarded(site[0])
    one.tables.add(PolicySpec(Direction.IN, nets()))
    one.tables.close()
    assert taken(site, udp(THERE, HERE, 9, 99)) == 0
    again = Guarded(site[0], one.number)
    assert again.tables.sweep() == 1
    again.tables.close()
    assert taken(site, udp(THERE, HERE, 9, 99)) == 1


def test_a_thousand_policies_are_written_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    carry_out = Link.carry_out

    def counted(self: Link, requests: list[bytes]) -> None:
        written.extend(requests)
        carry_out(self, requests)

    monkeypatch.setattr(Link, "carry_out", counted)
    each = [Selector.of(f"fd10:2:{n:x}::/48", "fd10:1::/64") for n in range(1000)]
    with guarded(site) as one:
        for selector in each:
            one.add(selector)  # in a turn of its own
        assert len(written) < 1100
        assert taken(site, udp("fd10:2:3e7::1", HERE, 9, 99)) == 0
        written.clear()
        for selector in each[:-1]:
            one.tables.delete(PolicySpec(Direction.IN, selector))
        one.turn()
        assert len(written) < 100
        assert taken(site, udp("fd10:2:3e7::1", HERE, 9, 99)) == 0
        assert taken(site, udp("fd10:2:3e6::1", HERE, 9, 99)) == 1


@pytest.mark.parametrize("whole", [True, False], ids=["table", "rule"])
def test_what_somebody_takes_away_is_put_back(site: Site, whole: bool) -> None:
    packet = udp(THERE, HERE, 9, 99)
    one, other = Guarded(site[0]), Guarded(site[0])
    one.add(nets())
    (name,) = names(site[0], one.number)
    with inside(site[0]):
        link = Link()
    body = messages.text(1, name) + (b"" if whole else messages.text(2, "inbound"))
    kind = messages.Msg.DELTABLE if whole else messages.Msg.DELRULE
    link.carry_out([messages.message(kind, 0, body)])
    link.close()
    assert taken(site, packet) == 1
    for each in (one, other):
        each.loop.turn(0)
    assert taken(site, packet) == 0
    assert len(one.said) == 1 and "took" in one.said[0] and other.said == []
    one.delete(nets())
    one.loop.turn(0)
    assert len(one.said) == 1, "what we take away ourselves is not told"
    for each in (one, other):
        each.tables.close()


def test_a_refusal_is_told_once_and_tried_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Guarded(site[0])
    with monkeypatch.context() as patch:
        patch.setattr(messages, "_FAMILY", 99)  # which no kernel has
        one.add(nets(protocol=17))
        one.add(nets(protocol=58))
    assert len(one.said) == 1 and "nftables" in one.said[0] and "mend: " in one.said[0]
    one.add(nets(protocol=6))
    assert taken(site, udp(THERE, HERE, 9, 99), icmp(THERE, HERE, 128)) == 0
    for protocol in (17, 58, 6):
        one.delete(nets(protocol=protocol))
    one.tables.close()
    assert len(one.said) == 2 and "again" in one.said[1]
    assert names(site[0], one.number) == []


def test_what_is_refused_is_tried_until_it_holds(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, packet = Guarded(site[0]), udp(THERE, HERE, 9, 99)
    with monkeypatch.context() as patch:
        patch.setattr(messages, "_FAMILY", 99)
        one.add(nets())
        assert taken(site, packet) == 1
        for _ in range(70):
            one.turn()
    assert len(one.said) == 2, "it is told every minute while it lasts"
    assert all("does not drop" in line for line in one.said)
    for _ in range(10):
        one.turn()
    assert taken(site, packet) == 0, "nothing has changed but the time"
    assert len(one.said) == 3 and "again" in one.said[2]
    one.delete(nets())
    for _ in range(100):
        one.turn()
    assert len(one.said) == 3
    one.tables.close()


def test_where_the_kernel_has_no_nftables_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "_SUBSYSTEM", 99)
    with pytest.raises(ApplicationError, match="nftables.*modprobe nf_tables"):
        Tables(Loop(Timers(lambda: 0.0)), Log(lambda: 0.0, print), 1, "isakmp0", MARK)


def test_where_nftables_have_no_ipv6_that_is_said(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, and not when the first policy comes."""
    monkeypatch.setattr(messages, "_FAMILY", 99)
    with pytest.raises(ApplicationError, match="mend: .*CONFIG_NF_TABLES_IPV6"):
        Guarded(site[0])


def test_who_may_not_is_told_so(site: Site) -> None:
    code = """
from isakmp.app.nft.link import Link
from isakmp.errors import ApplicationError
link = Link()
try:
    link.tables()
except ApplicationError as error:
    print(error)
"""
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "CAP_NET_ADMIN" in done.stdout, done
