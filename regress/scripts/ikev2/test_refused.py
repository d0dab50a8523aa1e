"""Who is refused before there are keys leaves nothing behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from isakmp.constants import ikev2
from regress.pair import EAST, WEST, Network, connected
from regress.scripts.changed import change_sent
from regress.scripts.ikev2.pairs import gateways

V2 = "Key-exchange= ikev2\nIKE-proposals= aes128-sha256-"


def test_a_first_message_of_another_group_leaves_nothing() -> None:
    net = Network()
    west = net.host(replace(WEST, peer_tags=f"{V2}ecp256-x25519"))
    east = net.host(replace(EAST, peer_tags=f"{V2}x25519"))
    net.start()
    net.run(5)
    assert connected(west)
    assert connected(east)
    assert not west.reasons() + east.reasons()
    for host in (west, east):
        engine = host.daemon.engine
        assert not engine.exchanges
        assert not engine.half_open


def test_who_wants_eap_is_told_that_it_is_not_spoken() -> None:
    """RFC 7296 2.16: without AUTH; no message is malformed for that."""
    net = Network()
    west, east = (net.host(gateway) for gateway in gateways())

    def bare(x: Any, message: Any) -> None:
        message.payloads = [p for p in message.payloads if p[0] != ikev2.Payload.AUTH]

    change_sent(west, bare, 2)
    net.start()
    net.run(2)
    (reason,) = [o["reason"] for o in east.outcomes if o["reason"]]
    assert (reason["cause"], reason["came"]) == ("unsupported-authentication", "no AUTH payload")
    assert "AUTHENTICATION_FAILED" in west.said
    assert not east.daemon.sas.isakmp
