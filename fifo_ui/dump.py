"""isakmpctl dump: every IKE message of a capture, by the names of the registries, in order.

    isakmpctl dump FILE [--keys FILE]... [--port N]... [--json]

Decrypted where a key file has the key. What is malformed is shown as such, with the place and the
rule it breaks, and ends nothing. The closing summary says what else the capture held, and what was
not read. Exit status: 0 all read; 1 for a file that cannot be read, is broken, or has neither IKE
nor ESP.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, BinaryIO, TypeVar

from fifo_ui.summary import Summary, summary_dict, summary_text
from isakmp.capture import Damage, open_capture, read_datagrams, read_frames
from isakmp.capture.ip import Address
from isakmp.decode import Decoded, Decoder
from isakmp.errors import IsakmpError, MalformedPayload
from isakmp.keytable import KeyTable

T = TypeVar("T")
_SECOND_NS = 1_000_000_000
_LAST_SECOND = 253_402_300_799
"""9999-12-31: later times are written as seconds."""


def run(args: argparse.Namespace) -> int:
    """Print the messages of ``args.file`` to standard output; errors of files to the other."""
    try:
        keys = KeyTable.load(args.keys)
        with open_capture(args.file) as file:
            return _Dump(Decoder(keys), args.json).print(file, args.port)
    except BrokenPipeError:
        raise  # it is of the output, and no file's
    except OSError as error:
        return _failed(f"{error.filename or args.file}: {error.strerror or error}")
    except IsakmpError as error:
        return _failed(str(error))


def _failed(why: str) -> int:
    print(f"isakmpctl: {why}", file=sys.stderr)
    return 1


class _Dump:
    """One capture being printed."""

    def __init__(self, decoder: Decoder, as_json: bool) -> None:
        self._decoder, self._json = decoder, as_json
        self._summary, self._broken = Summary(), False

    def print(self, file: BinaryIO, ports: list[int]) -> int:
        """Every message, then the summary; the exit status."""
        for item in read_datagrams(read_frames(file), ports, self._summary.tally):
            if isinstance(item, Damage):
                self._broken |= item.path == "capture"
                self._put(damage_dict, damage_text, item)
                continue
            for decoded in self._decoder.decode(item):
                self._summary.count(decoded)
                self._put(message_dict, message_text, decoded)
        self._put(summary_dict, summary_text, self._summary)
        sys.stdout.flush()
        return int(self._broken or self._summary.nothing)

    def _put(
        self, as_dict: Callable[[T], dict[str, Any]], as_text: Callable[[T], str], what: T
    ) -> None:
        print(json.dumps(as_dict(what)) if self._json else as_text(what))


def message_dict(decoded: Decoded) -> dict[str, Any]:
    """A message for JSON. header None and payloads empty where there are none to read."""
    datagram = decoded.datagram
    message = decoded.message.to_dict() if decoded.message else {"payloads": [], "encrypted": ""}
    return {
        "frame": datagram.frame,
        "time": datagram.time_ns / _SECOND_NS,
        "source": str(datagram.source),
        "source_port": datagram.source_port,
        "destination": str(datagram.destination),
        "destination_port": datagram.destination_port,
        "transport": datagram.transport,
        "non_esp_marker": datagram.non_esp_marker,
        "repeats": decoded.repeats or None,
        "header": decoded.header_dict(),
        "payloads": message["payloads"],
        "encrypted": decoded.encrypted,
        "decrypted": decoded.decrypted,
        "ciphertext": message["encrypted"],
        "icv": decoded.icv or None,
        "note": decoded.note or None,
        "errors": [_error_dict(error) for error in decoded.errors],
    }


def damage_dict(damage: Damage) -> dict[str, Any]:
    """Something that never became a message, for JSON."""
    return {
        "frame": damage.frame,
        "time": damage.time_ns / _SECOND_NS,
        "header": None,
        "payloads": [],
        "errors": [_error_dict(damage)],
    }


def _error_dict(error: MalformedPayload | Damage) -> dict[str, Any]:
    return {
        "path": error.path,
        "offset": error.offset,
        "reason": error.reason,
        "rfc": error.rfc,
    }


def message_text(decoded: Decoded) -> str:
    """A message for people: where it came from, its fields, what is wrong with it."""
    datagram = decoded.datagram
    source = _endpoint(datagram.source, datagram.source_port)
    destination = _endpoint(datagram.destination, datagram.destination_port)
    head = f"{datagram.frame} {_time(datagram.time_ns)} {source} > {destination}"
    head += " TCP" if datagram.transport == "TCP" else ""
    head += f" (frame {decoded.repeats} again)" if decoded.repeats else ""
    lines = [head]
    if decoded.message is not None:
        lines += decoded.message.dump()
    elif header := decoded.header_dict():
        lines.append("HDR: " + " ".join(f"{name} {value}" for name, value in header.items()))
    if decoded.encrypted:
        lines.append(_encryption_text(decoded))
    lines += [f"malformed: {error}" for error in decoded.errors]
    return "\n    ".join(lines) + "\n"


def _encryption_text(decoded: Decoded) -> str:
    text = "decrypted" if decoded.decrypted else "not decrypted"
    if decoded.icv:
        text += f", ICV {decoded.icv}"
    return f"{text}: {decoded.note}" if decoded.note else text


def damage_text(damage: Damage) -> str:
    """Something that never became a message, for people."""
    if not damage.frame:
        return f"no capture: {damage.reason}\n"
    rfc = f" ({damage.rfc})" if damage.rfc else ""
    place = f"{damage.path} at octet {damage.offset}: {damage.reason}{rfc}"
    return f"{damage.frame} {_time(damage.time_ns)}\n    malformed: {place}\n"


def _endpoint(address: Address, port: int) -> str:
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def _time(time_ns: int) -> str:
    """UTC to the microsecond."""
    seconds, rest = divmod(time_ns, _SECOND_NS)
    fraction = f"{rest // 1000:06}"
    if not 0 <= seconds <= _LAST_SECOND:
        return f"{seconds}.{fraction}"
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction}Z"
