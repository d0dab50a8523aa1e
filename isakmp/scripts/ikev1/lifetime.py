"""What shortens the life of SAs. RESPONDER_LIFETIME in every place: RFC 2407 4.5.4 and 4.6.3.1.

The last message of phase 1 (dialect.py), any message of quick mode, or an informational exchange:
it says of what it speaks by protocol and SPI. What lives shorter than that already is not
touched. And an ISAKMP SA whose message IDs are nearly used up.
"""

from __future__ import annotations

from isakmp.constants import ipsec, isakmp
from isakmp.deletes import received_with
from isakmp.exchange.exchange import Exchange, Host
from isakmp.payloads.base import Misfit
from isakmp.payloads.data_attribute import parse_attributes
from isakmp.payloads.notify import NotifyValue
from isakmp.policy.match import values
from isakmp.sa import ChildSa, IsakmpSa

# How long an ISAKMP SA that is worn lives on, while another takes its place.
WORN_S = 60


def seconds_of(value: NotifyValue) -> int:
    """The seconds that a notify names; 0 where it names none."""
    of_sa = value.protocol_id == isakmp.Protocol.ISAKMP
    kind = isakmp.Attribute if of_sa else ipsec.Attribute
    try:
        attributes = parse_attributes(value.data)
    except Misfit:
        return 0
    return values(attributes, kind.LIFE_TYPE, kind.LIFE_DURATION)[1]


def take(x: Exchange, sa: IsakmpSa, value: NotifyValue) -> bool:
    """Shorten the SA of which the peer says it under ``sa``; False where none is meant that is
    there already."""
    seconds = seconds_of(value)
    if value.protocol_id == isakmp.Protocol.ISAKMP:
        # It lives under the very SA, whose cookies need not be told again.
        x.host.owner.shorten(sa, seconds)
        return True
    child = _child(x, sa, value)
    if child is not None:
        x.host.owner.children.shorten(child, seconds)
    return child is not None


def _child(x: Exchange, sa: IsakmpSa, value: NotifyValue) -> ChildSa | None:
    number = int.from_bytes(value.spi, "big") if len(value.spi) == 4 else 0
    return received_with(x.host.sas, sa, value.protocol_id, number)


def renew_worn(host: Host, sa: IsakmpSa) -> None:
    """An ISAKMP SA whose message IDs are nearly used up ends soon, as one whose life is over."""
    if sa.ids.worn:
        host.owner.shorten(sa, int(host.now() - sa.established) + WORN_S)
