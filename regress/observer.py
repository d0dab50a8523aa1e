"""Somebody on the way who sees what goes by, and is faster than who is asked.

impostor() is a whole daemon that answers in a host's name, without its secret. Observer changes
octets of a true message, and sends that first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from random import Random
from typing import Any

from isakmp.constants import ikev2
from isakmp.message import HEADER_SIZE, build_payloads, parse_payloads
from isakmp.scripts.ikev2 import common
from regress.pair import Gateway, Host, Network, Packet

# NONCE and KE, by version.
NONCE, KE = {1: 10, 2: 40}, {1: 4, 2: 34}


def impostor(net: Network, victim: Host, gateway: Gateway, delay_s: float = 0.0) -> Host:
    """A daemon in the place of ``gateway``, which sees all that goes to it, and answers first.

    delay_s: how much later the true one gets it.
    """
    fake = Host(net, gateway.address, replace(gateway, secret="of nobody").text(), seed=1)
    fake.daemon.start()
    # Its timers run as everybody's; nothing is sent to where it is kept.
    net.hosts[ip_address("203.0.113.99")] = fake
    deliver = net.deliver
    passed: list[Packet] = []

    def arrive(packet: Packet) -> None:
        if packet.dst != fake.address or any(packet is one for one in passed):
            deliver(packet)
            return
        fake.receive(packet)
        late = packet._replace()
        passed.append(late)
        if delay_s:
            victim.timers.add("on its way", delay_s, lambda: deliver(late))
        else:
            net.flying.append(late)

    net.deliver = arrive  # type: ignore[method-assign]
    return fake


def is_clear(packet: Packet) -> bool:
    """Whether it is of phase 1 or an IKE_SA_INIT with payloads, and nothing protects it."""
    if len(packet.message) < HEADER_SIZE:
        return False
    header = packet.header
    if header.major == 1:
        return header.exchange_type in (2, 4) and not header.flags & 1
    return bool(header.exchange_type == 34)


def numbered(number: int) -> Callable[[Packet], bool]:
    """Cares for the clear message of that number, from 1; repetitions do not count."""
    met: list[bytes] = []

    def cares(packet: Packet) -> bool:
        if is_clear(packet) and packet.data not in met:
            met.append(packet.data)
            return len(met) == number
        return False

    return cares


def in_clear(first: Packet, notify: int, data: bytes = b"") -> Packet:
    """An answer with that notify alone, which anybody who sees a first message of IKEv2 can
    make."""
    value = common.notify_value(notify, data)
    kind, chain = build_payloads(2, [(int(ikev2.Payload.NOTIFY), value)])
    header = first.header._replace(
        flags=ikev2.Flag.RESPONSE, next_payload=kind, length=HEADER_SIZE + len(chain)
    )
    marker = first.data[: len(first.data) - len(first.message)]
    return Packet(
        first.dst, first.dport, first.src, first.sport, marker + header.pack() + chain
    )  # fmt: skip


Payloads = list[tuple[int, bytes]]


def edited(packet: Packet, edit: Callable[[Payloads], Payloads]) -> Packet:
    """The same message with other payloads; edit: is given their types and bodies."""
    data, header = packet.message, packet.header
    payloads, _ = parse_payloads(header.major, header.next_payload, data[HEADER_SIZE:])
    first, chain = build_payloads(
        header.major, list(edit([(payload.type, payload.body) for payload in payloads]))
    )
    head = header._replace(next_payload=first, length=HEADER_SIZE + len(chain))
    marker = packet.data[: len(packet.data) - len(data)]
    return packet._replace(data=marker + head.pack() + chain)


def altered(
    packet: Packet, draw: Random, *, spi: bool = False, values: bool = True
) -> Packet:  # fmt: skip
    """The same message with another NONCE and another public value, another lifetime where it has
    neither, and from another responder where ``spi`` says so."""
    data, header = packet.message, packet.header
    payloads, _ = parse_payloads(header.major, header.next_payload, data[HEADER_SIZE:])
    other: list[tuple[int, Any]] = []
    for payload in payloads:
        body = payload.body
        if values and payload.type == NONCE[header.major]:
            body = draw.randbytes(len(body))
        elif values and payload.type == KE[header.major]:
            keep = 4 if header.major == 2 else 0
            body = body[:keep] + b"\x01" + draw.randbytes(len(body) - keep - 1)
        other.append((payload.type, body))
    if values and not {NONCE[header.major], KE[header.major]} & {kind for kind, _ in other}:
        kind, offer = other[0]
        other[0] = kind, offer[:-1] + bytes([offer[-1] ^ 1])
    _, chain = build_payloads(header.major, other)
    head = header._replace(cky_r=draw.randbytes(8)) if spi else header
    head = head._replace(length=HEADER_SIZE + len(chain))
    marker = packet.data[: len(packet.data) - len(data)]
    return packet._replace(data=marker + head.pack() + chain)


@dataclass
class Observer:
    """Sends, before each message in clear that it cares for, or after it, others in its place.

    cares: which messages; forge: what it makes of one; instead: the message itself does not come.
    """

    net: Network
    cares: Callable[[Packet], bool]
    forge: Callable[[Packet], list[Packet]]
    after: bool = False
    instead: bool = False
    forged: int = 0

    def __post_init__(self) -> None:
        deliver = self.net.deliver

        def observe(packet: Packet) -> None:
            fakes = self.forge(packet) if self.cares(packet) else []
            self.forged += len(fakes)
            if self.after:
                deliver(packet)
            for fake in fakes:
                deliver(fake)
            if not self.after and not (fakes and self.instead):
                deliver(packet)

        self.net.deliver = observe  # type: ignore[method-assign]
