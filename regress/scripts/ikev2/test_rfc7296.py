"""What RFC 7296 says of errors and of those who misbehave, clause by clause."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from isakmp.constants import ikev2
from isakmp.message import Item, parse_payloads
from isakmp.policy import proposal
from isakmp.policy.traffic import to_wire
from isakmp.sa import State
from regress.pair import Host, Network, Packet, agree, connected
from regress.scripts.ikev2.pairs import child_of, gateways, kinds, pair, sa_of
from regress.scripts.ikev2.test_hostile import forge, opened, send

P, Notify, X = ikev2.Payload, ikev2.Notify, ikev2.Exchange
RESPONSE = 0x20
TRANSPORT = "QM-ESP-TRP-AES-128-SHA2-256-SUITE"
HOSTS = {
    "west": {"local": "192.0.2.1", "remote": "192.0.2.2"},
    "east": {"local": "192.0.2.2", "remote": "192.0.2.1"},
}


def request(west: Host, **changes: Any) -> list[Item]:
    """What west's request for another child SA holds; changes: bodies by the payload's name."""
    connection = west.daemon.catalog.connection("west-east")
    traffic = connection.traffic
    values: dict[str, Any] = {
        "SA": proposal.offer(connection.proposals, b"\1\2\3\4"),
        "NONCE": {"data": bytes(32)},
        "TSI": to_wire(traffic.local),
        "TSR": to_wire(traffic.remote),
        **changes,
    }
    return [(P[name], value) for name, value in values.items()]


def notifies(inner: bytes, first: int = P.NOTIFY) -> list[Any]:
    """The notifies of a chain."""
    return [p.value for p in parse_payloads(2, first, inner)[0] if p.type == P.NOTIFY]


def answers(net: Network, west: Host, kind: int) -> list[Packet]:
    """The answers that west got of a type."""
    return [p for p in net.history
            if p.dst == west.address and p.header.exchange_type == kind
            and p.header.flags & RESPONSE]  # fmt: skip


# --- 2.1: answers are repeated ---------------------------------------------------------------


def test_who_is_refused_in_ike_auth_learns_it_though_the_answer_is_lost() -> None:
    lost: list[Packet] = []

    def lose(packet: Packet) -> bool:
        if kinds([packet]) == ["IKE_AUTH'"] and not lost:
            lost.append(packet)
            return True
        return False

    net, west, _ = pair(west={"secret": "another"}, lose=lose, seconds=4)
    assert west.outcomes[-1]["reason"]["came"] == "AUTHENTICATION_FAILED"
    first, again = answers(net, west, X.IKE_AUTH)[:2]
    assert first.data == again.data


# --- 2.21.3: what is badly formatted is fatal ------------------------------------------------


def test_a_request_that_breaks_a_rule_ends_the_ike_sa() -> None:
    net, west, east = pair()
    data = forge(west, [], first=P.DELETE, inner=b"\0\0\0\x03")
    (answer,) = send(net, west, east, data)
    assert notifies(opened(west, answer))[0].notify == Notify.INVALID_SYNTAX
    assert not east.rows(1) + east.rows(2)
    (again,) = send(net, west, east, data)
    assert again.data == answer.data, "the answer may have been lost"


@pytest.mark.parametrize("kind", [X.INFORMATIONAL, X.CREATE_CHILD_SA])
def test_who_is_told_so_ends_it_too(kind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    net, west, east = pair()
    old = sa_of(west)
    monkeypatch.setattr("isakmp.scripts.ikev2.common.NONCE_SIZE", 8)
    if kind == X.INFORMATIONAL:
        from isakmp.scripts.ikev2.informational import tell

        tell(west.daemon.engine, west.daemon.engine.dialects[2], old, [(P.NONCE, b"short")])
    else:
        west.daemon.connections.rekey(child_of(west))
    net.pump()
    assert old.state is State.DEAD
    assert not west.rows(2) + east.rows(2)


def test_a_key_exchange_outside_its_group_ends_the_ike_sa() -> None:
    net, west, east = pair(connection_tags="ESP-proposals= aes128gcm16-modp2048")
    ke = {"group": 14, "data": bytes(255) + b"\1"}
    (answer,) = send(net, west, east, forge(west, request(west, KE=ke), kind=X.CREATE_CHILD_SA))
    assert notifies(opened(west, answer))[0].notify == Notify.INVALID_SYNTAX
    assert not east.rows(1)


# --- 1.3.1: what the initiator does not accept it deletes ------------------------------------


@pytest.mark.parametrize("childless", ["", "Childless= force"])
def test_tunnel_mode_where_transport_mode_is_wanted_is_deleted(childless: str) -> None:
    west, east = {**HOSTS["west"], "suites": TRANSPORT}, HOSTS["east"]
    _, near, far = pair(childless, west=west, east=east, seconds=1)
    assert "transport-mode-refused" in near.reasons()
    assert connected(near, children=0)
    assert connected(far, children=0)
    assert not near.app.larval + far.app.larval
    agree(near, far)


# --- 2.15, 2.16: who is who -------------------------------------------------------------------


def test_a_secret_of_somebody_else_does_not_make_a_responder() -> None:
    """West knows mallory, but asks for east."""
    one, other = gateways()
    net = Network()
    west = net.host(replace(one, more="[mallory]\nAuthentication= of mallory\n"))
    east = net.host(replace(other, peer_tags="Key-exchange= ikev2\nID= me",
                            more="[me]\nID-type= FQDN\nName= mallory\n"))  # fmt: skip
    said = iter([b"a secret of both", b"of mallory"])
    east.daemon.keeper.secret = lambda *_: next(said)  # type: ignore[method-assign]
    net.start()
    net.run(1)
    assert west.reasons() == ["authentication-failed"]
    assert not west.rows(1) + west.rows(2) + east.rows(1) + east.rows(2)


# --- 3.10: what a notify names ----------------------------------------------------------------


def test_the_child_sa_that_is_not_found_is_named() -> None:
    net, west, east = pair()
    rekey = {"protocol_id": 3, "notify": int(Notify.REKEY_SA), "spi": b"\0\1\2\3", "data": b""}
    items: list[Item] = [(P.NOTIFY, rekey), *request(west)]
    (answer,) = send(net, west, east, forge(west, items, kind=X.CREATE_CHILD_SA))
    (told,) = notifies(opened(west, answer))
    assert (told.notify, told.protocol_id, told.spi) == (
        Notify.CHILD_SA_NOT_FOUND, 3, b"\0\1\2\3",
    )  # fmt: skip
