"""What this machine's own kernel does for the application, though it may carry no ESP."""

from __future__ import annotations

import socket
from contextlib import suppress
from ipaddress import ip_address, ip_network

import pytest

from isakmp.app.base import Action, Direction, PolicySpec, SaId, SaSpec, SpiRequest
from isakmp.constants import ipsec, isakmp
from isakmp.policy.spd import Selector
from regress.app.xfrm.conftest import Here

ESP, IPCOMP = isakmp.Protocol.IPSEC_ESP, isakmp.Protocol.IPCOMP
TUNNEL, TRANSPORT = ipsec.Encapsulation.TUNNEL, ipsec.Encapsulation.TRANSPORT
US, THEM, MOVED = ip_address("10.9.0.1"), ip_address("10.9.0.2"), ip_address("10.9.0.3")
UDP_ENCAP = 100
TRAFFIC = Selector.of("10.9.0.1/32", "10.1.0.0/16")
OUT = PolicySpec(Direction.OUT, TRAFFIC, Action.IPSEC, ESP, TUNNEL, US, THEM, 7)
IN = PolicySpec(Direction.IN, TRAFFIC.reversed(), Action.IPSEC, ESP, TUNNEL, THEM, US, 7)


def request(protocol: isakmp.Protocol = ESP) -> SpiRequest:
    return SpiRequest(protocol, THEM, US, TUNNEL, 7)


def send(here: Here) -> None:
    """A packet of the policy's; kernels differ in whether they say that it has to wait."""
    with here.udp("10.9.0.1", 4321) as sock, suppress(OSError):
        sock.sendto(b"x", ("10.1.2.3", 53))


def test_spis_are_given_and_given_back(here: Here) -> None:
    spi, other = here.app.get_spi(request()).result, here.app.get_spi(request()).result
    assert spi and other and spi >= 256 and spi != other
    assert here.ip("xfrm", "state").count("proto esp") == 2
    assert here.app.delete_sa(SaId(ESP, spi, THEM, US)).error is None
    assert here.app.delete_sa(SaId(ESP, spi, THEM, US)).error is not None
    assert here.ip("xfrm", "state").count("proto esp") == 1


def test_cpis_are_those_that_are_negotiated(here: Here) -> None:
    for _ in range(20):
        cpi = here.app.get_spi(request(IPCOMP)).result
        assert cpi and 256 <= cpi <= 61439


def test_reqids_have_bounds(here: Here) -> None:
    assert here.app.get_spi(request()._replace(reqid=1 << 24)).error is not None
    assert here.app.add_policy(OUT._replace(reqid=-1)).error is not None
    assert here.ip("xfrm", "policy") == ""


def test_a_start_takes_away_what_a_crash_has_left(here: Here) -> None:
    here.app.add_policy(OUT)
    here.app.add_policy(PolicySpec(Direction.OUT, Selector.of("10.9.0.1", "10.2.0.0/16"),
                                   Action.BYPASS))  # fmt: skip
    here.app.get_spi(request())
    crashed, here.app = here.app, here.begin()
    assert here.ip("xfrm", "state") == ""
    assert here.ip("xfrm", "policy").count("dst") == 3, "they hold until what is new is there"
    here.app.add_policy(OUT)
    here.app.sweep()
    assert here.ip("xfrm", "policy").count("dir out") == 1
    assert any("1 policies of an earlier isakmpd are gone" in line for line in here.lines)
    here.app.close(block=True)
    assert here.ip("xfrm", "policy").count("dir out") == 1, "an end that blocks leaves them"
    here.app = here.begin()
    here.app.sweep()
    assert here.ip("xfrm", "policy") == ""
    crashed.close()


def test_a_packet_without_an_sa_asks_for_one(here: Here) -> None:
    here.app.add_policy(OUT)
    send(here)
    here.until(lambda: here.heard.acquires)
    (event,) = here.heard.acquires
    assert (event.reqid, event.src, event.dst) == (7, US, THEM)
    assert event.selector == Selector(ip_network("10.9.0.1"), ip_network("10.1.2.3"), 17, 4321, 53)


def test_acquires_of_others_are_not_ours(here: Here) -> None:
    here.ip("xfrm", "policy", "add", "src", "10.9.0.1/32", "dst", "10.1.0.0/16", "dir", "out",
            "tmpl", "src", "10.9.0.1", "dst", "10.9.0.2", "proto", "esp", "reqid", "7", "mode",
            "tunnel")  # fmt: skip
    send(here)
    here.until(lambda: here.app.counters["acquire of another's policy"])
    assert not here.heard.acquires


def test_an_spi_that_nobody_completes_ends_without_a_word(here: Here) -> None:
    here.sysctl("net.core.xfrm_acq_expires=1")
    here.app.get_spi(request())
    here.until(lambda: here.app.counters["expiry of an unknown SA"])
    assert not here.heard.expires
    assert here.ip("xfrm", "state") == ""


def test_a_policy_is_migrated(here: Here) -> None:
    here.app.add_policy(OUT)
    assert here.app.migrate(OUT, US, MOVED).error is None
    assert "tmpl src 10.9.0.1 dst 10.9.0.3" in here.ip("xfrm", "policy")
    unknown = OUT._replace(selector=Selector.of("10.9.0.1", "10.7.0.0/16"))
    assert here.app.migrate(unknown, US, MOVED).error is not None


@pytest.mark.parametrize("address", ["10.9.0.1", "fd09::1"])
def test_a_socket_of_the_daemon_passes_every_policy(here: Here, address: str) -> None:
    peer = "10.9.0.2" if "." in address else "fd09::2"
    everything = Selector(ip_network(address), ip_network(peer))
    ends = ip_address(address), ip_address(peer)
    here.app.add_policy(PolicySpec(Direction.OUT, everything, Action.IPSEC, ESP, TRANSPORT,
                                   *ends, 7))  # fmt: skip
    with here.udp(address) as ours, here.udp(address) as another:
        here.app.own_socket(ours, True)
        assert not here.lines
        ours.sendto(b"x", (peer, 9))
        here.loop.turn(0.2)
        assert not here.heard.acquires
        assert ours.getsockopt(socket.IPPROTO_UDP, UDP_ENCAP) == 2
        with suppress(OSError):
            another.sendto(b"x", (peer, 9))
        here.until(lambda: here.heard.acquires)


def test_what_the_kernel_lacks_is_said(here: Here) -> None:
    spec = SaSpec(ESP, 0x1000, US, THEM, TUNNEL, False, (TRAFFIC,), 7, ipsec.Esp.IDEA, bytes(16))
    assert "no name" in str(here.app.add_sa(spec).error)
    job = here.app.usage(SaId(ESP, 0x1000, US, THEM))
    assert "ESRCH" in str(job.error)
    answer = here.app.supports(ESP, TUNNEL, ipsec.Esp.AES_CTR, 128, ipsec.Auth.AES_XCBC_MAC, True)
    can = here.app.add_sa(
        spec._replace(encryption=ipsec.Esp.AES_CTR, enc_key=bytes(20), auth_key=bytes(16),
                auth=ipsec.Auth.AES_XCBC_MAC, esn=True)
    )  # fmt: skip
    assert bool(answer) == (can.error is not None)


def test_events_that_were_lost_are_made_up_for(here: Here) -> None:
    here.app.add_policy(OUT)
    here.app.add_policy(IN)
    send(here)
    here.until(lambda: here.heard.acquires)
    here.heard.acquires.clear()
    here.ip("xfrm", "policy", "delete", "dir", "fwd", "src", "10.1.0.0/16", "dst", "10.9.0.1/32")
    here.app.overrun()
    here.app.overrun()
    here.until(lambda: here.heard.acquires)
    assert [event.reqid for event in here.heard.acquires] == [7]
    assert "dir fwd" in here.ip("xfrm", "policy")
    assert sum("events were lost" in line for line in here.lines) == 1


def test_a_link_that_is_closed_answers_so(here: Here) -> None:
    here.app.close()
    job = here.app.get_spi(request())
    assert job.error is not None
    here.app = here.begin()


@pytest.mark.parametrize("how", ["flush", "delete dir fwd src 10.1.0.0/16 dst 10.9.0.1/32"])
def test_policies_that_somebody_takes_away_are_put_back(here: Here, how: str) -> None:
    for policy in (OUT, IN):
        here.app.add_policy(policy)
    before = here.ip("xfrm", "policy")
    here.loop.turn(0.2)
    here.ip("xfrm", "policy", *how.split())
    assert here.ip("xfrm", "policy") != before and not here.lines
    here.until(lambda: here.lines)
    assert len(here.lines) == 1 and "took IPsec policies" in here.lines[0]
    assert sorted(here.ip("xfrm", "policy").splitlines()) == sorted(before.splitlines())
    here.lines.clear()
    here.app.delete_policy(IN)
    here.loop.turn(0.2)
    assert not here.lines and "dir fwd" not in here.ip("xfrm", "policy"), "we took it ourselves"
