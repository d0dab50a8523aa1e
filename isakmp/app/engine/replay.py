"""The anti-replay window: RFC 4303 3.4.3, and appendix A for extended sequence numbers."""

from __future__ import annotations

SMALLEST = 64
LARGEST = 4096
_LOW = 0xFFFFFFFF
_ALL = 0xFFFFFFFFFFFFFFFF


class Replay:
    """Which sequence numbers have been seen. ``size`` packets; 0: nothing is refused."""

    __slots__ = ("_mask", "_seen", "esn", "size", "top")

    def __init__(self, size: int, esn: bool = False) -> None:
        self.size = max(SMALLEST, min(size, LARGEST)) if size or esn else 0
        self.esn = esn
        self.top = 0
        self._seen = 0
        self._mask = (1 << self.size) - 1

    def infer(self, low: int) -> int:
        """The whole sequence number of a packet that carries ``low`` (RFC 4303 A2.2).

        Without ESN that is ``low`` itself. It is a guess until the ICV proves it.
        """
        if not self.esn:
            return low
        top = self.top
        high, top_low = top & ~_LOW, top & _LOW
        if top_low >= self.size - 1:  # the window lies within one subspace
            return high + low if low >= top_low - self.size + 1 else (high + _LOW + 1 + low) & _ALL
        if low >= (top_low - self.size + 1) & _LOW:  # it reaches into the one before
            return high - _LOW - 1 + low if high else low
        return high + low

    def refuses(self, sequence: int) -> bool:
        """Whether that number was seen, or is too old, whatever its packet may be worth."""
        size, behind = self.size, self.top - sequence
        if not size or behind < 0:
            return False
        return behind >= size or sequence <= 0 or bool(self._seen >> behind & 1)

    def accept(self, sequence: int) -> bool:
        """Whether this authentic packet is new; it is seen from now on."""
        size = self.size
        if not size:
            return True
        ahead = sequence - self.top
        if ahead > 0:
            self._seen = ((self._seen << ahead) | 1) & self._mask if ahead < size else 1
            self.top = sequence
            return True
        if self.refuses(sequence):
            return False
        self._seen |= 1 << -ahead
        return True
