"""Settings: what the configuration says to the engine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Settings:
    """Seconds and counts; until the configuration has been read, its defaults.

    sa_retransmits: the retransmits where an SA ends with its exchange (RFC 7296 2.4).
    """

    retransmits: int = 3
    retransmit_s: float = 1.0
    retransmit_max_s: float = 30.0
    sa_retransmits: int = 12
    exchange_max_s: float = 120.0
    half_open_max: int = 1000
    half_open_peer_max: int = 100
    cookie_threshold: int = 100
    rekey_margin_percent: int = 20
