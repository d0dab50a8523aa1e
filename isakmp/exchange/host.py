"""Owner: what scripts and dialects may ask of the daemon above the engine, and tell it."""

from __future__ import annotations

from typing import Any, Protocol

from isakmp.app.base import SaSpec
from isakmp.errors import Reason
from isakmp.event.job import Job
from isakmp.path import Path
from isakmp.policy.boxes import Work
from isakmp.policy.reserved import Reserved
from isakmp.policy.spd import Address, Caller, Connection, Identity, Remote, Selector, Traffic
from isakmp.sa import ChildSa, IsakmpSa, Nat


class Known(Protocol):
    """What the configuration says. What it does not is Refused."""

    @property
    def reserved(self) -> Reserved:
        """What is for one peer alone."""

    def names(self, address: Address) -> bool:
        """Whether it names that address itself."""

    def find_remote(self, address: Address, opening: Any) -> Remote:
        """The peer to answer; opening: a policy.peers.Opening."""

    def identify(self, begun: Remote, caller: Caller, opening: Any) -> Remote: ...

    def has_ppk(self, begun: Remote, address: Address) -> bool:
        """Whether that peer, or another one that may be at that address, has a PPK."""

    def secret(self, remote: Remote, came: Identity | None) -> bytes: ...

    def secret_line(self, remote: Remote, came: Identity | None) -> str:
        """The line of that secret."""

    def find_connection(
        self, remote: Remote, selector: Selector
    ) -> tuple[Connection, Selector]: ...

    def find_child(
        self, remote: Remote, came: Traffic, transport: bool, work: Work,
        only: Connection | None = None,
    ) -> tuple[Connection, Any]:  # fmt: skip
        """The connection, and what is left of the traffic (policy.traffic.Narrowed)."""


class Waiting(Protocol):
    """Packets that wait for child SAs."""

    def waiting(
        self, connection: Connection, part: Traffic | None = None
    ) -> Selector | None:  # fmt: skip
        """The packet that a connection is brought up for, where there is one."""

    def wants_pair(self, connection: Connection) -> None:
        """The peer takes one pair of addresses at a time."""

    def by_pairs(self, connection: Connection) -> bool:
        """Whether it does."""


class User(Protocol):
    """An exchange, of which it counts when it is over."""

    @property
    def finished(self) -> Job[None]: ...


class Wanted(Protocol):
    """What should be up."""

    def begin_sa(
        self, remote: Remote, path: Path, connection: Connection | None = None,
        nat: Nat | None = None,
    ) -> object:  # fmt: skip
        """Start phase 1 with a peer, or join the one that is under way."""

    def child_refused(self, connection: Connection, reason: Reason) -> None:
        """The peer took the SA that came first, but not the child SA along with it."""

    @property
    def packets(self) -> Waiting:
        """What waits for child SAs."""

    def narrowed(self, connection: Connection, reason: Reason) -> bool:
        """The peer has agreed on less than was asked for; whether that is news."""

    def reqid(
        self, name: str, selectors: tuple[Selector, ...], user: User,
        old: ChildSa | None = None,
    ) -> int:  # fmt: skip
        """The number that ties a connection's policies and SAs together, kept for ``user``."""


class ChildKeeper(Protocol):
    """Who keeps the child SAs."""

    def child_established(self, child: ChildSa, specs: list[SaSpec]) -> None: ...

    def child_rekeyed(self, old: ChildSa, child: ChildSa, specs: list[SaSpec]) -> None: ...

    def take_over(self, child: ChildSa) -> None: ...

    def hand_over(self, child: ChildSa) -> None: ...

    def delete_child(self, child: ChildSa, tell: bool = True) -> None: ...

    def lost(self, child: ChildSa) -> None: ...

    def peer_deleted(self, child: ChildSa) -> None: ...

    def shorten(self, child: ChildSa, seconds: int) -> None:
        """The peer keeps it no longer than that; 0 says nothing."""


class LifeKeeper(Protocol):
    """Who watches whether peers are alive."""

    def suspect(self, sa: IsakmpSa) -> None: ...

    def doubt(self, child: ChildSa) -> None: ...

    def dead(self, sa: IsakmpSa, what: str) -> None: ...

    def asked_if_alive(self, sa: IsakmpSa, data: bytes, path: Path) -> None: ...

    def said_alive(self, sa: IsakmpSa, sequence: int) -> None: ...


class PlaceKeeper(Protocol):
    """Who knows from where each identity is connected."""

    def admit(self, remote: Remote, identity: Identity, path: Path, nat: Nat) -> None: ...

    def initial_contact(self, sa: IsakmpSa) -> None: ...

    def returned(self, sa: IsakmpSa) -> None: ...


class DoubleKeeper(Protocol):
    """Who knows which SAs a peer may have instead of others."""

    def heard(self, sa: IsakmpSa) -> None: ...


class Owner(Protocol):
    """Who keeps the SAs that exchanges make."""

    nat_traversal: bool
    nat_t_port: int

    @property
    def catalog(self) -> Known: ...

    @property
    def connections(self) -> Wanted: ...

    @property
    def children(self) -> ChildKeeper: ...

    @property
    def liveness(self) -> LifeKeeper: ...

    @property
    def places(self) -> PlaceKeeper: ...

    @property
    def doubles(self) -> DoubleKeeper: ...

    def keyed(self, spec: SaSpec) -> None: ...

    def established(self, sa: IsakmpSa, brings: Connection | None = None) -> None: ...

    def sa_rekeyed(self, old: IsakmpSa, new: IsakmpSa) -> None: ...

    def rekey_sa(self, sa: IsakmpSa) -> None: ...

    def shorten(self, sa: IsakmpSa, seconds: int) -> None:
        """The same for an ISAKMP SA."""

    def reauthenticate(self, sa: IsakmpSa) -> None: ...

    def delete_sa(self, sa: IsakmpSa, tell: bool = True) -> None: ...

    def moved(self, sa: IsakmpSa, path: Path) -> None: ...

    def peer_deleted(self, sa: IsakmpSa, cookies: list[bytes]) -> list[bytes]:
        """The peer of ``sa`` deletes ISAKMP SAs; those that it has not are returned."""

    def ask_holder(self, child: ChildSa) -> None: ...
