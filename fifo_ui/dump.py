"""isakmpctl dump: every IKE message of a capture, by the names of the registries, in order.

    isakmpctl dump FILE [--keys FILE]... [--json]

Decrypted where a key file has the key. What is malformed is shown as such, with the place and the
rule it breaks, and ends nothing. Exit status: 0 all read, 1 a file that cannot be, or is broken.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from isakmp.capture import Damage, Datagram, open_capture, read_datagrams, read_frames
from isakmp.capture.ip import Address
from isakmp.decode import Decoded, Decoder
from isakmp.errors import IsakmpError, MalformedPayload
from isakmp.keytable import KeyTable

_SECOND_NS = 1_000_000_000
_LAST_SECOND = 253_402_300_799
"""9999-12-31: later times are written as seconds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument("file", metavar="FILE", help="pcap or pcapng, gzipped or not; - for stdin")
    parser.add_argument(
        "--keys",
        metavar="FILE",
        action="append",
        default=[],
        help="Wireshark's ikev1_decryption_table or ikev2_decryption_table, or a directory with "
        "them; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a message")


def run(args: argparse.Namespace) -> int:
    """Print the messages of ``args.file`` to standard output; errors of files to the other."""
    try:
        keys = KeyTable.load(args.keys)
        with open_capture(args.file) as file:
            return _print(read_datagrams(read_frames(file)), Decoder(keys), args.json)
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, IsakmpError) as error:
        print(f"isakmpctl: {error}", file=sys.stderr)
        return 1


def _print(items: Iterator[Datagram | Damage], decoder: Decoder, as_json: bool) -> int:
    status = 0
    for item in items:
        if isinstance(item, Damage):
            if item.path == "capture":
                status = 1
            print(json.dumps(damage_dict(item)) if as_json else damage_text(item))
            continue
        for decoded in decoder.decode(item):
            print(json.dumps(message_dict(decoded)) if as_json else message_text(decoded))
    sys.stdout.flush()
    return status


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
        "non_esp_marker": datagram.non_esp_marker,
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
    lines = [f"{datagram.frame} {_time(datagram.time_ns)} {source} > {destination}"]
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
