"""The rules that keep back what comes or goes in clear, made of policies.

    input    by the engine's device, loopback   accept
             ESP, IKE, neighbour discovery      accept
             jump inbound
    forward  by the engine's device             accept
             jump inbound
    output   by the engine's device, loopback   accept
             our own IKE and ESP, by their mark accept
             neighbour discovery                accept
             jump outbound
    inbound, outbound
             policies a Bypass ...              accept
             all other policies ...             drop
    hidden   fragments that hide what they are  drop

What is for the host goes by ``input``, what others get by ``forward``, behind any translation of
addresses; what leaves, of the host or of others, goes by ``output``, before its source is
translated: as policies of the kernel would see it. IKE that comes is known by its port, and only
by the one of the host: what others send from port 500 is judged like all else.
"""

from __future__ import annotations

from collections.abc import Iterable

from isakmp.app.base import Action, Direction, PolicySpec
from isakmp.app.nft import messages
from isakmp.app.nft.expressions import (
    Verdict,
    comes_by,
    destination,
    field,
    fragment_of,
    goes_by,
    later_fragment,
    marked,
    protocol,
    source,
    verdict,
)
from isakmp.app.nft.messages import Hook, Msg, chain, rule
from isakmp.policy.spd import ANY_PORTS, ICMP, OPAQUE_PORTS, Selector

INPUT, FORWARD, OUTPUT, HIDDEN = "input", "forward", "output", "hidden"
POLICIES = {Direction.IN: "inbound", Direction.OUT: "outbound"}
PRIORITY = -150  # as "mangle": before the host's own filter
_UDP, _ESP, _ICMPV6 = 17, 50, 58
_DISCOVERY = (133, 137)  # RFC 4861: router and neighbour solicitation to redirect
_LISTENERS = ((130, 132), (143, 143))  # RFC 2710, 3810: by which switches let discovery through
_WITH_PORTS = (0, 6, _UDP, 33, 132, 136)
_EXTENSIONS = (0, 43, 44, 51, 60)  # what a first fragment may have before the ports


def frame(table: str, device: str, ports: Iterable[int], mark: int) -> list[bytes]:
    """A new table that drops nothing yet. ports: of IKE and ESP in UDP; mark: of what we send."""
    accept, inbound = verdict(Verdict.ACCEPT), verdict(Verdict.JUMP, POLICIES[Direction.IN])
    coming = [
        comes_by("lo"),
        protocol(_ESP),
        *(protocol(_UDP) + field(2, 2, port, port) for port in ports),
        protocol(_UDP) + later_fragment(),  # nothing without the first, which is judged
        *_discovery(),
    ]
    going = [goes_by("lo"), marked(mark), *_discovery()]
    return [
        messages.table(Msg.NEWTABLE, table),
        *(chain(table, name) for name in (*POLICIES.values(), HIDDEN)),
        chain(table, INPUT, Hook.LOCAL_IN, PRIORITY),
        chain(table, FORWARD, Hook.FORWARD, PRIORITY),
        chain(table, OUTPUT, Hook.POST_ROUTING, PRIORITY),
        *(rule(table, HIDDEN, fragment_of(n) + verdict(Verdict.DROP)) for n in _EXTENSIONS),
        *exempt(table, device),
        *(rule(table, INPUT, each + accept) for each in coming),
        *(rule(table, OUTPUT, each + accept) for each in going),
        rule(table, INPUT, inbound),
        rule(table, FORWARD, inbound),
        rule(table, OUTPUT, verdict(Verdict.JUMP, POLICIES[Direction.OUT])),
    ]


def _discovery() -> list[bytes]:
    """What hosts of one link find each other by."""
    return [protocol(_ICMPV6) + field(0, 1, *types) for types in (_DISCOVERY, *_LISTENERS)]


def exempt(table: str, device: str) -> list[bytes]:
    """What passes the engine's device is judged by the engine."""
    accept = verdict(Verdict.ACCEPT)
    passing = {INPUT: comes_by(device), FORWARD: comes_by(device), OUTPUT: goes_by(device)}
    return [rule(table, name, by + accept, last=False) for name, by in passing.items()]


def of_policy(table: str, spec: PolicySpec) -> list[bytes]:
    """The rules of a policy; what is let pass comes before all others."""
    selector, policies = spec.selector, POLICIES[spec.direction]
    passes = spec.action is Action.BYPASS
    if passes and OPAQUE_PORTS in (selector.src_ports, selector.dst_ports):
        return []  # nothing is let pass for ports that it does not show
    where = source(selector.src) + destination(selector.dst)
    what = where + (protocol(selector.protocol) if selector.protocol else b"") + _ports(selector)
    if passes:
        return [rule(table, policies, what + verdict(Verdict.ACCEPT), last=False)]
    rules = [rule(table, policies, what + verdict(Verdict.DROP))]
    if selector.protocol or selector.has_ports:
        rules.append(rule(table, policies, where + verdict(Verdict.JUMP, HIDDEN)))
    return rules


def _ports(selector: Selector) -> bytes:
    """Of ICMP they are type and code. The later fragments of what has ports come to nothing without
    the first; where ports are opaque they are meant themselves."""
    pairs = selector.src_ports, selector.dst_ports
    if OPAQUE_PORTS in pairs:
        return later_fragment() if selector.protocol in _WITH_PORTS else b""
    octets = 1 if selector.protocol in ICMP else 2
    return b"".join(
        field(at * octets, octets, *(min(port, 256**octets - 1) for port in pair))
        for at, pair in enumerate(pairs) if pair != ANY_PORTS
    )  # fmt: skip
