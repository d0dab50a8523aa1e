"""Notifies in clear: RFC 2408 4.8 and 5.14, INVALID-SPI of ESP that nobody opens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isakmp import payloads as codecs
from isakmp.app.base import UnknownSpi
from isakmp.conf.store import Conf
from isakmp.constants import isakmp
from isakmp.crypto import keymat
from isakmp.exchange.candidates import leaves
from isakmp.message import HEADER_SIZE, Header, build_payloads, generic_header, parse_payloads
from isakmp.payloads.vendor import VENDOR_DPD
from isakmp.sa import State
from isakmp.scripts.ikev1 import phase_1
from isakmp.scripts.ikev1.informational import delete_payload, notify_payload
from isakmp.scripts.ikev1.receive import ENCRYPTION
from regress.observer import Observer, Payloads, edited, is_clear
from regress.pair import Host, Network, Packet, agree, both, stranger, up
from regress.scripts.ikev2.pairs import child_of, wear_out
from regress.traffic import flows

NOTIFY, ESP = isakmp.Notify, isakmp.Protocol.IPSEC_ESP


def pair(**changes: Any) -> tuple[Network, Host, Host]:
    return up(*both(**changes))


def notice(notify: int, spi: bytes) -> bytes:
    first, chain = build_payloads(1, [notify_payload(notify, ESP, spi)])
    header = Header(b"\1" * 8, bytes(8), first, 1, 0, isakmp.Exchange.INFO, 0, 7,
                    HEADER_SIZE + len(chain))  # fmt: skip
    return header.pack() + chain


def unknown(host: Host, spi: int, src: Any) -> None:
    host.daemon.unknown_spi(UnknownSpi(spi, src, host.address, None))


def forget(host: Host) -> None:
    (sa,) = host.daemon.sas.isakmp.values()
    host.daemon.keeper.delete_sa(sa, tell=False)


@pytest.mark.parametrize("exchange", ["ID_PROT", "AGGRESSIVE"])
def test_a_peer_without_an_isakmp_sa_is_told_of_unknown_spis(exchange: str) -> None:
    """RFC 2408 4.8 and 5.14."""
    net, west, east = pair(exchange=exchange)
    forget(east)
    before = len(net.history)
    unknown(east, 0x12345678, west.address)
    (told,) = net.history[before:]
    header = told.header
    assert (header.major, header.exchange_type, header.flags) == (1, isakmp.Exchange.INFO, 0)
    assert any(header.cky_i) and not any(header.cky_r)
    (payload,), _ = parse_payloads(1, header.next_payload, told.message[HEADER_SIZE:])
    value = payload.of(codecs.NOTIFY)
    assert (value.notify, value.protocol_id, value.spi) == (
        NOTIFY.INVALID_SPI, ESP, bytes.fromhex("12345678"),
    )  # fmt: skip


def test_who_has_an_isakmp_sa_is_told_under_it_alone() -> None:
    net, west, east = pair()
    before = len(net.history)
    unknown(east, 0x12345678, west.address)
    (told,) = net.history[before:]
    assert told.header.flags & isakmp.Flag.ENCRYPTION


def test_nobody_is_told_who_cannot_be_a_peer_and_nobody_too_often() -> None:
    net, west, east = pair()
    before = len(net.history)
    unknown(east, 0x12345678, stranger(b"", east).src)
    assert len(net.history) == before
    forget(east)
    for spi in range(256, 1256):
        unknown(east, spi, west.address)
    assert 1 <= len(net.history) - before <= 10


def test_who_speaks_ikev2_alone_is_told_in_ikev2_alone() -> None:
    net, west, east = pair(peer_tags="Key-exchange= ikev2")
    forget(east)
    before = len(net.history)
    unknown(east, 0x12345678, west.address)
    assert [p.header.major for p in net.history[before:]] == [2]


def test_a_peer_that_has_lost_what_we_send_with_is_asked_whether_it_lives() -> None:
    net, west, east = pair()
    spi = child_of(west).protocols[0].spi_out.to_bytes(4, "big")
    before = len(net.history)
    for _ in range(1000):
        west.receive(stranger(notice(NOTIFY.INVALID_SPI, spi), west, str(east.address)))
    assert len(net.history) == before + 1, "a flood has one question under way"
    net.run(60)
    assert [p.src for p in net.history[before:]] == [west.address, east.address]
    agree(west, east)


def cookies_of(host: Host) -> bytes:
    (sa,) = host.daemon.sas.isakmp.values()
    return sa.cookies


@pytest.mark.parametrize("where", ["header", "SPI"])
def test_a_peer_that_says_our_cookies_are_unknown_is_asked_whether_it_lives(where: str) -> None:
    """RFC 2408 5.2: a hint alone."""
    net, west, east = pair()
    data = notice(NOTIFY.INVALID_COOKIE, cookies_of(west) if where == "SPI" else b"")
    if where == "header":
        data = cookies_of(west) + data[16:]
    before = len(net.history)
    for _ in range(1000):
        west.receive(stranger(data, west))
        assert len(net.history) == before, "of another address it says nothing"
    for _ in range(1000):
        west.receive(stranger(data, west, str(east.address)))
    assert len(net.history) == before + 1, "a flood has one question under way"
    net.run(60)
    assert [p.src for p in net.history[before:]] == [west.address, east.address]
    agree(west, east)


def test_who_has_lost_an_isakmp_sa_says_so_and_is_begun_with_anew() -> None:
    """Where the IPsec stack reports no packets, this is all that a peer can know of."""
    net, west, east = pair(general="DPD-check-interval= 20")
    net.kill(east)
    back = net.host(both()[1], seed=2)
    back.daemon.start()
    net.run(20 + 5 + 2)
    assert NOTIFY.INVALID_COOKIE in [told(p) for p in net.history if p.src == east.address]
    assert "the peer seems to have lost it" in west.said
    assert flows(west, back)


def told(packet: Packet) -> int:
    """The notify of a message in clear, 0 where there is none."""
    header = packet.header
    if header.exchange_type != isakmp.Exchange.INFO or header.flags:
        return 0
    (payload,), _ = parse_payloads(1, header.next_payload, packet.message[HEADER_SIZE:])
    return payload.of(codecs.NOTIFY).notify


def test_unknown_cookies_are_told_to_peers_alone_and_not_too_often() -> None:
    net, west, east = pair()
    sealed = next(p for p in reversed(net.history) if p.header.flags & isakmp.Flag.ENCRYPTION)
    unknown = b"\1" * 16 + sealed.data[16:]
    before = len(net.history)
    east.receive(stranger(unknown, east))
    assert len(net.history) == before
    for number in range(1000):
        cookies = b"somebody" + number.to_bytes(8, "big")
        east.receive(
            sealed._replace(dst=east.address, src=west.address, data=cookies + unknown[16:])
        )
    assert 1 <= len(net.history) - before <= 10


# --- a peer that cannot be asked whether it lives ---------------------------------------------


def without_dpd() -> tuple[Network, Host, Host]:
    """Neither end knows RFC 3706, as old peers do not."""
    net = Network()
    west, east = (net.host(each) for each in both())
    Observer(net, is_clear, lambda packet: [edited(packet, dumb)], instead=True)
    net.start()
    net.run(5)
    for host in (west, east):
        assert not any(sa.dpd for sa in host.daemon.sas.isakmp.values())
    return net, west, east


def dumb(payloads: Payloads) -> Payloads:
    return [p for p in payloads if p != (isakmp.Payload.VENDOR, VENDOR_DPD)]


@pytest.mark.parametrize("notify", [NOTIFY.INVALID_SPI, NOTIFY.INVALID_COOKIE])
def test_a_peer_without_dpd_that_has_lost_everything_is_begun_with_anew(notify: int) -> None:
    net, west, east = without_dpd()
    spi = child_of(west).protocols[0].spi_out.to_bytes(4, "big")
    net.kill(east)
    back = net.host(both()[1], seed=2)
    back.daemon.start()
    data = notice(notify, spi if notify == NOTIFY.INVALID_SPI else cookies_of(west))
    west.receive(stranger(data, west, str(east.address)))
    net.run(10)
    assert flows(west, back)


def test_who_lies_about_it_gets_little_done() -> None:
    """A handshake a minute at most, and nothing is lost by it."""
    net, west, east = without_dpd()
    before = len(west.outcomes)
    for _ in range(300):
        for sa in list(west.daemon.sas.isakmp.values()):
            data = notice(NOTIFY.INVALID_COOKIE, sa.cookies)
            west.receive(stranger(data, west, str(east.address)))
        net.run(1)
        assert flows(west, east)
    begun = [o for o in west.outcomes[before:] if o["exchange"] == "main mode"]
    assert 1 <= len(begun) <= 300 / 60 + 2


def test_a_peer_without_dpd_that_does_not_answer_keeps_what_it_has() -> None:
    net, west, east = without_dpd()
    spi = child_of(west).protocols[0].spi_out.to_bytes(4, "big")
    net.kill(east)
    west.receive(stranger(notice(NOTIFY.INVALID_SPI, spi), west, str(east.address)))
    net.run(100)
    assert child_of(west).protocols[0].spi_out == int.from_bytes(spi, "big")
    assert west.reasons() == ["timeout"]


@pytest.mark.parametrize("notify", [NOTIFY.INVALID_SPI, NOTIFY.INVALID_COOKIE, 8192])
@pytest.mark.parametrize("spi", [b"", b"\0\0\1\0", bytes(16)])
def test_notices_that_say_nothing_are_not_answered(notify: int, spi: bytes) -> None:
    net, west, east = pair()
    before = len(net.history)
    west.receive(stranger(notice(notify, spi), west, str(east.address)))
    west.receive(stranger(notice(notify, spi), west))
    assert len(net.history) == before


def test_the_spi_of_another_place_says_nothing() -> None:
    net, west, _ = pair()
    spi = child_of(west).protocols[0].spi_out.to_bytes(4, "big")
    before = len(net.history)
    west.receive(stranger(notice(NOTIFY.INVALID_SPI, spi), west))
    assert len(net.history) == before


# --- under the keys, before there is an SA ---------------------------------------------------


def refuse_under_keys(notify: int, change: Any = None) -> tuple[Network, Host]:
    """What strongSwan does with message 5 of main mode: INFO under the new keys instead of
    message 6. change: made to the datagram."""
    net, last = Network(), list[bytes]()

    def catch(packet: Packet) -> bool:
        """Message 5 gets no further."""
        if packet.header.exchange_type == 2 and packet.header.flags & ENCRYPTION:
            last.append(packet.data[-16:])
        return bool(last)

    net.lose = catch
    west, east = (net.host(gateway) for gateway in both())
    net.start()
    net.pump()
    (begun,) = east.daemon.engine.exchanges.values()
    theirs = leaves(begun)[-1]
    keys, number = (
        replace(phase_1.keys_of(theirs), iv=last[0]),
        0x01020304,
    )
    first, chain = build_payloads(1, [notify_payload(notify)])
    value = keymat.quick_hash_1(keys.prf, keys.skeyid_a, number, chain)
    chain = generic_header(first, value) + value + chain
    data, _ = keys.encrypt(keys.phase_2_iv(number), chain)
    header = Header(theirs.cky_i, theirs.cky_r, isakmp.Payload.HASH, 1, 0, isakmp.Exchange.INFO,
                    ENCRYPTION, number, HEADER_SIZE + len(data))  # fmt: skip
    whole = header.pack() + data
    packet = Packet(east.address, 500, west.address, 500, change(whole) if change else whole)
    west.receive(packet)
    net.run(2)
    return net, west


@pytest.mark.parametrize(
    "notify", [NOTIFY.AUTHENTICATION_FAILED, NOTIFY.INVALID_ID_INFORMATION, 8192]
)
def test_a_refusal_under_the_keys_ends_phase_1(notify: int) -> None:
    """RFC 2409 5.7: the keys are there before the SA is; who has them has our secret."""
    _, west = refuse_under_keys(notify)
    said = NOTIFY(notify).name if notify in list(NOTIFY) else str(notify)
    (reason,) = [o["reason"] for o in west.outcomes if o["reason"]]
    assert reason["cause"] == "peer-refused"
    assert said in reason["detail"] and "unproven" not in reason["detail"]


@pytest.mark.parametrize(
    ("notify", "change"),
    [
        (NOTIFY.AUTHENTICATION_FAILED, lambda data: data[:-1] + bytes([data[-1] ^ 1])),
        (NOTIFY.AUTHENTICATION_FAILED, lambda data: data[:8] + bytes(8) + data[16:]),
        (NOTIFY.REPLAY_STATUS, None),
    ],
)
def test_what_is_no_refusal_under_the_keys_ends_nothing(notify: int, change: Any) -> None:
    """RFC 2409 5.7: the attempt waits on."""
    _, west = refuse_under_keys(notify, change)
    assert not west.reasons()
    assert west.daemon.engine.exchanges


@pytest.mark.parametrize("speaks_dpd", [True, False])
@pytest.mark.parametrize("late_s", [0, 1])
def test_who_says_so_to_a_quick_mode_has_its_traffic_back_soon(
    speaks_dpd: bool, late_s: int
) -> None:
    """The peer has started again, and is back before it is asked, or a while after."""
    net, west, east = pair() if speaks_dpd else without_dpd()
    net.kill(east)
    if late_s:
        wear_out(west)
        net.run(late_s)
    back = net.host(both()[1], seed=2)
    back.daemon.start()
    if not late_s:
        wear_out(west)
    net.run(5 + 3)
    assert flows(west, back)
    assert "is dead" not in west.said


# --- who the responder is, refused behind its last message ---------------------------------------

MODES = pytest.mark.parametrize("exchange", ["ID_PROT", "AGGRESSIVE"])
SOMEBODY = "Remote-ID= somebody\n[somebody]\nID-type= FQDN\nName= east.example.net"
OF_ID = "INVALID_ID_INFORMATION"


def unwanted(
    exchange: str, passive: bool = True, lose: Any = None
) -> tuple[Network, Host, Host]:  # fmt: skip
    """West takes nobody but east.example.net, and east is known by its address."""
    ours, theirs = both(exchange=exchange)
    net = Network()
    if lose is not None:
        net.lose = lose
    west = net.host(replace(ours, peer_tags=SOMEBODY))
    east = net.host(replace(theirs, passive=passive))
    net.start()
    return net, west, east


@MODES
@pytest.mark.parametrize("passive", [True, False], ids=["passive", "both begin"])
def test_a_responder_whose_identity_is_not_taken_is_told_under_the_keys(
    exchange: str, passive: bool
) -> None:
    net, west, east = unwanted(exchange, passive)
    net.run(5)
    assert "wrong-identity" in west.reasons()
    told = [o["reason"] for o in east.outcomes if not o["ok"] and o["reason"].get("came") == OF_ID]
    assert told and all("Remote-ID there" in reason["mend"] for reason in told)
    assert all("192.0.2.2" in reason["offered"] and "unproven" not in reason["detail"]
               for reason in told)  # fmt: skip
    net.run(60)
    assert not west.rows(1) + east.rows(1) + west.rows(2) + east.rows(2)
    assert not west.app.larval + east.app.larval


@MODES
def test_it_comes_up_once_the_identity_is_right(exchange: str, tmp_path: Path) -> None:
    ours, theirs = both(exchange=exchange)
    path = tmp_path / "isakmpd.conf"
    path.write_text(replace(ours, peer_tags=SOMEBODY).text())
    path.chmod(0o600)
    net = Network()
    west, east = net.add(ours.address, "", conf=Conf.load(path)), net.host(theirs)
    net.start()
    net.run(5)
    assert not east.rows(1)
    path.write_text(ours.text())
    west.reload()
    net.run(20)
    agree(west, east)
    assert len(west.rows(2)) == 1


@MODES
@pytest.mark.parametrize("lost", [0, 1])
def test_a_first_copy_that_is_lost_comes_again(exchange: str, lost: int) -> None:
    heard = iter(range(1000))

    def lose(packet: Packet) -> bool:
        protected = bool(packet.header.flags & ENCRYPTION)
        info = packet.header.exchange_type == isakmp.Exchange.INFO and protected
        return info and str(packet.src) == "192.0.2.1" and next(heard) < lost

    net, _, east = unwanted(exchange, lose=lose)
    net.run(4)
    assert not east.rows(1)
    assert [o["reason"]["came"] for o in east.outcomes if not o["ok"]] == [OF_ID]


def protected_notices(net: Network, src: str) -> list[Packet]:
    return [
        p for p in net.history
        if p.header.exchange_type == isakmp.Exchange.INFO and str(p.src) == src
        and p.header.flags & ENCRYPTION
    ]  # fmt: skip


def test_an_answer_that_somebody_has_changed_has_nothing_said_under_the_keys() -> None:
    """A bit of main mode's last message: what it is deciphered to is another identity, and no proof
    of it. The peer's own message is taken."""
    net = Network()
    west, east = (net.host(gateway) for gateway in both())
    changed: list[bytes] = []

    def spoil(packet: Packet) -> bool:
        last = packet.header.flags & ENCRYPTION and packet.header.exchange_type == 2
        if last and str(packet.src) == "192.0.2.2" and not changed:
            octets = bytearray(packet.data)
            octets[HEADER_SIZE + 12] ^= 1
            changed.append(bytes(octets))
            net.send(packet._replace(data=bytes(octets)))
            return True
        return False

    net.lose = spoil
    net.start()
    net.run(2)
    assert changed and not protected_notices(net, "192.0.2.1")[2:], "quick mode has its own"
    net.run(5)
    agree(west, east)


@MODES
def test_what_is_said_in_clear_ends_no_isakmp_sa(exchange: str) -> None:
    net, west, east = pair(exchange=exchange)
    (sa,) = east.daemon.sas.isakmp.values()
    for kind in (NOTIFY.INVALID_ID_INFORMATION, NOTIFY.AUTHENTICATION_FAILED):
        first, chain = build_payloads(1, [notify_payload(kind, spi=sa.cookies)])
        header = Header(sa.cky_i, sa.cky_r, first, 1, 0, isakmp.Exchange.INFO, 0, 7,
                        HEADER_SIZE + len(chain))  # fmt: skip
        net.send(Packet(west.address, 500, east.address, 500, header.pack() + chain))
    net.run(5)
    agree(west, east)
    assert east.rows(1) and east.reasons() == []


@MODES
def test_our_own_word_that_comes_back_is_no_refusal(exchange: str) -> None:
    net, west, east = unwanted(exchange)
    net.run(1)
    for packet in protected_notices(net, "192.0.2.1"):
        net.send(Packet(east.address, 500, west.address, 500, packet.data))
    net.run(10)
    assert set(west.reasons()) == {"wrong-identity"}


def is_quick(packet: Packet) -> bool:
    return packet.header.exchange_type == isakmp.Exchange.QUICK_MODE


def before_quick_mode(exchange: str, lose: Any = is_quick) -> tuple[Network, Host, Host]:
    net = Network()
    west, east = (net.host(gateway) for gateway in both(exchange=exchange))
    net.lose = lose
    net.start()
    net.run(1)
    return net, west, east


SPIS = pytest.mark.parametrize("named", ["nothing", "cookies", "child"])


def say(host: Host, peer: Host, kind: int, named: str, *, end: bool = False) -> None:
    """An error notify of that host's, with what others put there as the SPI of an ISAKMP SA."""
    (sa,) = host.daemon.sas.isakmp.values()
    child = peer.app.larval[-1].to_bytes(4, "big") if peer.app.larval else b"\1\2\3\4"
    spi = {"nothing": b"", "cookies": sa.cookies, "child": child}[named]
    dialect: Any = host.daemon.engine.dialects["ikev1"]
    deleted = [delete_payload(isakmp.Protocol.ISAKMP, [sa.cookies])] if end else []
    dialect.tell(host.daemon.engine, sa, [notify_payload(kind, spi=spi), *deleted])


def of_identity(host: Host) -> list[str]:
    mends = [o["reason"]["mend"] for o in host.outcomes if o["reason"]]
    return [mend for mend in mends if "Remote-ID there" in mend]


@MODES
@SPIS
@pytest.mark.parametrize("kind", [NOTIFY.INVALID_ID_INFORMATION, NOTIFY.AUTHENTICATION_FAILED])
def test_a_notify_without_a_delete_ends_it_too(exchange: str, kind: int, named: str) -> None:
    """As other peers may say it; what they put into its SPI is to be ignored (RFC 2408 3.14)."""
    net, west, east = before_quick_mode(exchange)
    say(west, east, kind, named)
    net.run(1)
    assert not east.rows(1)
    (reason,) = [o["reason"] for o in east.outcomes if not o["ok"]]
    assert reason["cause"] == "peer-refused" and reason["came"] == NOTIFY(kind).name
    assert reason["mend"] and reason["line"]


@SPIS
@pytest.mark.parametrize("times", [1, 2])
@MODES
def test_a_quick_mode_that_is_refused_ends_no_isakmp_sa(
    exchange: str, times: int, named: str
) -> None:
    """As one may say who refuses each copy of its first message, once no quick mode is left."""
    net, west, east = before_quick_mode(exchange)
    east.daemon.connections.connect("east-west")
    net.run(0.1)
    for _ in range(times):
        say(west, east, NOTIFY.INVALID_ID_INFORMATION, named)
        net.run(0.3)
    assert west.rows(1) and east.rows(1)
    assert not of_identity(east)
    assert any("selectors" in o["reason"]["mend"] for o in east.outcomes if not o["ok"])


@MODES
@SPIS
def test_what_is_said_of_a_quick_mode_ends_no_isakmp_sa(exchange: str, named: str) -> None:
    """Or later, or by the responder; behind a quick mode that was taken, and of another one."""
    net, west, east = pair(exchange=exchange)
    net.lose = is_quick
    for host, peer in ((west, east), (east, west)):
        say(host, peer, NOTIFY.INVALID_ID_INFORMATION, named)
        net.run(1)
    agree(west, east)
    assert west.rows(1) and east.rows(1) and west.reasons() + east.reasons() == []
    east.daemon.rekey("east-west", "quick")
    say(west, east, NOTIFY.INVALID_ID_INFORMATION, named)
    net.run(1)
    assert west.rows(1) and east.rows(1) and not of_identity(east)
    assert "peer-refused" in east.reasons()


@pytest.mark.parametrize("alive", [True, False])
def test_who_refuses_the_first_quick_mode_is_asked_whether_it_has_the_sa(alive: bool) -> None:
    """It may have meant the identity: both ends have said their last at once."""
    net, west, east = before_quick_mode("ID_PROT")
    east.daemon.connections.connect("east-west")
    net.run(0.1)
    (sa,) = east.daemon.sas.isakmp.values()
    say(west, east, NOTIFY.INVALID_ID_INFORMATION, "nothing")
    if not alive:
        forget(west)
        net.lose = lambda packet: str(packet.src) == "192.0.2.1"
    net.run(1)
    assert sa.state is State.ESTABLISHED and sa.doubted is not alive


@pytest.mark.parametrize(
    ("kind", "protocol"),
    [(NOTIFY.NO_PROPOSAL_CHOSEN, isakmp.Protocol.ISAKMP), (NOTIFY.INVALID_ID_INFORMATION, ESP)],
)
def test_who_refuses_the_quick_mode_alone_is_asked_nothing(kind: int, protocol: int) -> None:
    """It cannot have meant the identity, and has the SA that it says that under."""
    net, west, east = before_quick_mode("ID_PROT")
    east.daemon.connections.connect("east-west")
    net.run(0.1)
    (sa,), before = west.daemon.sas.isakmp.values(), len(net.history)
    dialect: Any = west.daemon.engine.dialects["ikev1"]
    dialect.tell(west.daemon.engine, sa, [notify_payload(kind, protocol)])
    net.run(0.5)
    assert east.reasons() == ["peer-refused"]
    sent = [p for p in net.history[before:] if p.src == east.address]
    assert all(map(is_quick, sent))


def test_what_is_of_a_child_sa_is_of_no_isakmp_sa() -> None:
    """By its Protocol-Id, where no quick mode has been there."""
    net, west, east = before_quick_mode("ID_PROT")
    (sa,) = west.daemon.sas.isakmp.values()
    said = notify_payload(NOTIFY.INVALID_ID_INFORMATION, ESP, b"\1\2\3\4")
    dialect: Any = west.daemon.engine.dialects["ikev1"]
    dialect.tell(west.daemon.engine, sa, [said])
    net.run(1)
    assert east.rows(1) and not east.reasons()


def test_a_later_end_is_not_about_who_we_are() -> None:
    net, west, east = before_quick_mode("ID_PROT")
    east.daemon.connections.connect("east-west")
    net.run(0.1)
    for end in (False, True):
        say(west, east, NOTIFY.INVALID_ID_INFORMATION, "nothing", end=end)
        net.run(0.1)
    assert not east.rows(1) and not of_identity(east)


@pytest.mark.parametrize(("exchange", "ours"), [("ID_PROT", False), ("AGGRESSIVE", True)])
def test_whose_message_was_the_last_tells_what_an_end_is_about(exchange: str, ours: bool) -> None:
    """A peer that has said the last of phase 1 has taken who the initiator is: it ends the ISAKMP
    SA as it refuses the quick mode that is under way."""
    phase_1 = (isakmp.Exchange.ID_PROT, isakmp.Exchange.AGGRESSIVE)
    net, west, east = before_quick_mode(exchange, lambda p: p.header.exchange_type not in phase_1)
    net.lose = is_quick
    say(east, west, NOTIFY.INVALID_ID_INFORMATION, "nothing", end=True)
    net.run(0.5)
    assert bool(of_identity(west)) is ours
    assert ("selectors" in str(west.outcomes)) is not ours
