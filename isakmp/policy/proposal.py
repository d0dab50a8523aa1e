"""IKEv2 proposals on the wire: offering, choosing, checking what was chosen. RFC 7296 2.7, 3.3.

Of each proposal one transform of every type is taken. The types a proposal lacks are NONE for
integrity and key exchanges, and 32-bit sequence numbers; any other type has to be in both. No key
exchange method is taken twice (RFC 9370).
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from functools import lru_cache
from heapq import nsmallest
from itertools import islice
from typing import NamedTuple, cast

from isakmp.chosen import ChosenIkev2
from isakmp.constants import ikev2, ipsec, name_of
from isakmp.constants.key_exchange import ADDITIONAL, KEY_EXCHANGES, Method, method_of
from isakmp.errors import Part, Reason, Refused
from isakmp.payloads.data_attribute import DataAttribute
from isakmp.payloads.ikev2.sa import Offer, SaValue, TransformValue
from isakmp.payloads.shapes import ProposalValue, Shared
from isakmp.policy import stronger
from isakmp.policy.algorithms import (
    AH_OF_AUTH,
    AUTH_OF_INTEG,
    COMBINED,
    ESP_OF_ENCR,
    distinct,
    transform_text,
)
from isakmp.policy.compared import made_alike, unlike
from isakmp.policy.keywords import words_of
from isakmp.policy.match import MISSES_MAX, PAIRS_MAX, TRANSFORMS_MAX, first_of
from isakmp.policy.remembered import MOST, remembered
from isakmp.policy.spd import Proposal, Transform
from isakmp.policy.stronger import Gap, Side, made_stronger

T = ikev2.Transform
# What a type stands for that a proposal does not mention.
_IMPLIED: Mapping[int, Transform] = {
    T.INTEG: Transform(T.INTEG, ikev2.Integ.NONE),
    T.KE: Transform(T.KE, 0),
    T.ESN: Transform(T.ESN, ikev2.SequenceNumbers.SEQUENTIAL_32),
    **{kind: Transform(kind, 0) for kind in ADDITIONAL},
}
_TYPES = (T.ENCR, T.PRF, T.INTEG, T.KE, T.ESN, *ADDITIONAL)
_ADDITIONAL = frozenset(ADDITIONAL)
_KEY_LENGTH = int(ikev2.TransformAttribute.KEY_LENGTH)

Sorted = dict[int, list[Transform]]
# A proposal of the peer's with its transforms by type, and one of ours.
Pair = tuple[Offer, Sorted, Proposal]


class Choice(NamedTuple):
    """What was chosen. transforms: those that are on the wire, by type; spi: the peer's."""

    number: int
    spi: bytes
    proposal: Proposal
    transforms: Mapping[ikev2.Transform, Transform]

    @property
    def encr(self) -> Transform | None:
        """The cipher; None for AH."""
        return self.transforms.get(T.ENCR)

    @property
    def prf(self) -> Transform | None:
        """The prf; None where the proposal is not for an IKE SA."""
        return self.transforms.get(T.PRF)

    @property
    def integ(self) -> Transform | None:
        """The integrity algorithm; None beside a cipher of combined mode."""
        found = self.transforms.get(T.INTEG)
        return found if found and found.id else None

    @property
    def group(self) -> Method | None:
        """The method of the first key exchange; None without one."""
        found = self.transforms.get(T.KE)
        return method_of(found.id) if found and found.id else None

    @property
    def additional(self) -> tuple[Transform, ...]:
        """The key exchanges after the first one, in their order."""
        there = _ADDITIONAL.intersection(self.transforms)
        if not there:
            return ()
        return tuple(self.transforms[kind] for kind in sorted(there) if self.transforms[kind].id)

    @property
    def esn(self) -> bool:
        """Whether sequence numbers have 64 bits."""
        found = self.transforms.get(T.ESN)
        return found is not None and found.id == ikev2.SequenceNumbers.SEQUENTIAL_64


def offer(proposals: Sequence[Proposal], spi: bytes) -> SaValue:
    """The SA payload with all of ``proposals``, numbered from 1."""
    offers = [
        _wire(number, proposal.protocol, spi, proposal.transforms)
        for number, proposal in enumerate(proposals, 1)
    ]
    return SaValue(tuple(offers))


def answer(choice: Choice, spi: bytes) -> SaValue:
    """The SA payload with what we chose, and our SPI."""
    transforms = tuple(choice.transforms.values())
    return SaValue((_wire(choice.number, choice.proposal.protocol, spi, transforms),))


def _wire(number: int, protocol: int, spi: bytes, transforms: tuple[Transform, ...]) -> Offer:
    return ProposalValue(number, int(protocol), spi, _wire_transforms(transforms))


@lru_cache(MOST)
def _wire_transforms(transforms: tuple[Transform, ...]) -> Shared[TransformValue]:
    """Those of one configuration, which are written again and again."""
    return Shared(
        TransformValue(int(kind), int(number), (DataAttribute(_KEY_LENGTH, bits),) if bits else ())
        for kind, number, bits in transforms
    )


def choose(
    came: Sequence[Offer],
    ours: Sequence[Proposal],
    what: str,
    line: str,
    *,
    prefer_local: bool,
    prefer_group: int | None = None,
) -> Choice:
    """What we take of a peer's proposals.

    prefer_local: our order counts, not the peer's. prefer_group: that of the peer's KE payload,
    taken wherever the chosen proposals have it, so that the peer need not begin anew. Refused
    with NO_PROPOSAL_CHOSEN and the differences where nothing fits.
    """
    looked_at = _first_of(came)
    pairs = (
        ((p, o) for o in ours for p in looked_at)
        if prefer_local
        else ((p, o) for p in looked_at for o in ours)
    )
    for proposal, own in pairs:
        if proposal.protocol_id == own.protocol:
            found = _fit(proposal.transforms, own, prefer_local, prefer_group)
            if found is not None:
                return Choice(proposal.number, proposal.spi, own, found)
    raise Refused(_reason(_sort_all(came), ours, what, line), ikev2.Notify.NO_PROPOSAL_CHOSEN)


def proposes(came: Sequence[Offer], group: int) -> bool:
    """Whether a key exchange of that group, 0 for none, is of one of a peer's proposals."""
    return any(
        group in ([t.transform_id for t in one.transforms if t.type == T.KE] or [0]) for one in came
    )


def _sort_all(came: Sequence[Offer]) -> list[tuple[Offer, Sorted]]:
    """The same, with their transforms by type."""
    return [(proposal, _sort(proposal.transforms)) for proposal in _first_of(came)]


def _first_of(came: Sequence[Offer]) -> list[Offer]:
    """As many as are looked at: here each stands for itself (RFC 7296 3.3)."""
    return [proposal for (proposal,) in first_of([each] for each in came)]


@remembered
def _fit(
    theirs: Sequence[TransformValue], own: Proposal, prefer_local: bool, prefer_group: int | None
) -> dict[ikev2.Transform, Transform] | None:
    """What _pick() takes. Transforms that come alike are one object (payloads/ikev2/sa.py)."""
    return _pick(_sort(theirs), own, prefer_local, prefer_group)


def _sort(transforms: Sequence[TransformValue]) -> Sorted:
    """Transforms by type. One with an attribute that is not known cannot be taken (3.3.6)."""
    found: Sorted = {}
    for transform in islice(transforms, TRANSFORMS_MAX):
        usable = found.setdefault(transform.type, [])
        bits = _key_bits(transform.attributes)
        if bits is not None:
            kind = cast("ikev2.Transform", transform.type)  # or what none of ours is
            usable.append(Transform(kind, transform.transform_id, bits))
    return found


def _key_bits(attributes: Sequence[DataAttribute]) -> int | None:
    """The key length, 0 without one; None where there is anything else."""
    if not attributes:
        return 0
    (first, *more) = attributes
    known = first.type == _KEY_LENGTH and not more
    return first.value if known and isinstance(first.value, int) and first.value > 0 else None


def _pick(
    theirs: Sorted, own: Proposal, prefer_local: bool, prefer_group: int | None
) -> dict[ikev2.Transform, Transform] | None:
    """One transform of each type that the peer names; None where some type has none in common."""
    if any(kind not in _TYPES for kind in theirs):
        return None
    chosen: dict[ikev2.Transform, Transform] = {}
    exchanges: list[list[Transform]] = []
    for kind in _TYPES:
        if kind not in theirs and not own.of_type(kind):
            continue
        common = _common(theirs, own, kind, prefer_local)
        if not common:
            return None
        if kind in KEY_EXCHANGES:
            exchanges.append(common)
        elif kind in theirs:
            chosen[kind] = common[0]
    if exchanges and exchanges[0][0].type is T.KE:
        exchanges[0].sort(key=lambda t: t.id != prefer_group)
    found = distinct(exchanges)
    if found is None:
        return None
    chosen.update((t.type, t) for t in found if t.type in theirs)
    return chosen


def _common(
    theirs: Sorted, own: Proposal, kind: ikev2.Transform, prefer_local: bool
) -> list[Transform]:
    """What both have of a type, in the order that counts; members of ``own``."""
    ours = own.of_type(kind) or _implied(kind)
    offered = theirs.get(kind) or (_implied(kind) if kind not in theirs else ())
    if prefer_local:
        return [t for t in ours if t in offered]
    members = {t: t for t in ours}
    # Once each, however often it came: they are tried in all combinations.
    return list(dict.fromkeys(members[t] for t in offered if t in members))


def _implied(kind: int) -> tuple[Transform, ...]:
    found = _IMPLIED.get(kind)
    return (found,) if found else ()


def check_answer(came: Sequence[Offer], ours: Sequence[Proposal], what: str, line: str) -> Choice:
    """The responder's choice: one proposal of ours, and of each of its types one transform.

    Refused, with nothing to tell the peer, where it is anything else.
    """
    if len(came) != 1:
        raise _bad_choice(f"{len(came)} proposals in the answer", came, ours, line)
    proposal = came[0]
    if not 1 <= proposal.number <= len(ours):
        raise _bad_choice(f"no proposal {proposal.number} was offered", came, ours, line)
    own, theirs = ours[proposal.number - 1], _sort(proposal.transforms)
    if proposal.protocol_id != own.protocol:
        protocol = name_of(ikev2.Protocol, proposal.protocol_id)
        raise _bad_choice(f"proposal {proposal.number} is not for {protocol}", came, ours, line)
    for kind, transforms in theirs.items():
        if len(transforms) != 1:
            name = name_of(T, kind)
            raise _bad_choice(f"{len(transforms)} transforms of type {name}", came, ours, line)
    chosen = _pick(theirs, own, True, None)
    if chosen is None:
        raise _bad_choice(f"no such choice for {what} was offered", came, ours, line)
    return Choice(proposal.number, proposal.spi, own, chosen)


def _bad_choice(detail: str, came: Sequence[Offer], ours: Sequence[Proposal], line: str) -> Refused:
    theirs = _sort_all(came)
    reason = Reason(
        "bad-choice", f"the peer's choice is none: {detail}", came=_came(theirs),
        acceptable=_acceptable(ours), line=line, misses=_misses(_nearest(theirs, ours)),
        mend="the peer breaks RFC 7296 3.3.6: see its log",
    )  # fmt: skip
    return Refused(reason)


def permits(ours: Sequence[Proposal], chosen: ChosenIkev2) -> bool:
    """Whether what an IKE SA has could have been chosen of ``ours`` as well."""
    wanted = {
        Transform(T.ENCR, chosen.encryption, chosen.key_bits),
        Transform(T.PRF, chosen.prf),
        Transform(T.KE, chosen.group),
    }
    if chosen.integ:
        wanted.add(Transform(T.INTEG, chosen.integ))
    done = {t.type for t in chosen.additional}
    wanted.update(chosen.additional)
    return any(
        wanted.union(Transform(kind, 0) for kind in ADDITIONAL if own.of_type(kind)
                     and kind not in done).issubset(own.transforms)
        for own in ours
    )  # fmt: skip


def ipsec_numbers(choice: Choice) -> tuple[int, int, ipsec.Auth | None]:
    """The algorithms in the terms of RFC 2407: ESP or AH transform, key bits, authentication."""
    integ, encr = choice.integ, choice.encr
    auth = AUTH_OF_INTEG[integ.id] if integ else None
    if encr is not None:
        return ESP_OF_ENCR[encr.id], encr.key_bits, auth
    return (AH_OF_AUTH[auth] if auth else 0), 0, auth


def describe(transforms: Sequence[Transform]) -> str:
    """One line for people: ``AES_CBC-128/AES_CBC-256 HMAC_SHA2_256_128 MODP_2048``."""
    kinds = dict.fromkeys(t.type for t in transforms)
    same = (
        "/".join(transform_text(t) for t in transforms if t.type == kind)
        for kind in kinds
        if kind != T.ESN
    )
    wide = any(t.type == T.ESN and t.id for t in transforms)
    return " ".join((*same, "ESN")) if wide else " ".join(same)


# --- reasons ---------------------------------------------------------------------------------


def _reason(
    theirs: Sequence[tuple[Offer, Sorted]], ours: Sequence[Proposal], what: str, line: str
) -> Reason:
    told = _nearest(theirs, ours)
    nearest = told[0] if told else None
    numbers = nearest is not None and not _common(*nearest[1:], T.ESN, True)
    return Reason(
        "no-proposal-chosen",
        f"no proposal of the peer for {what} fits ours",
        came=_came(theirs, numbers) or "no usable proposal",
        acceptable=_acceptable(ours, numbers) or "nothing",
        line=(nearest[2].line if nearest else "") or line,
        misses=_misses(told),
        mend=_mend(*nearest) if nearest else "",
        beside=_beside(*nearest[1:]) if nearest else (),
    )


def _beside(theirs: Sorted, own: Proposal) -> tuple[Part, ...]:
    """A proposal of the peer's and ours, type by type."""
    return tuple(
        Part(kind.name, _names(theirs.get(kind, _implied(kind))),
             _names(own.of_type(kind) or _implied(kind)), bool(_common(theirs, own, kind, True)))
        for kind in _TYPES if kind in theirs or own.of_type(kind)
    )  # fmt: skip


def _nearest(theirs: Sequence[tuple[Offer, Sorted]], ours: Sequence[Proposal]) -> list[Pair]:
    """Those that are told of all that are compared, the nearest first."""
    pairs = islice(((p, t, own) for p, t in theirs for own in ours), PAIRS_MAX)
    return nsmallest(MISSES_MAX, pairs, key=lambda pair: _distance(*pair))


def _distance(proposal: Offer, theirs: Sorted, own: Proposal) -> tuple[bool, int]:
    """How far they are apart, as the texts of it cost ten times as much: what is for another
    protocol is the farthest, though it differs in one thing only."""
    if proposal.protocol_id != own.protocol:
        return True, 1
    kinds = theirs.keys() | {transform.type for transform in own.transforms}
    strange = sum(kind not in _TYPES for kind in theirs)
    return False, strange + sum(
        kind in kinds and not _common(theirs, own, kind, True) for kind in _TYPES
    )


def _misses(told: Sequence[Pair]) -> tuple[str, ...]:
    """A line for each."""
    return tuple(
        f"proposal {pair[0].number} against {pair[2].name}: {'; '.join(_differences(*pair))}"
        for pair in told
    )


def _mend(proposal: Offer, theirs: Sorted, own: Proposal) -> str:
    """What brings both together: of what has a stronger one, that at the other end."""
    if proposal.protocol_id != own.protocol:
        return made_alike(_differences(proposal, theirs, own, placed=True))
    gaps = _gaps(theirs, own)
    weighed = frozenset(kind for kinds in gaps for kind in kinds)
    others = _differences(proposal, theirs, own, placed=True, without=weighed)
    told = made_stronger(gaps.values(), _written(theirs, own, gaps)), made_alike(others)
    return "; ".join(filter(None, told))


def _gaps(theirs: Sorted, own: Proposal) -> dict[tuple[T, ...], Gap]:
    """What has a stronger one and differs, by the types that it is about."""
    apart = [kind for kind in _there(theirs, own) if not _common(theirs, own, kind, True)]
    found: dict[tuple[T, ...], Gap] = {}
    halves = T.ENCR, T.INTEG
    ends = _ends(theirs, own, T.ENCR)
    if any(t.id in COMBINED for end in ends for t in end) and not set(halves).isdisjoint(apart):
        integs = (end or (_IMPLIED[T.INTEG],) for end in _ends(theirs, own, T.INTEG))
        sides = [_strongest_of_both(*pair) for pair in zip(ends, integs, strict=True)]
        found[halves] = Gap(T.ENCR.name, *sides)
        apart = [kind for kind in apart if kind not in halves]
    for kind in apart:
        if kind is not T.ESN:
            sides = [_strongest(end)[0] for end in _ends(theirs, own, kind)]
            found[kind,] = Gap(kind.name, *sides)
    return found


def _ends(theirs: Sorted, own: Proposal, kind: T) -> tuple[Sequence[Transform], ...]:
    """What the peer has of a type, and what we have."""
    return theirs.get(kind, _implied(kind)), own.of_type(kind) or _implied(kind)


def _strongest(transforms: Sequence[Transform]) -> tuple[Side, Transform | None]:
    """The strongest of one type, and how people call it."""
    sides = {_side(one): one for one in transforms[:MISSES_MAX]}
    found = stronger.strongest(sides)
    return (found, sides[found]) if found else (Side("none usable", None), None)


def _side(transform: Transform) -> Side:
    if transform.type is T.ENCR:
        return stronger.cipher(name_of(ikev2.Encr, transform.id), transform.key_bits)
    text = transform_text(transform)
    return stronger.other(text)._replace(name=text)


def _strongest_of_both(ciphers: Sequence[Transform], integs: Sequence[Transform]) -> Side:
    """The strongest cipher, with its integrity algorithm where it brings none."""
    _, one = _strongest(ciphers)
    integ, _ = _strongest(integs)
    if one is None:
        return Side("none usable", None)
    alone = "NONE" if one.id in COMBINED else integ.name
    return stronger.with_integrity(name_of(ikev2.Encr, one.id), one.key_bits, alone)


def _written(theirs: Sorted, own: Proposal, gaps: Mapping[tuple[T, ...], Gap]) -> str:
    """Keywords that the peer would take, where ours can be set to them; empty without such."""
    taken: list[Transform] = []
    here = {kind for kinds, gap in gaps.items() if gap.here for kind in kinds}
    for kind in _there(theirs, own):
        common = _common(theirs, own, kind, True)
        _, strongest = _strongest(_ends(theirs, own, kind)[kind not in here])
        taken += common or ([strongest] if strongest else [])
    if any(t.type is T.ENCR and t.id in COMBINED for t in taken):
        taken = [t for t in taken if t.type is not T.INTEG]
    tag = {ikev2.Protocol.IKE: "IKE-proposals", ikev2.Protocol.ESP: "ESP-proposals"}
    words = words_of(own.protocol, taken) if own.protocol in tag else ""
    return words and f"{words} of {tag[own.protocol]}"


def _there(theirs: Sorted, own: Proposal) -> list[T]:
    """The types that one of both has."""
    return [kind for kind in _TYPES if kind in theirs or own.of_type(kind)]


def _differences(
    proposal: Offer, theirs: Sorted, own: Proposal, *, placed: bool = False,
    without: Container[int] = (),
) -> Iterator[str]:  # fmt: skip
    """without: types that are told elsewhere."""
    if proposal.protocol_id != own.protocol:
        wanted, came = own.protocol.name, name_of(ikev2.Protocol, proposal.protocol_id)
        yield unlike("PROTOCOL_ID", came, wanted, placed=placed)
        return
    for kind in theirs:
        if kind not in _TYPES:
            yield f"transforms of type {name_of(T, kind)} are not known"
    for kind in _there(theirs, own):
        if kind not in without and not _common(theirs, own, kind, True):
            came = _names(theirs.get(kind, _implied(kind)))
            wanted = _names(own.of_type(kind) or _implied(kind))
            mend = _numbers_mend(own) if placed and kind is T.ESN else ""
            yield unlike(kind.name, came, wanted, placed=placed) + mend
    there = [kind for kind in KEY_EXCHANGES if kind in theirs or own.of_type(kind)]
    ranked = [_common(theirs, own, kind, True) for kind in there]
    if all(ranked) and distinct(ranked) is None:
        same = "/".join(transform_text(t) for one in ranked for t in one)
        yield f"of {same} the same key exchange method would serve twice"


def _names(transforms: Sequence[Transform]) -> str:
    shown = "/".join(transform_text(t) for t in transforms[:MISSES_MAX])
    return shown or "none usable"


def _numbers_mend(own: Proposal) -> str:
    """The keywords of sequence numbers at both ends: no end has the stronger."""
    here, other = ("esn", "noesn") if any(t.id for t in own.of_type(T.ESN)) else ("noesn", "esn")
    return f": set {here} at the peer, or {other} in ESP-proposals here"


def _came(theirs: Sequence[tuple[Offer, Sorted]], numbers: bool = False) -> str:
    """numbers: with the keywords of sequence numbers."""
    return "; ".join(
        describe([t for kind in transforms for t in transforms[kind][:MISSES_MAX]])
        + (_keywords(transforms.get(T.ESN) or _implied(T.ESN)) if numbers else "")
        for _, transforms in theirs[:MISSES_MAX]
    )


def _acceptable(ours: Sequence[Proposal], numbers: bool = False) -> str:
    return ", ".join(
        own.name + (_keywords(own.of_type(T.ESN) or _implied(T.ESN)) if numbers else "")
        for own in ours[:MISSES_MAX]
    )


def _keywords(numbers: Sequence[Transform]) -> str:
    return f" with {'-'.join('esn' if one.id else 'noesn' for one in numbers)}"
