"""The policies we have in the kernel: several of its own for each of ours."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from isakmp.app.base import Action, Direction, PolicySpec
from isakmp.constants import ipsec, isakmp
from isakmp.policy.spd import Selector
from regress.app.xfrm.conftest import Here

ESP, IPCOMP = isakmp.Protocol.IPSEC_ESP, isakmp.Protocol.IPCOMP
TUNNEL, TRANSPORT = ipsec.Encapsulation.TUNNEL, ipsec.Encapsulation.TRANSPORT
US, THEM, MOVED = ip_address("10.9.0.1"), ip_address("10.9.0.2"), ip_address("10.9.0.3")
TRAFFIC = Selector.of("10.9.0.1/32", "10.1.0.0/16")
OUT = PolicySpec(Direction.OUT, TRAFFIC, Action.IPSEC, ESP, TUNNEL, US, THEM, 7)
IN = PolicySpec(Direction.IN, TRAFFIC.reversed(), Action.IPSEC, ESP, TUNNEL, THEM, US, 7)


def test_a_tunnel_policy_is_for_what_comes_to_us_and_to_others(here: Here) -> None:
    assert here.app.add_policy(OUT).result == 1
    assert here.app.add_policy(IN).result == 2
    said = here.ip("xfrm", "policy")
    assert [said.count(f"dir {d} ") for d in ("in", "out", "fwd")] == [1, 1, 1]
    assert said.count("proto esp reqid 1761607687 mode tunnel") == 3


def test_a_policy_is_replaced_by_one_of_the_same_traffic(here: Here) -> None:
    number = here.app.add_policy(IN).result
    changed = IN._replace(mode=TRANSPORT, src=MOVED)
    assert here.app.add_policy(changed).result == number
    said = here.ip("xfrm", "policy")
    assert "dir fwd" not in said
    assert "tmpl src 10.9.0.3 dst 10.9.0.1" in said
    assert here.app.delete_policy(changed).error is None
    assert here.app.delete_policy(changed).error is None
    assert here.ip("xfrm", "policy") == ""


@pytest.mark.parametrize("wanted", [True, False])
def test_a_policy_is_installed_once_anothers_is_gone(here: Here, wanted: bool) -> None:
    theirs = ("src", "10.9.0.1/32", "dst", "10.1.0.0/16", "dir", "out")
    here.ip("xfrm", "policy", "add", *theirs, "action", "block")
    assert here.app.add_policy(OUT).error is not None
    if not wanted:
        here.app.delete_policy(OUT)
    here.loop.turn(0.2)
    assert "tmpl" not in here.ip("xfrm", "policy")
    here.ip("xfrm", "policy", "delete", *theirs)
    here.loop.turn(0.2)
    assert ("tmpl" in here.ip("xfrm", "policy")) is wanted
    assert len(here.lines) == wanted


def test_a_policy_is_installed_once_anothers_has_expired(here: Here) -> None:
    theirs = ("src", "10.9.0.1/32", "dst", "10.1.0.0/16", "dir", "out")
    here.ip("xfrm", "policy", "add", *theirs, "action", "block", "limit", "time-hard", "1")
    assert here.app.add_policy(OUT).error is not None
    here.until(lambda: "tmpl" in here.ip("xfrm", "policy"))


def test_ranges_of_ports_are_several_policies(here: Here) -> None:
    traffic = TRAFFIC._replace(protocol=17, dst_port=1000, dst_last=1023)
    assert here.app.add_policy(OUT._replace(selector=traffic)).error is None
    said = here.ip("-d", "xfrm", "policy")
    assert said.count("dir out") == 2
    assert "dport 1000 " in said
    assert "dport 1008 " in said
    narrower = OUT._replace(selector=traffic, src=MOVED)
    assert here.app.add_policy(narrower).error is None
    assert here.ip("xfrm", "policy").count("tmpl src 10.9.0.3") == 2
    here.app.delete_policy(narrower)
    assert here.ip("xfrm", "policy") == ""


def test_a_bundle_is_one_policy_with_compression_optional_for_what_comes_in(here: Here) -> None:
    for spec in (OUT, IN):
        here.app.add_policy(spec._replace(more=(IPCOMP, isakmp.Protocol.IPSEC_AH)))
    out = here.ip("xfrm", "policy", "list", "dir", "out")
    places = [out.index(f"proto {name}") for name in ("comp", "esp", "ah")]
    assert places == sorted(places)
    assert out.count("mode tunnel") == 1
    assert "level use" not in out
    assert here.ip("xfrm", "policy", "list", "dir", "in").count("level use") == 1


def test_others_policies_are_not_replaced_and_not_taken_away(here: Here) -> None:
    theirs = ("src", "10.9.0.1/32", "dst", "10.1.0.0/16", "dir", "out")
    here.ip("xfrm", "policy", "add", *theirs, "action", "block")
    job = here.app.add_policy(OUT)
    assert job.error is not None
    assert "EEXIST" in str(job.error)
    assert "isakmpd --open -c ITS-FILE gives it back" in str(job.error)
    assert here.app.delete_policy(OUT).error is None
    assert "action block" in here.ip("xfrm", "policy")
    assert here.app.add_policy(IN).error is None
    here.app.close()
    said = here.ip("xfrm", "policy")
    assert "action block" in said
    assert "tmpl" not in said
    here.app = here.begin()
