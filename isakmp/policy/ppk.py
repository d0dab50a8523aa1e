"""Post-quantum pre-shared keys: RFC 8784 2 and 5.1. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from isakmp.constants import ikev2, name_of

# Of an identity with the octet of its type, as far as a peer's is told.
MAX_ID_BYTES = 256


def ppk_name(data: bytes) -> str:
    """What PPK_IDENTITY says, for people: the type, and the identity as text or in hexadecimal."""
    if not data:
        return "without a type"
    name, more = data[1:MAX_ID_BYTES], f"... ({len(data)} octets)" * (len(data) > MAX_ID_BYTES)
    readable = name and all(0x21 <= octet < 0x7F for octet in name)
    text = name.decode("ascii") if readable else f"0x{name.hex()}"
    return f"{name_of(ikev2.PpkId, data[0])} {text}{more}"


@dataclass(frozen=True, slots=True)
class Ppk:
    """A peer's PPK. id: what PPK_IDENTITY says, its type in the first octet; required: nothing goes
    without it."""

    id: bytes
    secret: bytes = field(repr=False)
    required: bool = False
    line: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{ppk_name(self.id)} ({'required' if self.required else 'optional'})"


class PpkUse(NamedTuple):
    """What became of a peer's PPK in an IKE SA. why: of one that is not used."""

    ppk: str
    required: bool
    why: str = ""

    def __str__(self) -> str:
        return f"without PPK {self.ppk}: {self.why}" if self.why else f"PPK {self.ppk}"

    def row(self) -> dict[str, Any]:
        """As status() shows it."""
        return {"id": self.ppk, "used": not self.why, "required": self.required, "why": self.why}
