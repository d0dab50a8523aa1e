"""ESP packets of one SA: sequence numbers, padding and the trailer (RFC 4303 2 and 3)."""

from __future__ import annotations

from isakmp.app.engine.drop import Drop, Dropped
from isakmp.app.engine.replay import Replay
from isakmp.app.engine.transform import Transform

_PADS = tuple(bytes(range(1, size + 1)) + bytes([size]) for size in range(256))
_LAST_32 = 0xFFFFFFFF
_LAST_64 = 0xFFFFFFFFFFFFFFFF


class Sealer:
    """Makes an SA's packets. ``sequence`` is that of the last one."""

    __slots__ = ("_block", "_last", "_seal", "_trailers", "overhead", "sequence")

    def __init__(self, transform: Transform, esn: bool, sequence: int = 0) -> None:
        self.sequence = sequence
        self._last = _LAST_64 if esn else _LAST_32
        self._seal = transform.seal
        self._block = transform.block
        self._trailers: dict[int, tuple[bytes, ...]] = {}
        self.overhead = transform.overhead

    def __call__(self, payload: bytes, next_header: int) -> bytes:
        """The ESP packet of ``payload``. Dropped: SEQUENCE, when the numbers are used up."""
        sequence = self.sequence + 1
        if sequence > self._last:
            raise Dropped(Drop.SEQUENCE)
        self.sequence = sequence
        trailers = self._trailers.get(next_header) or self._make_trailers(next_header)
        return self._seal(sequence, payload + trailers[len(payload) % self._block])

    def _make_trailers(self, next_header: int) -> tuple[bytes, ...]:
        """The trailers by what the payload leaves over of a block."""
        block = self._block
        trailers = tuple(_PADS[-(rest + 2) % block] + bytes([next_header]) for rest in range(block))
        self._trailers[next_header] = trailers
        return trailers

    @property
    def left(self) -> int:
        """How many more packets there can be."""
        return self._last - self.sequence

    def room(self, size: int) -> int:
        """The largest payload whose packet has at most ``size`` octets."""
        return (size - self.overhead) // self._block * self._block - 2


class Opener:
    """Opens an SA's packets and remembers which have come."""

    __slots__ = ("_open", "replay")

    def __init__(self, transform: Transform, replay: Replay) -> None:
        self._open = transform.open
        self.replay = replay

    def __call__(self, packet: bytes, low: int) -> tuple[bytes, int]:
        """Payload and next header of a packet with sequence number ``low``.

        Dropped: MALFORMED, ICV, REPLAY, PADDING. A number that was seen is not worth the ICV (RFC
        4303 3.4.3); all else that the packet says is believed only after it.
        """
        replay = self.replay
        sequence = replay.infer(low) if replay.esn else low
        if sequence <= replay.top and replay.refuses(sequence):
            raise Dropped(Drop.REPLAY)
        plaintext = self._open(packet, sequence)
        if not replay.accept(sequence):
            raise Dropped(Drop.REPLAY)
        size = plaintext[-2]
        end = len(plaintext) - 2 - size
        if end < 0 or plaintext[end:-1] != _PADS[size]:
            raise Dropped(Drop.PADDING)
        return plaintext[:end], plaintext[-1]
