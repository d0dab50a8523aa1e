"""ESP packets of one SA: numbers, padding and the trailer. RFC 4303 2 and 3."""

from __future__ import annotations

import random as pseudo

import pytest

from isakmp.app.engine.drop import Drop, Dropped
from isakmp.app.engine.esp import Opener, Sealer
from isakmp.app.engine.replay import Replay
from isakmp.app.engine.transform import bind
from regress.app.engine.pair import make_spec

RANDOM = pseudo.Random(5).randbytes


@pytest.mark.parametrize("esn", [False, True])
def test_a_number_that_was_seen_is_not_worth_the_icv(
    esn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 4303 3.4.3: that goes first, so that old packets cost little."""
    spec = make_spec(inbound=True, esn=esn)
    seal = Sealer(bind(spec, RANDOM), esn)
    transform = bind(spec, RANDOM)
    opener = Opener(transform, Replay(64, esn))
    packets = [seal(b"payload", 17) for _ in range(100)]
    for number in (1, 60, 100):
        opener(packets[number - 1], number)
    monkeypatch.setattr(opener, "_open", None)
    # With ESN what is too old is taken for one of the next 2**32.
    for number in (60, 100) if esn else (0, 1, 36, 60, 100):
        with pytest.raises(Dropped) as caught:
            opener(packets[number - 1][:-1] + b"?", number)
        assert caught.value.kind is Drop.REPLAY
    monkeypatch.undo()
    for number in (37, 61, 99):
        assert opener(packets[number - 1], number) == (b"payload", 17)


def test_bad_padding_is_dropped_after_the_icv() -> None:
    """RFC 4303 2, 3.3 and 3.4."""
    spec = make_spec(inbound=True)
    transform = bind(spec, RANDOM)
    for plaintext in (b"data\x01\x03\x03\x03\x04", b"da\xff\x04", b"datadat\x00\x01\x04"):
        packet = transform.seal(1, plaintext)
        with pytest.raises(Dropped) as caught:
            Opener(transform, Replay(64))(packet, 1)
        assert caught.value.kind is Drop.PADDING


def test_numbers_end() -> None:
    for esn, last in ((False, 2**32 - 1), (True, 2**64 - 1)):
        seal = Sealer(bind(make_spec(inbound=False, esn=esn), RANDOM), esn)
        seal.sequence = last - 1
        assert seal(b"last", 4)[4:8] == b"\xff\xff\xff\xff"
        with pytest.raises(Dropped) as caught:
            seal(b"one more", 4)
        assert caught.value.kind is Drop.SEQUENCE
