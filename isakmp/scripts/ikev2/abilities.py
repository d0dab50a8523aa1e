"""Abilities: what both ends of an IKE_SA_INIT say of themselves beside its payloads, in notifies.

NAT detection (RFC 7296 2.23), fragmentation (RFC 7383 2.3), IKE SAs without a child (RFC 6023 3),
IKE_INTERMEDIATE (RFC 9242 3.1), which is for additional key exchanges alone.
"""

from __future__ import annotations

from isakmp.constants import ikev2
from isakmp.errors import Reason, Refused
from isakmp.exchange.script import Incoming, Outgoing
from isakmp.log.log import LogClass
from isakmp.policy.spd import Wish
from isakmp.scripts.ikev2 import common, nat
from isakmp.scripts.ikev2.fragments import Fragments
from isakmp.scripts.ikev2.initial import X, chosen_of

P, Notify = ikev2.Payload, ikev2.Notify


def add(x: X, message: Outgoing) -> None:
    """Append ours."""
    if x.host.owner.nat_traversal:
        for value in nat.notifies(x.path, x.cky_i, x.cky_r, x.remote.ikev2.force_encap):
            message.add(P.NOTIFY, value)
    if x.remote.ikev2.fragmentation:
        common.add_notify(message, Notify.IKEV2_FRAGMENTATION_SUPPORTED)
    if not x.initiator and x.remote.ikev2.childless is not Wish.NO:
        common.add_notify(message, Notify.CHILDLESS_IKEV2_SUPPORTED)
    if _intermediate(x):
        common.add_notify(message, Notify.INTERMEDIATE_EXCHANGE_SUPPORTED)


def _intermediate(x: X) -> bool:
    """Whether we may need it, or as responder do."""
    if x.initiator:
        return any(proposal.additional for proposal in x.remote.proposals)
    return bool(chosen_of(x).additional)


def check_additional(x: X) -> None:
    """What was chosen needs IKE_INTERMEDIATE only where the peer has it. Refused otherwise."""
    if not chosen_of(x).additional:
        return
    if Notify.INTERMEDIATE_EXCHANGE_SUPPORTED not in x.state.supports:
        notify = Notify.INTERMEDIATE_EXCHANGE_SUPPORTED.name
        detail = f"the peer has additional key exchanges in mind, and does not say {notify}"
        raise Refused(Reason("invalid-key-exchange", detail), Notify.INVALID_SYNTAX)


def take(x: X, message: Incoming) -> None:
    """Note the peer's; the initiator moves to the NAT-traversal port where a NAT is found."""
    s, notifies = x.state, common.take_notifies(message)
    s.supports = set(notifies)
    if not x.host.owner.nat_traversal:
        return
    # Where we have asked, from wherever a copy of the answer comes.
    asked = x.stem.path if x.stem is not None else x.path
    found = nat.look(notifies, asked, x.cky_i, message.header.cky_r)
    s.nat.local, s.nat.remote, s.nat.spoken = found
    s.nat.reached = not x.initiator
    if x.remote.ikev2.force_encap:
        s.nat.local = True
    if s.nat.found:
        x.host.log.debug(LogClass.EXCHANGE, 20, "%s: NAT found (%s)", x, s.nat)
        if x.initiator and not x.path.encap:
            x.path = nat.floated(x.path, x.host.owner.nat_t_port)


def fragments(x: X) -> Fragments | None:
    """How messages are cut, where both ends know how."""
    if Notify.IKEV2_FRAGMENTATION_SUPPORTED not in x.state.supports:
        return None
    if not x.remote.ikev2.fragmentation:
        return None
    return Fragments(x.remote.ikev2, x.path.remote.version, x.host.now)
