"""Additional key exchanges: both ends have the same SK(n), one method after the other."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from isakmp.constants import ikev2
from isakmp.errors import Refused
from isakmp.event.worker import HERE
from isakmp.exchange.script import Incoming, Outgoing
from isakmp.message import build_payloads, parse_payloads
from isakmp.payloads.ikev2 import FAMILY
from isakmp.payloads.ikev2.ke import KeValue
from isakmp.scripts.ikev2 import additional
from isakmp.scripts.ikev2.additional import Additional
from regress.scripts.ikev2.pairs import pair, sa_of

P, Notify = ikev2.Payload, ikev2.Notify
X25519, ECP_256 = 31, 19


class End:
    """What of an exchange counts here."""

    def __init__(self, initiator: bool) -> None:
        self.initiator, self.host = initiator, self
        self.work, self.random = HERE, lambda size: bytes(range(1, size + 1))


def done(step: Generator[Any, Any, Any]) -> None:
    """Take a step to its end; each of its jobs is done at once."""
    answer: Any = None
    try:
        job = next(step)
        while True:
            assert job.done and job.error is None
            answer = job.result
            job = step.send(answer)
    except StopIteration:
        return


def over_the_wire(message: Outgoing) -> Incoming:
    """The same message as the other end sees it."""
    first, chain = build_payloads(2, message.payloads)
    payloads, end = parse_payloads(2, first, chain)
    path: Any = None
    return Incoming(None, FAMILY, payloads, chain, end, path, 28)


def exchange(ours: Additional, theirs: Additional) -> None:
    """One request and its answer."""
    west: Any = End(True)
    east: Any = End(False)
    for sender, sends, taker, takes in ((west, ours, east, theirs), (east, theirs, west, ours)):
        message = Outgoing()
        done(additional.send(sender, sends, message))
        assert [kind for kind, _ in message.payloads] == [P.KE]
        assert message.payloads[0][1].group == sends.methods[0]
        done(additional.recv(taker, takes, over_the_wire(message)))


def test_each_method_has_its_turn_and_makes_one_secret() -> None:
    methods = (X25519, ECP_256)
    ours, theirs = Additional(methods), Additional(methods)
    secrets = []
    for size in (32, 32):
        exchange(ours, theirs)
        mine, other = ours.take_secret(), theirs.take_secret()
        assert mine == other and len(mine) == size
        secrets.append(mine)
    assert secrets[0] != secrets[1]
    assert ours.methods == theirs.methods == ()


def test_a_secret_is_taken_once_and_nothing_of_it_is_left() -> None:
    ours, theirs = Additional((X25519,)), Additional((X25519,))
    exchange(ours, theirs)
    assert ours.take_secret()
    assert (ours.secret, ours.ke_peer, ours.key_pair) == (b"", b"", None)
    assert ours == Additional()


def test_a_secret_is_in_no_text() -> None:
    assert "5ec3e7" not in repr(Additional((X25519,), secret=bytes.fromhex("5ec3e7")))
    assert b"secret!" not in repr(Additional(secret=b"secret!")).encode()


def test_another_method_than_the_one_whose_turn_it_is_is_refused() -> None:
    """RFC 9370 2.2.2."""
    message = Outgoing()
    message.add(P.KE, KeValue(ECP_256, bytes(64)))
    end: Any = End(False)
    with pytest.raises(Refused) as caught:
        done(additional.recv(end, Additional((X25519, ECP_256)), over_the_wire(message)))
    assert caught.value.notify == Notify.INVALID_SYNTAX
    reason = caught.value.reason
    assert (reason.cause, reason.came, reason.acceptable) == (
        "invalid-key-exchange", "ECP_256", "CURVE25519",
    )  # fmt: skip


def test_two_daemons_use_each() -> None:
    _, west, east = pair("IKE-proposals= aes128-sha256-x25519-ke1_ecp256")
    assert west.rows(1)[0]["additional"] == ["ECP_256"]
    assert sa_of(west).keys.sk == sa_of(east).keys.sk
