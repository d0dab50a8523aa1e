"""Choosing a proposal, and telling what kept the others from being chosen.

RFC 2408 4.2, RFC 2409 5, RFC 2407 4.5. Proposals are taken in the initiator's order. When none
fits, the Reason lists every pair that was compared, the nearest miss first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from heapq import nsmallest
from itertools import groupby, islice
from typing import Any, NamedTuple, TypeVar

from isakmp.chosen import ChosenIke, ChosenIpsec
from isakmp.conf.values import MAX_AMOUNT, MAX_SECONDS
from isakmp.constants import ipsec, isakmp, name_of
from isakmp.errors import Part, Reason, Refused
from isakmp.payloads.data_attribute import DataAttribute
from isakmp.payloads.sa import Offer, TransformValue
from isakmp.payloads.shapes import ProposalValue, Shared
from isakmp.policy.algorithms import in_ikev1
from isakmp.policy.compared import Row, made_alike, unlike, weigh
from isakmp.policy.foreign import LARGEST, foreign
from isakmp.policy.remembered import remembered
from isakmp.policy.spd import (
    IkeTransform,
    IpsecTransform,
    Lifetime,
    Range,
    Remote,
    SaPolicy,
    Suite,
)

V = TypeVar("V")

# How many misses a reason lists: a stranger's packet may hold hundreds of transforms.
MISSES_MAX = 16
# How many of a peer's transforms are looked at, and how many pairs of one and one of ours are
# compared for a reason: a stranger's datagram holds 8,000 transforms, and comparing takes time.
TRANSFORMS_MAX, PAIRS_MAX = 256, 256
# How many such pairs are known again, by what they are: whoever asks, the answer is the same.
FITS_KEPT = 256

_SECONDS, _KILOBYTES = int(isakmp.LifeType.SECONDS), int(isakmp.LifeType.KILOBYTES)
_UDP = {
    ipsec.Encapsulation.UDP_ENCAP_TUNNEL: ipsec.Encapsulation.TUNNEL,
    ipsec.Encapsulation.UDP_ENCAP_TUNNEL_DRAFT: ipsec.Encapsulation.TUNNEL,
    ipsec.Encapsulation.UDP_ENCAP_TRANSPORT: ipsec.Encapsulation.TRANSPORT,
    ipsec.Encapsulation.UDP_ENCAP_TRANSPORT_DRAFT: ipsec.Encapsulation.TRANSPORT,
}

# By what came, and what is wanted.
_MODE_MENDS: dict[Any, str] = {
    (ipsec.Encapsulation.TRANSPORT, ipsec.Encapsulation.TUNNEL): (
        "set tunnel mode at the peer, or Mode= transport here"
    ),
    (ipsec.Encapsulation.TUNNEL, ipsec.Encapsulation.TRANSPORT): (
        "set transport mode at the peer, or Mode= tunnel here"
    ),
}

TRANSFORM_REGISTRIES: dict[int, Any] = {
    isakmp.Protocol.IPSEC_AH: ipsec.Ah,
    isakmp.Protocol.IPSEC_ESP: ipsec.Esp,
    isakmp.Protocol.IPCOMP: ipsec.Ipcomp,
}


# A transform of a peer's, and what it means.
Offered = tuple[TransformValue, ChosenIke]


class Chosen(NamedTuple):
    """One accepted protocol: what it means, the proposal it came in, its transform, alone. asked_s:
    the lifetime that came, 0 for none; what has the shorter one of both ends."""

    what: ChosenIpsec
    proposal: Offer
    transforms: Shared[TransformValue]
    asked_s: int

    @property
    def in_udp(self) -> bool:
        """Whether both ends have agreed to put it into UDP (RFC 3947 5.1)."""
        kind = ipsec.Attribute.ENCAPSULATION_MODE
        (transform,) = self.transforms
        return any(a.type == kind and a.value in _UDP for a in transform.attributes)


def first_of(bundles: Iterable[list[ProposalValue[V]]]) -> list[list[ProposalValue[V]]]:
    """The first ones, and one at least, each of them whole: a part of what belongs together is
    another offer. A peer's proposals may hold thousands of transforms."""
    room = TRANSFORMS_MAX
    found: list[list[ProposalValue[V]]] = []
    for bundle in bundles:
        room -= sum(len(proposal.transforms) for proposal in bundle)
        if room < 0 and found:
            break
        found.append(bundle)
    return found


def values(
    attributes: Iterable[DataAttribute], life_type: int, life_duration: int
) -> tuple[dict[int, int], int, int]:
    """Attributes by number, and its lifetime in seconds and in kilobytes."""
    found: dict[int, int] = {}
    lives = {_SECONDS: 0, _KILOBYTES: 0}
    unit = 0
    for kind, value in attributes:
        if isinstance(value, int):
            number = value
        else:
            most = MAX_AMOUNT if unit == _KILOBYTES else LARGEST
            number = min(int.from_bytes(value[:8], "big"), most)
        if kind == life_type:
            unit = number
        elif kind == life_duration:
            if unit in lives:
                lives[unit] = number
        else:
            found[kind] = number
    return found, lives[_SECONDS], lives[_KILOBYTES]


# --- phase 1 ---------------------------------------------------------------------------------


def choose_ike(
    proposals: Sequence[Offer], remote: Remote
) -> tuple[ChosenIke, Offer, TransformValue]:
    """What we accept of a peer's phase 1 proposals, with its proposal and transform.

    Refused with NO_PROPOSAL_CHOSEN and the differences where nothing fits.
    """
    offers = (
        (proposal, transform)
        for proposal in proposals
        if proposal.protocol_id == isakmp.Protocol.ISAKMP
        for transform in proposal.transforms
    )
    looked_at: list[Offered] = []
    for proposal, transform in islice(offers, TRANSFORMS_MAX):
        offer = _ike_offer(transform)
        looked_at.append((transform, offer))
        for ours in remote.transforms:
            if _ike_fits(offer, ours) and not any(foreign(transform, isakmp.Attribute)):
                what = offer._replace(
                    name=ours.name,
                    life_s=_shorter(offer.life_s, ours.life.seconds),
                    life_kb=_shorter(offer.life_kb, ours.life.kilobytes),
                )
                return what, proposal, transform
    others = {p.protocol_id: None for p in proposals if p.protocol_id != isakmp.Protocol.ISAKMP}
    reason = _ike_reason(looked_at, remote, list(others))
    raise Refused(reason, isakmp.Notify.NO_PROPOSAL_CHOSEN)


def _fits(rows: Iterator[Row]) -> bool:
    """Whether all do; the first one that does not is enough, the rest is not worked out."""
    return next((row for row in rows if not row.fits), None) is None


@lru_cache(FITS_KEPT)
def _ike_fits(offer: ChosenIke, ours: IkeTransform) -> bool:
    """Whether ours takes what came. Many peers offer the same."""
    return _fits(_ike_rows(offer, ours))


@lru_cache(FITS_KEPT)
def _ipsec_fits(offer: ChosenIpsec, ours: IpsecTransform) -> bool:
    return _fits(_ipsec_rows(offer, ours))


def _shorter(came: int, ours: Range | None) -> int:
    """The lifetime to keep: the peer's, but no longer than the one we would offer."""
    if ours is None:
        return came
    return min(came, ours.offer) if came else ours.offer


def _ike_offer(transform: TransformValue) -> ChosenIke:
    kind = isakmp.Attribute
    found, seconds, kilobytes = values(transform.attributes, kind.LIFE_TYPE, kind.LIFE_DURATION)
    encryption = found.get(kind.ENCRYPTION_ALGORITHM, 0)
    bits = found.get(kind.KEY_LENGTH, 0)
    if not bits and encryption == isakmp.Encryption.AES_CBC:
        bits = 128
    return ChosenIke(
        _member(isakmp.Encryption, encryption),
        bits,
        _member(isakmp.Hash, found.get(kind.HASH_ALGORITHM, 0)),
        _member(isakmp.Group, found.get(kind.GROUP_DESCRIPTION, 0)),
        _member(isakmp.Authentication, found.get(kind.AUTHENTICATION_METHOD, 0)),
        seconds,
        kilobytes,
    )


def _member(registry: Any, value: int) -> Any:
    """The member, or the bare number where the registry lacks it: it then matches nothing."""
    return registry._value2member_map_.get(value, value)


def _ike_rows(offer: ChosenIke, ours: IkeTransform) -> Iterator[Row]:
    for label, registry, came, wanted in (
        ("ENCRYPTION_ALGORITHM", isakmp.Encryption, offer.encryption, ours.encryption),
        ("HASH_ALGORITHM", isakmp.Hash, offer.hash, ours.hash),
        ("GROUP_DESCRIPTION", isakmp.Group, offer.group, ours.group),
    ):
        known = came in registry._value2member_map_
        yield Row(label, registry, came, wanted, known and wanted in (None, came))
    spoken = offer.auth == isakmp.Authentication.PRE_SHARED
    known = offer.auth in isakmp.Authentication._value2member_map_
    same = known and ours.auth in (None, offer.auth)
    yield Row("AUTHENTICATION_METHOD", isakmp.Authentication, offer.auth, ours.auth,
              same and spoken, unspoken=same and not spoken)  # fmt: skip
    yield from _length_row(offer.key_bits, ours.key_bits, required=False)
    yield from _life_rows(offer.life_s, offer.life_kb, ours.life)


def _length_row(came: int, wanted: Range | None, *, required: bool) -> Iterator[Row]:
    if wanted is not None:
        fits = came in wanted or not (came or required)
        yield Row("KEY_LENGTH", None, came, wanted, fits)
    elif came:
        yield Row("KEY_LENGTH", None, came, 0, False)


def _life_rows(seconds: int, kilobytes: int, ours: Lifetime) -> Iterator[Row]:
    """The lifetimes that do not fit: one that does decides nothing."""
    for unit, came, wanted, said, most in (
        (" seconds", seconds, ours.seconds, ours.seconds_said, MAX_SECONDS),
        (" kilobytes", kilobytes, ours.kilobytes, ours.kilobytes_said, MAX_AMOUNT),
    ):
        if came and wanted is not None and came not in wanted:
            row = Row("LIFE_DURATION", None, came, wanted, False, unit, said=said.line)
            taken = wanted._replace(min=min(came, wanted.min), max=max(came, wanted.max))
            here = f", or {said.tag}= {taken} in {said.place}" if came <= most else ""
            mend = f"{row.told(placed=True)}: set what is taken here at the peer{here}"
            yield row._replace(mend=mend)


def _ike_reason(offers: Sequence[Offered], remote: Remote, others: Sequence[int]) -> Reason:
    """others: protocols that came and that phase 1 is not about."""
    acceptable = ", ".join(ours.name for ours in remote.transforms) or "nothing"
    came = "; ".join(str(offer) for _, offer in offers[:MISSES_MAX])
    reason = _reason("phase 1", came, acceptable, remote.line, _ike_misses(offers, remote))
    if offers or not others:
        return reason
    names = ", ".join(name_of(isakmp.Protocol, protocol) for protocol in others[:MISSES_MAX])
    apart = partial(unlike, "PROTOCOL_ID", names, isakmp.Protocol.ISAKMP.name)
    return replace(reason, came=f"proposals of {names}", misses=(apart(placed=False),),
                   mend=made_alike([apart(placed=True)]))  # fmt: skip


def _ike_misses(offers: Iterable[Offered], remote: Remote) -> Iterator[Miss]:
    for one, offer in offers:
        apart = _foreign(one, isakmp.Attribute)
        for ours in remote.transforms:
            label = partial(_ike_label, one.number, offer, ours.name)
            yield Miss(list(_ike_rows(offer, ours)), apart, label, ours.line)


def _ike_label(number: int, offer: ChosenIke, name: str) -> str:
    return f"transform {number} ({offer}) against {name}"


def _foreign(
    transform: TransformValue, kind: type[isakmp.Attribute | ipsec.Attribute]
) -> list[str]:
    """As many as are told: a stranger's transform may have 64 of them."""
    return list(islice(foreign(transform, kind), MISSES_MAX))


class Miss(NamedTuple):
    """Something of the peer's and something of ours, compared. foreign: what nothing of ours has;
    label: makes the text of both, for those that are told; far: their protocols and ours, where
    they are others, so that nothing else can be compared."""

    rows: list[Row]
    foreign: list[str]
    label: Callable[[], str]
    line: str
    far: tuple[str, str] | None = None

    @property
    def apart(self) -> int:
        """How many things keep them apart."""
        return sum(not row.fits for row in self.rows) + len(self.foreign) + bool(self.far)

    def differences(self, *, placed: bool = False) -> list[str]:
        """What keeps them apart; none: nothing does. placed: with who has what."""
        rows = [row.told(placed=placed) for row in self.rows if not row.fits]
        far = [unlike("protocols", *self.far, placed=placed)] if self.far else []
        return rows + self.foreign + far

    def mend(self) -> str:
        """What brings them together."""
        stronger, weighed = weigh(self.rows)
        same = [row for row in self.rows if not row.mend and row.label not in weighed]
        alike = made_alike(self._replace(rows=same).differences(placed=True))
        own = (row.mend for row in self.rows if row.mend and not row.fits)
        return "; ".join(filter(None, (stronger, alike, *own)))

    def decided(self) -> str:
        """The line of ours that keeps them apart: where that is one thing, its own."""
        apart = {row.said for row in self.rows if not row.fits}
        own = apart.pop() if len(apart) == 1 and not self.foreign else ""
        return own or self.line

    def parts(self) -> tuple[Part, ...]:
        """All of it, the one beside the other."""
        parts = [row.part() for row in self.rows]
        foreign = (text.partition(" ") for text in self.foreign)
        return (*parts, *(Part(name.rstrip(","), rest, "", False) for name, _, rest in foreign))


def _reason(
    what: str, came: str, acceptable: str, line: str, misses: Iterable[Miss]
) -> Reason:  # fmt: skip
    compared = (miss for miss in islice(misses, PAIRS_MAX) if miss.apart)
    told = nsmallest(MISSES_MAX, compared, key=lambda miss: (bool(miss.far), miss.apart))
    nearest = told[0] if told else None
    line = (nearest.decided() if nearest else "") or line
    return Reason(
        "no-proposal-chosen",
        f"no {what} proposal of the peer fits ours",
        came=came or "no usable proposal",
        acceptable=acceptable,
        line=line,
        misses=tuple(
            f"{miss.label()}{_elsewhere(miss, line)}: {'; '.join(miss.differences())}"
            for miss in told
        ),
        mend=nearest.mend() if nearest else "",
        beside=nearest.parts() if nearest and not nearest.far else (),
    )


def _elsewhere(miss: Miss, line: str) -> str:
    """The line of ours that was compared, where it is not the one that decided."""
    return f", {decided}" if (decided := miss.decided()) not in ("", line) else ""


# --- phase 2 ---------------------------------------------------------------------------------


def choose_ipsec(proposals: Sequence[Offer], suites: Iterable[Suite], line: str) -> list[Chosen]:
    """What we accept of a peer's phase 2 proposals: one entry for each protocol of the bundle.

    Proposals of one number belong together (RFC 2408 4.2). Refused with NO_PROPOSAL_CHOSEN and
    the differences where nothing fits.
    """
    suites = list(suites)
    numbers = groupby(proposals, key=lambda p: p.number)
    bundles = first_of(list(group) for _, group in numbers)
    for bundle in bundles:
        for suite in suites:
            if chosen := _choose_bundle(bundle, suite):
                return chosen
    raise Refused(_ipsec_reason(bundles, suites, line), isakmp.Notify.NO_PROPOSAL_CHOSEN)


def _choose_bundle(bundle: list[Offer], suite: Suite) -> list[Chosen]:
    if sorted(p.protocol_id for p in bundle) != sorted(p.protocol for p in suite.protocols):
        return []
    chosen: list[Chosen] = []
    for proposal in bundle:
        ours = next((p for p in suite.protocols if p.protocol == proposal.protocol_id), None)
        found = ours and _choose_transform(proposal.transforms, ours)
        if not found:
            return []
        what, transforms, asked_s = found
        chosen.append(Chosen(what, proposal, transforms, asked_s))
    return chosen


@remembered
def _choose_transform(
    theirs: Sequence[TransformValue], ours: SaPolicy
) -> tuple[ChosenIpsec, Shared[TransformValue], int] | None:
    """What has a Chosen, but for the proposal. Transforms that come alike are one object
    (payloads/sa.py), and so is the answer then."""
    for transform in islice(theirs, TRANSFORMS_MAX):
        offer = ipsec_offer(ours.protocol, transform)
        for candidate in ours.transforms:
            fits = in_ikev1(candidate) and _ipsec_fits(offer, candidate)
            if fits and not any(foreign(transform, ipsec.Attribute)):
                what = offer._replace(
                    name=candidate.name,
                    life_s=_shorter(offer.life_s, candidate.life.seconds),
                    life_kb=_shorter(offer.life_kb, candidate.life.kilobytes),
                    replay_window=ours.replay_window,
                )
                return what, Shared((transform,)), offer.life_s
    return None


def ipsec_offer(protocol: int, transform: TransformValue) -> ChosenIpsec:
    """What a transform on the wire means; encapsulation without its UDP variants."""
    kind = ipsec.Attribute
    found, seconds, kilobytes = values(transform.attributes, kind.LIFE_TYPE, kind.LIFE_DURATION)
    bits = found.get(kind.KEY_LENGTH, 0)
    if not bits and protocol == isakmp.Protocol.IPSEC_ESP:
        bits = 128 if transform.transform_id == ipsec.Esp.AES else 0
    mode = _member(ipsec.Encapsulation, found.get(kind.ENCAPSULATION_MODE, 0))
    auth = found.get(kind.AUTHENTICATION_ALGORITHM)
    group = found.get(kind.GROUP_DESCRIPTION)
    return ChosenIpsec(
        _member(isakmp.Protocol, protocol),
        transform.transform_id,
        bits,
        _member(ipsec.Auth, auth) if auth else None,
        _UDP.get(mode, mode),
        _member(isakmp.Group, group) if group else None,
        seconds,
        kilobytes,
    )


def _ipsec_rows(offer: ChosenIpsec, ours: IpsecTransform) -> Iterator[Row]:
    registry = TRANSFORM_REGISTRIES.get(offer.protocol, ipsec.Esp)
    for label, names, came, wanted in (
        ("TRANSFORM_ID", registry, offer.transform_id, ours.transform_id),
        ("AUTHENTICATION_ALGORITHM", ipsec.Auth, offer.auth, ours.auth),
        ("ENCAPSULATION_MODE", ipsec.Encapsulation, offer.encapsulation, ours.encapsulation),
        ("GROUP_DESCRIPTION", isakmp.Group, offer.group, ours.group),
    ):
        if came or wanted:
            mend = _MODE_MENDS.get((came, wanted), "") if names is ipsec.Encapsulation else ""
            yield Row(label, names, came or 0, wanted or 0, came == wanted, mend=mend)
    yield from _length_row(offer.key_bits, ours.key_bits, required=True)
    yield from _life_rows(offer.life_s, offer.life_kb, ours.life)


def describe(offer: ChosenIpsec) -> str:
    """One line for people: ``ESP AES-256 HMAC_SHA2_256 TUNNEL PFS MODP_2048``."""
    registry = TRANSFORM_REGISTRIES.get(offer.protocol, ipsec.Esp)
    parts = [
        name_of(isakmp.Protocol, offer.protocol).removeprefix("IPSEC_"),
        name_of(registry, offer.transform_id) + (f"-{offer.key_bits}" if offer.key_bits else ""),
        name_of(ipsec.Auth, offer.auth) if offer.auth else "",
        name_of(ipsec.Encapsulation, offer.encapsulation),
        f"PFS {name_of(isakmp.Group, offer.group)}" if offer.group else "",
    ]
    return " ".join(part for part in parts if part)


def _ipsec_reason(bundles: list[list[Offer]], suites: list[Suite], line: str) -> Reason:
    offers = [
        ipsec_offer(proposal.protocol_id, transform)
        for bundle in bundles
        for proposal in bundle
        for transform in proposal.transforms
    ]
    came = "; ".join(map(describe, offers[:MISSES_MAX]))
    modes = {offer.encapsulation for offer in offers}
    acceptable = ", ".join(_accepted(suite, modes) for suite in suites) or "nothing"
    misses = (
        miss for bundle in bundles for suite in suites for miss in _compare(bundle, suite)
    )  # fmt: skip
    return _reason("phase 2", came, acceptable, line, misses)


def _accepted(suite: Suite, came: Collection[int]) -> str:
    """Its name, and its mode where none of what came has that, as the name need not say it."""
    modes = dict.fromkeys(t.encapsulation for t in suite.transforms if t.encapsulation not in came)
    return " ".join((suite.name, *(name_of(ipsec.Encapsulation, mode) for mode in modes)))


def _compare(bundle: list[Offer], suite: Suite) -> Iterator[Miss]:
    """Proposals of one number are all wanted together (RFC 2408 4.2), and so is a suite."""
    came, wanted = (_protocols(p.protocol_id for p in bundle),
                    _protocols(p.protocol for p in suite.protocols))  # fmt: skip
    label = f"proposal {bundle[0].number}"
    if came != wanted:
        text = partial("{} against {}".format, label, suite.name)
        yield Miss([], [], text, suite.line, far=(came, wanted))
        return
    for proposal in bundle:
        ours = next(p for p in suite.protocols if p.protocol == proposal.protocol_id)
        for one in proposal.transforms[:PAIRS_MAX]:
            offer = ipsec_offer(proposal.protocol_id, one)
            apart = _foreign(one, ipsec.Attribute)
            text = partial(_ipsec_label, label, offer, suite.name)
            for transform in ours.transforms:
                rows, line = list(_ipsec_rows(offer, transform)), transform.line or suite.line
                yield Miss(rows, apart, text, line)


def _ipsec_label(label: str, offer: ChosenIpsec, name: str) -> str:
    return f"{label} ({describe(offer)}) against {name}"


def _protocols(numbers: Iterable[int]) -> str:
    """``AH+ESP``."""
    names = (name_of(isakmp.Protocol, number) for number in sorted(numbers))
    return "+".join(name.removeprefix("IPSEC_") for name in names)
