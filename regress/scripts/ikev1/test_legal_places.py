"""What a peer may put into one message or another; and in which order we put what we send."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.constants import DOI_IPSEC, isakmp
from isakmp.payloads.notify import NotifyValue
from isakmp.payloads.vendor import VENDOR_DPD
from isakmp.scripts.ikev1.informational import tell
from regress.pair import Host, Network, agree, both, connected
from regress.payloads.values import first_changed
from regress.scripts.changed import change_sent

P, Notify = isakmp.Payload, isakmp.Notify
MAIN, AGGRESSIVE = "ID_PROT", "AGGRESSIVE"
MODES = {MAIN: "main mode", AGGRESSIVE: "aggressive mode"}


def pair(exchange: str = MAIN, **changes: Any) -> tuple[Network, Host, Host]:
    net = Network()
    west, east = (net.host(gateway) for gateway in both(exchange=exchange, **changes))
    return net, west, east


def sender(number: int, west: Host, east: Host) -> Host:
    return west if number % 2 == 0 else east


# --- vendor IDs ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exchange", "number"), [(MAIN, n) for n in range(6)] + [(AGGRESSIVE, n) for n in range(3)]
)
def test_dead_peer_detection_is_known_from_any_message_of_phase_1(
    exchange: str, number: int
) -> None:
    """RFC 3706 5.1.

    RFC 2408 3.16 names no message; some responders say it in their last one only."""
    net, west, east = pair(exchange)

    def late(x: Any, message: Any) -> None:
        if x.sa is None and x.step != number:
            message.payloads = [p for p in message.payloads if p != (P.VENDOR, VENDOR_DPD)]
        elif x.sa is None and (P.VENDOR, VENDOR_DPD) not in message.payloads:
            message.payloads.append((P.VENDOR, VENDOR_DPD))

    one = sender(number, west, east)
    other = east if one is west else west
    change_sent(one, late)
    net.start()
    net.run(5)
    assert connected(west) and connected(east)
    (sa,) = other.daemon.sas.isakmp.values()
    assert sa.dpd


# --- notifies --------------------------------------------------------------------------------


def status(
    notify: int, data: bytes = b"", protocol: int = 1, spi: bytes = b""
) -> tuple[int, Any]:  # fmt: skip
    return P.NOTIFY, NotifyValue(DOI_IPSEC, protocol, notify, spi, data)


def with_notify(kind: str, step: int, payload: tuple[int, Any]) -> Any:
    """In that message and no other."""

    def change(x: Any, message: Any) -> None:
        message.payloads = [p for p in message.payloads if p[0] != P.NOTIFY]
        if x.script.name == kind and x.step == step:
            message.payloads.append(payload)

    return change


@pytest.mark.parametrize(
    ("exchange", "kind", "step"),
    [
        (MAIN, "main mode", 4), (MAIN, "main mode", 5), (AGGRESSIVE, "aggressive mode", 2),
        (MAIN, "quick mode", 0), (MAIN, "quick mode", 1),
    ],
)  # fmt: skip
def test_initial_contact_counts_wherever_it_is_protected(
    exchange: str, kind: str, step: int
) -> None:
    """RFC 2407 4.6.3.3."""
    net, west, east = pair(exchange)
    seen: list[Any] = []
    one = sender(step, west, east)
    other = east if one is west else west
    owner: Any = other.daemon.engine.owner
    heed = owner.places.initial_contact

    def note(sa: Any) -> None:
        seen.append(sa)
        heed(sa)

    owner.places.initial_contact = note
    change_sent(one, with_notify(kind, step, status(Notify.INITIAL_CONTACT)))
    net.start()
    net.run(5)
    assert connected(west) and connected(east)
    assert seen


def test_a_responder_shortens_the_isakmp_sa() -> None:
    net, west, east = pair()
    life = bytes.fromhex("800b0001 800c012c")
    change_sent(east, with_notify("main mode", 5, status(Notify.RESPONDER_LIFETIME, life)))
    net.start()
    net.run(5)
    (sa,) = west.daemon.sas.isakmp.values()
    assert sa.chosen.life_s == 300


def life(seconds: int, of_sa: bool = False) -> bytes:
    """An attribute list; phase 1 and phase 2 number the two attributes differently."""
    kind, duration = (0x800B, 0x800C) if of_sa else (0x8001, 0x8002)
    return b"".join(n.to_bytes(2, "big") for n in (kind, 1, duration, seconds))


@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize("of_sa", [False, True])
def test_a_lifetime_counts_in_any_message_of_quick_mode(step: int, of_sa: bool) -> None:
    """RFC 2407 4.6.3.1: of the SA that its protocol names; whoever says it."""
    net, west, east = pair()
    one, other = sender(step, west, east), sender(step + 1, west, east)
    protocol = 1 if of_sa else 3
    payload = status(Notify.RESPONDER_LIFETIME, life(300, of_sa), protocol)
    change_sent(one, with_notify("quick mode", step, payload))
    net.start()
    net.run(5)
    assert connected(west) and connected(east)
    (sa,), (child,) = other.daemon.sas.isakmp.values(), other.daemon.sas.all_children()
    assert (sa.hard_s == 300, child.limits.hard_s == 300) == (of_sa, not of_sa)


@pytest.mark.parametrize("who", [0, 1], ids=["initiator", "responder"])
@pytest.mark.parametrize("of_sa", [False, True])
def test_a_lifetime_counts_in_an_informational_exchange(of_sa: bool, who: int) -> None:
    """RFC 2407 4.6.3: status messages may come by themselves. The SA is replaced in time."""
    net, *hosts = pair()
    one, other = hosts[who], hosts[1 - who]
    net.start()
    net.run(5)
    (sa,), (old,) = other.daemon.sas.isakmp.values(), other.daemon.sas.all_children()
    spi = sa.cookies if of_sa else old.protocols[0].spi_out.to_bytes(4, "big")
    payload = status(Notify.RESPONDER_LIFETIME, life(300, of_sa), 1 if of_sa else 3, spi)
    (theirs,) = one.daemon.sas.isakmp.values()
    tell(one.daemon.engine, one.daemon.engine.dialects["ikev1"], theirs, [payload])
    net.run(1)
    assert (sa.hard_s, old.limits.hard_s)[not of_sa] == 300
    assert sa.hard_s != old.limits.hard_s
    net.run(300)
    now = other.daemon.sas.isakmp.values() if of_sa else other.daemon.sas.all_children()
    assert now and (sa if of_sa else old) not in now
    assert connected(west := hosts[0]) and connected(hosts[1])
    agree(west, hosts[1])


@pytest.mark.parametrize(("ours", "told"), [(1200, True), (28800, False), (30000, False)])
def test_who_asks_for_no_lifetime_is_told_of_one_that_is_shorter_than_the_default(
    ours: int, told: bool
) -> None:
    """RFC 2407 4.5 and 4.5.4: eight hours are taken for granted."""
    net, west, east = pair(general=f"Default-phase-2-lifetime= {ours}")
    said: list[bytes] = []

    def without(x: Any, message: Any) -> None:
        """The lifetime's type and duration are no part of the offer."""
        for at, (kind, value) in enumerate(message.payloads):
            if kind == P.SA and x.script.name == "quick mode" and x.initiator:
                transforms = tuple(
                    t._replace(attributes=tuple(a for a in t.attributes if a.type not in (1, 2)))
                    for t in value.proposals[0].transforms
                )
                message.payloads[at] = kind, first_changed(value, transforms=transforms)

    def note(x: Any, message: Any) -> None:
        said.extend(v.data for k, v in message.payloads
                    if k == P.NOTIFY and v.notify == Notify.RESPONDER_LIFETIME)  # fmt: skip

    change_sent(west, without)
    change_sent(east, note)
    net.start()
    net.run(5)
    assert connected(west) and connected(east), east.said
    assert said == ([life(ours)] if told else [])


@pytest.mark.parametrize("seconds", [0, 60000])
def test_a_longer_lifetime_changes_nothing(seconds: int) -> None:
    net, west, east = pair()
    net.start()
    net.run(5)
    (sa,), (child,) = east.daemon.sas.isakmp.values(), east.daemon.sas.all_children()
    before = sa.hard_s, child.limits
    spi = child.protocols[0].spi_out.to_bytes(4, "big")
    (theirs,) = west.daemon.sas.isakmp.values()
    tell(west.daemon.engine, west.daemon.engine.dialects["ikev1"], theirs, [
        status(Notify.RESPONDER_LIFETIME, life(seconds, True), 1, sa.cookies),
        status(Notify.RESPONDER_LIFETIME, life(seconds), 3, spi),
    ])  # fmt: skip
    net.run(1)
    assert (sa.hard_s, child.limits) == before


# --- what a transform is ---------------------------------------------------------------------


@pytest.mark.parametrize("exchange", [MAIN, AGGRESSIVE])
def test_a_transform_of_phase_1_is_key_ike(exchange: str) -> None:
    """RFC 2407 4.4.2: there is no other, and what one would mean nobody knows."""
    net, west, east = pair(exchange)

    def other(x: Any, message: Any) -> None:
        kind, body = message.payloads[0]
        if kind == P.SA and x.sa is None:
            # Behind DOI, situation and the proposal's eight octets: its first transform.
            assert body[20:22] == b"\1\1"
            message.payloads[0] = kind, body[:21] + b"\2" + body[22:]

    change_sent(west, other)
    net.start()
    net.run(3)
    assert not connected(east, children=0)
    assert "TRANSFORM_ID 2, not KEY_IKE" in str(east.outcomes)


# --- identities ------------------------------------------------------------------------------


def id_of(x: Any, number: int) -> bytes:
    body: bytes = x.state.id_bodies[number]
    return body


OTHER_OCTETS = [
    pytest.param("040000000a010307ffff0000", id="host-bits"),
    pytest.param("070000000a0100000a01ffff", id="range"),
]


@pytest.mark.parametrize("body", OTHER_OCTETS)
def test_a_network_in_other_octets_is_that_network_and_is_echoed_as_it_came(body: str) -> None:
    """RFC 2407 4.6.2.3: the bits below a mask are any."""
    net, west, east = pair()
    answers: list[Any] = []

    def offer(x: Any, message: Any) -> None:
        if x.script.name == "quick mode" and x.step == 0:
            x.state.id_bodies = bytes.fromhex(body), id_of(x, 1)
            ids = iter(x.state.id_bodies)
            message.payloads = [(k, next(ids) if k == P.ID else v) for k, v in message.payloads]

    def note(x: Any, message: Any) -> None:
        if x.script.name == "quick mode":
            answers.extend(v for k, v in message.payloads if k == P.ID)

    change_sent(west, offer)
    change_sent(east, note)
    net.start()
    net.run(5)
    assert connected(west) and connected(east), east.said
    assert answers[0] == bytes.fromhex(body)


def test_a_port_without_a_protocol_selects_nothing() -> None:
    """As in IKEv2 (RFC 7296 3.13.1); the stack would take it for every port, or for none."""
    net, west, east = pair()

    def offer(x: Any, message: Any) -> None:
        if x.script.name == "quick mode" and x.step == 0:
            x.state.id_bodies = bytes.fromhex("040000500a010000ffff0000"), id_of(x, 1)
            ids = iter(x.state.id_bodies)
            message.payloads = [(k, next(ids) if k == P.ID else v) for k, v in message.payloads]

    change_sent(west, offer)
    net.start()
    net.run(5)
    assert connected(east, children=0)
    reason = next(o["reason"] for o in east.outcomes if o["reason"])
    assert "with a port and no protocol" in reason["detail"]
    assert "a protocol" in reason["acceptable"]


@pytest.mark.parametrize("body", OTHER_OCTETS)
def test_an_answer_may_say_the_network_in_other_octets(body: str) -> None:
    net, west, east = pair()

    def answer(x: Any, message: Any) -> None:
        if x.script.name == "quick mode" and x.step == 1:
            ids = iter((bytes.fromhex(body), id_of(x, 1)))
            message.payloads = [(k, next(ids) if k == P.ID else v) for k, v in message.payloads]

    change_sent(east, answer)
    net.start()
    net.run(5)
    assert connected(west) and connected(east), west.said


@pytest.mark.parametrize("body", ["040000000a090000ffff0000", "040600500a010000ffff0000"])
def test_but_not_another_network_or_port(body: str) -> None:
    net, west, east = pair()

    def answer(x: Any, message: Any) -> None:
        if x.script.name == "quick mode" and x.step == 1:
            ids = iter((bytes.fromhex(body), id_of(x, 1)))
            message.payloads = [(k, next(ids) if k == P.ID else v) for k, v in message.payloads]

    change_sent(east, answer)
    net.start()
    net.run(3)
    assert not connected(west)
    assert "the peer's answer names other identities" in west.said
    assert "acceptable: 10.1.0.0/255.255.0.0 to 10.2.0.0/255.255.0.0" in west.said
    assert "mend: Local-ID here must be the peer's remote traffic, and Remote-ID its" in west.said


@pytest.mark.parametrize("exchange", [MAIN, AGGRESSIVE])
def test_an_identity_is_the_peers_in_any_case(exchange: str) -> None:
    net = Network()
    west, east = both(exchange=exchange)
    for gateway, tags, name in (
        (west, "ID= me\n", "GW.Example.NET"), (east, "Remote-ID= me\n", "gw.example.net"),
    ):  # fmt: skip
        text = gateway.text().replace("Phase= 1\n", f"Phase= 1\n{tags}")
        net.add(gateway.address, text + f"[me]\nID-type= FQDN\nName= {name}\n")
    net.start()
    net.run(5)
    assert all(connected(host) for host in net.hosts.values())


# --- the order of payloads -------------------------------------------------------------------

V, D = P.VENDOR, P.NAT_D
# RFC 2409 5.4 and 5.5, RFC 3947 3.2: what may stand there is in its place, what must is no less.
DRAWN = {
    ("main mode", 0): [P.SA, V],
    ("main mode", 1): [P.SA, V],
    ("main mode", 2): [P.KE, P.NONCE, D],
    ("main mode", 3): [P.KE, P.NONCE, D],
    ("main mode", 4): [P.ID, P.HASH, P.NOTIFY],
    ("main mode", 5): [P.ID, P.HASH, P.NOTIFY],
    ("aggressive mode", 0): [P.SA, P.KE, P.NONCE, P.ID, V],
    ("aggressive mode", 1): [P.SA, P.KE, P.NONCE, P.ID, V, D, P.HASH],
    ("aggressive mode", 2): [D, P.HASH, P.NOTIFY],
    ("quick mode", 0): [P.HASH, P.SA, P.NONCE, P.KE, P.ID, P.NAT_OA],
    ("quick mode", 1): [P.HASH, P.SA, P.NONCE, P.KE, P.ID, P.NAT_OA, P.NOTIFY],
    ("quick mode", 2): [P.HASH],
}


@pytest.mark.parametrize("exchange", [MAIN, AGGRESSIVE])
def test_payloads_go_in_the_order_that_the_rfcs_draw(exchange: str) -> None:
    net, west, east = pair(exchange, suites="QM-ESP-AES-128-SHA2-256-PFS-SUITE")
    sent: dict[tuple[str, int], list[int]] = {}

    def note(x: Any, message: Any) -> None:
        kinds = [kind for kind, _ in message.payloads]
        sent[x.script.name, x.step] = [P.HASH, *kinds] if message.hash_over else kinds

    for host in (west, east):
        change_sent(host, note)
    net.start()
    net.run(5)
    wanted = {at for at in DRAWN if at[0] in ("quick mode", MODES[exchange])}
    assert wanted <= set(sent)
    for at in wanted:
        places = [DRAWN[at].index(P(kind)) for kind in sent[at]]
        assert places == sorted(places), (at, [P(kind).name for kind in sent[at]])


# --- what may stand in any message, and in any order -----------------------------------------

EXTRAS: dict[str, list[tuple[int, Any]]] = {
    "vendor": [(P.VENDOR, b"of somebody"), (P.VENDOR, bytes(16))],
    "status": [status(number) for number in (Notify.REPLAY_STATUS, 40000, 65535)],
    "certificate request": [(P.CERT_REQ, b"\4")],
    "unknown payload": [(200, b"private"), (255, b"private")],
}


@pytest.mark.parametrize("extra", sorted(EXTRAS))
@pytest.mark.parametrize("exchange", [MAIN, AGGRESSIVE])
def test_any_message_may_hold_more(exchange: str, extra: str) -> None:
    """RFC 2408 3.10, 3.14 and 3.16, RFC 2407 4.6.3: what means nothing here does no harm."""
    net, west, east = pair(exchange, suites="QM-ESP-AES-128-SHA2-256-PFS-SUITE")
    for host in (west, east):
        change_sent(host, lambda x, message: message.payloads.extend(EXTRAS[extra]))
    net.start()
    net.run(5)
    for host in (west, east):
        (child,) = host.daemon.sas.all_children()
        host.daemon.connections.rekey(child)
        net.run(10)
        assert connected(west) and connected(east)
    agree(west, east)
    assert not west.reasons() + east.reasons()


@pytest.mark.parametrize("exchange", [MAIN, AGGRESSIVE])
def test_payloads_may_come_in_another_order(exchange: str) -> None:
    """RFC 2408 2.1 and 4.1: none is said, but where SA or HASH go first (RFC 2409 5.5)."""
    net, west, east = pair(exchange, suites="QM-ESP-AES-128-SHA2-256-PFS-SUITE")

    def backwards(x: Any, message: Any) -> None:
        kept = [p for p in message.payloads if p[0] in (P.SA, P.ID)]
        rest = [p for p in message.payloads if p[0] not in (P.SA, P.ID)]
        message.payloads = kept + rest[::-1]

    for host in (west, east):
        change_sent(host, backwards)
    net.start()
    net.run(5)
    assert connected(west) and connected(east)
    agree(west, east)
