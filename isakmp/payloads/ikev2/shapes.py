"""Shapes of IKEv2 payload bodies. RFC 7296 2.5: what is reserved is ignored on receipt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from construct import Check, Construct, FixedSized, Int8ub, Int16ub, Struct, this

from isakmp.payloads.base import Misfit
from isakmp.payloads.shapes import HEADER, Chain, Exactly


class LenientChain(Chain):
    """A Chain whose reserved octets may be anything."""

    def __init__(
        self, name: str, type: int, subcon: Construct, limit: int, count: Any = None
    ) -> None:
        super().__init__(name, type, subcon, limit, count)
        self.layout = Struct(
            "next" / Int8ub,
            "reserved" / Int8ub,
            "length" / Int16ub,
            "value" / FixedSized(this.length - HEADER.size, Exactly(subcon)),
            "allowed" / Check(lambda ctx: ctx.next in (0, type)),
        )


class Demand(Construct):  # type: ignore[misc]
    """No octets; says what is amiss with the fields so far. wrong: the reason, or ""."""

    def __init__(self, wrong: Callable[[Any], str]) -> None:
        super().__init__()
        self._wrong = wrong
        self.flagbuildnone = True

    def _parse(self, stream: Any, context: Any, path: str) -> None:
        if reason := self._wrong(context):
            raise Misfit("", 0, reason)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> None:
        self._parse(stream, context, path)
