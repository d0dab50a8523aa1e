"""Bounds on peers that have proved who they are: what one identity, one section and all may have,
and what is another's already.

Whoever has a secret can ask for SAs without end; what is told here is where that ends, and which
line says so. An identity is a Who, wherever it is. What takes the place of another is let in
beside it, so that there may be twice as many while all are replaced. Whoever has a section to
himself is kept out by nothing that others have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from isakmp.errors import Reason
from isakmp.exchange.budget import Recent
from isakmp.policy.boxes import Work
from isakmp.policy.reserved import Reserved
from isakmp.policy.spd import Connection, Remote, Selector
from isakmp.sa import ChildSa, IsakmpSa, State, Who
from isakmp.sa_database import SaDatabase

MINUTE_S = 60
# Comparisons of selectors that an ordinary request may cost: those of 64 with 64, which take about
# as long as its key exchange; and how many more cost as much as a negotiation.
WORK_ORDINARY, WORK_A_NEGOTIATION = 4096, 1024


@dataclass(slots=True)
class Limits:
    """The most of each, see the manual. negotiations: in a minute; selectors: pairs of networks;
    side: selectors of one side of the traffic."""

    sas: int = 20_000
    sas_of_one: int = 64
    identities: int = 10_000
    children: int = 50_000
    children_of_one: int = 256
    selectors_of_one: int = 4096
    negotiations: int = 600
    exchanges: int = 256
    side: int = 64


class Bounds:
    """Asked before each negotiation of a peer's. Answers are None, or the Reason to refuse with.

    where: what cites a tag of [General]; reserved: what the configuration has for others.
    """

    def __init__(
        self, sas: SaDatabase, now: Callable[[], float], where: Callable[[str, str], str],
        reserved: Callable[[], Reserved],
    ) -> None:  # fmt: skip
        self._sas, self._now, self._where, self._reserved = sas, now, where, reserved
        self.set(Limits())

    def set(self, limits: Limits) -> None:
        """Take what the configuration says."""
        self.limits = limits
        a_second = limits.negotiations / MINUTE_S
        self._asked, self._compared = (
            Recent(self._now, a_second, limits.negotiations, kept=limits.sas) for _ in range(2)
        )

    def often(self, who: Who) -> Reason | None:
        """Why nothing more is negotiated now; asked once for each of the peer's negotiations."""
        if self._asked.take(who):
            return None
        return Reason(
            "too-many-negotiations",
            f"{self.limits.negotiations} negotiations a minute are enough for one identity",
            line=self._line("Max-negotiations"),
        )

    def work(self, *sides: int) -> Work:
        """What comparing the traffic of one request may cost; sides: how many selectors there are
        of each, where it may be more for our own."""
        return Work(self.limits.side, *sides)

    def compares(self, who: Who) -> Reason | None:
        """Why the traffic of no request is compared now; asked once for each. What is owed for
        comparing keeps nobody from anything else."""
        if not self._compared.owes(who):
            return None
        return Reason(
            "too-many-negotiations",
            "comparing the selectors of one identity has cost as much as "
            f"{self.limits.negotiations} negotiations a minute",
            line=self._line("Max-negotiations"),
            mend="raise Max-negotiations in [General], or have the peer ask for what is configured",
        )

    def worked(self, who: Who, work: Work) -> None:
        """A request has cost that much: what is more than an ordinary one may cost is owed, a
        minute's worth at most."""
        if (more := (work.done - WORK_ORDINARY) // WORK_A_NEGOTIATION) > 0:
            self._compared.owe(who, more)

    def compared(self, work: Work) -> Reason:
        """Why not all that a peer asks for was compared with all that is configured."""
        return self._first(
            f"of the selectors those count that {work.most} comparisons have come to",
            "Max-selectors-per-side",
        )

    def sa(self, remote: Remote, who: Who) -> Reason | None:
        """Why who has just proved itself may have no ISAKMP or IKE SA."""
        return self.often(who) or self._identity(remote, who) or self._sa(remote, who)

    def _identity(self, remote: Remote, who: Who) -> Reason | None:
        """A section for one peer is not expected to bring many."""
        shared = remote.shared
        most = self.limits.identities if shared else self.limits.sas_of_one
        if self._sas.has(who) or self._sas.identities(remote.name) < most:
            return None
        return Reason(
            "too-many-identities", f"{most} identities are enough for the section {remote.name}",
            line=self._line("Max-identities" if shared else "Max-SAs-per-identity"),
        )  # fmt: skip

    def _sa(self, remote: Remote, who: Who) -> Reason | None:
        limits = self.limits
        if self._sas.established(who) >= limits.sas_of_one:
            return Reason(
                "too-many-sas", f"{limits.sas_of_one} IKE SAs are enough for one identity",
                line=self._line("Max-SAs-per-identity"),
                mend="raise Max-SAs-per-identity in [General], or look why this peer needs more",
            )  # fmt: skip
        if remote.shared and not self._sas.has(who) and len(self._sas.isakmp) >= limits.sas:
            return Reason("too-many-sas", f"{limits.sas} IKE SAs in all are enough",
                          line=self._line("Max-SAs"),
                          mend="raise Max-SAs in [General]")  # fmt: skip
        return None

    def child(
        self, sa: IsakmpSa, selectors: Sequence[Selector], *, replacing: bool
    ) -> Reason | None:  # fmt: skip
        """Why there may not be another child SA of that traffic. replacing: one that is there."""
        limits, sas, times, who = self.limits, self._sas, 1 + replacing, sa.who
        if sas.count_of(who) >= limits.children_of_one * times:
            what = "each replaced once, are enough" if replacing else "are enough"
            return Reason(
                "too-many-children",
                f"{limits.children_of_one} child SAs with one identity, {what}",
                line=self._line("Max-children"), mend="raise Max-children in [General]",
            )  # fmt: skip
        if sas.selectors_of(who) + len(selectors) > limits.selectors_of_one * times:
            return Reason(
                "too-many-selectors",
                f"{limits.selectors_of_one} pairs of networks are enough for one identity",
                line=self._line("Max-selectors"),
            )
        if sa.remote.shared and not replacing and sas.count >= limits.children:
            return Reason("too-many-children", f"{limits.children} child SAs in all are enough",
                          line=self._line("Max-children-in-all"),
                          mend="raise Max-children-in-all in [General]")  # fmt: skip
        return None

    def traffic(
        self, sa: IsakmpSa, connection: Connection, selectors: Sequence[Selector]
    ) -> tuple[Reason, ChildSa | None] | None:
        """Why the peer may not have that traffic, and whose child SA has it, if that is why.

        A peer that has a section to itself has what the configuration gives it; those who share
        one have what nobody else has, and what is not another's by the configuration.
        """
        if not sa.remote.shared or connection.share_traffic:
            return None
        if reason := self.reserved(sa.remote, connection, selectors):
            return reason, None
        reserved = self._reserved()
        found = self._sas.held.of_others(sa.who, selectors)
        for other in found:
            name = other.connection.name
            if other.state is not State.DELETING and not reserved.cut_out(connection, name):
                detail = (
                    f"some of this traffic is there for another identity, at {other.path.remote}"
                )
                return _taken(detail, name, selectors, other.selectors, connection), other
        return None

    def reserved(
        self, remote: Remote, connection: Connection, selectors: Sequence[Selector]
    ) -> Reason | None:
        """Why who shares a section may not have what the configuration has for one peer alone."""
        if not remote.shared or connection.share_traffic:
            return None
        share = self._reserved().of_another(connection, selectors)
        if share is None:
            return None
        detail = f"some of this traffic is for the peer {share.who} alone"
        return _taken(detail, share.name, selectors, share.selectors, connection)

    def exchange(self, who: Who) -> Reason | None:
        """Why the peer may have no further exchange under way."""
        if self._sas.running(who) < self.limits.exchanges:
            return None
        return Reason(
            "too-many-exchanges",
            f"{self.limits.exchanges} exchanges at a time are enough for one identity",
            line=self._line("Max-exchanges"),
        )

    def side(self, count: int) -> Reason | None:
        """Why not all of so many selectors of one side are looked at."""
        most = self.limits.side
        if count <= most:
            return None
        return self._first(
            f"of {count} selectors of one side the first {most} count", "Max-selectors-per-side"
        )

    def networks(self, connection: Connection) -> Reason:
        """Why a child SA carries less than is asked for and configured."""
        most = connection.pairs_max
        return self._first(
            f"of more than {most} pairs of networks the first ones are agreed on",
            "Max-selectors-per-child",
        )

    def _first(self, detail: str, tag: str) -> Reason:
        mend = f"raise {tag} in [General], or ask for fewer and wider networks at the peer"
        return Reason("too-many-selectors", detail, line=self._line(tag), mend=mend)

    def _line(self, tag: str) -> str:
        return self._where("General", tag)


def _some(selectors: Sequence[Selector]) -> str:
    more = f" and {len(selectors) - 1} more" if len(selectors) > 1 else ""
    return f"{selectors[0]}{more}"


def _taken(
    detail: str, name: str, came: Sequence[Selector], theirs: Sequence[Selector],
    connection: Connection,
) -> Reason:  # fmt: skip
    return Reason(
        "traffic-of-another", f"{detail}, by {name}", came=_some(came),
        acceptable=f"nothing of {_some(theirs)}", line=connection.line,
    )  # fmt: skip
