"""What a capture held and what was not read of it: the closing summary of ``isakmpctl dump``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from isakmp.capture.ip import Address

MAX_SPIS = 4096

Esp = tuple[Address, Address, int]


@dataclass(slots=True)
class Tally:
    """Counts of one capture. esp: packets by source, destination and SPI, of the first MAX_SPIS;
    esp_packets: of all; unread: frames by the link types that are not read; other: frames that are
    read and have neither IKE nor ESP."""

    frames: int = 0
    other: int = 0
    esp: Counter[Esp] = field(default_factory=Counter)
    esp_packets: int = 0
    unread: Counter[int] = field(default_factory=Counter)

    def count_esp(self, source: Address, destination: Address, spi: int) -> None:
        """One packet of ESP."""
        self.esp_packets += 1
        key = source, destination, spi
        if key in self.esp or len(self.esp) < MAX_SPIS:
            self.esp[key] += 1
