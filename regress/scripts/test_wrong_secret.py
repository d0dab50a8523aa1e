"""A secret that differs, as both ends tell it: in each mode, with each kind of key, in every view.

Each names the secret and the line that it came from, and nobody is sent to compare proposals.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, cast

import pytest

from fifo_ui import explain, render
from fifo_ui.client import Client, ControlError
from fifo_ui.up import Wait
from isakmp.constants import isakmp
from isakmp.exchange.candidates import leaves
from isakmp.message import HEADER_SIZE, Header, build_payloads
from isakmp.scripts.ikev1.informational import notify_payload
from regress.pair import Host, Network, Packet
from regress.policy.test_who import (
    EAST,
    GATEWAY,
    KEYS,
    METHODS,
    Caller,
    Situation,
    caller_text,
)

SECRETS = ("Authentication", "secret")
PROPOSALS = ("Transforms", "proposals of both ends", "Suites")


@dataclass
class Asking:
    """isakmpctl at a host of the network: it asks the daemon itself, and time is the network's."""

    net: Network
    host: Host
    timeout_s: float = 60.0

    def ask(self, command: str) -> Any:
        return self.host.daemon.status() if command == "S" else None

    def clock(self) -> float:
        return self.net.now

    def sleep(self, seconds: float) -> None:
        self.net.run(seconds)


def negotiate(method: str, own: bool) -> tuple[Network, Host, Host]:
    """A gateway with a key of the peer's section, or of its identity, and a peer with neither."""
    main = method == "main"
    s = Situation(method, True, main or not own, own, True, "")
    net = Network()
    gateway = net.add(GATEWAY, s.text())
    caller = net.add(EAST, caller_text(method, Caller(EAST, "east.example", "wrong")))
    net.start()
    return net, gateway, caller


def up(net: Network, host: Host, connection: str) -> str:
    """What `isakmpctl up --wait` says in the end."""
    asking = cast("Client", Asking(net, host))
    with pytest.raises(ControlError) as failed:
        Wait(asking, connection, 150.0, lambda _: None).run()
    return f"{failed.value}\n{failed.value.mend}"


def views(host: Host) -> dict[str, str]:
    """The last failure as outcomes, connections and explain show it."""
    status = host.daemon.status()
    reasons = [row["reason"] for row in status["connections"] if row["reason"]]
    shown = {
        "outcomes": render.outcomes(status["outcomes"]),
        "explain": explain.text(explain.failures(status["outcomes"], None), None),
    }
    return shown | {"connections": render.connections(status["connections"])} if reasons else shown


@pytest.mark.parametrize(("method", "own"), [*product(METHODS, (True, False))])
def test_both_ends_name_the_secret_and_its_line(method: str, own: bool) -> None:
    net, gateway, caller = negotiate(method, own)
    text = {"up": up(net, caller, "c")}
    net.run(150)
    assert not gateway.rows(1) and not caller.rows(1)
    for host, section in ((gateway, "east" if own else "east.example"), (caller, "gateway")):
        text |= views(host)
        for view, shown in text.items():
            assert any(word in shown for word in SECRETS), (view, shown)
            assert not any(word in shown for word in PROPOSALS), (view, shown)
        reason = host.outcomes[-1]["reason"]
        if reason["cause"] == "authentication-failed":
            assert f"[{section}]:Authentication" in reason["line"]
        text = {}
    causes = {host.outcomes[-1]["reason"]["cause"] for host in (gateway, caller)}
    assert "authentication-failed" in causes


@pytest.mark.parametrize("method", ["main", "aggressive"])
@pytest.mark.parametrize("says", [True, False], ids=["says so", "says nothing"])
def test_a_peer_that_was_started_anew_with_another_secret(method: str, says: bool) -> None:
    """Quick mode under the ISAKMP SA that it has lost is not answered: nobody is sent to compare
    selectors, and the new phase 1 tells."""
    net = Network()
    s = Situation(method, True, True, True, True, "")
    gateway = net.add(GATEWAY, s.text())
    caller = net.add(EAST, caller_text(method, Caller(EAST, "east.example", "own")))
    net.start()
    net.run(5)
    net.kill(gateway)
    anew = net.add(GATEWAY, s.text().replace(KEYS["own"], KEYS["wrong"]), seed=2)
    anew.daemon.start()
    if not says:
        net.lose = silent
    caller.daemon.teardown("c", 2)
    net.run(1)
    caller.daemon.connect("c")
    text = {"up": up(net, caller, "c")} | views(caller)
    failed = [o["reason"] for o in caller.outcomes if not o["ok"]]
    quick = next(reason for reason in failed if "of quick mode" in reason["detail"])
    assert "the peer was started anew and has lost this SA" in quick["means"][0]
    assert not any("selectors of both ends" in shown for shown in text.values())
    assert any(word in text["up"] for word in SECRETS), text["up"]


def silent(packet: Packet) -> bool:
    """Whether it is a notify in clear, which many peers do not send."""
    return packet.data[18] == isakmp.Exchange.INFO


@pytest.mark.parametrize(("method", "role"), [("main", "caller"), ("aggressive", "gateway")])
def test_a_peer_that_says_nothing_may_have_another_secret(method: str, role: str) -> None:
    """Many peers are silent to what they cannot decrypt or do not believe."""
    net, gateway, caller = negotiate(method, own=True)
    net.lose = silent
    net.run(150)
    reason = {"caller": caller, "gateway": gateway}[role].outcomes[-1]["reason"]
    assert reason["cause"] == "timeout"
    assert "Authentication" in reason["mend"]
    assert any("secrets of both ends differ" in line for line in reason["means"])


@pytest.mark.parametrize(
    ("notify", "means"),
    [
        (isakmp.Notify.NO_PROPOSAL_CHOSEN, "no secret for us"),
        (isakmp.Notify.INVALID_KEY_INFORMATION, "no secret for us"),
        (isakmp.Notify.AUTHENTICATION_FAILED, "secrets of both ends differ"),
    ],
)
def test_what_a_peer_says_once_it_has_chosen_is_not_of_proposals(notify: int, means: str) -> None:
    net, _, caller = negotiate("main", own=True)
    net.lose = silent
    net.pump()
    (begun,) = caller.daemon.engine.exchanges.values()
    (exchange,) = leaves(begun)
    kind, value = notify_payload(notify)
    first, chain = build_payloads(1, [(kind, value)])
    header = Header(exchange.cky_i, exchange.cky_r, first, 1, 0, isakmp.Exchange.INFO, 0, 7,
                    HEADER_SIZE + len(chain))  # fmt: skip
    caller.receive(net.history[1]._replace(data=header.pack() + chain))
    net.run(60)
    reason = caller.outcomes[0]["reason"]
    assert any(means in line for line in reason["means"])
    assert "Authentication" in reason["mend"]
    assert "[gateway]:Authentication" in reason["line"]
