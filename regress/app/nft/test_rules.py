"""The rules that keep back what comes or goes in clear: which there are, and their order."""

from __future__ import annotations

import struct
from ipaddress import ip_network
from typing import Any

import pytest

from isakmp.app.base import Action, Direction, PolicySpec
from isakmp.app.nft import rules
from isakmp.policy.spd import OPAQUE_PORTS, Selector
from regress.app.nft.tlv import attributes, name, rule, verdict

DROP, ACCEPT, JUMP = 0, 1, -3
NEWTABLE, NEWCHAIN, NEWRULE = 0, 3, 6
TRAFFIC = Selector(ip_network("fd01::/64"), ip_network("fd02::/64"))


def policy(action: Action, direction: Direction = Direction.OUT, **ports: Any) -> PolicySpec:
    return PolicySpec(direction, TRAFFIC._replace(**ports), action)


def of(spec: PolicySpec) -> list[dict[str, Any]]:
    return [rule(message) for message in rules.of_policy("t", spec)]


def said(found: dict[str, Any]) -> tuple[int, str]:
    """How a rule ends."""
    return verdict(found["expressions"][-1])


def frame() -> list[tuple[int, bytes]]:
    """Type and octets of each message that makes a table."""
    messages = rules.frame("t", "ipsec0", (500, 4500), 7)
    return [(struct.unpack_from("=H", message, 4)[0] & 0xFF, message) for message in messages]


def test_a_table_is_made_before_its_chains_and_these_before_their_rules() -> None:
    kinds = [kind for kind, _ in frame()]
    assert kinds == sorted(kinds) and set(kinds) == {NEWTABLE, NEWCHAIN, NEWRULE}


def test_packets_come_to_three_chains_of_themselves() -> None:
    hooks = {}
    for kind, message in frame():
        if kind == NEWCHAIN:
            body = dict(attributes(message[20:]))
            hooks[name(body[3])] = 4 in body
    assert {chain for chain, hooked in hooks.items() if hooked} == {"input", "forward", "output"}
    assert {"inbound", "outbound", "hidden"} == {c for c, hooked in hooks.items() if not hooked}


def test_what_is_judged_is_judged_last() -> None:
    ends: dict[str, list[tuple[int, str]]] = {}
    for kind, message in frame():
        if kind == NEWRULE:
            found = rule(message)
            ends.setdefault(found["chain"], []).append(said(found))
    for chain, judge in (("input", "inbound"), ("forward", "inbound"), ("output", "outbound")):
        *before, last = ends[chain]
        assert last == (JUMP, judge), chain
        assert set(before) == {(ACCEPT, "")}, chain
    assert set(ends["hidden"]) == {(DROP, "")}


def test_a_table_drops_nothing_before_there_are_policies() -> None:
    chains = {rule(message)["chain"] for kind, message in frame() if kind == NEWRULE}
    assert not chains & {"inbound", "outbound"}


def test_the_engines_device_is_exempt_before_all_else() -> None:
    found = [rule(message) for message in rules.exempt("t", "ipsec0")]
    assert {each["chain"] for each in found} == {"input", "forward", "output"}
    assert not any(each["append"] for each in found)
    assert {said(each) for each in found} == {(ACCEPT, "")}


@pytest.mark.parametrize(("way", "chain"), [(Direction.IN, "inbound"), (Direction.OUT, "outbound")])
@pytest.mark.parametrize("action", [Action.IPSEC, Action.DISCARD])
def test_what_is_to_be_protected_is_dropped(way: Direction, chain: str, action: Action) -> None:
    (found,) = of(policy(action, way))
    assert (found["table"], found["chain"], found["append"]) == ("t", chain, True)
    assert said(found) == (DROP, "")
    assert [kind for kind, _ in found["expressions"][:-1]] == ["payload", "cmp"] * 2


def test_what_is_let_pass_comes_before_all_others() -> None:
    (found,) = of(policy(Action.BYPASS))
    assert not found["append"] and said(found) == (ACCEPT, "")


def test_fragments_that_hide_what_they_are_go_with_what_has_ports() -> None:
    whole, hidden = of(policy(Action.DISCARD, protocol=17, dst_port=53))
    assert said(whole) == (DROP, "")
    assert said(hidden) == (JUMP, "hidden")
    assert len(hidden["expressions"]) == 5, "whatever its protocol and ports"


def test_nothing_is_let_pass_for_ports_that_it_does_not_show() -> None:
    first, last = OPAQUE_PORTS
    opaque: dict[str, Any] = {"protocol": 17, "src_port": first, "src_last": last}
    assert of(policy(Action.BYPASS, Direction.OUT, **opaque)) == []
    assert said(of(policy(Action.DISCARD, Direction.OUT, **opaque))[0]) == (DROP, "")


def test_icmp_has_a_type_and_a_code_of_one_octet() -> None:
    found = of(policy(Action.DISCARD, protocol=58, src_port=128, dst_port=0, dst_last=0))[0]
    sizes = [
        int.from_bytes(values[4], "big") for kind, values in found["expressions"]
        if kind == "payload" and int.from_bytes(values[2], "big") == 2
    ]  # fmt: skip
    assert sizes and set(sizes) == {1}
