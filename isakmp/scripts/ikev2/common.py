"""What the IKEv2 scripts share: notifies, nonces, key exchange, refusals. RFC 7296 2.21 and 3.10.

Names are those of the RFC in lower case: ni and nr the nonces, g_ir the shared secret, spi_i and
spi_r the SPIs, which the engine calls cookies.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from isakmp.constants import ikev2, name_of
from isakmp.constants.key_exchange import method_name
from isakmp.crypto import agreement
from isakmp.crypto.groups import KeyPair
from isakmp.errors import CryptoError, MalformedPayload, Reason, Refused
from isakmp.event.job import Job
from isakmp.exchange.exchange import Exchange
from isakmp.exchange.script import Incoming, Outgoing
from isakmp.message import values_of
from isakmp.payloads import ikev2 as codecs
from isakmp.payloads.ikev2.ke import KeValue
from isakmp.payloads.ikev2.notify import NotifyValue
from isakmp.payloads.ikev2.sa import Offer
from isakmp.policy import proposal
from isakmp.policy.meanings import refusal
from isakmp.policy.spd import Proposal
from isakmp.sa import IsakmpSa

P, Notify = ikev2.Payload, ikev2.Notify

Notifies = dict[int, list[NotifyValue]]
"""The notifies of a message, by type."""

NONCE_SIZE = 32
# What begins below is an error, from there on a status (RFC 7296 3.10.1).
STATUS = 16384
_KNOWN = frozenset(map(int, Notify))
# What ends an IKE SA without a Delete, wherever the peer says it (2.21); and what does so in
# IKE_AUTH, or right behind it (2.21.2).
FATAL = frozenset((int(Notify.AUTHENTICATION_FAILED), int(Notify.INVALID_SYNTAX)))
FATAL_AT_FIRST = FATAL | {int(Notify.UNSUPPORTED_CRITICAL_PAYLOAD)}


def sa_of(x: Exchange) -> IsakmpSa:
    """The IKE SA that protects an exchange."""
    if x.sa is None:
        raise MalformedPayload("HDR", 0, f"{x.script.name} needs an IKE SA", "RFC 7296 1.2")
    return x.sa


def add_notify(
    message: Outgoing, notify: int, data: bytes = b"", protocol: int = 0, spi: bytes = b""
) -> None:
    """Append a notify."""
    message.add(P.NOTIFY, notify_value(notify, data, protocol, spi))


def notify_value(
    notify: int, data: bytes = b"", protocol: int = 0, spi: bytes = b""
) -> NotifyValue:
    """What a NOTIFY payload is built from."""
    return NotifyValue(protocol, notify, spi, data)


def take_notifies(message: Incoming) -> Notifies:
    """The values of all notifies, by type; a message holds 64 payloads at most."""
    found: Notifies = {}
    for value in message.values(codecs.NOTIFY):
        found.setdefault(value.notify, []).append(value)
    return found


def take_window(sa: IsakmpSa, message: Incoming) -> None:
    """How many requests of ours the peer takes at once (RFC 7296 2.3)."""
    for value in values_of(message.payloads, codecs.NOTIFY):
        if value.notify == Notify.SET_WINDOW_SIZE:
            if len(value.data) == 4:
                sa.ids.resize_out(int.from_bytes(value.data, "big"))
            return


def end_sa(x: Exchange, *, tell: bool = False) -> None:
    """End the IKE SA once this exchange is over: the two ends do not understand each other."""
    sa = sa_of(x)
    x.finished.then(lambda job: x.host.owner.delete_sa(sa, tell=tell))


def check_errors(x: Exchange, message: Incoming) -> None:
    """What else an answer holds does not count beside an error that nobody knows."""
    for value in values_of(message.payloads, codecs.NOTIFY):
        if value.notify < STATUS and value.notify not in _KNOWN:
            raise refused_by_peer(x, value.notify, proven=message.proven)


def error_among(notifies: Notifies) -> int | None:
    """The first error that a message says."""
    return next((number for number in notifies if number < STATUS), None)


def refused_by_peer(
    x: Exchange, number: int, *, proven: bool, offered: str = "", line: str = ""
) -> Refused:
    """The reason that a peer's error notify is. Nobody answers an answer, so it says nothing.

    offered: what we had asked for, from that line of the configuration.
    """
    said = name_of(Notify, number)
    how = "" if proven else " (in clear, so unproven)"
    detail = f"the peer said {said}{how} to {x.script.name}"
    return Refused(refusal(x.script.name, said, detail, offered, line or x.remote.line))


def make_key_pair(x: Exchange, group: int) -> Generator[Job[bytes], bytes, KeyPair]:
    """A key pair of that group. CryptoError where the library lacks it."""
    return agreement.key_pair(x.host.work, x.host.random, group)


def ke_value(group: int, public: bytes) -> KeValue:
    """What a KE payload is built from."""
    return KeValue(int(group), public)


def agree(x: Exchange, pair: KeyPair, public: bytes) -> agreement.Octets:
    """g_ir. Refused where the peer's value is not in the group (RFC 6989)."""
    try:
        return (yield from agreement.agree(x.host.work, pair, public))
    except CryptoError as error:
        raise _invalid(error) from None


def respond(
    x: Exchange, group: int, public: bytes
) -> Generator[Job[bytes], bytes, tuple[bytes, bytes]]:
    """As who answers a value: our own one, and g_ir. Refused as above."""
    try:
        return (yield from agreement.respond(x.host.work, x.host.random, group, public))
    except CryptoError as error:
        raise _invalid(error) from None


def _invalid(error: CryptoError) -> Refused:
    return Refused(Reason("invalid-key-exchange", str(error)), Notify.INVALID_SYNTAX)


def check_group(
    came: int, chosen: int | None, proposals: tuple[Proposal, ...], theirs: Sequence[Offer] = ()
) -> None:
    """The KE must be of the group that was chosen; else the peer is told which (RFC 7296 1.3).

    theirs: the proposals of a request. It may be of any group of these, as who asks has to guess.
    """
    if chosen is None or came == chosen:
        return
    told = method_name(came), method_name(chosen), proposals[0].line if proposals else ""
    if proposal.proposes(theirs, came):
        reason = Reason("another-group", "the peer has guessed a group that is not chosen", *told)
    else:
        whose = "its proposals do not have" if theirs else "it has not chosen"
        detail = f"the peer's key exchange is of a group that {whose}"
        reason = Reason("invalid-ke-payload", detail, *told)
    raise Refused(reason, Notify.INVALID_KE_PAYLOAD, int(chosen).to_bytes(2, "big"))


def other_group(notifies: Notifies, offered: set[int], tried: int | None) -> int | None:
    """The group an INVALID_KE_PAYLOAD asks for, where it is one of ours and not the one tried."""
    values = notifies.get(Notify.INVALID_KE_PAYLOAD)
    if not values:
        return None
    if len(values[0].data) != 2:
        raise MalformedPayload("NOTIFY.data", 28, "INVALID_KE_PAYLOAD names no group",
                               "RFC 7296 3.10.1")  # fmt: skip
    group = int.from_bytes(values[0].data, "big")
    return group if group in offered and group != tried else None


def groups_of(proposals: tuple[Proposal, ...]) -> list[int]:
    """The groups of proposals, preferred first, each once."""
    found = (t.id for p in proposals for t in p.of_type(ikev2.Transform.KE) if t.id)
    return list(dict.fromkeys(found))
