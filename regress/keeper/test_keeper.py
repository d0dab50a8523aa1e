"""What becomes of SAs: lifetimes, rekeying, deletes, dead peers, keepalives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from isakmp.app.base import Expire, SaId, Usage
from isakmp.constants import isakmp
from isakmp.sa import ChildSa, IsakmpSa
from isakmp.scripts.ikev1.informational import delete_payload, notify_payload
from regress.pair import EAST, WEST, Host, Network, Packet, agree, both, connected, up
from regress.policy.test_boxes import calls

NOTIFY = isakmp.Notify
ESP = isakmp.Protocol.IPSEC_ESP
LIVES = """\
[t]
ENCRYPTION_ALGORITHM= AES_CBC
KEY_LENGTH= 128,128:256
HASH_ALGORITHM= SHA
AUTHENTICATION_METHOD= PRE_SHARED
GROUP_DESCRIPTION= CURVE25519
Life= one
[one]
LIFE_TYPE= SECONDS
LIFE_DURATION= {},60:86400
[s]
Protocols= p
[p]
PROTOCOL_ID= IPSEC_ESP
Transforms= x
[x]
TRANSFORM_ID= AES
KEY_LENGTH= 128,128:256
ENCAPSULATION_MODE= TUNNEL
AUTHENTICATION_ALGORITHM= HMAC_SHA
Life= two
[two]
LIFE_TYPE= SECONDS
LIFE_DURATION= {},60:86400
"""


def lives(phase_1_s: int, phase_2_s: int) -> dict[str, str]:
    return {"transforms": "t", "suites": "s", "more": LIVES.format(phase_1_s, phase_2_s)}


def only_sa(host: Host) -> IsakmpSa:
    (sa,) = host.daemon.sas.isakmp.values()
    return sa


def only_child(host: Host) -> ChildSa:
    (child,) = host.daemon.sas.all_children()
    return child


def tell(host: Host, *payloads: tuple[int, object]) -> None:
    """Send an informational exchange under the host's SA."""
    sa = only_sa(host)
    dialect = host.daemon.engine.dialects["ikev1"]
    dialect.tell(host.daemon.engine, sa, list(payloads))  # type: ignore[attr-defined]
    host.network.pump()


# --- lifetimes -------------------------------------------------------------------------------


def test_both_phases_are_rekeyed_before_they_end_and_never_without_an_sa() -> None:
    """RFC 2408 4.3, RFC 2409 9."""
    net, west, east = up(*both(**lives(300, 120)))
    seen: set[str] = set()
    for _ in range(int(1200 / 0.5)):
        net.run(0.5)
        assert any(r["state"] == "established" for r in west.rows(2))
        assert any(r["state"] == "established" for r in east.rows(2))
        seen |= {r["cookies"] for r in west.rows(1)}
        assert len(west.rows(2)) <= 3
        assert len(west.rows(1)) <= 3
    assert len(seen) >= 4
    net.run(70)
    assert not west.reasons()
    assert not east.reasons()
    agree(west, east)


@pytest.mark.parametrize("who", ["west", "east"])
def test_either_side_may_rekey_the_child(who: str) -> None:
    net, west, east = up()
    host = west if who == "west" else east
    old = only_child(host)
    host.daemon.expire(Expire(old.inbound()[0], False))
    net.run(2)
    assert len(host.app.sas) == 4, "the old pair is there until the new one has taken over"
    net.run(70)
    assert only_child(host).message_id != old.message_id
    assert only_child(host).initiator
    assert len(host.app.sas) == 2
    agree(west, east)


def test_both_sides_at_once_end_with_one_pair() -> None:
    """RFC 2409 9."""
    net, west, east = up()
    for host in (west, east):
        host.daemon.expire(Expire(only_child(host).outbound()[0], False))
    net.run(100)
    assert connected(west)
    assert connected(east)
    agree(west, east)


@pytest.mark.parametrize("who", ["west", "east"])
def test_either_side_may_rekey_the_isakmp_sa(who: str) -> None:
    net, west, east = up()
    host = west if who == "west" else east
    old = only_sa(host)
    host.daemon.keeper.rekey_sa(old)
    net.run(100)
    assert only_sa(host) is not old
    assert only_sa(host).initiator
    assert connected(west)
    assert connected(east)
    agree(west, east)


def test_limits_in_bytes_are_reported_by_the_application() -> None:
    net, west, east = up()
    child = only_child(west)
    west.daemon.expire(Expire(child.outbound()[0], False))
    net.run(1)
    west.daemon.expire(Expire(child.outbound()[0], True))
    net.run(1)
    assert only_child(west) is not child
    net.run(60)
    agree(west, east)


def test_a_hard_limit_ends_an_sa_and_the_peer_is_told() -> None:
    net, west, east = up(WEST, EAST)
    west.daemon.set_active(False)
    west.daemon.expire(Expire(only_child(west).inbound()[0], True))
    net.run(2)
    assert not west.app.sas
    assert not east.app.sas
    west.daemon.expire(Expire(SaId(ESP, 12345, east.address, west.address), True))


def test_without_traffic_to_protect_an_isakmp_sa_just_ends() -> None:
    net, west, east = up(*both(**lives(120, 60)))
    west.daemon.teardown("west-east", 2)
    net.run(121)
    assert not west.rows(1)
    assert not east.rows(1)


def test_a_rekeying_that_fails_is_tried_until_the_end() -> None:
    """Where nobody asks whether the peer lives, which would end all sooner."""
    net, west, east = up(*both(**lives(80000, 300), general="DPD-check-interval= 0"))
    net.lose = lambda packet: True
    net.run(280)
    net.lose = lambda packet: False
    net.run(60)
    assert connected(west)
    assert connected(east)
    net.run(70)
    agree(west, east)


# --- deletes ---------------------------------------------------------------------------------


def test_a_delete_is_told_and_repeated_once() -> None:
    """RFC 2408 3.15."""
    net, west, east = up()
    before = len(net.history)
    west.daemon.teardown("west-east", 2)
    net.run(5)
    deletes = [p for p in net.history[before:] if p.header.exchange_type == 5]
    assert len(deletes) == 2
    assert deletes[0].data == deletes[1].data
    assert not east.app.sas
    assert only_sa(east)


def test_a_lost_delete_comes_again() -> None:
    net, west, east = up()
    before = len(net.history)
    net.lose = lambda packet: len(net.history) == before + 2
    west.daemon.teardown("east", 1)
    net.run(5)
    assert not east.app.sas
    assert not east.rows(1)


def test_only_ones_own_sas_can_be_deleted() -> None:
    """RFC 2408 5.15."""
    net, west, east = up()
    child, sa = only_child(west), only_sa(west)
    others = [b"\0\0\1\0", b"\xff\xff\xff\xff"]
    tell(west, delete_payload(ESP, others), delete_payload(isakmp.Protocol.ISAKMP, [b"x" * 16]))
    tell(
        west,
        delete_payload(isakmp.Protocol.IPSEC_AH, [child.protocols[0].spi_in.to_bytes(4, "big")]),
    )
    tell(west, notify_payload(NOTIFY.INVALID_SPI, ESP, b"\1\2\3\4"))
    assert connected(east)
    agree(west, east)
    tell(
        west, notify_payload(NOTIFY.INVALID_SPI, ESP, child.protocols[0].spi_in.to_bytes(4, "big"))
    )
    assert not east.app.sas
    assert sa.state.value == "established"
    assert net.now


def test_another_peer_cannot_delete_it() -> None:
    """East has a second peer, which names the SAs of the first."""
    third = replace(WEST, address="192.0.2.3", local="10.3.0.0/16")
    east_text = EAST.text().replace("[Phase 1]\n", "[Phase 1]\n192.0.2.3= third\n")
    east_text = east_text.replace("connections= ", "connections= east-third, ") + (
        "[third]\nPhase= 1\nAddress= 192.0.2.3\nLocal-address= 192.0.2.2\nConfiguration= phase-1\n"
        "Authentication= a secret of both\n[east-third]\nPhase= 2\nISAKMP-peer= third\n"
        "Configuration= phase-2\nLocal-ID= near\nRemote-ID= third-net\n"
        "[third-net]\nID-type= IPV4_ADDR_SUBNET\nNetwork= 10.3.0.0\nNetmask= 255.255.0.0\n"
    )
    net = Network()
    west, evil = net.host(WEST), net.host(third)
    east = net.add("192.0.2.2", east_text)
    net.start()
    net.run(5)
    assert connected(east, children=2, parents=2), east.said
    spis = [s.spi.to_bytes(4, "big") for s in west.app.sas.values()]
    tell(evil, delete_payload(ESP, spis), notify_payload(NOTIFY.INVALID_SPI, ESP, spis[0]))
    tell(evil, delete_payload(isakmp.Protocol.ISAKMP, [only_sa(west).cookies]))
    net.run(3)
    assert connected(east, children=2, parents=2)


def test_deletes_are_not_told_where_that_is_so_configured() -> None:
    net, west, east = up(replace(WEST, general="Delete-SAs= no"), EAST)
    before = len(net.history)
    west.daemon.stop()
    net.run(3)
    assert len(net.history) == before
    assert connected(east)


# --- initial contact -------------------------------------------------------------------------


@pytest.mark.parametrize("exchange", ["ID_PROT", "AGGRESSIVE"])
def test_a_peer_that_has_restarted_says_so(exchange: str) -> None:
    west, east = both(exchange=exchange)
    net, w, e = up(west, east)
    old = only_sa(e), only_child(e)
    net.hosts.pop(w.address)
    fresh = net.host(west, seed=2)
    net.run(5)
    fresh.daemon.start()
    net.run(5)
    assert only_sa(e) is not old[0]
    assert only_child(e) is not old[1]
    agree(fresh, e)


def test_a_new_isakmp_sa_leaves_the_child_sas_of_the_old_one() -> None:
    """Who still has child SAs with a peer does not say that there is no other SA."""
    net, west, east = up()
    child = only_child(west)
    for host in (west, east):
        host.daemon.keeper.delete_sa(only_sa(host), tell=False)
    west.daemon.connections.begin_sa(west.daemon.catalog.remote("east"), child.path)
    net.run(10)
    assert only_child(west) is child
    agree(west, east)


# --- dead peers ------------------------------------------------------------------------------

DPD = "DPD-check-interval= 10"


def probes(net: Network, host: Host) -> list[Packet]:
    return [p for p in net.history if p.src == host.address and p.header.exchange_type == 5]


def test_silence_is_asked_about_and_an_answer_is_enough() -> None:
    """RFC 3706 5.2 and 5.3."""
    net, west, east = up(replace(WEST, general=DPD), EAST)
    net.run(100)
    assert 8 <= len(probes(net, west)) <= 11
    assert len(probes(net, east)) == len(probes(net, west))
    assert connected(west)


def test_a_dead_peer_is_given_up_after_the_retries() -> None:
    net, west, east = up(replace(WEST, general=DPD), EAST)
    east.daemon.transport.close()
    began = net.now
    net.until(lambda: not west.rows(1), 100)
    assert len(probes(net, west)) == 6
    assert 10 + 30 - 6 <= net.now - began <= 10 + 30 + 6
    assert not west.app.sas
    assert "is dead" in west.said


def test_traffic_counts_as_alive() -> None:
    net, west, east = up(replace(WEST, general=DPD), EAST)
    spi = only_child(west).protocols[0].spi_in
    for seconds in range(60):
        west.app.carried[spi] = Usage(seconds + 1, 100 * seconds, 1.0, 0.0)
        net.run(1)
    assert not probes(net, west)
    net.run(60)
    assert probes(net, west)
    assert connected(west)


def test_traffic_while_asking_ends_the_asking() -> None:
    net, west, east = up(replace(WEST, general=DPD), EAST)
    net.lose = lambda packet: packet.dst == west.address
    net.run(20)
    assert only_sa(west).dpd_waiting
    west.app.carried[only_child(west).protocols[0].spi_in] = Usage(5, 500, 1.0, 0.0)
    net.run(6)
    assert not only_sa(west).dpd_waiting
    assert connected(west)


def test_answers_to_other_questions_do_not_count() -> None:
    """RFC 3706 6. What a notify of the ISAKMP SA says of its SPI is ignored (RFC 2408 3.14)."""
    net, west, east = up(replace(WEST, general=DPD), EAST)
    net.lose = lambda packet: packet.dst == west.address
    net.run(20)
    asked = only_sa(west).dpd_sequence
    waiting = only_sa(west).dpd_waiting
    net.lose = lambda packet: False
    wrong = (asked + 7).to_bytes(4, "big")
    tell(east, notify_payload(NOTIFY.R_U_THERE_ACK, spi=only_sa(east).cookies, data=wrong))
    tell(east, notify_payload(NOTIFY.R_U_THERE_ACK, spi=b"", data=b"short"))
    assert only_sa(west).dpd_waiting == waiting > 0
    tell(east, notify_payload(NOTIFY.R_U_THERE_ACK, spi=b"x" * 16, data=asked.to_bytes(4, "big")))
    assert only_sa(west).dpd_waiting == 0


# --- keys ------------------------------------------------------------------------------------


def test_keys_are_written_for_wireshark_where_asked(tmp_path: Path) -> None:
    _, west, _ = up(replace(WEST, general=f"Key-log= {tmp_path}"), EAST)
    sa = only_sa(west)
    written = "".join(path.read_text() for path in tmp_path.iterdir())
    assert sa.cky_i.hex() in written.lower()
    assert sa.keys.cipher_key.hex() in written.lower()
    for spec in west.app.sas.values():
        assert spec.enc_key.hex() in written.lower()


def test_keys_are_in_the_log_at_the_highest_level_only() -> None:
    net = Network()
    west, _ = net.host(WEST), net.host(EAST)
    west.log.set_level(None, 98)
    net.start()
    net.run(3)
    keys = only_sa(west).keys
    secrets = [keys.skeyid, keys.skeyid_d, keys.skeyid_a, keys.skeyid_e, keys.cipher_key]
    secrets += [s.enc_key for s in west.app.sas.values()]
    assert not any(secret.hex()[:16] in west.said.replace(" ", "") for secret in secrets)


def test_thousands_of_cookies_are_looked_up_once_each() -> None:
    """A Delete of 64 kB names 4,000 ISAKMP SAs: each was compared with all there are, anew."""
    net = Network()
    west, east = (net.host(gateway) for gateway in both())
    net.start()
    net.run(5)
    assert connected(west)
    keeper = east.daemon.engine.owner
    sa = next(iter(east.daemon.sas.isakmp.values()))
    cookies = [number.to_bytes(16, "big") for number in range(4000)]
    assert calls(lambda: keeper.peer_deleted(sa, cookies)) < 100
    assert keeper.peer_deleted(sa, [*cookies[:2], sa.cookies]) == cookies[:2]
    assert sa not in east.daemon.sas.isakmp.values()
