"""Quick mode's last message, which nobody acknowledges: however often it is lost, both ends have
the same SAs in the end, and what is sent with one is taken by the other. RFC 2409 5.5.

The stack here, as kernels do, says nothing of packets for SAs that it does not have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from isakmp.conf.store import Conf
from isakmp.constants import isakmp
from isakmp.sa import State
from isakmp.scripts.ikev1.farewells import OFTEN_MAX_S
from isakmp.scripts.ikev1.informational import AGAIN_S
from isakmp.scripts.ikev1.message_ids import ANSWERED_MAX, CLOSED_S, MessageIds
from regress.pair import EAST, WEST, Gateway, Host, Network, Packet, agree, connected
from regress.scripts.ikev1.test_commit_bit import FLAGS_AT
from regress.scripts.ikev1.test_farewells import text_of_many
from regress.sim.collisions import sending, takes

QUICK, INFO = isakmp.Exchange.QUICK_MODE, isakmp.Exchange.INFO


@dataclass
class Loss:
    """Third messages get lost, of any quick mode; most: how many, of each: of one exchange. mute:
    who then says nothing more that is a Delete. committed: the commit bit is set in answers."""

    net: Network
    most: int = 0
    each: int = 1000
    mute: Host | None = None
    committed: bool = False
    lost: list[int] = field(default_factory=list)
    _first: dict[int, Packet] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.net.lose = self._lose

    def _lose(self, packet: Packet) -> bool:
        kind, number = packet.header.exchange_type, packet.header.message_id
        if kind == INFO and self.mute is not None:
            return packet.src == self.mute.address
        if kind != QUICK:
            return False
        first = self._first.setdefault(number, packet)
        if packet.src != first.src:
            return self.committed and self._commit(packet)
        third = packet.data != first.data
        if not third or len(self.lost) >= self.most or self.lost.count(number) >= self.each:
            return False
        self.lost.append(number)
        return True

    def _commit(self, packet: Packet) -> bool:
        message = bytearray(packet.data)
        message[FLAGS_AT] |= isakmp.Flag.COMMIT
        if bytes(message) == packet.data:
            return False
        self.net.flying.append(packet._replace(data=bytes(message)))
        return True


def pair(passive: bool = True, files: Path | None = None) -> tuple[Network, Host, Host]:
    """West, and east, which may begin nothing by itself; neither asks whether the other lives.
    files: where their configurations are, to be read again."""
    net, general = Network(), "DPD-check-interval= 0\nDefault-phase-2-lifetime= 7200,60:86400"
    west, east = replace(WEST, general=general), replace(EAST, general=general, passive=passive)
    return net, net.host(west, **_from(files, west)), net.host(east, **_from(files, east))


def _from(files: Path | None, gateway: Gateway) -> dict[str, Any]:
    if files is None:
        return {}
    file = files / gateway.peer
    file.write_text(gateway.text())
    file.chmod(0o600)
    return {"conf": Conf.load(file)}


def carries(west: Host, east: Host) -> bool:
    """Whether what either end sends with now is taken by the other."""
    ways = [(sending(west), east), (sending(east), west)]
    return all(out and all(takes(to, spec) for spec in out.values()) for out, to in ways)


CASES = list(product((False, True), (True, False), (False, True)))


@pytest.mark.parametrize(("rekey", "passive", "committed"), CASES)
@pytest.mark.parametrize("delete", ["heard", "lost"])
@pytest.mark.parametrize("most", range(1, 7))
def test_it_may_get_lost_as_often_as_it_is_sent(
    most: int, delete: str, rekey: bool, passive: bool, committed: bool
) -> None:
    net, west, east = pair(passive)
    loss = Loss(net, 0 if rekey else most, committed=committed)
    net.start()
    if rekey:
        net.run(40)
        assert connected(west) and connected(east)
        loss.most = most
        west.daemon.rekey("west-east", "quick")
    loss.mute = east if delete == "lost" else None
    net.run(40)
    loss.most, loss.mute = 0, None
    net.run(280)
    assert loss.lost
    assert carries(west, east)
    assert connected(west) and connected(east)
    agree(west, east)


def rekeyed_unheard(net: Network, east: Host) -> Loss:
    """East has rekeyed, and nothing more of what it says arrives."""
    net.start()
    net.run(40)
    loss = Loss(net, most=1000, mute=east)
    east.daemon.rekey("east-west", "quick")
    net.run(25)
    assert loss.lost
    return loss


@pytest.mark.parametrize("passive", [True, False])
def test_who_rekeys_and_says_that_the_old_one_is_gone_while_nothing_of_it_arrives(
    passive: bool,
) -> None:
    """West gives up the new child SA and keeps the old one, which east has not: east says so again
    when west has taken the new one away."""
    net, west, east = pair(passive)
    loss = rekeyed_unheard(net, east)
    loss.most, loss.mute = 0, None
    net.run(120)
    assert carries(west, east)
    assert connected(west) and connected(east)
    agree(west, east)


def unheard(files: Path | None = None) -> tuple[Network, Host, Host, Loss]:
    """East has given up a quick mode of which it never had the last message, and no word of that
    arrives."""
    net, west, east = pair(files=files)
    loss = Loss(net, 1000)
    net.start()
    net.run(0.5)
    (waiting,) = east.daemon.engine.under_way()
    loss.mute = east
    net.until(lambda: waiting.over, 60)
    assert len(west.rows(2)) == 1 and not east.rows(2)
    return net, west, east, loss


def said_by(net: Network, host: Host, seconds: float) -> list[Packet]:
    """What a host sends in that time, of informational exchanges."""
    before = len(net.history)
    net.run(seconds)
    sent = [packet for packet in net.history[before:] if packet.src == host.address]
    return [packet for packet in sent if packet.header.exchange_type == INFO]


def test_the_delete_of_a_quick_mode_given_up_is_said_ever_less_often() -> None:
    """For some minutes; it is one datagram that costs nothing to read again."""
    net, west, east, _ = unheard()
    said = said_by(net, east, 4 * OFTEN_MAX_S)
    assert len(said) == 9 and len({packet.data for packet in said}) == 1
    assert len(west.rows(2)) == 1, "it has heard none of them"
    assert AGAIN_S * 2 ** (len(said) - 1) == OFTEN_MAX_S


def test_it_goes_to_where_the_peer_is_and_not_without_an_isakmp_sa() -> None:
    net, _, east, _ = unheard()
    (sa,) = east.daemon.sas.isakmp.values()
    sa.path = sa.path._replace(remote_port=501)
    assert {packet.dport for packet in said_by(net, east, 5)} == {501}
    sa.state = State.DEAD
    assert not said_by(net, east, 60)


@pytest.mark.parametrize(("answered", "times"), [(False, 2), (True, 10)])
def test_what_is_taken_down_is_said_as_often_as_the_peer_may_have_it(
    answered: bool, times: int
) -> None:
    """West's first message alone makes no SAs at east's; east's answer does at west's."""
    net, west, east = pair()
    Loss(net, 1000)
    net.start()
    net.run(0.5)
    host = east if answered else west
    if not answered:
        west.daemon.teardown("west-east", 2)
        net.run(3)
        net.lose = lambda packet: packet.src == east.address
        west.daemon.connect("west-east")
        net.run(0.2)
    else:
        net.lose = lambda packet: packet.src == east.address
    (waiting,) = host.daemon.engine.under_way()
    host.daemon.connections.down(waiting.name)
    assert waiting.over
    assert len({p.data for p in said_by(net, host, 0.5)}) <= 1
    assert len(said_by(net, host, 600)) == times - 1


@pytest.mark.parametrize("asks", [0, 1])
def test_whom_no_delete_reached_hears_it_under_the_next_isakmp_sa(asks: int) -> None:
    net, west, east, loss = unheard()
    (child,) = west.daemon.sas.all_children()
    net.run(4 * OFTEN_MAX_S)
    assert west.daemon.sas.all_children() == [child]
    loss.most, loss.mute = 0, None
    (west, east)[asks].daemon.rekey(("east", "west")[asks], "main")
    net.run(3)
    assert child not in west.daemon.sas.all_children()
    assert carries(west, east)
    agree(west, east)


def again(host: Host) -> None:
    """It makes another ISAKMP SA, in the place of the one there is."""
    (sa,) = [sa for sa in host.daemon.sas.isakmp.values() if sa.state is State.ESTABLISHED]
    host.daemon.rekey(sa.remote.name, "main")


def read_again(files: Path, *hosts: Host) -> None:
    """All that the configuration says of both ends has changed its place."""
    for file in files.iterdir():
        file.write_text("# a line more\n" + file.read_text())
    assert all(host.reload() == [] for host in hosts)


@pytest.mark.parametrize("reload", [False, True])
@pytest.mark.parametrize("asks", [0, 1])
@pytest.mark.parametrize("gap_s", [0, 20])
@pytest.mark.parametrize("mute_s", [5, 20, 300])
def test_what_no_delete_under_a_new_isakmp_sa_told_is_told_under_the_next_one(
    mute_s: float, gap_s: float, asks: int, reload: bool, tmp_path: Path
) -> None:
    net, west, east, loss = unheard(tmp_path if reload else None)
    (child,) = west.daemon.sas.all_children()
    net.run(4 * OFTEN_MAX_S)
    loss.most = 0
    again((west, east)[asks])
    net.run(mute_s)
    assert west.daemon.sas.all_children() == [child]
    loss.mute = None
    net.run(gap_s)
    if reload:
        read_again(tmp_path, west, east)
    again((west, east)[asks])
    net.run(30)
    assert child not in west.daemon.sas.all_children()
    assert carries(west, east)
    agree(west, east)


@pytest.mark.parametrize("reload", [False, True])
@pytest.mark.parametrize("passive", [True, False])
@pytest.mark.parametrize("asks", [0, 1])
@pytest.mark.parametrize("mute_s", [0, 30, 600])
def test_what_a_delete_of_the_peers_has_us_say_again_is_told_under_the_next_isakmp_sa(
    mute_s: float, asks: int, passive: bool, reload: bool, tmp_path: Path
) -> None:
    """West has deleted the new child SA, in whose place it has the one before, which east has not;
    however long nothing that east says of it arrives."""
    net, west, east = pair(passive, tmp_path if reload else None)
    loss = rekeyed_unheard(net, east)
    loss.most = 0
    net.run(mute_s)
    loss.mute = None
    if reload:
        read_again(tmp_path, west, east)
    again((west, east)[asks])
    net.run(30)
    assert carries(west, east)
    agree(west, east)


@pytest.mark.parametrize("early_s", [1, 3, 6])
@pytest.mark.parametrize("outage_s", [26, 50, 100])
def test_an_isakmp_sa_that_is_renewed_as_an_outage_of_one_way_ends_hides_nothing(
    outage_s: float, early_s: float
) -> None:
    """Nothing of east's arrives meanwhile, and west gives up a quick mode with it."""
    net, west, east = pair()
    net.start()
    net.run(40)
    loss = Loss(net, most=1000)
    east.daemon.rekey("east-west", "quick")
    net.until(lambda: loss.lost, 5)
    net.lose = lambda packet: packet.src == east.address
    net.run(outage_s - early_s)
    again(west)
    net.run(early_s)
    net.lose = lambda packet: False
    net.run(60)
    assert carries(west, east)
    agree(west, east)


def end_sa(host: Host) -> None:
    (sa,) = host.daemon.sas.isakmp.values()
    host.daemon.keeper.delete_sa(sa)


def succeeded(net: Network, host: Host, peer: str) -> None:
    """Another ISAKMP SA is there before the old one is deleted."""
    (sa,) = host.daemon.sas.isakmp.values()
    host.daemon.rekey(peer, "main")
    net.run(0.2)
    assert len(host.daemon.sas.isakmp) == 2
    host.daemon.keeper.delete_sa(sa)


ENDS: dict[str, Callable[[Network, Host, Host], object]] = {
    "by the responder": lambda net, west, east: end_sa(east),
    "by the initiator": lambda net, west, east: end_sa(west),
    "replaced by the responder": lambda net, west, east: succeeded(net, east, "west"),
    "replaced by the initiator": lambda net, west, east: succeeded(net, west, "east"),
}


@pytest.mark.parametrize("end", ENDS)
def test_an_isakmp_sa_that_ends_before_it_came_leaves_no_one_sided_sa(end: str) -> None:
    """Nothing can come under it any more: the peer hears so under another one, if there is one, or
    the next."""
    net, west, east = pair()
    loss = Loss(net, 1000)
    net.start()
    net.run(0.5)
    assert len(west.rows(2)) == 1 and not east.rows(2)
    ENDS[end](net, west, east)
    loss.most = 0
    net.run(2)
    if not east.rows(1):
        west.daemon.connections.begin_sa_of(west.daemon.sas.all_children()[0])
    net.run(30)
    assert carries(west, east)
    assert connected(west) and connected(east)
    agree(west, east)


@pytest.mark.parametrize("count", [ANSWERED_MAX + 1, 60])
def test_of_many_that_end_at_once_each_is_repeated(count: int) -> None:
    """Third messages of all connections get lost in one moment, once."""
    net = Network()
    west, east = (net.add(str(g.address), text_of_many(g, *at, count))
                  for g, at in ((WEST, (11, 12)), (EAST, (12, 11))))  # fmt: skip
    loss = Loss(net, 1000, each=1)
    net.start()
    net.run(14)
    assert len(loss.lost) == count + 1
    assert connected(west, count + 1) and connected(east, count + 1)
    assert not west.reasons() + east.reasons()
    agree(west, east)


def test_our_last_messages_are_kept_as_long_as_peers_ask_for_them() -> None:
    ids = MessageIds()
    for number in range(100):
        ids.close(number, (b"in", (b"out",)), CLOSED_S * number / 50)
        ids.answer(1000 + number, b"in", (b"out",))
    assert sorted(ids.closed) == list(range(49, 100))
    assert ids.again(60) == ids.again(1099) == (b"in", (b"out",))
    assert ids.again(10) == ids.again(1000) == (b"", ())
    assert ids.is_used(10) and ids.is_used(1000)


# --- a header that no key protects -----------------------------------------------------------

HEADER_BITS = [(octet, 1 << bit) for octet in range(16, 20) for bit in range(8)]
LADDERS = {"ID_PROT": (isakmp.Exchange.ID_PROT, 6), "AGGRESSIVE": (isakmp.Exchange.AGGRESSIVE, 3),
           "QUICK": (QUICK, 3)}  # fmt: skip
MESSAGES = [
    (name, number, lost)
    for name, (_, count) in LADDERS.items()
    for number in range(1, count + 1)
    for lost in range(number, min(number + 2, count) + 1)
]


def forged(name: str, number: int, lost: int, octet: int, bit: int) -> tuple[Host, Host, bool]:
    """That message comes after a copy with one bit of its header changed; of message ``lost`` the
    first copy gets lost."""
    kind, net = LADDERS[name][0], Network()
    exchange = name if name != "QUICK" else "ID_PROT"
    west, east = (net.host(replace(g, exchange=exchange)) for g in (WEST, EAST))
    known: list[bytes] = []
    todo = SimpleNamespace(forge=True, lose=True)

    def meddle(packet: Packet) -> bool:
        if packet.header.exchange_type != kind:
            return False
        if packet.data not in known:
            known.append(packet.data)
        place = known.index(packet.data) + 1
        if place == number and todo.forge:
            todo.forge, copy = False, bytearray(packet.data)
            copy[octet] ^= bit
            net.flying.append(packet._replace(data=bytes(copy)))
        if place == lost and todo.lose:
            todo.lose = False
            return True
        return False

    net.lose = meddle
    net.start()
    net.run(20)
    return west, east, not (todo.forge or todo.lose)


@pytest.mark.parametrize(("name", "number", "lost"), MESSAGES)
def test_a_copy_with_another_header_and_one_loss_end_no_exchange(
    name: str, number: int, lost: int
) -> None:
    for octet, bit in HEADER_BITS:
        west, east, done = forged(name, number, lost, octet, bit)
        assert done and connected(west) and connected(east), (octet, bit)
        assert "timeout" not in west.reasons() + east.reasons(), (octet, bit)
        agree(west, east)


def test_what_is_given_up_waits_for_an_isakmp_sa_to_be_said_under() -> None:
    """An IKE SA has taken the ISAKMP SA's place meanwhile, and says nothing of IKEv1's."""
    versions = "Key-exchange= ikev1, ikev2\n"
    net = Network()
    west, east = (net.host(replace(end, peer_tags=versions)) for end in (WEST, EAST))
    net.start()
    net.run(5)
    loss = Loss(net, most=1000)
    east.daemon.rekey("east-west", "quick")
    net.run(1)
    assert loss.lost
    dialect = west.daemon.engine.dialects["ikev2"]
    (sa,) = west.daemon.sas.isakmp.values()
    dialect.begin_sa(
        west.daemon.engine, sa.remote, sa.path, west.daemon.catalog.connection("west-east")
    )
    net.run(1)
    for host in (west, east):
        for old in [each for each in host.daemon.sas.isakmp.values() if each.dialect == "ikev1"]:
            host.daemon.keeper.delete_sa(old, tell=False)
    loss.most = 0
    net.run(60)
    assert carries(west, east)
    assert not [
        line for line in west.lines + east.lines if "Traceback" in line or "object has" in line
    ]
