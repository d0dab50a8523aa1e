"""Coverage-guided fuzzing of the message parser: ``python -m regress.fuzz.fuzz_message [dir]``.

Takes libFuzzer's options, e.g. ``-runs=100000``. The input is a message whose length field is put
right, as random lengths would end nearly every try in the header.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["isakmp"]):
    from isakmp import payloads
    from isakmp.errors import MalformedPayload
    from isakmp.message import HEADER_SIZE, Message, split
    from isakmp.payloads.base import Misfit


def try_one(data: bytes) -> None:
    """A message is read or malformed; what was read is built and shown."""
    assert b"".join(split(data)) == data
    if len(data) < HEADER_SIZE:
        return
    data = data[:24] + len(data).to_bytes(4, "big") + data[HEADER_SIZE:]
    try:
        message = Message.parse(data)
    except MalformedPayload as error:
        assert 0 <= error.offset <= len(data)
        assert error.path and error.reason
        return
    message.dump()
    message.to_dict()
    if message.header.major == 1:  # IKEv2 ignores reserved octets, so they are not kept
        assert message.build() == data
    for payload in message.payloads:
        codec = payloads.codec(message.header.major, payload.type)
        if codec and codec.twin:
            for body in (payload.body, payload.body[:-1]):
                assert _outcome(codec.twin.parse, body) == _outcome(codec.specify, body)


def _outcome(parse: Callable[[bytes], object], body: bytes) -> object:
    """The value, or where the body does not fit."""
    try:
        return parse(body)
    except Misfit as error:
        return error.where, error.at


def main() -> None:
    """Fuzz until the options say that it is enough."""
    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
