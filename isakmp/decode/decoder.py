"""Datagrams of a capture to messages: everything in them that can be read, and what cannot."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from isakmp.capture import Datagram
from isakmp.constants import isakmp
from isakmp.decode.bounded import Bounded
from isakmp.decode.fragments import Ikev1Fragments
from isakmp.decode.ikev1 import Ikev1Opener
from isakmp.decode.ikev2 import Ikev2Opener
from isakmp.decode.walk import read_chain
from isakmp.errors import CryptoError, MalformedPayload
from isakmp.keytable import KeyTable
from isakmp.message import HEADER_SIZE, Header, Message, split
from isakmp.payloads import family

MAX_SEEN = 8192
"""Messages that a repetition is looked for among."""
_LENGTH_AT, _VERSION_AT = 24, 17
_RFC = "RFC 2408 3.1"


@dataclass(slots=True)
class Decoded:
    """One message of a capture.

    header None: too short for one; message None: no version that is spoken. encrypted: it is or
    was; decrypted: and has been opened, its payloads behind the SK payload that held them.
    icv: "good", "wrong", "unchecked" or "" (IKEv1 has none); note: why it was not opened;
    repeats: the frame of the message that this one is again, 0: of none.
    """

    datagram: Datagram
    data: bytes = field(repr=False)
    header: Header | None = None
    message: Message | None = None
    encrypted: bool = False
    decrypted: bool = False
    icv: str = ""
    note: str = ""
    repeats: int = 0
    errors: list[MalformedPayload] = field(default_factory=list)

    def header_dict(self) -> dict[str, Any] | None:
        """The header by names; by numbers where its version is not spoken."""
        if self.message is not None:
            header: dict[str, Any] = self.message.to_dict()["header"]
            return header
        if self.header is None:
            return None
        return {
            "cky_i": self.header.cky_i.hex(),
            "cky_r": self.header.cky_r.hex(),
            "next_payload": str(self.header.next_payload),
            "version": f"{self.header.major}.{self.header.minor}",
            "exchange": str(self.header.exchange_type),
            "flags": f"{self.header.flags:#04x}",
            "message_id": f"{self.header.message_id:08x}",
            "length": self.header.length,
        }


class Decoder:
    """Decodes the datagrams of one capture, given in their order."""

    def __init__(self, keys: KeyTable) -> None:
        self._ikev1 = Ikev1Opener(keys.ikev1)
        self._ikev2 = Ikev2Opener(keys.ikev2)
        self._fragments = Ikev1Fragments()
        self._seen: Bounded[bytes, int] = Bounded(MAX_SEEN)

    def decode(self, datagram: Datagram) -> list[Decoded]:
        """The message in a datagram, or several that were sent in one go. Raises nothing.

        Behind a message that is malformed itself nothing is taken for another one; a message whose
        last missing fragment this is follows the fragment.
        """
        parts = split(datagram.message)
        first = self._message(datagram, parts[0])
        if len(parts) > 1 and first.errors and first.header:
            first.errors.insert(0, _wrong_length(first.header, datagram, datagram.message))
            return [first]
        found = [first, *(self._message(datagram, part) for part in parts[1:])]
        for decoded in found:
            decoded.repeats = self._first_frame(decoded)
        whole = self._joined(first)
        return found if whole is None else [*found, whole]

    def _first_frame(self, decoded: Decoded) -> int:
        """Where the same message of the same sender was before."""
        mark = sha256(decoded.datagram.source.packed + decoded.data).digest()
        before = self._seen.get(mark)
        if before is None:
            self._seen.put(mark, decoded.datagram.frame)
        return before or 0

    def _joined(self, last: Decoded) -> Decoded | None:
        """The IKEv1 message that ``last`` is the last missing fragment of."""
        if last.header is None or last.header.major != 1 or last.message is None:
            return None
        data = self._fragments.add(last.datagram.source, last.header, last.message.payloads)
        if data is None:
            return None
        whole = self._message(replace(last.datagram, message=data, missing=0), data)
        whole.note = whole.note or "joined from fragments"
        return whole

    def _message(self, datagram: Datagram, data: bytes) -> Decoded:
        decoded = Decoded(datagram, data)
        try:
            header = decoded.header = Header.unpack(data)
        except MalformedPayload as error:
            decoded.errors.append(error)
            return decoded
        if header.length != len(data):
            decoded.errors.append(_wrong_length(header, datagram, data))
        if family(header.major) is None:
            reason = f"major version {header.major}"
            decoded.errors.append(MalformedPayload("HDR.version", _VERSION_AT, reason, _RFC))
            return decoded
        decoded.message = Message(header)
        end = header.length if HEADER_SIZE <= header.length <= len(data) else len(data)
        decoded.data = data[:end]
        if header.major == 1 and header.flags & isakmp.Flag.ENCRYPTION:
            self._open_ikev1(decoded, header, decoded.message)
        else:
            self._read_clear(decoded, header, decoded.message)
        return decoded

    def _read_clear(self, decoded: Decoded, header: Header, message: Message) -> None:
        rules = family(header.major)
        assert rules is not None
        body = decoded.data[HEADER_SIZE:]
        chain = read_chain(header.major, header.next_payload, body, HEADER_SIZE)
        message.payloads, decoded.errors = chain.payloads, decoded.errors + chain.errors
        left = len(body) - chain.end
        if left and not chain.errors:
            reason, at = f"{left} octets left over after the last payload", HEADER_SIZE + chain.end
            decoded.errors.append(MalformedPayload("HDR", at, reason, rules.rfc))
        if header.major == 1:
            self._ikev1.observe(header, message.payloads)
        elif message.payloads and message.payloads[-1].type in rules.enclosing:
            self._open_ikev2(decoded, header, message)

    def _open_ikev1(self, decoded: Decoded, header: Header, message: Message) -> None:
        decoded.encrypted = True
        message.encrypted = decoded.data[HEADER_SIZE:]
        if len(decoded.data) < header.length:
            decoded.note = "not all of it was captured"
            return
        try:
            plain = self._ikev1.open(header, message.encrypted)
        except CryptoError as error:
            decoded.note = str(error)
            return
        chain = read_chain(1, header.next_payload, plain, HEADER_SIZE)
        if chain.errors and chain.errors[0].offset == HEADER_SIZE:  # noise, as a wrong key gives
            decoded.note = f"the key does not fit: {chain.errors[0]}"
            return
        decoded.decrypted, message.encrypted = True, b""
        message.payloads, decoded.errors = chain.payloads, decoded.errors + chain.errors

    def _open_ikev2(self, decoded: Decoded, header: Header, message: Message) -> None:
        decoded.encrypted = True
        try:
            opened = self._ikev2.open(header, decoded.data, message.payloads[-1])
        except CryptoError as error:
            decoded.note = str(error)
            return
        decoded.icv, decoded.note = opened.icv, opened.note
        if opened.data is None:
            return
        chain = read_chain(2, opened.first_type, opened.data, opened.at)
        left = len(opened.data) - chain.end
        if left and not chain.errors:
            reason, at = f"{left} octets left over after the last payload", opened.at + chain.end
            chain.errors.append(MalformedPayload("SK", at, reason, "RFC 7296 3.14"))
        decoded.decrypted = True
        message.payloads += chain.payloads
        decoded.errors += chain.errors


def _wrong_length(header: Header, datagram: Datagram, data: bytes) -> MalformedPayload:
    reason = f"{header.length} octets declared, {len(data)} came"
    if datagram.missing:
        reason += f", {datagram.missing} more were not captured"
    return MalformedPayload("HDR.length", _LENGTH_AT, reason, _RFC)
