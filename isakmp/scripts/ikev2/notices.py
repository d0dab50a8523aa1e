"""Notices: errors in clear that no exchange carries, and what they are worth: RFC 7296 1.5, 2.21.4.

Anybody can send them, so none has an answer, all that we send are of a budget, and one that
comes is a hint to look after what it is about. Under an IKE SA the same is told by INFORMATIONAL.
"""

from __future__ import annotations

from isakmp.constants import ikev2
from isakmp.errors import Refused
from isakmp.exchange.engine import Engine
from isakmp.exchange.exchange import Host
from isakmp.message import HEADER_SIZE, Header, build_payloads
from isakmp.path import Path
from isakmp.payloads import ikev2 as codecs
from isakmp.policy.peers import IKE_SA_INIT
from isakmp.scripts.ikev2 import common
from isakmp.scripts.ikev2.packet import read_clear

P, Notify = ikev2.Payload, ikev2.Notify
INFORMATIONAL = int(ikev2.Exchange.INFORMATIONAL)
INITIATOR, RESPONSE = int(ikev2.Flag.INITIATOR), int(ikev2.Flag.RESPONSE)

NOBODY = bytes(8)


def answer(host: Host, path: Path, header: Header, notify: int, data: bytes = b"") -> None:
    """An unprotected answer to a request, bounded: strangers can make us send them."""
    if notify and may_send(host, path, notify):
        send_answer(host, path, header, notify, data)


def may_send(host: Host, path: Path, notify: int) -> bool:
    """Whether one more may go there in clear. An honest peer needs to hear of another group
    whatever strangers do, and INVALID_KE_PAYLOAD is smaller than what asks for it."""
    return notify == Notify.INVALID_KE_PAYLOAD or host.budget.take(notify, path.remote)


def send_answer(host: Host, path: Path, header: Header, notify: int, data: bytes) -> None:
    """One that costs the budget nothing, as it is what keeps strangers off: a cookie."""
    flags = RESPONSE | (header.flags & INITIATOR ^ INITIATOR)
    _send(host, path, header, flags, notify, data)


def send_one_way(host: Host, path: Path, notify: int, data: bytes) -> None:
    """A message of no exchange, which nobody answers (1.5), to an address that may be a peer's."""
    try:
        host.owner.catalog.find_remote(path.remote, IKE_SA_INIT)
    except Refused:
        return
    if may_send(host, path, notify):
        header = Header(NOBODY, NOBODY, 0, 2, 0, INFORMATIONAL, INITIATOR, 0, 0)
        _send(host, path, header, INITIATOR, notify, data)


def _send(
    host: Host, path: Path, like: Header, flags: int, notify: int, data: bytes
) -> None:  # fmt: skip
    """A notify in a message ``like`` another: of its SPIs, exchange type and message ID."""
    first, chain = build_payloads(2, [(P.NOTIFY, common.notify_value(notify, data))])
    header = Header(like.cky_i, like.cky_r, first, 2, 0, like.exchange_type, flags,
                    like.message_id, HEADER_SIZE + len(chain))  # fmt: skip
    host.transmit(path, header.pack() + chain)


def is_one_way(header: Header) -> bool:
    """Whether a request under no IKE SA is one of those messages. They must not be answered."""
    return header.exchange_type == INFORMATIONAL and header.next_payload == P.NOTIFY


def take_one_way(engine: Engine, path: Path, header: Header, datagram: bytes) -> None:
    """INVALID_SPI: where we do send with that SPI, the peer is asked whether it lives."""
    for value in read_clear(engine, path, header, datagram).values(codecs.NOTIFY):
        child = engine.sas.sent_with(path.remote, value.data)
        if value.notify == Notify.INVALID_SPI and child and child.parent:
            engine.owner.liveness.doubt(child)
    engine.drop(path, "a notice in clear")
