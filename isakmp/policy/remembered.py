"""What was worked out of the same two things before is not worked out again.

Peers that are configured alike offer alike, and what they offer is then one object, as payloads
that come alike are parsed once (payloads/shapes.py); so is what a section has for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from isakmp.payloads.shapes import Shared

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")

# How many results are kept.
MOST = 64
_every: list[dict[Any, Any]] = []


def remembered(function: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """The same function, for results that nobody changes. Its first two arguments are known by what
    they are, and not by what they hold; all others have to be hashable. The first is what a peer
    has sent: nothing is kept of what is not Shared, as it is never the same again, and of any
    length. What it raises is raised anew."""
    # With the two themselves, so that nothing else can be where they were.
    known: dict[Any, tuple[Any, Any, T]] = {}
    _every.append(known)

    def again(one: S, /, *args: P.args, **options: P.kwargs) -> T:
        if not isinstance(one, Shared):
            return function(one, *args, **options)
        other, *more = args
        key = id(one), id(other), *more, *options.values()
        found = known.get(key)
        if found is None:
            if len(known) >= MOST:
                del known[next(iter(known))]
            found = known[key] = one, other, function(one, *args, **options)
        return found[2]

    return again


def forget() -> None:
    """What is remembered may be of peers, and secrets, that are configured no more."""
    for known in _every:
        known.clear()
