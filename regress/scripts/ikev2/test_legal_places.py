"""What a peer may put into one message of IKEv2 or another: RFC 7296 2.3, 2.5, 2.10 to 2.12, 3."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from isakmp.constants import ikev2
from isakmp.scripts.ikev2 import common
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
        host.daemon.engine.dialects[2].probe(host.daemon.engine, sa_of(host), 1)
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
    west.daemon.engine.dialects[2].probe(west.daemon.engine, sa_of(west), 1)
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
        public.extend(value["data"] for kind, value in message.payloads if kind == P.KE)

    for host in (west, east):
        change_sent(host, note, 2)
    live(net, west, east)
    assert len(public) == 2 * 5
    assert len(set(public)) == len(public)
