"""Frames out of capture files: pcap (both byte orders, us and ns) and pcapng, also gzipped.

draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng. A file that is damaged or cut off yields its
frames up to there and then one Damage.
"""

from __future__ import annotations

import gzip
import io
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

MAX_FRAME = 262_144
"""Octets: the largest frame that capture tools write, and the most that is taken for one."""
MAX_INTERFACES = 1024
_MAX_BLOCK = MAX_FRAME + 65_536
_PIECE = 65_536
_GZIP = b"\x1f\x8b"
_PCAP = {
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
}
_SECTION = 0x0A0D0D0A
_SECTION_MAGIC = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_INTERFACE, _PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET = 1, 2, 3, 6
_OPT_END, _OPT_TSRESOL, _OPT_TSOFFSET = 0, 9, 14
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Frame:
    """One captured frame. number: from 1; time_ns: since 1970; wire_size: octets it had."""

    number: int
    time_ns: int
    link: int
    data: bytes = field(repr=False)
    wire_size: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that could not be read. offset: octets from the start of what ``path`` names.

    frame: 0 where the file is no capture.
    """

    frame: int
    time_ns: int
    path: str
    offset: int
    reason: str
    rfc: str = ""


class _Broken(Exception):
    """The file cannot be read further."""


class _NoCapture(_Broken):
    """The file is of another kind."""


class _Stream:
    """A file that is read in exact sizes, and knows how far it is."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.offset = file, 0

    def some(self, size: int) -> bytes:
        """Up to ``size`` octets; fewer only at the end of the file."""
        parts = []
        try:
            while size and (part := self._file.read(min(size, _PIECE))):
                parts.append(part)
                self.offset += len(part)
                size -= len(part)
        except (OSError, EOFError, zlib.error) as error:
            raise _Broken(f"the file cannot be read further: {error}") from error
        return b"".join(parts)

    def exactly(self, size: int, what: str) -> bytes:
        data = self.some(size)
        if len(data) < size:
            raise _Broken(f"the file ends in {what}: {len(data)} of {size} octets are there")
        return data

    def skip(self, size: int, what: str) -> None:
        while size:
            size -= len(self.exactly(min(size, _PIECE), what))


class _Interface(NamedTuple):
    """What a pcapng section says of one interface. units: of its timestamps, per second."""

    link: int
    snap_size: int
    units: int
    offset_s: int


def open_capture(path: str | Path) -> BinaryIO:
    """Open a capture file, gzipped or not; ``-`` is standard input. OSError where it cannot be."""
    standard = str(path) == "-"
    raw = io.FileIO(sys.stdin.fileno() if standard else path, closefd=not standard)
    file = io.BufferedReader(raw)
    if file.peek(2)[:2] == _GZIP:
        return cast(BinaryIO, _Gunzip(file))
    return file


class _Gunzip(gzip.GzipFile):
    """A gzipped file that closes the file below it, too."""

    def __init__(self, file: io.BufferedReader[Any]) -> None:
        super().__init__(fileobj=file, mode="rb")
        self._below = file

    def close(self) -> None:
        super().close()
        self._below.close()


def read_frames(file: BinaryIO) -> Iterator[Frame | Damage]:
    """The frames of a capture in order; a Damage, at the end, where the file is broken."""
    stream = _Stream(file)
    number, time_ns = 0, 0
    try:
        for item in _frames(stream):
            number = item.number if isinstance(item, Frame) else item.frame
            time_ns = item.time_ns
            yield item
    except _NoCapture as error:
        yield Damage(0, 0, "capture", 0, str(error))
    except _Broken as error:
        yield Damage(number + 1, time_ns, "capture", stream.offset, str(error))


def _frames(stream: _Stream) -> Iterator[Frame | Damage]:
    magic = stream.some(4)
    if magic in _PCAP:
        order, tick_ns = _PCAP[magic]
        return _pcap(stream, order, tick_ns)
    if magic == struct.pack(">I", _SECTION):
        return _Pcapng(stream).frames()
    raise _NoCapture(f"neither a pcap nor a pcapng file: it begins with {magic.hex() or 'nothing'}")


def _pcap(stream: _Stream, order: str, tick_ns: int) -> Iterator[Frame]:
    header = struct.Struct(order + "HHiIII")
    record = struct.Struct(order + "IIII")
    *_, link = header.unpack(stream.exactly(header.size, "the file header"))
    link &= 0xFFFF  # the upper half says how long a frame check sequence is
    number = 0
    while head := stream.some(record.size):
        number += 1
        if len(head) < record.size:
            raise _Broken(f"the file ends in the header of frame {number}")
        seconds, ticks, size, wire_size = record.unpack(head)
        if size > MAX_FRAME:
            raise _Broken(f"frame {number} claims {size} octets; the most is {MAX_FRAME}")
        data = stream.exactly(size, f"frame {number}")
        yield Frame(number, seconds * _SECOND_NS + ticks * tick_ns, link, data, wire_size)


class _Pcapng:
    """The walk over the blocks of a pcapng file; its first four octets have been read."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        self._order = "<"
        self._interfaces: list[_Interface] = []
        self._number = 0

    def frames(self) -> Iterator[Frame | Damage]:
        self._section()
        while head := self._stream.some(4):
            if len(head) < 4:
                raise _Broken("the file ends in a block header")
            (kind,) = struct.unpack(self._order + "I", head)
            if kind == _SECTION:
                self._section()
            elif kind in (_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET):
                yield self._packet(kind)
            elif kind == _INTERFACE:
                self._interface()
            else:
                self._rest_of(self._size("a block"), "a block")

    def _section(self) -> None:
        """Begin a section: the byte order may change, the interfaces are counted anew."""
        head = self._stream.exactly(8, "a section header")
        order = _SECTION_MAGIC.get(head[4:])
        if order is None:
            raise _Broken(f"a section header has the byte-order magic {head[4:].hex()}")
        self._order, self._interfaces = order, []
        (size,) = struct.unpack(order + "I", head[:4])
        if size < 28 or size % 4:
            raise _Broken(f"a section header claims {size} octets")
        self._rest_of(size - 16, "a section header")

    def _size(self, what: str) -> int:
        """The size of a block's body, out of its total length (type and two lengths are 12)."""
        (size,) = struct.unpack(self._order + "I", self._stream.exactly(4, what))
        if size < 12 or size % 4:
            raise _Broken(f"{what} claims {size} octets")
        return int(size) - 12

    def _rest_of(self, size: int, what: str) -> None:
        self._stream.skip(size + 4, what)

    def _body(self, size: int, what: str) -> bytes:
        body = self._stream.exactly(size, what)
        (total,) = struct.unpack(self._order + "I", self._stream.exactly(4, what))
        if total != size + 12:
            raise _Broken(f"{what} of {size + 12} octets says {total} at its end")
        return body

    def _interface(self) -> None:
        what = "an interface description"
        size = self._size(what)
        if not 8 <= size <= _MAX_BLOCK:
            raise _Broken(f"{what} of {size} octets")
        if len(self._interfaces) >= MAX_INTERFACES:
            raise _Broken(f"more than {MAX_INTERFACES} interfaces")
        body = self._body(size, what)
        link, snap_size = struct.unpack_from(self._order + "H2xI", body)
        options = _options(body[8:], self._order)
        units, offset_s = 1_000_000, 0
        if len(resolution := options.get(_OPT_TSRESOL, b"")) == 1:
            exponent = resolution[0] & 0x7F
            units = 2**exponent if resolution[0] & 0x80 else 10**exponent
        if len(offset := options.get(_OPT_TSOFFSET, b"")) == 8:
            (offset_s,) = struct.unpack(self._order + "q", offset)
        self._interfaces.append(_Interface(link, snap_size, units, offset_s))

    def _packet(self, kind: int) -> Frame | Damage:
        self._number += 1
        what = f"the block of frame {self._number}"
        size = self._size(what)
        if size > _MAX_BLOCK:
            self._rest_of(size, what)
            return self._damage(f"a block of {size} octets; the most is {_MAX_BLOCK}")
        body = self._body(size, what)
        try:
            return self._simple(body) if kind == _SIMPLE_PACKET else self._full(kind, body)
        except struct.error:
            return self._damage(f"a block of {size} octets is too short for a packet")

    def _full(self, kind: int, body: bytes) -> Frame | Damage:
        layout = "IIIII" if kind == _ENHANCED_PACKET else "H2xIIII"
        index, high, low, size, wire_size = struct.unpack_from(self._order + layout, body)
        if index >= len(self._interfaces):
            return self._damage(f"interface {index} has not been described")
        interface = self._interfaces[index]
        ticks = high << 32 | low
        time_ns = ticks * _SECOND_NS // interface.units + interface.offset_s * _SECOND_NS
        if size > min(len(body) - 20, MAX_FRAME):
            return self._damage(f"claims {size} octets, {len(body) - 20} are in its block")
        return Frame(self._number, time_ns, interface.link, body[20 : 20 + size], wire_size)

    def _simple(self, body: bytes) -> Frame | Damage:
        """A packet without time, of the first interface; its size is not written down."""
        (wire_size,) = struct.unpack_from(self._order + "I", body)
        if not self._interfaces:
            return self._damage("no interface has been described")
        interface = self._interfaces[0]
        size = min(wire_size, interface.snap_size or wire_size, len(body) - 4)
        return Frame(self._number, 0, interface.link, body[4 : 4 + size], wire_size)

    def _damage(self, reason: str) -> Damage:
        return Damage(self._number, 0, "capture", self._stream.offset, reason)


def _options(data: bytes, order: str) -> dict[int, bytes]:
    """The options of a block, the last of each code; what does not fit ends the list."""
    options = {}
    at = 0
    while at + 4 <= len(data):
        code, size = struct.unpack_from(order + "HH", data, at)
        if code == _OPT_END or at + 4 + size > len(data):
            break
        options[code] = data[at + 4 : at + 4 + size]
        at += 4 + (size + 3 & ~3)
    return options
