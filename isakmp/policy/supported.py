"""A connection without the transforms that the IPsec stack cannot carry, of either IKE version.

What the stack lacks is not proposed and not taken: a peer then chooses something else, where an
SA that cannot be installed would be negotiated again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from isakmp.constants import ikev2, ipsec, isakmp
from isakmp.errors import ConfError, Refused
from isakmp.policy.algorithms import (
    AH_OF_AUTH,
    AUTH_OF_INTEG,
    COMBINED,
    ESP_OF_ENCR,
    transform_text,
)
from isakmp.policy.spd import Connection, IpsecTransform, Proposal, SaPolicy, Suite, Transform

T = ikev2.Transform
Supports = Callable[
    [isakmp.Protocol, ipsec.Encapsulation, int, int, ipsec.Auth | None, bool], str
]  # fmt: skip
"""isakmp.app.base.Application.supports."""


class Stack(NamedTuple):
    """The IPsec stack that a configuration is judged for. supports: its word on a transform, where
    it can be asked; idle: nothing is installed in it, as the command line says; families: the
    versions of IP that isakmpd speaks, as that says, too."""

    supports: Supports | None = None
    idle: bool = False
    families: tuple[int, ...] = (4, 6)


UNKNOWN = Stack()

COMPRESSION = f"IPComp {ipsec.Ipcomp.DEFLATE.name}"
_MEND = "set transforms that the IPsec stack has, or give it what it lacks, and send HUP"
_WIDE = ikev2.SequenceNumbers.SEQUENTIAL_64


class _Filter:
    """What is left of one connection. lacks: what is left out, and the reason."""

    def __init__(self, supports: Supports, mode: ipsec.Encapsulation) -> None:
        self._supports, self._mode = supports, mode
        self.lacks: dict[tuple[str, str], None] = {}

    def _leave_out(self, what: str, why: str) -> None:
        self.lacks[what, why] = None

    # --- IKEv1 ---------------------------------------------------------------------------

    def suite(self, suite: Suite) -> Suite | None:
        protocols = [self._protocol(each) for each in suite.protocols]
        kept = tuple(each for each in protocols if each.transforms)
        if kept == suite.protocols:
            return suite
        return replace(suite, protocols=kept) if len(kept) == len(protocols) else None

    def _protocol(self, sa: SaPolicy) -> SaPolicy:
        found = (self._transform(sa.protocol, each) for each in sa.transforms)
        kept = tuple(each for each in found if each is not None)
        return sa if kept == sa.transforms else replace(sa, transforms=kept)

    def _transform(self, protocol: isakmp.Protocol, ours: IpsecTransform) -> IpsecTransform | None:
        bits = ours.key_bits.offer if ours.key_bits else 0
        answers = {
            esn: self._supports(
                protocol, ours.encapsulation, ours.transform_id, bits, ours.auth, esn
            )
            for esn in ours.esn
        }
        esn = tuple(each for each, why in answers.items() if not why)
        if not esn:
            self._leave_out(f"transform {ours.name}", next(iter(answers.values()), ""))
            return None
        return ours if esn == ours.esn else replace(ours, esn=esn)

    # --- IKEv2 ---------------------------------------------------------------------------

    def proposal(self, ours: Proposal) -> Proposal | None:
        """Each transform stays that works with some other one."""
        encrs: list[Transform | None] = [*ours.of_type(T.ENCR)] or [None]
        integs: list[Transform | None] = [*ours.of_type(T.INTEG)] or [None]
        pairs = [
            (encr, None if encr and encr.id in COMBINED else integ)
            for encr in encrs
            for integ in integs
        ]
        why = {pair: self._ask(ours.protocol, *pair, False) for pair in dict.fromkeys(pairs)}
        good = [pair for pair, reason in why.items() if not reason]
        gone: set[Transform] = set()
        for pair, reason in why.items():
            for place, each in enumerate(pair):
                if each and each not in gone and not any(each == ok[place] for ok in good):
                    gone.add(each)
                    self._leave_out(transform_text(each), reason)
        wide = [t for t in ours.of_type(T.ESN) if t.id == _WIDE]
        if good and wide and (reason := self._ask(ours.protocol, *good[0], True)):
            gone.update(wide)
            self._leave_out("ESN", reason)
        if good and not gone:
            return ours
        kept = tuple(t for t in ours.transforms if t not in gone)
        left, had = {t.type for t in kept}, {t.type for t in ours.transforms}
        return replace(ours, transforms=kept) if good and left == had else None

    def _ask(
        self, protocol: int, encr: Transform | None, integ: Transform | None, esn: bool
    ) -> str:
        """As RFC 2407 numbers them. What has no number there is not the stack's to refuse."""
        auth = AUTH_OF_INTEG.get(integ.id) if integ and integ.id else None
        if protocol == ikev2.Protocol.AH:
            number = AH_OF_AUTH.get(auth, 0) if auth else 0
            return self._supports(isakmp.Protocol.IPSEC_AH, self._mode, number, 0, auth, esn)
        number = ESP_OF_ENCR.get(encr.id, 0) if encr else 0
        bits = encr.key_bits if encr else 0
        return self._supports(isakmp.Protocol.IPSEC_ESP, self._mode, number, bits, auth, esn)

    def ipcomp(self) -> bool:
        """Whether the stack can compress."""
        deflate, protocol = ipsec.Ipcomp.DEFLATE, isakmp.Protocol.IPCOMP
        if why := self._supports(protocol, self._mode, deflate, 0, None, False):
            self._leave_out(COMPRESSION, why)
        return not why


def supported(connection: Connection, supports: Supports) -> tuple[Connection, list[str]]:
    """``connection`` without what the stack lacks, and a line for each reason to.

    ConfError where nothing is left.
    """
    mode = connection.suites[0].protocols[0].transforms[0].encapsulation
    of = _Filter(supports, mode)
    suites = tuple(s for each in connection.suites if (s := of.suite(each)))
    proposals = tuple(p for each in connection.proposals if (p := of.proposal(each)))
    ipcomp = connection.ipcomp and of.ipcomp()
    said = _lines(of.lacks)
    if not suites or (connection.proposals and not proposals):
        raise ConfError(
            f"connection {connection.name}: the IPsec stack has none of its transforms: "
            + "; ".join(said), section=connection.name, mend=_MEND,
        )  # fmt: skip
    # Mostly nothing is left out, and thousands of connections need no second object.
    kept = connection.suites, connection.proposals, connection.ipcomp
    if (suites, proposals, ipcomp) != kept:
        connection = replace(
            connection, suites=suites, proposals=proposals, ipcomp=ipcomp, lacks=tuple(of.lacks),
            written=connection,
        )  # fmt: skip
    return connection, said


def lack_of(connection: Connection, what: str) -> str:
    """Why the stack has not what the file asks for; empty where it has, or nobody asks."""
    return next((why for name, why in connection.lacks if name == what), "")


def left_out(connection: Connection) -> str:
    """What of it nobody is offered, in a word behind what is."""
    said = "; ".join(_lines(connection.lacks))
    return said and f" ({said})"


def or_lacking(
    connection: Connection, refused: Refused, choose: Callable[[Connection], object]
) -> Refused:
    """``refused``; as a lack of the stack where the peer's proposals fit what the file has."""
    if connection.written is None:
        return refused
    try:
        choose(connection.written)
    except Refused:
        return refused
    detail = (
        f"a proposal of the peer fits [{connection.name}], but for what the IPsec stack lacks: "
        + "; ".join(_lines(connection.lacks))
    )
    reason = replace(refused.reason, detail=detail, mend=_MEND, misses=(), beside=())
    return Refused(reason, refused.notify)


def _lines(lacks: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each reason."""
    of: dict[str, list[str]] = {}
    for what, why in lacks:
        of.setdefault(why, []).append(what)
    return [
        f"{', '.join(what)} {'are' if len(what) > 1 else 'is'} not proposed: {why}"
        for why, what in of.items()
    ]
