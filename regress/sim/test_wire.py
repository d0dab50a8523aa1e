"""The eye on the wire: one message ID is for one request, unless several answers are followed."""

from __future__ import annotations

import pytest

from isakmp.constants import ikev2
from isakmp.message import parse_header
from regress.sim.wire import INITIATOR, RESPONSE, SPIS, MessageIds

AUTH, INIT = int(ikev2.Exchange.IKE_AUTH), int(ikev2.Exchange.IKE_SA_INIT)
SK, SA = int(ikev2.Payload.SK), int(ikev2.Payload.SA)


def message(kind: int, flags: int, first: int, number: int, body: bytes) -> bytes:
    """Between two SPIs that are always the same."""
    size = (28 + len(body)).to_bytes(4, "big")
    head = bytes((first, 0x20, kind, flags)) + number.to_bytes(4, "big") + size
    return bytes(range(1, SPIS.stop + 1)) + head + body


def request(iv: int, rest: bytes) -> bytes:
    return message(AUTH, INITIATOR, SK, 1, bytes(4) + iv.to_bytes(8, "big") + rest)


def said(ids: MessageIds, *messages: bytes) -> list[str]:
    return [ids.sent(parse_header(one), one) for one in messages]


@pytest.mark.parametrize("answers", [0, 1, 2, 3])
def test_as_many_requests_as_answers_that_may_be_followed(answers: int) -> None:
    ids = MessageIds(1)
    for number in range(answers):
        for _ in range(2):
            ids.answered(message(INIT, RESPONSE, SA, 0, bytes([number])))
    found = said(ids, *(request(iv, b"") for iv in (1, 2, 3, 1)))
    wrong = "message ID 1 serves for another request"
    allowed = max(1, answers)
    # What is sent again is nothing new, but of what had to have another number.
    assert found == [wrong if index >= allowed else "" for index in range(3)] + [
        wrong if answers < 3 else ""
    ]


def test_no_iv_serves_twice() -> None:
    ids = MessageIds(1)
    for number in range(2):
        ids.answered(message(INIT, RESPONSE, SA, 0, bytes([number])))
    assert said(ids, request(1, b"one"), request(1, b"two"))[1]


def test_an_answer_is_one() -> None:
    ids = MessageIds(1)
    for number in range(2):
        ids.answered(message(INIT, RESPONSE, SA, 0, bytes([number])))
    made = (message(AUTH, RESPONSE, SK, 1, bytes(4) + bytes([iv]) * 8) for iv in (1, 2))
    assert said(ids, *made)[1] == "message ID 1 serves for another answer"
