"""The initial exchanges of IKEv2 between two daemons, and what keeps them from succeeding."""

from __future__ import annotations

import pytest

from isakmp.app.base import Acquire
from isakmp.policy.spd import Selector
from regress.pair import Packet
from regress.scripts.ikev2.pairs import AUTH, INIT, child_of, kinds, only_reason, pair, sa_of, up


def test_two_daemons_make_an_ike_sa_and_a_child_sa() -> None:
    """RFC 7296 1.2."""
    net, west, east = pair()
    up(west, east)
    assert kinds(net.history) == INIT + AUTH
    assert not west.reasons() + east.reasons()
    (row,) = west.rows(1)
    assert (row["version"], row["exchange"], row["prf"]) == (2, "IKE_AUTH", "HMAC_SHA2_256")
    assert child_of(west).parent is sa_of(west)


def test_secrets_that_differ() -> None:
    _, west, east = pair(west={"secret": "another"})
    assert not west.rows(1) + east.rows(1)
    assert only_reason(east)["cause"] == "authentication-failed"
    assert "Authentication" in only_reason(east)["line"]
    assert only_reason(west)["came"] == "AUTHENTICATION_FAILED"
    assert "a secret of both" not in west.said + east.said


def test_an_identity_that_the_peer_does_not_have() -> None:
    """West asks for another (IDr): neither end says to change what is right."""
    named = "\n[name]\nID-type= FQDN\nName= "
    v2 = "Key-exchange= ikev2\n"
    _, west, east = pair(
        west={"peer_tags": v2 + "Remote-ID= name" + named + "one.example"},
        east={"peer_tags": v2 + "ID= name" + named + "other.example"},
    )
    ours, theirs = only_reason(west), only_reason(east)
    assert ours["offered"] == "identity 192.0.2.1 for one.example"
    assert "the ID of each the Remote-ID at the other" in ours["mend"]
    assert theirs["mend"] == "make the ID here and the peer's Remote-ID the same"
    assert "[name]" in theirs["line"]


@pytest.mark.parametrize("name", ["one.example", "192.0.2.77"])
def test_who_has_no_id_is_its_address_whatever_the_peer_asks_for(name: str) -> None:
    """Or everybody with the secret would be whom the peer expects."""
    kind = "Address= " if name[0].isdigit() else "Name= "
    named = f"\n[name]\nID-type= {'IPV4_ADDR' if name[0].isdigit() else 'FQDN'}\n{kind}{name}"
    _, west, east = pair(
        west={"peer_tags": f"Key-exchange= ikev2\nRemote-ID= name{named}"},
    )
    assert not west.rows(2) + east.rows(2)
    assert only_reason(west)["cause"] == "wrong-identity"
    assert "192.0.2.2" in only_reason(west)["came"]


def test_windows_are_announced() -> None:
    _, west, east = pair("Window-size= 4")
    assert [sa_of(host).ids.size_out for host in (west, east)] == [4, 4]


def test_traffic_starts_a_connection_and_its_packet_goes_first() -> None:
    net, west, east = pair(general="Acquire-Only= yes")
    assert not net.history
    packet = Selector.of("10.1.0.5", "10.2.0.7", 6, 1234, 80)
    west.daemon.acquire(Acquire(1, packet, west.address, east.address))
    net.run(1)
    up(west, east)
    assert child_of(west).selector == Selector.of("10.1.0.0/16", "10.2.0.0/16")


@pytest.mark.parametrize("number", range(4))
def test_any_one_message_may_be_lost(number: int) -> None:
    """RFC 7296 2.1."""
    seen: list[Packet] = []

    def lose(packet: Packet) -> bool:
        seen.append(packet)
        return len(seen) == number + 1

    _, west, east = pair(lose=lose, seconds=10)
    up(west, east)
