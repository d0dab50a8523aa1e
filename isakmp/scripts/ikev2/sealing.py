"""Sealing IKEv2 messages, whole or in pieces: RFC 7296 3.1 and 3.14, RFC 7383 2.5."""

from __future__ import annotations

from typing import Any

from isakmp.constants import ikev2
from isakmp.exchange.exchange import Exchange
from isakmp.message import HEADER_SIZE, Header, build_payloads
from isakmp.payloads.shapes import HEADER as GENERIC
from isakmp.sa import IsakmpSa
from isakmp.scripts.ikev2.fragments import split
from isakmp.scripts.ikev2.packet import SK, SKF, record

# Plain numbers: an enum of flags makes a member for every look at one, in 1 us.
INITIATOR, RESPONSE = int(ikev2.Flag.INITIATOR), int(ikev2.Flag.RESPONSE)


def seal(exchange: Exchange, items: list[tuple[int, Any]], protected: bool) -> tuple[bytes, ...]:
    """The datagrams of a message with those payloads."""
    host, sa = exchange.host, exchange.sa
    first, chain = build_payloads(2, items)
    header = _header(exchange, first, chain)
    record(host, exchange.where, header, None, chain)
    if not protected or sa is None:
        return (header.pack() + chain,)
    return _protect(exchange, sa, header, first, chain)


def _protect(
    exchange: Exchange, sa: IsakmpSa, header: Header, first: int, chain: bytes
) -> tuple[bytes, ...]:
    """One SK payload, or as many SKF payloads as it takes."""
    sk = sa.keys.seals
    size = sk.sealed_size(len(chain))
    if sa.fragments is not None:
        room, exchange.plain = _room(exchange, sa), (first, chain)
        if len(chain) > room:
            return _cut(exchange, sa, header, first, split(chain, room))
    whole = header._replace(next_payload=SK, length=HEADER_SIZE + 4 + size)
    head = whole.pack() + GENERIC.pack(first, 0, 4 + size)
    return (head + sk.seal(head, chain, exchange.host.random),)


def _cut(
    exchange: Exchange, sa: IsakmpSa, header: Header, first: int, pieces: list[bytes]
) -> tuple[bytes, ...]:
    sk, datagrams = sa.keys.seals, []
    for number, piece in enumerate(pieces, 1):
        size = 8 + sk.sealed_size(len(piece))
        head = header._replace(next_payload=SKF, length=HEADER_SIZE + size).pack()
        head += GENERIC.pack(first if number == 1 else 0, 0, size)
        head += number.to_bytes(2, "big") + len(pieces).to_bytes(2, "big")
        datagrams.append(head + sk.seal(head, piece, exchange.host.random))
    return tuple(datagrams)


def again(exchange: Exchange) -> tuple[bytes, ...]:
    """Our message for another time; what came in pieces and to nothing is cut smaller."""
    sa = exchange.sa
    if exchange.plain is None or sa is None or exchange.retries < 2:
        return exchange.last_out
    whole = len(exchange.last_out) == 1
    if whole and sa.fragments.is_small(exchange.last_out[0], exchange.where):
        return exchange.last_out
    (first, chain), least = exchange.plain, len(exchange.last_out) + sa.fragments.shrink()
    cut = split(chain, _room(exchange, sa), least)
    if len(cut) == len(exchange.last_out):
        return exchange.last_out
    return _cut(exchange, sa, _header(exchange, first, chain), first, cut)


def _room(exchange: Exchange, sa: IsakmpSa) -> int:
    """Octets of payloads in one piece, whatever padding takes of it."""
    sk = sa.keys.seals
    return int(sa.fragments.room(exchange.where, sk.sealed_size(0) + sk.block_size))


def _header(exchange: Exchange, first: int, chain: bytes) -> Header:
    sa = exchange.sa
    began = sa.initiator if sa is not None else exchange.initiator
    flags = (INITIATOR if began else 0) | (0 if exchange.initiator else RESPONSE)
    return Header(exchange.cky_i, exchange.cky_r, first, 2, 0, exchange.script.exchange_type,
                  flags, exchange.message_id, HEADER_SIZE + len(chain))  # fmt: skip
