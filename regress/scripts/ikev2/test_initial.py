"""The initial exchanges of IKEv2 between two daemons, and what keeps them from succeeding."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.app.base import Acquire
from isakmp.policy.spd import Selector
from isakmp.scripts.ikev2 import fragments
from regress.pair import Host, Nat, Network, Packet, agree, connected
from regress.scripts.ikev2.pairs import child_of, gateways, kinds, pair, sa_of

INIT = ["IKE_SA_INIT", "IKE_SA_INIT'"]
AUTH = ["IKE_AUTH", "IKE_AUTH'"]
CREATE = ["CREATE_CHILD_SA", "CREATE_CHILD_SA'"]
GROUPS: dict[str, Any] = {
    "west": {"transforms": "AES-256-SHA2-256-GRP19,AES-256-SHA2-256-GRP31"},
    "east": {"transforms": "AES-256-SHA2-256-GRP31"},
}


def up(west: Host, east: Host) -> None:
    """Both have one IKE SA and one child SA, and the same keys."""
    assert connected(west)
    assert connected(east)
    agree(west, east)


def only_reason(host: Host) -> dict[str, Any]:
    """Why the last attempt that failed did, in whole or in part."""
    reason: dict[str, Any] = [o["reason"] for o in host.outcomes if not o["ok"]][-1]
    return reason


def test_two_daemons_make_an_ike_sa_and_a_child_sa() -> None:
    """RFC 7296 1.2."""
    net, west, east = pair()
    up(west, east)
    assert kinds(net.history) == INIT + AUTH
    assert not west.reasons() + east.reasons()
    (row,) = west.rows(1)
    assert (row["version"], row["exchange"], row["prf"]) == (2, "IKE_AUTH", "HMAC_SHA2_256")
    assert child_of(west).parent is sa_of(west)


def test_a_group_that_the_responder_lacks_is_asked_for_anew() -> None:
    net, west, east = pair(**GROUPS)
    up(west, east)
    assert kinds(net.history) == INIT * 2 + AUTH
    assert east.reasons() == ["invalid-ke-payload"]


def test_under_load_a_cookie_is_asked_for_and_nothing_is_kept() -> None:
    net, west, east = pair(general="Cookie-threshold= 0")
    up(west, east)
    assert kinds(net.history) == INIT * 2 + AUTH
    assert east.daemon.engine.counters["cookies"] == 1


def test_a_cookie_and_then_another_group() -> None:
    """RFC 7296 2.6.1 and 2.7."""
    net, west, east = pair(general="Cookie-threshold= 0", **GROUPS)
    up(west, east)
    assert kinds(net.history) == INIT * 3 + AUTH


def test_no_proposal_in_common() -> None:
    _, west, east = pair(
        west={"transforms": "AES-256-SHA2-256-GRP19"},
        east={"transforms": "AES-256-SHA2-256-GRP31"},
        seconds=12,
    )
    theirs, ours = only_reason(east), only_reason(west)
    assert theirs["cause"] == "no-proposal-chosen"
    assert theirs["misses"] == (
        "proposal 1 against AES-256-SHA2-256-GRP31: KE ECP_256, not CURVE25519",
    )
    assert "Transforms" in theirs["line"]
    assert (ours["cause"], ours["came"]) == ("peer-refused", "NO_PROPOSAL_CHOSEN")
    assert not west.daemon.engine.exchanges
    assert not east.daemon.engine.half_open


def test_a_peer_that_does_not_speak_our_version() -> None:
    _, west, east = pair(east={"peer_tags": "Key-exchange= ikev1"}, seconds=12)
    assert "Key-exchange" in east.outcomes[0]["reason"]["mend"]
    assert "Key-exchange" in west.outcomes[0]["reason"]["mend"], "it cannot know of more"


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


def test_selectors_without_anything_in_common_leave_the_ike_sa() -> None:
    """RFC 7296 1.2."""
    net, west, east = pair(west={"remote": "10.3.0.0/16"}, seconds=1)
    assert len(west.rows(1)) == len(east.rows(1)) == 1
    assert not west.rows(2) + east.rows(2)
    assert not west.app.larval + east.app.larval
    assert only_reason(west)["came"] == "TS_UNACCEPTABLE"
    assert only_reason(east)["cause"] == "ts-unacceptable"
    assert kinds(net.history) == INIT + AUTH


def test_selectors_are_narrowed() -> None:
    """RFC 7296 2.9."""
    _, west, east = pair(west={"remote": "10.0.0.0/8"})
    up(west, east)
    assert west.rows(2)[0]["selector"] == "10.1.0.0/16 -> 10.2.0.0/16"


def test_every_selector_that_was_agreed_on_is_shown() -> None:
    """West asks for more than east has, of a range that is several networks."""
    ours, theirs = (
        f"Local-selectors= {near}\nRemote-selectors= {far}\n"
        for near, far in (
            ("10.1.0.0/16, 10.9.0.0/16", "10.2.0.0-10.2.0.9[tcp/80]"),
            ("10.2.0.0/16, 10.8.0.0/16", "10.1.0.0/16, 10.9.4.0/24"),
        )
    )
    _, west, east = pair(west={"connection_tags": ours}, east={"connection_tags": theirs})
    near, far = ["10.1.0.0/16", "10.9.4.0/24"], ["10.2.0.0-10.2.0.9[tcp/80]"]
    (mine,), (other,) = west.rows(2), east.rows(2)
    assert (mine["local_selectors"], mine["remote_selectors"]) == (near, far)
    assert (other["local_selectors"], other["remote_selectors"]) == (far, near)
    assert f"{', '.join(near)} === {far[0]}" in west.said


def test_a_child_sa_of_its_own_exchange() -> None:
    """RFC 6023."""
    net, west, east = pair("Childless= force")
    up(west, east)
    assert kinds(net.history) == INIT + AUTH + CREATE


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


def test_large_messages_go_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "TRIES_V4", (260, 200))
    net, west, east = pair()
    up(west, east)
    assert [p.header.next_payload for p in net.history[2:]] == [53] * 4


def test_what_does_not_come_through_is_cut_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7383."""
    monkeypatch.setattr(fragments, "TRIES_V4", (260, 200))
    net, west, east = pair(
        lose=lambda packet: packet.header.next_payload == 53 and len(packet.data) > 200, seconds=20
    )
    up(west, east)
    assert sa_of(west).fragments.size == 200


def test_what_is_cut_smaller_is_not_mixed_with_the_pieces_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fragments, "TRIES_V4", (260, 250))
    net, west, east = pair(
        lose=lambda packet: packet.header.next_payload == 53 and len(packet.data) > 200, seconds=20
    )
    up(west, east)
    assert not west.reasons() + east.reasons()
    totals = [int.from_bytes(p.data[34:36]) for p in net.history if p.header.next_payload == 53]
    assert set(totals) == {2, 3}


def test_what_is_cut_smaller_fits_the_smaller_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "TRIES_V4", (260, 140))
    net, west, east = pair(
        lose=lambda packet: packet.header.next_payload == 53 and len(packet.data) > 112, seconds=20
    )
    up(west, east)
    sent = [p for p in net.history if p.header.next_payload == 53 and not p.header.flags & 0x20]
    sizes = dict.fromkeys(int.from_bytes(p.data[34:36]) for p in sent)
    assert len(sizes) == 2, "one cut that is lost, one that fits"


def test_a_request_that_comes_cut_anew_is_answered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "TRIES_V4", (260, 200))
    lost: list[Packet] = []

    def lose(packet: Packet) -> bool:
        answers = packet.header.next_payload == 53 and bool(packet.header.flags & 0x20)
        if answers and len(lost) < 6:
            lost.append(packet)
            return True
        return False

    _, west, east = pair(lose=lose, seconds=40)
    up(west, east)
    assert not west.reasons() + east.reasons()
    assert sa_of(west).fragments.size == 200


def behind_nat(tags: str = "") -> tuple[Network, Host, Host, Nat]:
    one, other = gateways(tags)
    net, nat = Network(), Nat("10.0.0.9", "192.0.2.1")
    west = net.add("10.0.0.9", one.text().replace("192.0.2.1", "10.0.0.9"))
    east = net.host(other)
    net.nats.append(nat)
    net.start()
    net.run(3)
    return net, west, east, nat


def test_a_nat_moves_both_to_port_4500() -> None:
    """RFC 7296 2.23."""
    net, west, east, _ = behind_nat()
    up(west, east)
    assert (west.rows(1)[0]["nat_t"], east.rows(1)[0]["nat_t"]) == ("local", "remote")
    assert west.rows(2)[0]["encap"] is east.rows(2)[0]["encap"] is True
    assert [p.dport for p in net.history[:3]] == [500, 20001, 4500]


def test_a_peer_is_followed_when_its_nat_has_forgotten_it() -> None:
    net, west, east, nat = behind_nat()
    before = east.rows(1)[0]["remote"]
    nat.rebind()
    sa = sa_of(west)
    west.daemon.engine.dialects["ikev2"].probe(west.daemon.engine, sa, 1)
    net.run(1)
    assert east.rows(1)[0]["remote"] != before
    assert {s.encap for s in east.app.sas.values()} == {(20003, 4500), (4500, 20003)}


def test_encapsulation_can_be_forced() -> None:
    net, west, east = pair("Encapsulation= force")
    up(west, east)
    assert {p.dport for p in net.history[2:]} == {4500}
    assert west.rows(2)[0]["encap"]


def test_ipcomp_is_used_where_both_want_it() -> None:
    """RFC 7296 2.22."""
    net, west, east = pair(connection_tags="IPComp= yes")
    up(west, east)
    assert sorted((s.protocol.name, s.mode.name) for s in west.app.sas.values()) == [
        ("IPCOMP", "TUNNEL"), ("IPCOMP", "TUNNEL"),
        ("IPSEC_ESP", "TRANSPORT"), ("IPSEC_ESP", "TRANSPORT"),
    ]  # fmt: skip
    west.daemon.teardown("west-east", 2)
    net.run(1)
    assert not west.app.sas
    assert not east.app.sas


def test_ipcomp_is_left_where_one_does_not() -> None:
    _, west, east = pair(west={"connection_tags": "IPComp= yes"})
    up(west, east)
    assert {s.protocol.name for s in west.app.sas.values()} == {"IPSEC_ESP"}
