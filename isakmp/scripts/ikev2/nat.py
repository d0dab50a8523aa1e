"""NAT detection in IKE_SA_INIT: RFC 7296 2.23.

The data of each notify is SHA-1(SPIi | SPIr | IP | port). Several sources may be named, of a host
with several addresses; one that fits is enough.
"""

from __future__ import annotations

from hashlib import sha1
from hmac import compare_digest
from typing import NamedTuple

from isakmp.constants import NAT_T_PORT, ikev2
from isakmp.path import Path
from isakmp.payloads.ikev2.notify import NotifyValue
from isakmp.policy.spd import Address
from isakmp.scripts.ikev2.common import Notifies, notify_value

SOURCE = ikev2.Notify.NAT_DETECTION_SOURCE_IP
DESTINATION = ikev2.Notify.NAT_DETECTION_DESTINATION_IP


class Found(NamedTuple):
    """Who sits behind a NAT. spoken: the peer knows NAT traversal."""

    local: bool = False
    remote: bool = False
    spoken: bool = False


def digest(spi_i: bytes, spi_r: bytes, address: Address, port: int) -> bytes:
    """What a NAT detection notify holds, 20 octets."""
    seed = spi_i + spi_r + address.packed + port.to_bytes(2, "big")
    return sha1(seed, usedforsecurity=False).digest()


def notifies(path: Path, spi_i: bytes, spi_r: bytes, force: bool) -> list[NotifyValue]:
    """Our two notifies. force: a source that fits nothing, so that both ends use port 4500."""
    port = 0 if force else path.local_port
    source = digest(spi_i, spi_r, path.local, port)
    destination = digest(spi_i, spi_r, path.remote, path.remote_port)
    return [notify_value(SOURCE, source), notify_value(DESTINATION, destination)]


def look(notifies: Notifies, path: Path, spi_i: bytes, spi_r: bytes) -> Found:
    """Compare the peer's notifies with what we see; without them there is no NAT traversal."""
    sources, destinations = notifies.get(SOURCE), notifies.get(DESTINATION)
    if not sources or not destinations:
        return Found()
    ours = digest(spi_i, spi_r, path.local, path.local_port)
    theirs = digest(spi_i, spi_r, path.remote, path.remote_port)
    return Found(
        not any(compare_digest(value.data, ours) for value in destinations),
        not any(compare_digest(value.data, theirs) for value in sources),
        True,
    )


def floated(path: Path, nat_t_port: int = NAT_T_PORT) -> Path:
    """The same two hosts on the NAT-traversal port."""
    return path._replace(local_port=nat_t_port, remote_port=NAT_T_PORT, encap=True)
