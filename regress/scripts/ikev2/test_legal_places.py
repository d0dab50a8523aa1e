"""What a peer may put into one message of IKEv2 or another: RFC 7296 2.3, 2.5, 2.10 to 2.12, 3."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from isakmp.constants import ikev2
from isakmp.errors import Reason, Refused
from isakmp.payloads.ikev2.ts import RangeValue, TsValue
from isakmp.policy.spd import Selector
from isakmp.policy.traffic import of_network, to_wire
from isakmp.sa import State
from isakmp.scripts.ikev2 import common, rekey
from regress.pair import Host, Network, Packet, agree, connected
from regress.scripts.changed import change_sent
from regress.scripts.ikev2.pairs import child_of, gateways, kinds, pair, sa_of
from regress.scripts.ikev2.test_hostile import forge

P, Notify = ikev2.Payload, ikev2.Notify
WHO = pytest.mark.parametrize("who", ["west", "east"])


def live(net: Network, west: Host, east: Host) -> None:
    """The initial exchanges, and each of the others begun by either side."""
    net.start()
    net.run(5)
    for host in (west, east):
        host.daemon.connections.rekey(child_of(host))
        net.run(5)
        host.daemon.keeper.rekey_sa(sa_of(host))
        net.run(5)
        host.daemon.engine.dialects["ikev2"].probe(host.daemon.engine, sa_of(host), 1)
        net.run(5)
    assert connected(west) and connected(east)
    agree(west, east)


def fresh(tags: str = "", **changes: Any) -> tuple[Network, Host, Host]:
    net = Network()
    west, east = (net.host(gateway) for gateway in gateways(tags, **changes))
    return net, west, east


# --- what may stand in any message -----------------------------------------------------------

STATUS = (16430, 40960, 65535)  # known here or not, statuses all
EXTRAS: dict[str, list[tuple[int, Any]]] = {
    "vendor": [(P.VENDOR, b"of somebody")] * 3,
    "status": [(P.NOTIFY, common.notify_value(number, b"?")) for number in STATUS],
    "unknown payload": [(200, b"what nobody knows"), (255, b"")],
    "certificate request": [(P.CERTREQ, b"\4" + bytes(20))],
    "configuration request": [(P.CP, b"\1\0\0\0" + b"\0\1\0\0")],
    "window": [(P.NOTIFY, common.notify_value(Notify.SET_WINDOW_SIZE, b"\0\0\0\4"))],
    "modes that were not asked for": [
        (P.NOTIFY, common.notify_value(Notify.ESP_TFC_PADDING_NOT_SUPPORTED)),
        (P.NOTIFY, common.notify_value(Notify.HTTP_CERT_LOOKUP_SUPPORTED)),
        (P.NOTIFY, common.notify_value(Notify.ADDITIONAL_TS_POSSIBLE)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("extra", sorted(EXTRAS))
@pytest.mark.parametrize("first", [True, False])
def test_any_message_may_hold_more(extra: str, first: bool) -> None:
    """RFC 7296 2.3, 2.5, 3.10.1, 3.12 and C: before or behind what the message is about."""
    net, west, east = fresh()

    def add(x: Any, message: Any) -> None:
        held = message.payloads
        message.payloads = EXTRAS[extra] + held if first else held + EXTRAS[extra]

    for host in (west, east):
        change_sent(host, add, 2)
    live(net, west, east)
    assert not west.reasons() + east.reasons()
    if extra == "window":
        assert {sa_of(host).ids.size_out for host in (west, east)} == {4}


@WHO
def test_a_window_counts_in_any_message(who: str) -> None:
    """RFC 7296 2.3: also in an INFORMATIONAL long after the first, and in its answer."""
    net, west, east = pair()
    one, other = (west, east) if who == "west" else (east, west)
    change_sent(one, lambda x, m: m.payloads.extend(EXTRAS["window"]), 2)
    assert sa_of(other).ids.size_out == 1
    west.daemon.engine.dialects["ikev2"].probe(west.daemon.engine, sa_of(west), 1)
    net.pump()
    assert sa_of(other).ids.size_out == 4


# --- nonces, paths, keys ---------------------------------------------------------------------


@pytest.mark.parametrize("size", [16, 17, 64, 256])
def test_nonces_of_any_legal_size_are_taken(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7296 2.10: in all exchanges that have one."""
    monkeypatch.setattr(common, "NONCE_SIZE", size)
    live(*fresh())


@pytest.mark.parametrize("size", [0, 15, 257])
def test_no_others_are(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7296 2.10."""
    monkeypatch.setattr(common, "NONCE_SIZE", size)
    net, west, east = fresh()
    net.start()
    net.run(3)
    assert not east.rows(1) and "IKE_SA_INIT'" not in kinds(net.history)


@pytest.mark.parametrize("port", [500, 1024, 4501])
def test_an_answer_goes_where_the_request_came_from(port: int) -> None:
    """RFC 7296 2.11: from whatever port, to that port, from the address that was asked."""
    net, west, east = pair()
    data = forge(west, [])
    before = len(net.history)
    east.receive(Packet(ip_address("192.0.2.1"), port, east.address, 500, data))
    (answer,) = net.history[before:]
    assert (answer.dst, answer.dport) == (west.address, port)
    assert (answer.src, answer.sport) == (east.address, 500)


def test_every_exchange_has_a_key_pair_of_its_own() -> None:
    """RFC 7296 2.12: at either end, in the initial exchanges and in rekeying."""
    net, west, east = fresh(connection_tags="ESP-proposals= aes128gcm16-x25519")
    public: list[bytes] = []

    def note(x: Any, message: Any) -> None:
        public.extend(value.data for kind, value in message.payloads if kind == P.KE)

    for host in (west, east):
        change_sent(host, note, 2)
    live(net, west, east)
    assert len(public) == 2 * 5
    assert len(set(public)) == len(public)


# --- more than one of a kind -----------------------------------------------------------------


@WHO
@pytest.mark.parametrize("in_data", [True, False])
def test_one_message_may_tell_of_several_lost_child_sas(who: str, in_data: bool) -> None:
    """RFC 7296 1.5 and C.6: N+, each with an SPI of its own; some say it as the notify's SPI."""
    net, west, east = pair(seconds=10)
    one, other = (west, east) if who == "west" else (east, west)
    old = child_of(other)
    spi = old.protocols[0].spi_out.to_bytes(4, "big")
    nobody = common.notify_value(Notify.INVALID_SPI, b"\1\2\3\4")
    lost = common.notify_value(Notify.INVALID_SPI, *((spi,) if in_data else (b"", 3, spi)))
    dialect: Any = one.daemon.engine.dialects["ikev2"]
    dialect.tell(one.daemon.engine, sa_of(one), [(P.NOTIFY, nobody), (P.NOTIFY, lost)])
    net.run(5)
    assert child_of(other) is not old
    assert "has lost child SA" in other.said


@WHO
@pytest.mark.parametrize("number", [Notify.AUTHENTICATION_FAILED, Notify.INVALID_SYNTAX])
@pytest.mark.parametrize("of_child", [True, False])
def test_what_is_fatal_is_so_in_any_answer(
    number: int, who: str, of_child: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 7296 2.21: in CREATE_CHILD_SA as elsewhere."""
    net, west, east = pair()
    one = west if who == "west" else east
    old = sa_of(one)

    def refuse(x: Any) -> None:
        raise Refused(Reason("failed", "for the test"), number)

    monkeypatch.setattr(rekey, "check_child_request", refuse)
    monkeypatch.setattr(rekey, "check_ike_request", refuse)
    if of_child:
        one.daemon.connections.rekey(child_of(one))
    else:
        one.daemon.keeper.rekey_sa(old)
    net.pump()
    assert old.state is State.DEAD
    assert Notify(number).name in str(one.outcomes)


# --- traffic selectors -----------------------------------------------------------------------

# What means 10.2.0.0/16: halves, quarters out of order, one within another, doubled.
SPELT = {
    "halves": ["10.2.0.0/17", "10.2.128.0/17"],
    "quarters": ["10.2.192.0/18", "10.2.0.0/18", "10.2.128.0/18", "10.2.64.0/18"],
    "within": ["10.2.7.0/24", "10.2.0.0/16", "10.2.0.0/17"],
    "doubled": ["10.2.0.0/16", "10.2.0.0/16"],
}


@pytest.mark.parametrize("spelt", sorted(SPELT))
@pytest.mark.parametrize("who", ["initiator", "responder"])
def test_traffic_is_what_its_selectors_mean(spelt: str, who: str) -> None:
    """RFC 7296 2.9 and 3.13: the same addresses in other ranges are the same traffic."""
    net, west, east = fresh()
    value = to_wire([of_network(ip_network(text)) for text in SPELT[spelt]])

    one = west if who == "initiator" else east

    def say(x: Any, message: Any) -> None:
        """East's side, whoever asks."""
        side = P.TSR if x.initiator is (one is west) else P.TSI
        message.payloads = [(kind, value if kind == side else v) for kind, v in message.payloads]

    change_sent(one, say, 2)
    net.start()
    net.run(5)
    for host in (west, east):
        host.daemon.connections.rekey(child_of(host))
        net.run(5)
        assert connected(west) and connected(east)
    assert not west.reasons() + east.reasons()
    whole = Selector.of("10.1.0.0/16", "10.2.0.0/16")
    assert (child_of(west).selectors, child_of(east).selectors) == ((whole,), (whole.reversed(),))


def test_an_ipv4_address_written_in_ipv6_is_another() -> None:
    """RFC 7296 3.13.1: ::ffff:10.2.0.0/112 is IPv6 traffic, which nothing here is for."""
    net, west, east = fresh()
    value = to_wire([of_network(ip_network("::ffff:10.2.0.0/112"))])

    def say(x: Any, message: Any) -> None:
        message.payloads = [(kind, value if kind == P.TSR else v) for kind, v in message.payloads]

    change_sent(west, say, 2)
    net.start()
    net.run(1)
    assert connected(east, children=0)
    assert "ts-unacceptable" in east.reasons()


def with_ports(value: TsValue) -> TsValue:
    """The first selector of a payload, with ports that want a protocol."""
    (first, *_) = value.selectors
    assert isinstance(first, RangeValue)
    return TsValue((first._replace(start_port=53, end_port=53),))


@WHO
def test_ports_without_a_protocol_end_no_ike_sa(who: str) -> None:
    """RFC 7296 2.9 and 3.13.1: nobody can have that traffic, and all else goes on."""
    net, west, east = fresh()
    one, other = (west, east) if who == "west" else (east, west)
    network = ip_network("10.1.0.0/16" if one is west else "10.2.0.0/16")
    ill = with_ports(to_wire([of_network(network)]))

    def say(x: Any, message: Any) -> None:
        side = P.TSI if x.initiator else P.TSR
        message.payloads = [(kind, ill if kind == side else v) for kind, v in message.payloads]

    net.start()
    net.run(5)
    change_sent(one, say, 2)
    kept = [sa_of(host) for host in (west, east)]
    one.daemon.connections.rekey(child_of(one))
    net.pump()
    assert [sa_of(host) for host in (west, east)] == kept
    (reason,) = [o["reason"] for o in other.outcomes if o["reason"]]
    assert reason["cause"] == "unusable-selectors"
    assert reason["came"] == "ports 53 to 53 of any protocol"


def test_they_may_stand_beside_others() -> None:
    """RFC 7296 3.13.1: of several selectors those that can be taken are."""
    net, west, east = fresh()

    def say(x: Any, message: Any) -> None:
        for at, (kind, value) in enumerate(message.payloads):
            if kind == P.TSI and x.initiator:
                both = TsValue(value.selectors + with_ports(value).selectors)
                message.payloads[at] = kind, both

    change_sent(west, say, 2)
    live(net, west, east)
    assert not west.reasons() + east.reasons()
