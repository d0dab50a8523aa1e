"""What CREATE_CHILD_SA and IKE_FOLLOWUP_KE share: what one negotiation has learned, and its end.

RFC 7296 1.3, 2.17 and 2.18, RFC 9370 2.2.4. Where more key exchanges were agreed on, nothing comes
of CREATE_CHILD_SA itself: each answer but the last has octets that the next request returns.

SKEYSEED = prf(SK_d, SK(0) | Ni | Nr | SK(1) | ... | SK(n))          of a new IKE SA
KEYMAT = prf+(SK_d, SK(0) | Ni | Nr | SK(1) | ... | SK(n))           of a child SA
"""

from __future__ import annotations

from dataclasses import dataclass, field

from isakmp.chosen import ChosenIkev2
from isakmp.constants import ikev2
from isakmp.crypto import skeyseed
from isakmp.crypto.groups import KeyPair
from isakmp.errors import IsakmpError, MalformedPayload, Reason, Refused
from isakmp.exchange.exchange import ExchangeOf
from isakmp.exchange.script import Outgoing, Wait
from isakmp.payloads.ikev2.ke import KeValue
from isakmp.sa import IsakmpSa, State
from isakmp.scripts.ikev2 import child as negotiation
from isakmp.scripts.ikev2 import common, less, rekey
from isakmp.scripts.ikev2.additional import Additional
from isakmp.scripts.ikev2.child import Creating
from isakmp.scripts.ikev2.common import Notifies, sa_of
from isakmp.scripts.ikev2.informational import take_back
from isakmp.scripts.ikev2.initial import larval, log_keys
from isakmp.scripts.ikev2.keys import derive

Notify = ikev2.Notify

LINK_SIZE = 16


@dataclass(slots=True)
class Create(Creating):
    """What the steps of one negotiation have learned. child None: it rekeys the IKE SA.

    spi_i, spi_r: of the new IKE SA; began: the exchange asks for something, which from then on
    is in the way of others (2.25); secrets: SK(1) | ... | SK(n), as far as it has come; link: what
    the request that goes on with it has to bring along.
    """

    ni: bytes = b""
    nr: bytes = b""
    group: int | None = None
    key_pair: KeyPair | None = None
    g_ir: bytes = field(default=b"", repr=False)
    ke_peer: KeValue | None = None
    restarts: int = 0
    chosen: ChosenIkev2 | None = None
    spi_i: bytes = b""
    spi_r: bytes = b""
    additional: Additional = field(default_factory=Additional)
    secrets: bytes = field(default=b"", repr=False)
    link: bytes = field(default=b"", repr=False)


X = ExchangeOf[Create]


def add_rest(x: X, message: Outgoing) -> Wait:
    """What the responder's answer ends with: that more key exchanges follow; or nothing, and the
    child SA is there to receive with."""
    s = x.state
    if s.additional.methods:
        s.link = x.host.random(LINK_SIZE)
        common.add_notify(message, Notify.ADDITIONAL_KEY_EXCHANGE, s.link)
    else:
        yield from _install(x)


def take_rest(x: X, notifies: Notifies) -> Wait:
    """The same of the initiator's. Refused where the two ends count differently."""
    s, links = x.state, notifies.get(Notify.ADDITIONAL_KEY_EXCHANGE)
    if bool(links) is not bool(s.additional.methods):
        more = "" if links else "no "
        if not links and s.child is None:
            # It has made an IKE SA that we have not, and goes by that.
            common.end_sa(x, tell=True)
        raise Refused(Reason("bad-choice", f"the peer has {more}more key exchanges in mind, and we "
                             f"have {len(s.additional.methods)}"))  # fmt: skip
    if links:
        s.link = links[0].data
        if x.unwanted is not None:
            raise Refused(x.unwanted)
    else:
        yield from _install(x)


def _install(x: X) -> Wait:
    s = x.state
    if s.child is not None:
        yield from negotiation.install_inbound(x, s.child, sa_of(x), s.ni, s.nr, s.g_ir, s.secrets)


def taken_back(x: X, step: Wait) -> Wait:
    """As initiator: an answer that is not taken here, though it may have made something."""
    try:
        yield from step
    except IsakmpError as error:
        if x.state.child is not None:
            take_back(x, x.state.child)
        elif not isinstance(error, Refused | MalformedPayload):
            # The peer has a successor that we shall not have: all of it begins anew.
            x.host.owner.delete_sa(sa_of(x))
        raise


# --- ends ------------------------------------------------------------------------------------


def finalize(x: X) -> None:
    """Here is the new SA, with what it replaces."""
    s, sa, owner = x.state, sa_of(x), x.host.owner
    c = s.child
    if c is None:
        # Whatever ends the old one meanwhile would have ended this one, had it been there.
        ended = x.unwanted is not None or sa.state is State.DELETING
        new = _new_ike_sa(x, sa)
        owner.sa_rekeyed(sa, new)
        rekey.settle_sa(x.host, sa)
        if ended:
            owner.delete_sa(new)
        return
    child = negotiation.make(x, c, rekey.home(sa), s.ni, s.nr)
    if c.old is None or not (c.old.heirs or c.old.state is not State.DEAD):
        owner.children.child_established(child, c.specs)
    else:
        owner.children.child_rekeyed(c.old, child, c.specs)
        rekey.settle_child(x.host, c.old)
    if x.unwanted is not None:
        owner.children.delete_child(child)
    else:
        less.tell(x, c, child)


def _new_ike_sa(x: X, old: IsakmpSa) -> IsakmpSa:
    """The IKE SA that takes the place of ``old``, with its peer and its NAT (2.18)."""
    s, chosen = x.state, x.state.chosen
    if chosen is None:
        raise MalformedPayload("SA", 28, "nothing is agreed on", "RFC 7296 2.18")
    seed = skeyseed.rekeyed_skeyseed(old.keys.prf, old.keys.sk.d, s.g_ir, s.ni, s.nr, s.secrets)
    keys = derive(chosen, seed, s.ni, s.nr, s.spi_i, s.spi_r, initiator=x.initiator)
    log_keys(x, s.g_ir + s.secrets, keys)
    new = larval(x, keys, chosen, s.spi_i, s.spi_r, old.nat)
    new.local_id, new.remote_id, new.state = old.local_id, old.remote_id, State.ESTABLISHED
    new.tiebreak, new.path = min(s.ni, s.nr), old.path
    # Whatever exchange it came of last.
    new.exchange_type = ikev2.Exchange.CREATE_CHILD_SA
    new.fragments = old.fragments.heir() if old.fragments is not None else None
    new.ppk = old.ppk  # whose SK_d this one's keys are made of: it is not mixed in again
    new.find_peer()
    new.reauth_at = old.reauth_at
    return new


def abandon(x: X) -> None:
    """Give the SPI back; a rivalling exchange of the peer's decides without this one."""
    c = x.state.child
    if c is None:
        rekey.settle_sa(x.host, sa_of(x))
        return
    if c.connection is not None:
        negotiation.give_back(x, c)
    if c.old is not None:
        rekey.settle_child(x.host, c.old)


def refused(x: X, error: int) -> Refused:
    """The peer refuses to go on: what that means beyond the end, and the reason that it is."""
    s = x.state
    rekey.refused(x, error)
    if s.child is not None:
        return negotiation.refused_by_peer(x, s.child, error)
    return common.refused_by_peer(x, error, proven=True)
