"""Security associations as the daemon keeps them: ISAKMP SAs and child SAs.

RFC 2408 2.1 and 4.3; RFC 2409 5.5. Keys of child SAs are the application's and are not kept here.
An SA that is replaced stays until its successor has carried the traffic over (Superseded).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from isakmp.app.base import Limits, SaId, SaSpec, Usage
from isakmp.chosen import ChosenIke, ChosenIkev2, ChosenIpsec
from isakmp.constants import IKEV1, ISAKMP_PORT, NAT_T_PORT, isakmp
from isakmp.errors import Reason
from isakmp.event.timer import Event
from isakmp.path import Path
from isakmp.policy.ppk import PpkUse
from isakmp.policy.sameness import bearer_of, block_of
from isakmp.policy.spd import Address, Connection, Identity, Range, Remote, Selector, Traffic

Who = tuple[str, Hashable, str]
Place = tuple[Address, int]
Peer = tuple[Who, Place | None]
Slot = tuple[str, Peer, Selector]


class State(Enum):
    """The life of an SA."""

    LARVAL = "larval"
    ESTABLISHED = "established"
    SUPERSEDED = "superseded"
    DELETING = "deleting"
    DEAD = "dead"


@dataclass(slots=True)
class Nat:
    """What NAT detection said (RFC 3947 3.2): who sits behind one, and in which dialect.

    reached: the peer began, so that a NAT before us has a mapping that stays; spoken: both ends
    know NAT traversal.
    """

    vendor: bytes = b""
    local: bool = False
    remote: bool = False
    reached: bool = False
    spoken: bool = False

    @property
    def found(self) -> bool:
        """Whether anybody sits behind a NAT."""
        return self.local or self.remote

    @property
    def peer_moves(self) -> bool:
        """Whether the peer is followed. Behind a NAT of our own it is not (RFC 7296 2.23): whoever
        changes an address on the way could cut us off."""
        return self.remote and (self.reached or not self.local)

    def followed(self, known: Path, came: Path) -> Path:
        """Where a peer is that was at ``known``, once something authentic and new ``came``. Without
        a NAT it has one address, and another is that of who has sent its message on; nobody goes
        back from the NAT-traversal port."""
        return came if self.peer_moves and came.encap >= known.encap else known

    def settled(self, known: Path, came: Path) -> Path:
        """The same before there is an SA: any end that knows how may go on at the NAT-traversal
        port, NAT or not (RFC 7296 2.23); where it began at another than 500, any may be that."""
        here = (came.local, came.remote) == (known.local, known.remote)
        there = came.remote_port == NAT_T_PORT or known.remote_port != ISAKMP_PORT
        if self.spoken and here and there and came.encap > known.encap:
            return came
        return self.followed(known, came)

    def __str__(self) -> str:
        sides = ("local", self.local), ("remote", self.remote)
        return "+".join(name for name, behind in sides if behind)


def place_of(path: Path, nat: Nat) -> Place:
    """Where a peer is; behind a NAT its port tells it from its neighbours."""
    return path.remote, path.remote_port if nat.remote else 0


def called(remote: Remote, path: Path, nat: Nat) -> Place:
    """Where a peer is called: who is at one address is told apart by a port that a NAT has made, as
    its detection says, or where that is not spoken, as it is another than the peer's own."""
    own = not nat.remote and (nat.spoken or path.remote_port == remote.port)
    return path.remote, 0 if own else path.remote_port


def peer_at(peer: Peer, path: Path, nat: Nat) -> Peer:
    """The same peer, which has moved: where its address tells it from others, by the new one."""
    (name, bearer, address), place = peer
    who = name, bearer, address and str(path.remote)
    return who, place and place_of(path, nat)


def peer_of(remote: Remote, identity: Identity, path: Path, nat: Nat) -> Peer:
    """Who this is: private addresses behind different NATs do not make one peer, nor does an
    identity that may be at several places at a time."""
    block = block_of(identity)
    who = remote.name, block or bearer_of(identity), str(path.remote) if block else ""
    return who, None if remote.unique.alone else place_of(path, nat)


@dataclass(slots=True, eq=False)
class Kin:
    """What is of one device for certain: an ISAKMP SA, and the child SAs made under it. proven:
    where something of theirs came from last; lineage: that of all that are taken to be of that
    device, as they came to one place one after the other."""

    proven: Place
    lineage: object = field(default_factory=object)


@dataclass(slots=True, eq=False)
class IsakmpSa:
    """One ISAKMP SA (phase 1) or IKE SA. ``keys`` and ``ids``, what it remembers of message IDs,
    belong to the dialect that made it.

    packets_at: when the last packet of its child SAs came, as far as is known; dpd_looked: when
    that was looked at; dpd_busy: some had gone out before; doubted: somebody says, without proof,
    that the peer has lost it; doubled: the peer may have another one of the same attempt in its
    place; known_since: from when on its peer is known to have lost nothing; end: why it ends, where
    that is no agreed end; heirs: what rekeying has made to take its place; superseded_by: what has
    come beside it, and is to serve instead; fragments: how messages are cut where the peer puts
    them together again (RFC 7383); ppk: of a peer that has one; own_cookie: the one we chose, which
    is unique here; kin: shared with what was made under it; running: exchanges under it, by their
    numbers; waiting: those of ours that have to wait; asked_for: whom its initiator has asked us to
    be.
    """

    remote: Remote
    path: Path
    initiator: bool
    cky_i: bytes
    cky_r: bytes
    dialect: str
    exchange_type: int
    keys: Any = field(repr=False)
    ids: Any = field(repr=False)
    chosen: ChosenIke | ChosenIkev2
    local_id: Identity
    remote_id: Identity
    nat: Nat
    dpd: bool
    created: float
    established: float
    tiebreak: bytes
    soft_s: float = 0.0
    hard_s: float = 0.0
    reauth_at: float = 0.0
    last_heard: float = 0.0
    state: State = State.ESTABLISHED
    events: dict[str, Event] = field(default_factory=dict)
    dpd_sequence: int = 0
    dpd_asked: int = -1
    dpd_waiting: int = 0
    dpd_busy: bool = False
    packets_at: float = 0.0
    doubted: bool = False
    doubled: bool = False
    end: Reason | None = None
    heirs: tuple[IsakmpSa, ...] = ()
    superseded_by: IsakmpSa | None = field(default=None, repr=False)
    fragments: Any = field(default=None, repr=False)
    ppk: PpkUse | None = None
    asked_for: Identity | None = None
    running: dict[int, Any] = field(default_factory=dict, repr=False)
    waiting: list[Any] = field(default_factory=list, repr=False)
    known_since: float = field(init=False)
    dpd_looked: float = field(init=False)
    peer: Peer = field(init=False, repr=False)
    own_cookie: bytes = field(init=False, repr=False)
    kin: Kin = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.known_since, self.dpd_looked = self.created, self.established
        self.own_cookie = self.cky_i if self.initiator else self.cky_r
        self.kin = Kin(self.place)
        self.find_peer()

    @property
    def cookies(self) -> bytes:
        """Both cookies, 16 octets, as the wire has them."""
        return self.cky_i + self.cky_r

    @property
    def agreed(self) -> float:
        """When both ends had said what makes it: nothing is waited for behind that."""
        return self.established

    @property
    def ours_was_last(self) -> bool:
        """Whether what made it ended with our message: who sent that has taken the other, and need
        not have been heard."""
        return self.initiator is (self.exchange_type == isakmp.Exchange.AGGRESSIVE)

    def find_peer(self) -> None:
        """Note who this is, once that is known, or has changed."""
        self.peer = peer_of(self.remote, self.remote_id, self.path, self.nat)

    @property
    def who(self) -> Who:
        """The identity of its peer, wherever that is."""
        return self.peer[0]

    @property
    def place(self) -> Place:
        """Where its peer is."""
        return place_of(self.path, self.nat)

    def silent_s(self, now: float) -> float:
        """For how long nothing has come from its peer, in seconds."""
        return now - max(self.last_heard, self.packets_at)

    @property
    def unheard(self) -> bool:
        """Whether its peer has said nothing under it though our last message made it: that may have
        got lost."""
        return self.ours_was_last and self.last_heard <= self.established

    def heard(self, now: float) -> None:
        """Something that only the peer can have sent came under this SA."""
        self.last_heard = now
        if event := self.events.pop("unheard", None):
            event.cancel()

    def cancel(self) -> None:
        """Stop this SA's timers."""
        for event in self.events.values():
            event.cancel()
        self.events.clear()

    @property
    def kind(self) -> str:
        """What its RFCs call it."""
        return "ISAKMP SA" if self.dialect == IKEV1 else "IKE SA"

    def __str__(self) -> str:
        return f"{self.kind} {self.remote.name} {self.cky_i.hex()}:{self.cky_r.hex()}"


class ChildProtocol(NamedTuple):
    """One protocol of a child SA's bundle: what was agreed on, our SPI and the peer's."""

    chosen: ChosenIpsec
    spi_in: int
    spi_out: int


@dataclass(slots=True, eq=False)
class ChildSa:
    """One pair of IPsec SAs (or a bundle of pairs) for one selector.

    created, agreed, established: when its exchange was begun, when the answer left or came that
    settled it, and when it was installed, which may be after what was agreed on later; selector:
    from us to them; more: further selectors, traffic: as IKEv2 says both; specs: kept behind a NAT,
    where the SAs may have to move, and while the SA receives_only: it gives way to another, or the
    peer is not known to be ready, and its outbound SAs are not installed. parent: the IKE SA it
    lives and dies with, None in IKEv1; nat: what was found when its IKE SA was made, which it may
    outlive; kin: that of its IKE SA; heirs: made to take its place by rekeying; usage: of what
    comes and goes out, counted: when that was asked for last, and came_at, went_at: when the last
    packet came and went; end: why it ends, where that is no agreed end; forgotten: its peer has
    said that it knows of nothing before; declined: what the peer asked for and did not get, which
    it may end it for; request: in which of its messages; tried: its peer is not known to have it,
    and it sends all the same, unless it turns out not to; kept: it has taken the place of one that
    was to replace it, and that its peer did not use.
    """

    connection: Connection
    peer: Peer
    cookies: bytes
    message_id: int
    initiator: bool
    path: Path
    selector: Selector
    protocols: tuple[ChildProtocol, ...]
    reqid: int
    limits: Limits
    encap: bool
    created: float
    established: float
    tiebreak: bytes
    agreed: float
    state: State = State.ESTABLISHED
    events: dict[str, Event] = field(default_factory=dict)
    specs: list[SaSpec] = field(default_factory=list, repr=False)
    receives_only: bool = False
    more: tuple[Selector, ...] = ()
    traffic: Traffic = Traffic((), ())
    parent: IsakmpSa | None = None
    nat: Nat = field(default_factory=Nat, repr=False)
    kin: Kin = field(init=False, repr=False)
    heirs: tuple[ChildSa, ...] = ()
    usage: tuple[Usage | None, Usage | None] = (None, None)
    came_at: float = 0.0
    went_at: float = 0.0
    counted: float = 0.0
    forgotten: bool = False
    end: Reason | None = None
    declined: tuple[Reason, ...] = ()
    request: int = 0
    tried: bool = False
    kept: bool = False

    def __post_init__(self) -> None:
        self.kin = Kin(self.place)

    @property
    def cut(self) -> Reason | None:
        """That its peer asked for more traffic than it has."""
        return next((reason for reason in self.declined if reason.cause == "narrowed"), None)

    @property
    def slot(self) -> Slot:
        """What at most one child SA serves once all is quiet."""
        return self.connection.name, self.peer, self.selector

    @property
    def who(self) -> Who:
        """The identity it is with, wherever that is."""
        return self.peer[0]

    @property
    def place(self) -> Place:
        """Where its packets go, which may not be where an IKE SA of its peer is."""
        return place_of(self.path, self.nat)

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """All the traffic it carries."""
        return (self.selector, *self.more)

    def inbound(self) -> list[SaId]:
        """The SAs towards us."""
        return [
            SaId(p.chosen.protocol, p.spi_in, self.path.remote, self.path.local)
            for p in self.protocols
        ]

    def outbound(self) -> list[SaId]:
        """The SAs towards the peer."""
        return [
            SaId(p.chosen.protocol, p.spi_out, self.path.local, self.path.remote)
            for p in self.protocols
        ]

    def cancel(self) -> None:
        """Stop this SA's timers."""
        for event in self.events.values():
            event.cancel()
        self.events.clear()

    def __str__(self) -> str:
        spis = " ".join(
            f"{p.chosen.protocol.name.removeprefix('IPSEC_')} "
            f"in 0x{p.spi_in:08x} out 0x{p.spi_out:08x}"
            for p in self.protocols
        )
        return f"{self.connection.name} {spis}"


def same_peer(sa: IsakmpSa, one: IsakmpSa | ChildSa) -> bool:
    """Whether ``sa`` speaks for the peer of ``one``, an older SA of its section, as a successor.

    The same identity does: at whatever place, where it is at one at a time, or has left the other;
    else at the same address, unless both are seen behind one NAT at two ports. So does another
    identity in the very same place: who is called there is now that. A child SA has it only where
    the section is for one peer, as another of several may not have what was that one's.
    """
    if sa.remote.name != one.who[0]:
        return False
    ports = sa.path.remote_port == one.path.remote_port
    here = sa.path.remote == one.path.remote
    if sa.who == one.who:
        anywhere = sa.remote.unique.alone or one.state is State.DEAD
        return anywhere or (here and (ports or not (sa.nat.remote and one.nat.remote)))
    heir = isinstance(one, IsakmpSa) or not sa.remote.shared
    places = (called(sa.remote, each.path, each.nat) for each in (sa, one))
    return heir and ((here and ports) or len(set(places)) == 1)


def soft_limit(hard: int, draw: float, initiator: bool, margin_percent: int = 20) -> int:
    """When to rekey: before the end, at a random time, the initiator's side first.

    draw: uniform in [0, 1). With a margin m the initiator takes 1-m to 1-0.6m of ``hard``, the
    responder 1-m/2 to 1-m/4, so that both seldom start at once. 0 where there is no hard limit.
    """
    if not hard:
        return 0
    margin = margin_percent / 100
    low, width = (1 - margin, 0.4 * margin) if initiator else (1 - margin / 2, margin / 4)
    return max(1, int(hard * (low + width * draw)))


def offered_bits(bits: Range | None) -> int:
    """The key length to propose, in bits; 0 where the attribute is not sent."""
    return bits.offer if bits else 0
