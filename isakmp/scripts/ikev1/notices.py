"""Notices: notifies in clear, and what they are worth: RFC 2408 4.8 and 5.14.

Anybody can send them, so none has an answer, all that we send are of a budget, and one that
comes is a hint: why phase 1 gets no further (dialect.py), or to look after an SA. Where the keys
are there already, a peer may say it under them, and that is proof.
"""

from __future__ import annotations

from dataclasses import replace

from isakmp import payloads as codecs
from isakmp.constants import IKEV1, isakmp, name_of
from isakmp.crypto import keymat
from isakmp.errors import MalformedPayload, Refused
from isakmp.exchange.exchange import Exchange, Host
from isakmp.exchange.script import Incoming
from isakmp.message import HEADER_SIZE, Header, Payload, build_payloads
from isakmp.path import Path
from isakmp.payloads.notify import NotifyValue
from isakmp.policy.spd import Identity
from isakmp.scripts.ikev1 import phase_1
from isakmp.scripts.ikev1.informational import delete_payload, notify_payload, tell_twice
from isakmp.scripts.ikev1.keys import Keys
from isakmp.scripts.ikev1.phase_1 import X, refused_by_peer, take_auth
from isakmp.scripts.ikev1.phase_2 import check_hash, take_hash


def tell_refused(
    host: Host, path: Path, cky_i: bytes, cky_r: bytes, refused: Refused
) -> None:  # fmt: skip
    """Why we refuse somebody who has proved nothing, where there is a notify for it."""
    if refused.notify:
        _tell(host, path, cky_i, cky_r, notify_payload(refused.notify, data=refused.data))


def check_auth(x: X, message: Incoming) -> None:
    """Check the peer's HASH. Where that does not fit the peer is told so, once: else it would wait
    in vain for what follows (RFC 2408 5.11)."""
    try:
        take_auth(x, message)
    except Refused as refused:
        if x.hint is None:
            tell_refused(x.host, x.path, x.cky_i, x.cky_r, refused)
        raise


def check_id(x: X, message: Incoming, identity: Payload) -> None:
    """Check who the peer is, once its HASH has proved that it is so. It may believe that phase 1 is
    done: as initiator we tell it, under the keys, that it is not. So nobody else can have it told,
    and there is the end of what it has made."""
    try:
        phase_1.check_id(x, identity)
    except (Refused, MalformedPayload):
        if x.initiator and not x.state.refused_id and x.state.local_id is not None:
            x.state.refused_id = True
            _take_back(x, x.state.local_id, message)
        raise


def _take_back(x: X, local_id: Identity, message: Incoming) -> None:
    keys = replace(phase_1.keys_of(x), iv=message.commit or x.protection)
    sa = phase_1.made(x, local_id, local_id, keys)
    tell_twice(x.host, x.dialect, sa, [
        notify_payload(isakmp.Notify.INVALID_ID_INFORMATION, spi=sa.cookies),
        delete_payload(isakmp.Protocol.ISAKMP, [sa.cookies]),
    ])  # fmt: skip


def tell_unknown_spi(host: Host, path: Path, spi: int) -> None:
    """INVALID-SPI: ESP has come from there that no SA of ours opens."""
    kind, octets = isakmp.Notify.INVALID_SPI, spi.to_bytes(4, "big")
    notify = notify_payload(kind, isakmp.Protocol.IPSEC_ESP, octets)
    _tell(host, path, host.new_cookie(), bytes(8), notify)


def tell_unknown_cookies(host: Host, path: Path, header: Header) -> None:
    """INVALID-COOKIE: something has come under an ISAKMP SA that we do not have; the header says
    which."""
    notify = notify_payload(isakmp.Notify.INVALID_COOKIE)
    _tell(host, path, header.cky_i, header.cky_r, notify)


def _tell(
    host: Host, path: Path, cky_i: bytes, cky_r: bytes, notify: tuple[int, NotifyValue]
) -> None:  # fmt: skip
    if not host.budget.take(notify[1].notify, path.remote):
        return
    first, chain = build_payloads(1, [notify])
    number = int.from_bytes(host.random(4), "big") or 1
    header = Header(cky_i, cky_r, first, 1, 0, isakmp.Exchange.INFO, 0, number,
                    HEADER_SIZE + len(chain))  # fmt: skip
    host.transmit(path, header.pack() + chain)


def take_proven(x: Exchange, keys: Keys, message: Incoming) -> None:
    """Under the keys of a phase 1 that is not done: only who has our secret has them, so that an
    error ends it. MalformedPayload where HASH(1) does not verify."""
    received, rest = take_hash(message)
    number = message.header.message_id
    check_hash(received, keymat.quick_hash_1(keys.prf, keys.skeyid_a, number, rest))
    for value in message.values(codecs.NOTIFY):
        if value.notify < isakmp.Notify.CONNECTED:
            said = name_of(isakmp.Notify, value.notify)
            x.hint = reason = refused_by_peer(x, said, f"the peer refused: {said}")
            x.host.candidates.refused(x, reason, proven=True)
            return


def take(host: Host, path: Path, header: Header, value: NotifyValue) -> None:
    """One that is about no exchange of ours."""
    if value.notify == isakmp.Notify.INVALID_SPI:
        _take_unknown_spi(host, path, value)
    elif value.notify == isakmp.Notify.INVALID_COOKIE:
        _take_unknown_cookies(host, path, header, value.spi)


def _take_unknown_cookies(host: Host, path: Path, header: Header, spi: bytes) -> None:
    """INVALID-COOKIE: the peer is asked whether it has lost the ISAKMP SA of those cookies, in the
    notify or the header."""
    for cookies in (spi, header.cky_i + header.cky_r):
        sa = host.sas.find(IKEV1, cookies[:8]) or host.sas.find(IKEV1, cookies[8:])
        if sa is not None and sa.cookies == cookies and sa.path.remote == path.remote:
            host.owner.liveness.suspect(sa)
            return


def _take_unknown_spi(host: Host, path: Path, value: NotifyValue) -> None:
    """INVALID-SPI: where we do send with that SPI, the peer is asked whether it lives."""
    child = host.sas.sent_with(path.remote, value.spi)
    if child is not None and child.parent is None:
        host.owner.liveness.doubt(child)
