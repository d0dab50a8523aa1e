"""Who asks guesses the group of his key exchange: RFC 7296 1.2, 1.3 and 2.7.

Nothing has failed where the guess was another than is chosen, and nobody is at fault, unless it was
of no group that was proposed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from isakmp.constants import ikev2
from isakmp.scripts.ikev2 import create_child_sa
from regress.observer import in_clear
from regress.pair import Host, Network, Packet, agree, connected
from regress.scripts.changed import change_sent
from regress.scripts.ikev2.pairs import (
    child_of,
    gateways,
    kinds,
    pair,
    sa_of,
    settled,
    wear_out,
)

P, Notify = ikev2.Payload, ikev2.Notify
ECP_256, ECP_384 = 19, 20
CREATE = ["CREATE_CHILD_SA", "CREATE_CHILD_SA'"]
# What one end proposes and takes, and the other.
TWO, ONE = "aes128{}-ecp256-x25519{}", "aes128{}-x25519{}"


def peers(more: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """West guesses ECP_256, which east does not take."""
    west, east = (
        {"peer_tags": f"Key-exchange= ikev2\nIKE-proposals= {text.format('-sha256', more)}",
         "connection_tags": f"ESP-proposals= {text.format('gcm16', more)}"}
        for text in (TWO, ONE)
    )  # fmt: skip
    return west, east


def begun(net: Network, west: Host) -> None:
    """IKE_SA_INIT alone."""


def rekey_child(net: Network, west: Host) -> None:
    wear_out(west)


def rekey_ike(net: Network, west: Host) -> None:
    west.daemon.keeper.rekey_sa(sa_of(west))


@pytest.mark.parametrize("more", ["", "-ke1_ecp384"], ids=["", "additional"])
@pytest.mark.parametrize("act", [begun, rekey_child, rekey_ike])
def test_a_guess_that_is_not_taken_is_no_failure(
    act: Callable[[Network, Host], None], more: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create_child_sa, "_first_group", lambda *_: ECP_256)
    one, other = peers(more)
    net, west, east = pair(west=one, east=other)
    seen = "" if act is begun else east.said
    act(net, west)
    settled(net, west, east)
    told = east.said.removeprefix(seen)
    assert "refused: another-group" in told and "came: ECP_256; acceptable: CURVE25519" in told
    for host in (west, east):
        assert not any(f" {kind}_{how} " in host.said for kind in ("PROTO", "INTERNAL")
                       for how in ("ERR", "WARN"))  # fmt: skip
        assert all(o["ok"] for o in host.outcomes)


@pytest.mark.parametrize("preference", ["local", "peer"])
def test_in_rekeying_too_a_guess_is_taken_that_can_be(preference: str) -> None:
    net, west, east = pair(
        f"Proposal-preference= {preference}",
        west={"connection_tags": "ESP-proposals= aes128gcm16-x25519-ecp256"},
        east={"connection_tags": "ESP-proposals= aes128gcm16-ecp256-x25519"},
    )
    wear_out(west)
    settled(net, west, east)
    assert kinds(net.history[4:]) == [*CREATE, "INFORMATIONAL", "INFORMATIONAL'"]
    assert child_of(east).protocols[0].chosen.group == 31


@pytest.mark.parametrize("act", [begun, rekey_child, rekey_ike])
def test_a_group_that_nobody_has_proposed_breaks_the_rfc(
    act: Callable[[Network, Host], None],
) -> None:
    def changed(x: Any, message: Any) -> None:
        message.payloads = [
            (kind, value._replace(group=ECP_384) if kind == P.KE else value)
            for kind, value in message.payloads
        ]

    net = Network()
    west, east = (
        net.host(replace(gateway, **tags))
        for gateway, tags in zip(gateways(), peers(), strict=True)
    )
    if act is not begun:
        net.start()
        net.run(3)
    change_sent(west, changed, 2)
    if act is begun:
        net.start()
    act(net, west)
    net.run(0.5)
    assert "invalid-ke-payload" in east.reasons()
    (line,) = {each.partition(" responder ")[2] for each in east.lines if "PROTO_ERR" in each}
    assert "proposals do not have; came: ECP_384; acceptable: " in line
    assert "the peer breaks its RFC" in line


def answers(packet: Packet) -> bool:
    """Whether it asks for another group."""
    header = packet.header
    clear = header.exchange_type == ikev2.Exchange.IKE_SA_INIT and header.next_payload == P.NOTIFY
    return bool(clear and header.flags & ikev2.Flag.RESPONSE)


@pytest.mark.parametrize("way_s", [0.1, 0.6, 1.2])
@pytest.mark.parametrize("general", ["", "Cookie-threshold= 0"], ids=["", "cookies"])
def test_one_more_answer_to_the_message_before_is_nothing_odd(general: str, way_s: float) -> None:
    """Of a peer whose answers have an SPI, another one each time, on a long way."""
    hosts = gateways(general=general)
    net = Network()
    west, east = (
        net.host(replace(gateway, **tags)) for gateway, tags in zip(hosts, peers(), strict=True)
    )
    deliver, draw = net.deliver, Random(1)

    def arrive(packet: Packet) -> None:
        asks = [packet] if answers(packet) else []
        for each in asks * 2:
            data = each.data[:8] + draw.randbytes(8) + each.data[16:]
            west.timers.add("on its way", way_s, deliver, each._replace(data=data))
        if not asks:
            west.timers.add("on its way", way_s, deliver, packet)

    net.deliver = arrive  # type: ignore[method-assign]
    net.start()
    net.run(25)
    assert connected(west) and connected(east)
    agree(west, east)
    assert "answer refused" not in west.said
    assert not west.reasons()


def test_who_asks_again_and_again_for_what_he_gets_is_told_of() -> None:
    net = Network()
    west = net.host(replace(gateways()[0], **peers()[0]))
    draw = Random(1)

    def forge(packet: Packet) -> None:
        answer = in_clear(packet, Notify.INVALID_KE_PAYLOAD, b"\0\x1f")
        data = answer.data[:8] + draw.randbytes(8) + answer.data[16:]
        west.receive(answer._replace(data=data))

    net.deliver = forge  # type: ignore[method-assign]
    net.start()
    net.run(15)
    assert west.reasons()[0] == "peer-refused"
    assert "the peer said INVALID_KE_PAYLOAD (in clear, so unproven)" in west.said
