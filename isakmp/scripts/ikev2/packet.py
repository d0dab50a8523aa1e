"""IKEv2 messages on the wire: where what is encrypted lies, and what a log shows of them."""

from __future__ import annotations

from isakmp.constants import ikev2
from isakmp.errors import MalformedPayload
from isakmp.exchange.exchange import Host
from isakmp.exchange.script import Incoming
from isakmp.log.log import LogClass
from isakmp.message import HEADER_SIZE, Header, Message, Payload, parse_payloads, whole
from isakmp.path import Path
from isakmp.payloads.ikev2 import FAMILY

SK, SKF = int(ikev2.Payload.SK), int(ikev2.Payload.SKF)
# Where they lie in the header.
_NEXT_PAYLOAD, _LENGTH = 16, 24


def find_protected(header: Header, datagram: bytes) -> tuple[int, int]:
    """Where the generic header of the SK or SKF payload lies, which must end the message."""
    if header.next_payload == SK:
        at, kind = HEADER_SIZE, SK
    else:
        payloads, _ = parse_payloads(2, header.next_payload, datagram[HEADER_SIZE:])
        if not payloads or payloads[-1].type not in (SK, SKF):
            raise MalformedPayload("HDR", 16, "has no encrypted payload", "RFC 7296 3.14")
        at, kind = payloads[-1].offset, payloads[-1].type
    if at + 4 > len(datagram) or at + int.from_bytes(datagram[at + 2 : at + 4], "big") != len(
        datagram
    ):
        raise MalformedPayload("SK", at, "does not end with the message", "RFC 7296 3.14")
    return at, kind


def outside(datagram: bytes) -> list[Payload]:
    """The payloads in front of the SK or SKF payload of a message, which proves them, too."""
    header = Header.unpack(datagram)
    if header.next_payload in (SK, SKF):
        return []
    return parse_payloads(2, header.next_payload, datagram[HEADER_SIZE:])[0][:-1]


def covered(datagram: bytes, chain: bytes) -> bytes:
    """What RFC 9242 3.3.2 authenticates of a message: its octets up to the end of the SK payload's
    generic header, as if there were no IV, padding and ICV, and the payloads in it.

    datagram: the message as it went over the wire, or its first piece, which then is taken for the
    whole; chain: the payloads of the whole.
    """
    header = Header.unpack(datagram)
    at, _ = find_protected(header, datagram)
    clear = bytearray(datagram[:at])
    # What says that an encrypted payload follows: the header, or the last one in clear.
    said = outside(datagram)
    clear[said[-1].offset if said else _NEXT_PAYLOAD] = SK
    clear[_LENGTH:HEADER_SIZE] = (at + 4 + len(chain)).to_bytes(4, "big")
    generic = datagram[at : at + 2] + (4 + len(chain)).to_bytes(2, "big")
    return bytes(clear) + generic + chain


def is_told_in_clear(header: Header, datagram: bytes) -> bool:
    """Whether a notify is there and nothing encrypted. MalformedPayload where it breaks a rule."""
    if header.next_payload in (SK, SKF):
        return False
    payloads, _ = parse_payloads(2, header.next_payload, datagram[HEADER_SIZE:])
    kinds = [payload.type for payload in payloads]
    return ikev2.Payload.NOTIFY in kinds and kinds[-1] not in (SK, SKF)


def read_clear(host: Host, path: Path, header: Header, datagram: bytes) -> Incoming:
    """A message in clear. MalformedPayload where it breaks a rule."""
    data = datagram[HEADER_SIZE:]
    payloads, end = parse_payloads(2, header.next_payload, data)
    if end != len(data):
        raise MalformedPayload("HDR", HEADER_SIZE + end, f"{len(data) - end} octets left over",
                               "RFC 7296 3.1")  # fmt: skip
    message = Incoming(header, FAMILY, payloads, data, end, path, HEADER_SIZE)
    record(host, path, header, payloads, data)
    return message


def record(
    host: Host, path: Path, header: Header, payloads: list[Payload] | None, chain: bytes
) -> None:
    """What came, or goes out where ``payloads`` is None, for the log and the capture."""
    out = payloads is None
    if host.log.on(LogClass.MESSAGE, 70):
        parsed = parse_payloads(2, header.next_payload, chain)[0] if payloads is None else payloads
        verb, way = ("sending", path.out) if out else ("received", path.came)
        for line in Message(header, parsed).dump():
            host.log.debug(LogClass.MESSAGE, 70, "%s %s: %s", verb, way, line)
    if host.capture is not None:
        host.capture(path, out, whole(header, chain))
