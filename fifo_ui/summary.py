"""The end of ``isakmpctl dump``: how much of a capture was IKE, ESP, other traffic, or not read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from isakmp.capture import Tally
from isakmp.capture.link import Link
from isakmp.constants import name_of
from isakmp.decode import Decoded

SPIS_SHOWN = 32
MAX_NEGOTIATIONS = 65_536


@dataclass
class Summary:
    """What was seen. repeated: messages that had been before; negotiations: the initiators'
    cookies or SPIs, of no more than MAX_NEGOTIATIONS; malformed: messages with errors."""

    tally: Tally = field(default_factory=Tally)
    messages: int = 0
    repeated: int = 0
    malformed: int = 0
    negotiations: set[bytes] = field(default_factory=set)

    def count(self, decoded: Decoded) -> None:
        """One more message."""
        self.messages += 1
        self.repeated += bool(decoded.repeats)
        self.malformed += bool(decoded.errors)
        if decoded.header and len(self.negotiations) < MAX_NEGOTIATIONS:
            self.negotiations.add(decoded.header.cky_i)

    @property
    def nothing(self) -> bool:
        """Whether there was neither IKE nor ESP."""
        return not self.messages and not self.tally.esp_packets


def summary_dict(summary: Summary) -> dict[str, Any]:
    """The summary for JSON, the last object of all."""
    tally = summary.tally
    return {
        "summary": {
            "frames": tally.frames,
            "messages": summary.messages,
            "repeated": summary.repeated,
            "malformed": summary.malformed,
            "negotiations": len(summary.negotiations),
            "esp": [
                {"source": str(source), "destination": str(to), "spi": f"{spi:08x}", "packets": n}
                for (source, to, spi), n in tally.esp.most_common()
            ],
            "esp_packets": tally.esp_packets,
            "other_frames": tally.other,
            "link_types_not_read": {str(link): n for link, n in sorted(tally.unread.items())},
        }
    }


def summary_text(summary: Summary) -> str:
    """The summary for people."""
    return "\n".join(_lines(summary)) + "\n"


def _lines(summary: Summary) -> Iterator[str]:
    tally, again = summary.tally, ""
    if summary.repeated:
        again = f" ({summary.repeated} of them repeated)"
    negotiations = _count(len(summary.negotiations), "negotiation")
    yield (
        f"{_count(tally.frames, 'frame')}: {_count(summary.messages, 'IKE message')}{again} of "
        f"{negotiations}, {_count(tally.esp_packets, 'ESP packet')}, "
        f"{_count(tally.other, 'frame')} of other traffic"
    )
    for (source, to, spi), packets in tally.esp.most_common(SPIS_SHOWN):
        yield f"    ESP {spi:08x} {source} > {to}: {_count(packets, 'packet')}"
    shown = sum(packets for _, packets in tally.esp.most_common(SPIS_SHOWN))
    if more := tally.esp_packets - shown:
        yield f"    ESP of other SPIs: {_count(more, 'packet')}"
    for link, frames in sorted(tally.unread.items()):
        verb = "is" if frames == 1 else "are"
        yield f"not read: {_count(frames, 'frame')} of link type {link} {verb} passed over"
    if tally.unread:
        yield "read are " + ", ".join(f"{name_of(Link, link)} ({link:d})" for link in Link)
    if summary.nothing and tally.frames:
        yield "no IKE on ports 500 and 4500, and no ESP; is it on another port? --port N reads it"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
