"""Boxes: traffic selectors as plain numbers, to be compared, cut and joined.

RFC 7296 2.9 and 3.13. A peer may ask for many that cross each other, and comparing them costs the
square of their number or more: what one request may cost is a Work's to tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from isakmp.policy.spd import (
    ANY_PORTS,
    OPAQUE_PORTS,
    Address,
    Network,
    TrafficSelector,
    make_address,
    make_network,
)

Box = tuple[int, int, int, int, int]
"""First and last address, protocol, first and last port; 0, ANY_PORTS and OPAQUE_PORTS as in a
TrafficSelector. Addresses of IPv6 begin at V6, behind all of IPv4."""

V6 = 1 << 128
# How many selectors of a side are looked at, where nothing else is configured; how many there can
# be in a payload (3.13), which counts them in an octet.
SELECTORS_MAX, SELECTORS_OF_PAYLOAD = 64, 255
# How many pieces a box may be cut into while it is compared with others.
PIECES_MAX = 512
# Any port less those that cannot be seen: two ranges, as one would be any port again.
_SEEN_PORTS = ((0, 0), (1, 0xFFFF))
# For how many sides of connections it is kept which of their selectors lie inside others.
_SIDES_KEPT = 512


class Work:
    """How many comparisons of boxes one request has cost. sides: how many selectors each may have.
    Where it is over, what asks stops looking for more."""

    __slots__ = ("done", "most")

    def __init__(self, *sides: int) -> None:
        # All with all of both sides, and what is found with each other. Few selectors are no reason
        # to compare them with few connections.
        side = min(max(SELECTORS_MAX, *sides), SELECTORS_OF_PAYLOAD) if sides else SELECTORS_MAX
        self.most, self.done = 6 * side * side, 0

    @property
    def over(self) -> bool:
        """Whether it was as much as one request may cost."""
        return self.done > self.most


# --- from and to selectors -------------------------------------------------------------------


def box_of(selector: TrafficSelector) -> Box:
    """A selector's numbers."""
    start, end, protocol, first, last = selector
    octets = start.packed
    base = 0 if len(octets) == 4 else V6
    begins, ends = int.from_bytes(octets, "big"), int.from_bytes(end.packed, "big")
    return begins + base, ends + base, protocol, first, last


def boxes_of(side: Sequence[TrafficSelector]) -> list[Box]:
    """Those of one side."""
    return list(map(box_of, side))


def selector_of(box: Box) -> TrafficSelector:
    """The selector that has these numbers."""
    return TrafficSelector(_address(box[0]), _address(box[1]), *box[2:])


def _address(number: int) -> Address:
    size = 16 if number >= V6 else 4
    return make_address((number & V6 - 1).to_bytes(size, "big"))


# --- two of them -----------------------------------------------------------------------------


def lies_in(one: Box, other: Box) -> bool:
    """Whether all of one is in the other. Any port takes in a port that cannot be seen, a range
    of them does not."""
    start, end, protocol, first, last = one
    start_2, end_2, protocol_2, first_2, last_2 = other
    if start < start_2 or end > end_2 or protocol_2 not in (0, protocol):
        return False
    if first > last or first_2 > last_2:
        return first > last and (first_2, last_2) in (OPAQUE_PORTS, ANY_PORTS)
    return first_2 <= first and last <= last_2


def meet(one: Box, other: Box) -> Box | None:
    """What is in both; None for nothing."""
    start, end, protocol, first, last = one
    start_2, end_2, protocol_2, first_2, last_2 = other
    if start > end_2 or start_2 > end or (protocol_2 != protocol and protocol_2 and protocol):
        return None
    if (first, last) != (first_2, last_2):
        ports = both_ports((first, last), (first_2, last_2))
        if ports is None:
            return None
        first, last = ports
    return (
        start if start > start_2 else start_2,
        end if end < end_2 else end_2,
        protocol or protocol_2,
        first,
        last,
    )


def both_ports(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int] | None:
    """The ports that are in both; one that cannot be seen is of any."""
    if OPAQUE_PORTS in (one, other):
        return OPAQUE_PORTS if {one, other} <= {OPAQUE_PORTS, ANY_PORTS} else None
    first, last = max(one[0], other[0]), min(one[1], other[1])
    return (first, last) if first <= last else None


def without(part: Box, inner: Box) -> list[Box]:
    """``part`` less ``inner``, which lies inside it but for its protocol, one of many or same."""
    start, end, protocol, first, last = part
    start_2, end_2, protocol_2, first_2, last_2 = inner
    pieces = []
    if start < start_2:
        pieces.append((start, start_2 - 1, protocol, first, last))
    if end_2 < end:
        pieces.append((end_2 + 1, end, protocol, first, last))
    middle = (start_2, end_2, protocol)
    if protocol_2 != protocol:
        return [*pieces, (*middle, first, last)]  # 255 protocols are left
    if (first, last) == (first_2, last_2):
        return pieces
    if first_2 > last_2:
        return pieces + [(*middle, *ports) for ports in _SEEN_PORTS]
    if first < first_2:
        pieces.append((*middle, first, first_2 - 1))
    if last_2 < last:
        pieces.append((*middle, last_2 + 1, last))
    if (first, last) == ANY_PORTS:
        pieces.append((*middle, *OPAQUE_PORTS))
    return pieces


def touching(one: Box, other: Box) -> Box | None:
    """Both as one, where they differ in addresses or in ports alone and nothing lies between."""
    start, end, protocol, first, last = one
    start_2, end_2, protocol_2, first_2, last_2 = other
    if protocol != protocol_2:
        return None
    if first == first_2 and last == last_2:
        apart = max(start, start_2) - min(end, end_2)
        return (min(start, start_2), max(end, end_2), *one[2:]) if apart <= 1 else None
    if start != start_2 or end != end_2 or first > last or first_2 > last_2:
        return None
    ports = min(first, first_2), max(last, last_2)
    # Any port would be more: a packet whose ports cannot be seen is of no range.
    if max(first, first_2) - min(last, last_2) > 1 or ports == ANY_PORTS:
        return None
    return (start, end, protocol, *ports)


# --- many of them ----------------------------------------------------------------------------


def add(found: list[Box], box: Box, work: Work) -> bool:
    """Put a box to others, none of which lies inside another: nor does one afterwards. Whether it
    was put there."""
    if found:
        work.done += len(found)
        if any(lies_in(box, known) for known in found):
            return False
        if any(lies_in(known, box) for known in found):
            found[:] = [known for known in found if not lies_in(known, box)]
    found.append(box)
    return True


@lru_cache(_SIDES_KEPT)
def _inner(side: tuple[Box, ...]) -> frozenset[Box]:
    """Those of a side that lie inside another of it. Only what has addresses in common is
    compared."""
    found, outer = set(), list[Box]()
    # What takes in another one goes before it.
    for box in sorted(set(side), key=lambda b: (b[0], -b[1], b[2], b[3], -b[4])):
        outer = [other for other in outer if other[1] >= box[0]]
        if any(lies_in(box, other) for other in outer):
            found.add(box)
        else:
            outer.append(box)
    return frozenset(found)


def apart(side: Sequence[Box]) -> list[Box]:
    """A side without what lies inside something else of it."""
    inner = _inner.__wrapped__(tuple(side))
    return [box for box in dict.fromkeys(side) if box not in inner]


def common(ours: Sequence[Box], came: Sequence[Box], most: int, work: Work) -> list[Box]:
    """What both have, ``most`` boxes of it, the first that came first; none inside another. Less
    where that would be too much work. What comes as it is configured is hardly any."""
    if len(ours) == len(came) == 1:
        if came[0] == ours[0]:
            return [came[0]]
        work.done += 1
        both = meet(came[0], ours[0])
        return [both] if both else []
    shared = _Shared(ours, came, work)
    for theirs in came:
        if theirs in shared.whole:
            shared.put(theirs)
        else:
            work.done += len(ours)
            for own in ours:
                if (both := meet(theirs, own)) is not None:
                    shared.put(both)
                if len(shared.found) == most or work.over:
                    return shared.found
        if len(shared.found) == most or work.over:
            break
    return shared.found


class _Shared:
    """What two sides have in common, while it is looked for.

    whole: what came just as it is configured, and lies in nothing else that is: nothing that is
    found takes it in, so that it is compared with what is found of the others alone.
    """

    __slots__ = ("found", "whole", "_parts", "_put", "_work")

    def __init__(self, ours: Sequence[Box], came: Sequence[Box], work: Work) -> None:
        self.found: list[Box] = []
        self.whole = set(ours).intersection(came)
        if self.whole and len(ours) > 1:
            self.whole -= _inner(tuple(ours))
        self._parts: list[Box] = []
        self._put: set[Box] = set()
        self._work = work

    def put(self, box: Box) -> None:
        """Another one, which is in both."""
        if box not in self.whole:
            if add(self.found, box, self._work):
                self._parts.append(box)
        elif box not in self._put:
            self._put.add(box)
            self._work.done += len(self._parts)
            inner = {part for part in self._parts if lies_in(part, box)}
            if inner:
                self._parts = [part for part in self._parts if part not in inner]
                self.found = [known for known in self.found if known not in inner]
            self.found.append(box)


def covered(part: Box, whole: Sequence[Box], work: Work) -> bool:
    """Whether all of ``part`` is in some of ``whole``. No, where that is too much to tell."""
    if part in whole:
        return True
    work.done += len(whole)
    if work.over or any(lies_in(part, box) for box in whole):
        return not work.over
    left = [part]
    for box in whole:
        still: list[Box] = []
        work.done += len(left)
        for piece in left:
            inner = meet(piece, box)
            still += without(piece, inner) if inner else [piece]
        left = still
        if not left or len(left) > PIECES_MAX or work.over:
            break
    return not left


def less(side: Sequence[Box], others: Sequence[Box]) -> list[Box]:
    """A side without what the others have of it; more is left where that cannot be said in
    PIECES_MAX pieces, or is one of many protocols."""
    left = list(side)
    for box in others:
        still: list[Box] = []
        for piece in left:
            inner = meet(piece, box)
            still += without(piece, inner) if inner else [piece]
        if len(still) > PIECES_MAX:
            break
        left = still
    return left


def join(found: list[Box], box: Box) -> None:
    """Put a box to others without seams: addresses side by side are one range, ports too, whose
    place is that of its first part.

    What two peers write in different pieces is the same traffic for the IPsec stack.
    """
    place = at = len(found)
    while at:
        at -= 1
        other = found[at]
        if other[0] > box[1] + 1 or box[0] > other[1] + 1:
            continue
        if whole := touching(other, box):
            del found[at]
            # What was made of two may touch what neither of them did.
            box, place, at = whole, min(place, at), len(found)
    found.insert(place, box)


def joined(side: Sequence[Box]) -> list[Box]:
    """All of them so."""
    found: list[Box] = []
    for box in side:
        join(found, box)
    return found


# --- networks --------------------------------------------------------------------------------


def count_networks(box: Box) -> int:
    """How many networks its addresses are."""
    start, end = box[0], box[1] + 1
    bit = (start ^ end).bit_length() - 1
    middle = end >> bit << bit
    return (middle - start).bit_count() + (end - middle).bit_count()


def prefix_of(box: Box) -> int | None:
    """The prefix length where the addresses are one network."""
    if not is_network(box):
        return None
    return (128 if box[0] >= V6 else 32) + 1 - (box[1] - box[0] + 1).bit_length()


def is_network(box: Box) -> bool:
    """Whether the addresses are one network."""
    size = box[1] - box[0] + 1
    return not (size & size - 1 or box[0] & size - 1)


def networks_of(box: Box) -> Iterator[Network]:
    """The networks its addresses are, the lowest first."""
    start, end = box[0], box[1]
    size, bits = (16, 128) if start >= V6 else (4, 32)
    start, end = start & V6 - 1, end & V6 - 1
    while start <= end:
        width = start & -start or 1 << bits
        while start + width - 1 > end:
            width >>= 1
        yield make_network(start.to_bytes(size, "big"), bits + 1 - width.bit_length())
        start += width
