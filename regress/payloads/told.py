"""What a codec makes of a body, and how it refuses one."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.errors import MalformedPayload
from isakmp.payloads.base import Codec
from isakmp.payloads.shapes import Octets


def refused(codec: Codec[Any], body: bytes) -> MalformedPayload:
    """Why a body that lies 32 octets into a message is refused; it says where, by the RFC."""
    with pytest.raises(MalformedPayload) as caught:
        codec.parse(body, 32)
    error = caught.value
    assert error.path.split(".")[0] == codec.name
    assert 32 <= error.offset <= 32 + len(body)
    assert error.reason and error.rfc == codec.rfc
    return error


def unbuildable(codec: Codec[Any], value: object) -> None:
    """No such payload can exist."""
    with pytest.raises(MalformedPayload, match="cannot be built"):
        codec.build(value)


def shown(codec: Codec[Any], body: bytes) -> str:
    """The one line that a body is described with."""
    ((where, text),) = codec.describe(codec.parse(body))
    assert where == ""
    return text


def plain_octets(codec: Codec[Any]) -> None:
    """A payload whose body is its data, an octet at least, shown as far as fits on a line."""
    octets = bytes(range(256)) * 4
    for size in (1, 1024):
        assert codec.parse(octets[:size]) == Octets(octets[:size])
        assert codec.build(Octets(octets[:size])) == octets[:size]
    refused(codec, b"")
    unbuildable(codec, Octets(b""))
    assert shown(codec, b"\xa5" * 8) == "data " + "a5" * 8
    assert shown(codec, b"\xa5" * 64) == "data " + "a5" * 32 + "... (64 octets)"
