"""A pcap file of decrypted ISAKMP messages: what the daemon's ``p on`` writes.

Link type raw IP; the IP and UDP headers are made up from the addresses, so that every tool that
reads pcap follows the ports. RFC 791, RFC 8200, RFC 768, RFC 3948 2.2 (non-ESP marker).
"""

from __future__ import annotations

import errno
import os
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from types import TracebackType

from isakmp.capture.ip import UDP, Address
from isakmp.capture.link import Link
from isakmp.conf.files import open_private
from isakmp.constants import NAT_T_PORT

DEFAULT_LIMIT_BYTES = 64 * 1024 * 1024
_MAX_MESSAGE = 65_535 - 40 - 8 - 4
_SNAP_SIZE = 65_535
_HOPS = 64

Endpoint = tuple[str, int]
"""Address (a scope is ignored) and port."""


class CaptureWriter:
    """A pcap file, mode 0600, that takes messages until it has ``limit_bytes``.

    Opening an existing file empties it; a symbolic link, anything but a regular file and a file
    of another user than root and us is refused. Every OSError is the caller's, who switches the
    capture off.
    """

    def __init__(self, path: str | Path, *, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self._fd = open_private(Path(path))
        try:
            os.fchmod(self._fd, 0o600)
            os.ftruncate(self._fd, 0)
            self.path, self.limit_bytes, self.size_bytes, self.messages = (
                Path(path),
                limit_bytes,
                0,
                0,
            )
            self._put(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _SNAP_SIZE, Link.RAW))
        except OSError:
            self.close()
            raise

    def write(self, time_s: float, source: Endpoint, destination: Endpoint, message: bytes) -> bool:
        """Append a message in the clear, flag E not set; False where the file is full.

        time_s: since 1970. A message larger than a datagram can be is cut.
        """
        packet = _packet(source, destination, message[:_MAX_MESSAGE])
        if self._fd < 0 or self.size_bytes + 16 + len(packet) > self.limit_bytes:
            return False
        microseconds = int(time_s * 1_000_000)
        seconds, microseconds = divmod(max(0, microseconds), 1_000_000)
        size = len(packet)
        head = struct.pack("<IIII", seconds & 0xFFFFFFFF, microseconds, size, size)
        self._put(head + packet)
        self.messages += 1
        return True

    def _put(self, data: bytes) -> None:
        """One write a record, so that a reader sees whole records; a short one is taken back."""
        if os.write(self._fd, data) != len(data):
            os.ftruncate(self._fd, self.size_bytes)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.size_bytes += len(data)

    def close(self) -> None:
        """Close the file; write() then answers False."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> CaptureWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _packet(source: Endpoint, destination: Endpoint, message: bytes) -> bytes:
    """The message in UDP in IP."""
    source_address, destination_address = _address(source[0]), _address(destination[0])
    if NAT_T_PORT in (source[1], destination[1]):
        message = bytes(4) + message
    ends = source_address.packed + destination_address.packed
    size = 8 + len(message)
    udp = struct.pack(">HHHH", source[1], destination[1], size, 0) + message
    pseudo = ends + struct.pack(">II", size, UDP)
    checksum = _checksum(pseudo + udp) or 0xFFFF
    udp = udp[:6] + checksum.to_bytes(2) + message
    if isinstance(source_address, IPv4Address):
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + size, 0, 0x4000, _HOPS, UDP, 0)
        head = head[:10] + _checksum(head + ends).to_bytes(2)
        return head + ends + udp
    return struct.pack(">IHBB", 6 << 28, size, UDP, _HOPS) + ends + udp


def _address(text: str) -> Address:
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _checksum(data: bytes) -> int:
    """The Internet checksum, RFC 1071."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
