"""Boxes: traffic selectors as plain numbers, to be compared, cut and joined.

RFC 7296 2.9 and 3.13. A peer may ask for many that cross each other, and comparing them costs the
square of their number or more: what one request may cost is a Work's to tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
# How many selectors of a side are looked at, where nothing else is configured.
SELECTORS_MAX = 64
# How many pieces a box may be cut into while it is compared with others.
PIECES_MAX = 512


class Work:
    """How many comparisons of boxes one request has cost. side: how many selectors of a side are
    looked at. Where it is over, what asks stops looking for more."""

    __slots__ = ("done", "most")

    def __init__(self, side: int = SELECTORS_MAX) -> None:
        # All with all of both sides, and what is found with each other.
        self.most, self.done = 6 * side * side, 0

    @property
    def over(self) -> bool:
        """Whether it was as much as one request may cost."""
        return self.done > self.most


# --- from and to selectors -------------------------------------------------------------------


def box_of(selector: TrafficSelector) -> Box:
    """A selector's numbers."""
    start, end, protocol, first, last = selector
    base = V6 if start.version == 6 else 0
    return int(start) + base, int(end) + base, protocol, first, last


def boxes_of(side: Sequence[TrafficSelector]) -> list[Box]:
    """Those of one side."""
    return [box_of(selector) for selector in side]


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
    if first > last or first_2 > last_2:
        same = (first, last) == (first_2, last_2)
        return pieces if same else [*pieces, (*middle, first, last)]
    if first < first_2:
        pieces.append((*middle, first, first_2 - 1))
    if last_2 < last:
        pieces.append((*middle, last_2 + 1, last))
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


def add(found: list[Box], box: Box, work: Work) -> None:
    """Put a box to others, none of which lies inside another: nor does one afterwards."""
    if found:
        work.done += len(found)
        if any(lies_in(box, known) for known in found):
            return
        if any(lies_in(known, box) for known in found):
            found[:] = [known for known in found if not lies_in(known, box)]
    found.append(box)


def apart(side: list[Box], work: Work) -> list[Box]:
    """A side without what lies inside something else of it."""
    found: list[Box] = []
    for box in side:
        add(found, box, work)
    return found


def common(ours: Sequence[Box], came: Sequence[Box], most: int, work: Work) -> list[Box]:
    """What both have, ``most`` boxes of it, the first that came first; none inside another. Less
    where that would be too much work."""
    found: list[Box] = []
    for theirs in came:
        if theirs in ours:
            add(found, theirs, work)
        else:
            work.done += len(ours)
            for own in ours:
                if (both := meet(theirs, own)) is not None:
                    add(found, both, work)
                if len(found) == most or work.over:
                    return found
        if len(found) == most or work.over:
            break
    return found


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


def join(found: list[Box], box: Box) -> None:
    """Put a box to others without seams: addresses side by side are one range, ports too, whose
    place is that of its first part.

    What two peers write in different pieces is the same traffic for the IPsec stack.
    """
    place = at = len(found)
    while at:
        at -= 1
        if whole := touching(found[at], box):
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
