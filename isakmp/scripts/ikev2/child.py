"""The negotiation of one child SA, in IKE_AUTH and in CREATE_CHILD_SA alike.

RFC 7296 1.2, 1.3, 2.9 (traffic selectors), 2.17 (keys), 2.23.1 (transport mode behind NAT).

    initiator                                responder
    SAi2, [Ni, KEi,] TSi, TSr          -->
                                       <--   SAr2, [Nr, KEr,] TSi, TSr

The responder's inbound SA is in place before its answer leaves, the initiator's as soon as the
answer is there; what is sent takes the new SA after that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isakmp.app.base import Limits, SaSpec
from isakmp.chosen import ChosenIpsec
from isakmp.constants import ikev2, ipsec, isakmp
from isakmp.crypto import skeyseed
from isakmp.crypto.lengths import key_octets
from isakmp.errors import Reason, Refused
from isakmp.exchange.exchange import Exchange
from isakmp.exchange.script import Incoming, Outgoing, Wait
from isakmp.log.log import LogClass
from isakmp.payloads import ikev2 as codecs
from isakmp.payloads.base import Codec
from isakmp.payloads.ikev2.sa import Offer
from isakmp.payloads.ikev2.ts import TsValue
from isakmp.policy import proposal, traffic
from isakmp.policy.boxes import Work
from isakmp.policy.identity import host_network
from isakmp.policy.match import describe
from isakmp.policy.spd import (
    Connection,
    IpsecTransform,
    Proposal,
    Selector,
    Traffic,
    TrafficSelector,
)
from isakmp.policy.supported import COMPRESSION, lack_of, left_out, or_lacking
from isakmp.sa import ChildProtocol, ChildSa, IsakmpSa
from isakmp.scripts import ipsec_sa
from isakmp.scripts.ikev2 import common
from isakmp.scripts.ikev2.common import Notifies

P, Notify, T = ikev2.Payload, ikev2.Notify, ikev2.Transform


PROTOCOLS: Mapping[int, isakmp.Protocol] = {
    ikev2.Protocol.ESP: isakmp.Protocol.IPSEC_ESP,
    ikev2.Protocol.AH: isakmp.Protocol.IPSEC_AH,
}


# How the peer is told of a bound; of any other with NO_ADDITIONAL_SAS.
_BOUNDS = {"too-many-selectors": Notify.TS_UNACCEPTABLE}

NO_LIMITS = Limits()


@dataclass(slots=True)
class Child:
    """What is known of the child SA so far; everything from our point of view.

    part: what alone of its connection is to be asked for; before: what it takes the place of, under
    another IKE SA too; offered: the traffic that the initiator
    asked for; first: that of the packet that it was asked for with; traffic: what is agreed on;
    old: the child SA to replace, as_old: with no more than that has; gone: SPIs that the peer has
    deleted meanwhile; agreed: when the choice was looked at; with_group: key exchange may be part
    of it; cpi_in, cpi_out: of IPComp, 0 without it; selectors: the traffic as the IPsec stack takes
    it; declined: what the peer asked for and does not get.
    """

    connection: Connection | None = None
    old: ChildSa | None = None
    part: Traffic | None = None
    before: ChildSa | None = None
    as_old: bool = False
    with_group: bool = False
    offered: Traffic | None = None
    first: Selector | None = None
    traffic: Traffic | None = None
    additional: bool = False
    transport: bool = False
    all_fragments: bool = False
    choice: Any = None
    what: ChosenIpsec | None = None
    spi_in: int = 0
    spi_out: int = 0
    cpi_in: int = 0
    cpi_out: int = 0
    gone: set[int] = field(default_factory=set)
    agreed: float = 0.0
    specs: list[SaSpec] = field(default_factory=list, repr=False)
    limits: Limits = NO_LIMITS
    selectors: tuple[Selector, ...] = ()
    reqid: int = 0
    declined: tuple[Reason, ...] = ()

    @property
    def proposals(self) -> tuple[Proposal, ...]:
        """What may be offered or taken now."""
        return self.proposals_of(self.connection) if self.connection else ()

    def proposals_of(self, connection: Connection) -> tuple[Proposal, ...]:
        """That of a connection: one protocol, without groups in IKE_AUTH (1.2)."""
        found = connection.proposals
        found = tuple(p for p in found if p.protocol == found[0].protocol)
        return found if self.with_group else tuple(p.without_groups for p in found)


@dataclass(slots=True)
class Creating:
    """What is known of an SA while it is made. child: None where it is no child SA; choice: the
    proposal that was taken, of an IKE SA, or of what key exchanges are left to do."""

    child: Child | None = None
    choice: Any = None


def child_of(x: Exchange) -> Child | None:
    """What an exchange knows of the child SA that it makes, if it does."""
    return x.state.child if isinstance(x.state, Creating) else None


X = Exchange


def connection_of(c: Child) -> Connection:
    """The connection it is for."""
    if c.connection is None:
        raise Refused(Reason("failed", "no connection is chosen"), Notify.TS_UNACCEPTABLE)
    return c.connection


def traffic_of(c: Child) -> Traffic:
    """The agreed traffic, or what we ask for."""
    return c.traffic or connection_of(c).traffic


def wants_transport(connection: Connection) -> bool:
    """Whether a connection is for two hosts alone."""
    mode = first_transform(connection).encapsulation
    return mode is ipsec.Encapsulation.TRANSPORT


def first_transform(connection: Connection) -> IpsecTransform:
    """Where a connection's lifetimes and mode are written."""
    return connection.suites[0].protocols[0].transforms[0]


# --- the initiator ---------------------------------------------------------------------------


def reserve_spi(x: X, c: Child) -> Wait:
    """An SPI for our inbound SA, and for IPComp its CPI."""
    connection = connection_of(c)
    protocol = PROTOCOLS[connection.proposals[0].protocol]
    selectors = c.selectors or traffic.selectors_of(connection)
    reqid = x.host.owner.connections.reqid(connection.name, selectors, x, c.old)
    c.spi_in = yield from ipsec_sa.reserve_spi(x, protocol, connection, reqid)
    if c.cpi_out or (x.initiator and connection.ipcomp):
        ipcomp = isakmp.Protocol.IPCOMP
        c.cpi_in = yield from ipsec_sa.reserve_spi(x, ipcomp, connection, reqid)


def add_sa(c: Child, message: Outgoing) -> None:
    """The modes, then our proposals, or as responder our choice, with our SPI."""
    connection = connection_of(c)
    if c.choice is None:
        c.transport, c.all_fragments = wants_transport(connection), connection.all_fragments
    _add_modes(c, message)
    spi = c.spi_in.to_bytes(4, "big")
    value = proposal.answer(c.choice, spi) if c.choice else proposal.offer(c.proposals, spi)
    message.add(P.SA, value)


def _add_modes(c: Child, message: Outgoing) -> None:
    """In the order of RFC 7296 C.2 and C.4."""
    connection = connection_of(c)
    if c.cpi_in:
        data = c.cpi_in.to_bytes(2, "big") + bytes([ikev2.Ipcomp.DEFLATE])
        common.add_notify(message, Notify.IPCOMP_SUPPORTED, data)
    if c.transport:
        common.add_notify(message, Notify.USE_TRANSPORT_MODE)
    if not connection.tfc_padding:
        common.add_notify(message, Notify.ESP_TFC_PADDING_NOT_SUPPORTED)
    if c.all_fragments:
        common.add_notify(message, Notify.NON_FIRST_FRAGMENTS_ALSO)


def take_answer(x: X, c: Child, message: Incoming, notifies: Notifies) -> None:
    """The responder's choice must be of what we offered, and a part of the traffic."""
    connection = connection_of(c)
    proposals = message.value(codecs.SA).proposals
    c.choice = proposal.check_answer(proposals, c.proposals, connection.name, connection.line)
    came = Traffic(_from_wire(x, message, codecs.TSI), _from_wire(x, message, codecs.TSR))
    if c.transport and Notify.USE_TRANSPORT_MODE in notifies:
        came = _as_seen(x, came)
    _check_part(x, came, c.offered or connection.traffic, connection.line)
    c.traffic = traffic.reduced(came)
    if c.cpi_in:
        c.cpi_out = _cpi(notifies)
    if c.transport and Notify.USE_TRANSPORT_MODE not in notifies:
        raise Refused(
            Reason("transport-mode-refused", "the peer takes tunnel mode only",
                   came="tunnel mode", acceptable="transport mode", line=connection.line,
                   mend="set transport mode at the peer, or Mode= tunnel here"),
        )  # fmt: skip
    _take_choice(x, c, "the peer chose")


def _check_part(x: X, came: Traffic, offered: Traffic, line: str) -> None:
    """Refused where the answer is more than was offered, or that is too much to tell."""
    work = x.host.bounds.work(*map(len, (*came, *offered)))
    if traffic.is_subset(came, offered, work):
        return
    if work.over:
        raise Refused(x.host.bounds.compared(work))
    raise Refused(
        Reason("bad-choice", "the peer's selectors are no part of what was offered",
               came=traffic.describe(came), acceptable=traffic.describe(offered), line=line),
    )  # fmt: skip


def refused_by_peer(x: X, c: Child, error: int) -> Refused:
    """The reason that a notify in the place of a child SA is, with what we had asked for."""
    connection = connection_of(c)
    line = connection.line
    if error == Notify.SINGLE_PAIR_REQUIRED:
        x.host.owner.connections.packets.wants_pair(connection)
    if error == Notify.NO_PROPOSAL_CHOSEN:
        line = c.proposals[0].line
    if error == Notify.TS_UNACCEPTABLE:
        offered = traffic.describe(c.offered or connection.traffic)
    else:
        offered = "; ".join(proposal.describe(p.transforms) for p in c.proposals)
        offered += left_out(connection)
    return common.refused_by_peer(x, error, proven=True, offered=offered, line=line)


# --- the responder ---------------------------------------------------------------------------


def choose(x: X, c: Child, message: Incoming, notifies: Notifies, group: int | None = None) -> None:
    """Find the connection, narrow the traffic, choose among the proposals. Refused otherwise.
    group: of the peer's KE payload."""
    proposals = message.value(codecs.SA).proposals
    c.offered = Traffic(_from_wire(x, message, codecs.TSR), _from_wire(x, message, codecs.TSI))
    wanted = Notify.USE_TRANSPORT_MODE in notifies
    c.connection, narrowed = _narrow(x, c, c.offered, wanted)
    x.name = x.name or c.connection.name
    c.traffic, c.additional = narrowed.traffic, narrowed.additional
    if narrowed.too_many:
        x.host.remark(x, x.host.bounds.networks(c.connection))
    c.transport = wanted and wants_transport(c.connection)
    c.selectors = _selectors(x, c)
    _check_room(x, c)
    c.all_fragments = c.connection.all_fragments and Notify.NON_FIRST_FRAGMENTS_ALSO in notifies
    c.cpi_out = _cpi(notifies) if c.connection.ipcomp else 0
    c.choice = _choose(x, c, proposals, group)
    _take_choice(x, c, "accepts")
    c.declined = tuple(_declined(c, notifies, narrowed))


def _choose(x: X, c: Child, proposals: Sequence[Offer], group: int | None) -> proposal.Choice:
    connection, local = connection_of(c), x.remote.ikev2.prefer_local

    def among(one: Connection) -> proposal.Choice:
        ours = c.proposals_of(one)
        return proposal.choose(
            proposals, ours, one.name, one.line, prefer_local=local, prefer_group=group
        )

    try:
        return among(connection)
    except Refused as refused:
        raise or_lacking(connection, refused, among) from None


def _declined(
    c: Child, notifies: Notifies, narrowed: traffic.Narrowed
) -> Iterator[Reason]:  # fmt: skip
    """What the answer leaves out, as a responder may, that the initiator may insist on."""
    name, line = connection_of(c).name, connection_of(c).line
    if Notify.USE_TRANSPORT_MODE in notifies and not c.transport:
        yield Reason(
            "transport-mode-refused",
            f"the peer asked for transport mode, and [{name}] has tunnel mode",
            came="transport mode", acceptable="tunnel mode", line=line,
            mend=f"set Mode= transport in [{name}], or tunnel mode at the peer",
        )  # fmt: skip
    if Notify.IPCOMP_SUPPORTED in notifies and not c.cpi_out:
        lacks, mend = f"[{name}] does without", f"set IPComp= yes in [{name}], or "
        if connection_of(c).ipcomp:
            lacks, mend = "both ends have no method in common", ""
        elif why := lack_of(connection_of(c), COMPRESSION):
            lacks, mend = (
                f"the IPsec stack has none: {why}",
                "give the IPsec stack here IPComp, or ",
            )
        yield Reason(
            "ipcomp-refused", f"the peer asked for IPComp, and {lacks}", came="IPCOMP_SUPPORTED",
            acceptable="no IPComp", line=line, mend=f"{mend}turn it off at the peer",
        )  # fmt: skip
    if Notify.NON_FIRST_FRAGMENTS_ALSO in notifies and not c.all_fragments:
        yield Reason(
            "fragments-refused",
            f"the peer asked for fragments among what they are of, and [{name}] has them apart",
            came="NON_FIRST_FRAGMENTS_ALSO", acceptable="Non-first-fragments= no", line=line,
            mend=f"set Non-first-fragments= yes in [{name}], or turn that off at the peer",
        )  # fmt: skip
    if c.offered is not None and not narrowed.complete:
        yield Reason(
            "narrowed", f"the peer asked for more traffic than [{name}] has",
            came=traffic.describe(c.offered), acceptable=traffic.describe(traffic_of(c)),
            line=line, mend="where the peer wants all of it or nothing, make the selectors of "
            "both ends the same, crosswise",
        )  # fmt: skip


def _narrow(
    x: X, c: Child, came: Traffic, transport: bool
) -> tuple[Connection, traffic.Narrowed]:  # fmt: skip
    """The same within the work that one request may be, and the peer's all together."""
    bounds, only = x.host.bounds, c.old.connection if c.old else None
    who, work = common.sa_of(x).who, bounds.work()
    if reason := bounds.compares(who):
        raise Refused(reason, Notify.TEMPORARY_FAILURE)
    try:
        c.offered = _old_first(c, came, work)
        found = _find(x, c.offered, only, transport, work)
    except Refused as refused:
        reason = bounds.compared(work) if work.over else refused.reason
        raise Refused(reason, refused.notify) from None
    finally:
        bounds.worked(who, work)
    if work.over:
        x.host.remark(x, bounds.compared(work))
    return found


def _find(
    x: X, offered: Traffic, only: Connection | None, transport: bool, work: Work
) -> tuple[Connection, traffic.Narrowed]:
    """The connection, and what is left of the traffic; of transport mode behind NAT with the
    addresses that we see, or where there is none such, of tunnel mode with those that came
    (2.23.1)."""
    remote, find = common.sa_of(x).remote, x.host.owner.catalog.find_child
    seen = _as_seen(x, offered) if transport else offered
    try:
        found, narrowed = find(remote, seen, transport, work, only)
    except Refused:
        if seen == offered:
            raise
    else:
        if seen == offered or wants_transport(found):
            return found, narrowed
    return find(remote, offered, False, work, only)


def _from_wire(x: X, message: Incoming, side: Codec[TsValue]) -> tuple[TrafficSelector, ...]:
    """The peer's selectors of a side, as many as are looked at."""
    value, bounds = message.value(side), x.host.bounds
    if met := bounds.side(len(value.selectors)):
        x.host.remark(x, met)
    return traffic.from_wire(value, bounds.limits.side)


def _check_room(x: X, c: Child) -> None:
    """There may be another child SA with the peer, of that traffic. Refused otherwise."""
    sa, connection = common.sa_of(x), connection_of(c)
    try:
        ipsec_sa.check_room(x, sa, connection, c.selectors, Notify.NO_ADDITIONAL_SAS,
                            replacing=c.old is not None)  # fmt: skip
    except Refused as refused:
        notify = _BOUNDS.get(refused.reason.cause, refused.notify)
        raise Refused(refused.reason, notify) from None
    ipsec_sa.check_traffic(x, sa, connection, c.selectors, Notify.TS_UNACCEPTABLE)


def _old_first(c: Child, came: Traffic, work: Work) -> Traffic:
    """What is replaced is never narrowed (2.9.2): its traffic goes first, as a packet's does."""
    if c.old is None or not traffic.is_subset(c.old.traffic, came, work):
        return came
    local, remote = c.old.traffic
    return Traffic((*local, *came.local), (*remote, *came.remote))


def _cpi(notifies: Notifies) -> int:
    """The CPI that the peer receives DEFLATE with; 0 where it does not."""
    for value in notifies.get(Notify.IPCOMP_SUPPORTED, ()):
        if len(value.data) == 3 and value.data[2] == ikev2.Ipcomp.DEFLATE:
            return int.from_bytes(value.data[:2], "big")
    return 0


def _as_seen(x: X, asked: Traffic) -> Traffic:
    """Transport mode behind NAT: the peer writes addresses that are not those we see (2.23.1)."""
    nat = common.sa_of(x).nat

    def seen(selectors: tuple[TrafficSelector, ...], address: Any) -> tuple[TrafficSelector, ...]:
        return tuple(
            s._replace(start=address, end=address) if s.start == s.end else s for s in selectors
        )

    return Traffic(
        seen(asked.local, x.path.local) if nat.local else asked.local,
        seen(asked.remote, x.path.remote) if nat.remote else asked.remote,
    )


def add_answer(c: Child, message: Outgoing) -> None:
    """The selectors that are left of what was asked for, and whether there may be more."""
    shown = traffic_of(c)
    message.add(P.TSI, traffic.to_wire(shown.remote))
    message.add(P.TSR, traffic.to_wire(shown.local))
    if c.additional:
        common.add_notify(message, Notify.ADDITIONAL_TS_POSSIBLE)


# --- SAs -------------------------------------------------------------------------------------


def _take_choice(x: X, c: Child, verb: str) -> None:
    spi = c.choice.spi
    if len(spi) != 4 or int.from_bytes(spi, "big") < 256:
        # Not INVALID_SYNTAX: that would end the IKE SA, which has come up beside it (2.21.2).
        raise Refused(Reason("invalid-spi", f"SPI {spi.hex()} of the peer is reserved"),
                      Notify.NO_PROPOSAL_CHOSEN)  # fmt: skip
    c.spi_out, c.agreed = int.from_bytes(spi, "big"), x.host.now()
    if c.spi_out in c.gone:
        raise Refused(Reason("sa-gone", "the peer has deleted the child SA before we knew of it"))
    protocol = PROTOCOLS[c.choice.proposal.protocol]
    # Peers behind one address share its SPIs: the stack would take the other's SA for this.
    taken = x.host.sas.child_by_spi(protocol, c.spi_out, str(x.path.remote))
    if taken is not None:
        detail = f"SPI {c.spi_out:08x} is in use already at this address"
        same = taken.peer == common.sa_of(x).peer
        reason = Reason("invalid-spi", detail) if same else Reason("spi-taken", detail)
        raise Refused(reason, Notify.NO_PROPOSAL_CHOSEN)
    if x.host.log.on(LogClass.NEGOTIATION, 30):
        x.host.log.debug(LogClass.NEGOTIATION, 30, "%s: %s %s (%s), %s", x, verb,
                           describe(chosen(c)), c.choice.proposal.name,
                           traffic.describe(traffic_of(c)))  # fmt: skip


def chosen(c: Child) -> ChosenIpsec:
    """The agreed algorithms in the terms of every application."""
    number, bits, auth = proposal.ipsec_numbers(c.choice)
    connection = connection_of(c)
    ours = first_transform(connection)
    mode = ipsec.Encapsulation.TRANSPORT if c.transport else ipsec.Encapsulation.TUNNEL
    return ChosenIpsec(
        PROTOCOLS[c.choice.proposal.protocol], number, bits, auth, mode, c.choice.group or None,
        ours.life.seconds.offer if ours.life.seconds else 0,
        ours.life.kilobytes.offer if ours.life.kilobytes else 0,
        c.choice.proposal.name, connection.suites[0].protocols[0].replay_window, c.choice.esn,
        tuple(t.id for t in c.choice.additional),
    )  # fmt: skip


def install_inbound(
    x: X, c: Child, sa: IsakmpSa, ni: bytes, nr: bytes, g_ir: bytes = b"", more: bytes = b""
) -> Wait:
    """Derive the keys of both SAs (2.17); give the application the inbound one."""
    what, c.selectors = chosen(c), c.selectors or _selectors(x, c)
    c.what = what
    c.reqid = x.host.owner.connections.reqid(connection_of(c).name, c.selectors, x, c.old)
    encryption, auth = key_octets(what.protocol, what.transform_id, what.key_bits, what.auth)
    size = encryption + auth
    keymat = skeyseed.child_keymat(sa.keys.prf, sa.keys.sk.d, ni, nr, 2 * size, g_ir, more)
    # The initiator's outbound SA comes first.
    ours, theirs = keymat[:size], keymat[size:]
    if not x.initiator:
        ours, theirs = theirs, ours
    c.limits = ipsec_sa.limits(x, what.life_s, what.life_kb, connection_of(c).packets)
    c.specs = [
        _spec(x, c, sa, what, theirs, encryption, inbound=True),
        _spec(x, c, sa, what, ours, encryption, inbound=False),
    ]
    for spec in c.specs:
        x.host.owner.keyed(spec)
    if c.cpi_in and not c.cpi_out:
        _give_back_cpi(x, c)
    if c.cpi_out:
        c.specs = _compressed(c)
    for spec in [spec for spec in c.specs if spec.inbound]:
        yield x.host.app.update_sa(spec)
    # Others may have got it while this waited.
    ipsec_sa.check_traffic(x, sa, connection_of(c), c.selectors, Notify.TS_UNACCEPTABLE)


def _compressed(c: Child) -> list[SaSpec]:
    """Both SAs with IPComp inside, which then has the mode of the two (RFC 3173 2)."""
    esp = [spec._replace(mode=ipsec.Encapsulation.TRANSPORT) for spec in c.specs]
    ipcomp = [
        spec._replace(protocol=isakmp.Protocol.IPCOMP, spi=c.cpi_in if spec.inbound else c.cpi_out,
            encryption=int(ipsec.Ipcomp.DEFLATE), enc_key=b"", auth=None, auth_key=b"",
            encap=None, esn=False, limits=Limits(),
        )
        for spec in c.specs
    ]  # fmt: skip
    return [*ipcomp, *esp]


def _spec(
    x: X, c: Child, sa: IsakmpSa, what: ChosenIpsec, keys: bytes, encryption: int, *, inbound: bool
) -> SaSpec:
    ends, ports = ipsec_sa.ends(x.path, inbound=inbound)
    carried = tuple(s.reversed() for s in c.selectors) if inbound else c.selectors
    return SaSpec(
        what.protocol, c.spi_in if inbound else c.spi_out, *ends,
        what.encapsulation, inbound, carried, c.reqid, what.transform_id,
        keys[:encryption], what.auth, keys[encryption:],
        what.replay_window, c.limits, ports if sa.nat.found else None, what.esn,
    )  # fmt: skip


def _selectors(x: X, c: Child) -> tuple[Selector, ...]:
    """The agreed traffic as the IPsec stack takes it; of two hosts in transport mode."""
    if c.transport and common.sa_of(x).nat.found:
        here, there = host_network(x.path.local), host_network(x.path.remote)
        found = traffic.selectors(traffic_of(c), connection_of(c).pairs_max)
        return tuple(s._replace(src=here, dst=there) for s in found)
    return traffic.selectors(traffic_of(c), connection_of(c).pairs_max)


def make(x: X, c: Child, sa: IsakmpSa, ni: bytes, nr: bytes) -> ChildSa:
    """The child SA that both have agreed on."""
    first, *more = c.selectors or _selectors(x, c)
    connection, now = connection_of(c), x.host.now()
    return ChildSa(
        connection, sa.peer, sa.own_cookie, c.spi_in, x.initiator, x.path, first,
        _protocols(c),
        c.reqid, c.limits, sa.nat.found, x.created,
        now, min(ni, nr), c.agreed if x.initiator else now,
        more=tuple(more), parent=sa, traffic=traffic_of(c), declined=c.declined,
        request=x.message_id,
    )  # fmt: skip


def _protocols(c: Child) -> tuple[ChildProtocol, ...]:
    """The one that is negotiated goes first; IPComp comes with it."""
    what = c.what or chosen(c)
    found = ChildProtocol(what, c.spi_in, c.spi_out)
    if not c.cpi_out:
        return (found,)
    ipcomp = what._replace(
        protocol=isakmp.Protocol.IPCOMP, transform_id=int(ipsec.Ipcomp.DEFLATE), key_bits=0,
        auth=None, esn=False,
    )  # fmt: skip
    return found, ChildProtocol(ipcomp, c.cpi_in, c.cpi_out)


def _give_back_cpi(x: X, c: Child) -> None:
    if c.cpi_in:
        ipsec_sa.give_back(x, isakmp.Protocol.IPCOMP, c.cpi_in, c.specs)
        c.cpi_in = 0


def give_back(x: X, c: Child) -> None:
    """Give our SPI and CPI back."""
    _give_back_cpi(x, c)
    if c.spi_in:
        protocol = PROTOCOLS[connection_of(c).proposals[0].protocol]
        ipsec_sa.give_back(x, protocol, c.spi_in, c.specs)
        c.spi_in = 0
