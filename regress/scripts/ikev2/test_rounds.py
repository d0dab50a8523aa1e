"""An exchange of several rounds: each request has a message ID of its own (RFC 7296 2.2)."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from isakmp.constants import ikev2
from isakmp.exchange.exchange import ExchangeOf
from isakmp.exchange.script import END, PROTECTED, SWITCH, Incoming, Outgoing, Script, Verdict
from isakmp.payloads import ikev2 as codecs
from isakmp.scripts.ikev2 import common, receive
from regress.pair import Host, Network, Packet, connected
from regress.scripts.ikev2.pairs import pair, sa_of

P = ikev2.Payload
TYPE, ROUNDS = 240, 3


@dataclass
class Rounds:
    """heard: the message IDs of what came."""

    sent: int = 0
    heard: list[int] = field(default_factory=list)


X = ExchangeOf[Rounds]


def send_round(x: X, message: Outgoing) -> Verdict | None:
    x.state.sent += 1
    common.add_notify(message, 40960, bytes([x.state.sent]))
    return Verdict.AGAIN if not x.initiator and x.state.sent < ROUNDS else None


def recv_round(x: X, message: Incoming) -> Verdict | None:
    (notify,) = message.values(codecs.NOTIFY)
    assert notify.data == bytes([len(x.state.heard) + 1])
    x.state.heard.append(message.header.message_id)
    return Verdict.AGAIN if x.initiator and len(x.state.heard) < ROUNDS else None


SCRIPT = Script("rounds", TYPE, (send_round, recv_round), (recv_round, send_round),
                (PROTECTED, P.NOTIFY, SWITCH, PROTECTED, P.NOTIFY, END), Rounds)  # fmt: skip


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> tuple[Network, Host, Host]:
    monkeypatch.setitem(receive.SCRIPTS, TYPE, SCRIPT)
    return pair()


def begin(west: Host) -> X:
    engine, sa = west.daemon.engine, sa_of(west)
    return engine.initiate(engine.dialects["ikev2"], SCRIPT, sa.remote, sa.path, sa=sa)


def test_each_request_has_its_message_id(ends: tuple[Network, Host, Host]) -> None:
    net, west, east = ends
    mine = begin(west)
    first = mine.message_id
    net.run(1)
    assert mine.finished.error is None
    assert mine.finished.done
    assert mine.state.heard == [first, first + 1, first + 2]
    west.daemon.connections.rekey(west.daemon.sas.all_children()[0])
    net.run(5)
    assert west.reasons() == east.reasons() == []
    assert connected(west)


@pytest.mark.parametrize("lost", range(2 * ROUNDS))
def test_what_is_lost_is_repeated(ends: tuple[Network, Host, Host], lost: int) -> None:
    net, west, east = ends
    mark = len(net.history)

    def lose(packet: Packet) -> bool:
        return len(net.history) == mark + lost + 1

    net.lose = lose
    mine = begin(west)
    net.run(10)
    assert mine.finished.done
    assert len(mine.state.heard) == ROUNDS
    assert not east.daemon.engine.exchanges
