"""Coverage-guided fuzzing of captures: ``python -m regress.fuzz.fuzz_capture [dir]``.

Takes libFuzzer's options, e.g. ``-runs=100000``. The input is a capture file; the keys are those
of the handshake that regress/decode/test_ikev1.py makes up.
"""

from __future__ import annotations

import io
import json
import sys

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["isakmp", "fifo_ui"]):
    from fifo_ui import dump
    from isakmp.capture import Damage, read_datagrams, read_frames
    from isakmp.decode import Decoder
    from isakmp.keytable import KeyTable

from regress.decode.test_ikev1 import CKY_I, KEY


def try_one(data: bytes) -> None:
    """Whatever is in a file is shown, as a message or as damage."""
    keys = KeyTable()
    keys.ikev1[CKY_I] = KEY
    decoder = Decoder(keys)
    for item in read_datagrams(read_frames(io.BytesIO(data))):
        if isinstance(item, Damage):
            json.dumps(dump.damage_dict(item))
            assert dump.damage_text(item)
            continue
        for decoded in decoder.decode(item):
            json.dumps(dump.message_dict(decoded))
            assert all(line.isprintable() for line in dump.message_text(decoded).splitlines())


def main() -> None:
    """Fuzz until the options say that it is enough."""
    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
