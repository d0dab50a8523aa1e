"""Who is refused before there are keys leaves nothing behind."""

from __future__ import annotations

from dataclasses import replace

from regress.pair import EAST, WEST, Network, connected

V2 = "Key-exchange= ikev2\nIKE-proposals= aes128-sha256-"


def test_a_first_message_of_another_group_leaves_nothing() -> None:
    net = Network()
    west = net.host(replace(WEST, peer_tags=f"{V2}ecp256-x25519"))
    east = net.host(replace(EAST, peer_tags=f"{V2}x25519"))
    net.start()
    net.run(5)
    assert connected(west)
    assert connected(east)
    assert east.reasons() == ["invalid-ke-payload"]
    for host in (west, east):
        engine = host.daemon.engine
        assert not engine.exchanges
        assert not engine.half_open
