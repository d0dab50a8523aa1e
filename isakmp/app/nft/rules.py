"""The rules that keep out what comes in in clear, made of policies.

    input    by the engine's device, loopback   accept
             ESP, IKE, neighbour discovery      accept
             jump policies
    forward  by the engine's device             accept
             jump policies
    policies a Bypass ...                       accept
             all other policies ...             drop
    hidden   fragments that hide what they are  drop

What is for the host goes by ``input``, what others get by ``forward``, behind any translation of
addresses, as policies of the kernel would see it. IKE is known by its port, and only by the one of
the host: what others send from port 500 is judged like all else.
"""

from __future__ import annotations

from collections.abc import Iterable

from isakmp.app.base import Action, PolicySpec
from isakmp.app.nft import messages
from isakmp.app.nft.expressions import (
    Verdict,
    comes_by,
    destination,
    field,
    fragment_of,
    later_fragment,
    protocol,
    source,
    verdict,
)
from isakmp.app.nft.messages import Hook, Msg, chain, rule
from isakmp.policy.spd import ANY_PORTS, ICMP, OPAQUE_PORTS, Selector

INPUT, FORWARD, POLICIES, HIDDEN = "input", "forward", "policies", "hidden"
PRIORITY = -150  # as "mangle": before the host's own filter
_UDP, _ESP, _ICMPV6 = 17, 50, 58
_DISCOVERY = (133, 137)  # RFC 4861: router and neighbour solicitation to redirect
_WITH_PORTS = (0, 6, _UDP, 33, 132, 136)
_EXTENSIONS = (0, 43, 44, 51, 60)  # what a first fragment may have before the ports


def frame(table: str, device: str, ports: Iterable[int]) -> list[bytes]:
    """A new table that drops nothing yet. ports: of IKE and ESP in UDP."""
    accept, jump = verdict(Verdict.ACCEPT), verdict(Verdict.JUMP, POLICIES)
    passing = [
        comes_by("lo"),
        protocol(_ESP),
        *(protocol(_UDP) + field(2, 2, port, port) for port in ports),
        protocol(_UDP) + later_fragment(),  # nothing without the first, which is judged
        protocol(_ICMPV6) + field(0, 1, *_DISCOVERY),
    ]
    return [
        messages.table(Msg.NEWTABLE, table),
        chain(table, POLICIES),
        chain(table, HIDDEN),
        chain(table, INPUT, Hook.LOCAL_IN, PRIORITY),
        chain(table, FORWARD, Hook.FORWARD, PRIORITY),
        *(rule(table, HIDDEN, fragment_of(n) + verdict(Verdict.DROP)) for n in _EXTENSIONS),
        *exempt(table, device),
        *(rule(table, INPUT, each + accept) for each in passing),
        rule(table, INPUT, jump),
        rule(table, FORWARD, jump),
    ]


def exempt(table: str, device: str) -> list[bytes]:
    """What comes by the engine's device has been judged by the engine."""
    expressions = comes_by(device) + verdict(Verdict.ACCEPT)
    return [rule(table, name, expressions, last=False) for name in (INPUT, FORWARD)]


def of_policy(table: str, spec: PolicySpec) -> list[bytes]:
    """The rules of an inbound policy; what is let pass comes before all others."""
    selector = spec.selector
    passes = spec.action is Action.BYPASS
    if passes and OPAQUE_PORTS in (selector.src_ports, selector.dst_ports):
        return []  # nothing is let pass for ports that it does not show
    where = source(selector.src) + destination(selector.dst)
    what = where + (protocol(selector.protocol) if selector.protocol else b"") + _ports(selector)
    if passes:
        return [rule(table, POLICIES, what + verdict(Verdict.ACCEPT), last=False)]
    rules = [rule(table, POLICIES, what + verdict(Verdict.DROP))]
    if selector.protocol or selector.has_ports:
        rules.append(rule(table, POLICIES, where + verdict(Verdict.JUMP, HIDDEN)))
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
