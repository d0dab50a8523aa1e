"""Errors in IKE_AUTH and behind it, said and heard in both roles: RFC 7296 2.21.2 and 2.21.3."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.constants import ikev2
from isakmp.payloads.ikev2.id import IdValue
from isakmp.sa import State
from isakmp.scripts.ikev2 import common
from isakmp.scripts.ikev2.informational import delete_ike, tell
from regress.pair import Host, Network, connected
from regress.scripts.changed import change_sent
from regress.scripts.ikev2.pairs import SPOKEN, gateways, kinds, pair, sa_of
from regress.scripts.ikev2.test_hostile import forge, opened, send

P, Notify = ikev2.Payload, ikev2.Notify
WHO = pytest.mark.parametrize("who", ["west", "east"])
FATAL = [Notify.AUTHENTICATION_FAILED, Notify.INVALID_SYNTAX, Notify.UNSUPPORTED_CRITICAL_PAYLOAD]
# Of the child SA or of the configuration that was asked for along with it.
IN_PART = [
    Notify.NO_PROPOSAL_CHOSEN, Notify.TS_UNACCEPTABLE, Notify.SINGLE_PAIR_REQUIRED,
    Notify.NO_ADDITIONAL_SAS, Notify.INTERNAL_ADDRESS_FAILURE, Notify.FAILED_CP_REQUIRED,
    Notify.TEMPORARY_FAILURE, Notify.INVALID_SELECTORS,
]  # fmt: skip


def notify(number: int, data: bytes = b"") -> tuple[int, Any]:
    return P.NOTIFY, common.notify_value(number, data)


def began() -> tuple[Network, Host, Host]:
    net = Network()
    west, east = (net.host(gateway) for gateway in gateways())
    net.start()
    return net, west, east


def quiet(*hosts: Host) -> None:
    """What should be up does not begin anew: the end of one attempt is looked at."""
    for host in hosts:
        host.daemon.connections.settings.active = False


# --- as initiator ----------------------------------------------------------------------------


def spoil_auth(x: Any, message: Any) -> None:
    """A responder that cannot know the secret."""
    if x.script.name == "IKE_AUTH" and not x.initiator:
        message.payloads = [
            (kind, value._replace(data=bytes(len(value.data))) if kind == P.AUTH else value)
            for kind, value in message.payloads
        ]


def other_identity(x: Any, message: Any) -> None:
    if x.script.name == "IKE_AUTH" and not x.initiator:
        at = next(i for i, (kind, _) in enumerate(message.payloads) if kind == P.IDR)
        message.payloads[at] = P.IDR, IdValue(2, b"mallory")


def bad_id(x: Any, message: Any) -> None:
    if x.script.name == "IKE_AUTH" and not x.initiator:
        at = next(i for i, (kind, _) in enumerate(message.payloads) if kind == P.AUTH)
        message.payloads[at] = P.AUTH, b"\2"


@pytest.mark.parametrize(
    ("change", "said", "cause"),
    [
        (spoil_auth, Notify.AUTHENTICATION_FAILED, "authentication-failed"),
        (other_identity, Notify.AUTHENTICATION_FAILED, "authentication-failed"),
        (bad_id, Notify.INVALID_SYNTAX, "malformed-message"),
    ],
)
def test_an_initiator_that_refuses_the_responder_says_so_and_both_end(
    change: Any, said: int, cause: str
) -> None:
    """RFC 7296 2.21.2: by an INFORMATIONAL of its own."""
    net, west, east = began()
    heard: list[int] = []
    change_sent(east, change, 2)
    change_sent(west, lambda x, m: heard.extend(
        v.notify for k, v in m.payloads if k == P.NOTIFY and x.script.name == "INFORMATIONAL"
    ), 2)  # fmt: skip
    net.run(1.2)
    assert kinds(net.history)[-2:] == ["INFORMATIONAL", "INFORMATIONAL'"]
    assert heard[0] == said
    assert west.reasons() == [cause]
    assert not west.rows(1) + west.rows(2) + east.rows(1) + east.rows(2)
    assert not west.app.sas and not east.app.sas and not west.app.larval + east.app.larval


# --- as responder ----------------------------------------------------------------------------


@pytest.mark.parametrize("number", FATAL)
@pytest.mark.parametrize("with_delete", [False, True])
def test_a_responder_that_is_refused_ends_and_tells_why(number: int, with_delete: bool) -> None:
    """RFC 7296 2.21.2: in the INFORMATIONAL that follows IKE_AUTH, with a Delete or without."""
    net, west, east = began()
    net.pump()
    quiet(west, east)
    items: list[Any] = [notify(number, b"\x35" * (number == Notify.UNSUPPORTED_CRITICAL_PAYLOAD))]
    (answer,) = send(net, west, east, forge(west, items + [delete_ike()] * with_delete))
    assert opened(west, answer) == b"", "an answer, and nothing to say"
    assert not east.rows(1) + east.rows(2) and not east.app.sas
    reason = next(o["reason"] for o in east.outcomes if not o["ok"])
    assert (reason["cause"], reason["came"]) == ("peer-refused", Notify(number).name)
    assert reason["mend"]


@pytest.mark.parametrize(
    ("number", "ends"), [(FATAL[0], True), (FATAL[1], True), (FATAL[2], False)]
)
@WHO
def test_later_only_what_is_fatal_everywhere_ends_it(number: int, ends: bool, who: str) -> None:
    """RFC 7296 2.21: authentication failures and what could not be read."""
    net, west, east = pair()
    quiet(west, east)
    one, other = (west, east) if who == "west" else (east, west)
    one.daemon.engine.dialects["ikev2"].probe(one.daemon.engine, sa_of(one), 1)
    net.pump()
    sa = sa_of(other)
    tell(one.daemon.engine, one.daemon.engine.dialects["ikev2"], sa_of(one), [notify(number)])
    net.pump()
    assert (sa.state is State.DEAD) is ends
    assert Notify(number).name in other.said
    assert ("peer-refused" in other.reasons()) is ends


@WHO
@pytest.mark.parametrize("number", sorted({*Notify} - {*FATAL, Notify.INVALID_MESSAGE_ID}))
def test_no_other_notify_in_a_request_of_its_own_changes_the_sas(number: int, who: str) -> None:
    """RFC 7296 2.21.3, 2.21.4: it is told where it is an error."""
    net, west, east = pair()
    one, other = (west, east) if who == "west" else (east, west)
    before = list(other.daemon.sas.isakmp), list(other.daemon.sas.children)
    tell(one.daemon.engine, one.daemon.engine.dialects["ikev2"], sa_of(one), [notify(number)])
    net.run(1)
    assert (list(other.daemon.sas.isakmp), list(other.daemon.sas.children)) == before
    assert (Notify(number).name in other.said) is (number < common.STATUS)


# --- the child SA along with IKE_AUTH --------------------------------------------------------


def instead_of_the_child(number: int) -> Any:
    def change(x: Any, message: Any) -> None:
        if x.script.name == "IKE_AUTH" and not x.initiator:
            kept = (P.IDR, P.AUTH)
            message.payloads = [p for p in message.payloads if p[0] in kept] + [notify(number)]

    return change


@pytest.mark.parametrize("number", IN_PART)
def test_a_child_sa_that_is_refused_leaves_the_ike_sa(number: int) -> None:
    """RFC 7296 1.2, 2.21.2: and is told."""
    net, west, east = began()
    change_sent(east, instead_of_the_child(number), 2)
    net.pump()
    assert connected(west, children=0)
    (reason,) = [o["reason"] for o in west.outcomes if not o["ok"]]
    assert (reason["cause"], reason["came"]) == ("peer-refused", Notify(number).name)
    assert reason["offered"] and reason["line"] and reason["mend"]
    assert not west.app.larval


@pytest.mark.parametrize("number", FATAL)
@pytest.mark.parametrize("childless", ["", "Childless= force"])
def test_a_responder_may_prove_itself_and_refuse_us(number: int, childless: str) -> None:
    """RFC 7296 2.21.2: these three are no matter of the child SA."""
    net = Network()
    west, east = (net.host(gateway) for gateway in gateways(childless))
    change_sent(east, instead_of_the_child(number), 2)
    net.start()
    net.pump()
    assert not west.rows(1) + west.rows(2)
    assert [o["reason"]["came"] for o in west.outcomes if not o["ok"]] == [Notify(number).name]


# --- answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [*FATAL, Notify.INVALID_SPI, Notify.TEMPORARY_FAILURE])
def test_an_error_in_an_answer_is_told(number: int) -> None:
    """RFC 7296 2.21.3: every request with an error has an answer that says which."""
    net, west, east = pair()
    quiet(west, east)
    sa = sa_of(west)

    def refuse(x: Any, message: Any) -> None:
        if x.script.name == "INFORMATIONAL" and not x.initiator:
            message.payloads.append(notify(number))

    change_sent(east, refuse, 2)
    west.daemon.engine.dialects["ikev2"].probe(west.daemon.engine, sa, 1)
    net.pump()
    ends = number in (Notify.AUTHENTICATION_FAILED, Notify.INVALID_SYNTAX)
    assert (sa.state is State.DEAD) is ends
    assert [o["reason"]["came"] for o in west.outcomes if not o["ok"]] == [Notify(number).name]


@pytest.mark.parametrize("named", [False, True], ids=["address", "FQDN"])
def test_who_is_asked_to_be_another_is_told_whom(named: bool) -> None:
    """IDr of IKE_AUTH, where ours is an address, or another name."""
    expected = "Remote-ID= other\n[other]\nID-type= FQDN\nName= other.example"
    own = "ID= us\n[us]\nID-type= FQDN\nName= east.example" if named else ""
    net, _, east = pair(
        west={"peer_tags": f"{SPOKEN}\n{expected}"}, east={"peer_tags": f"{SPOKEN}\n{own}"}
    )
    net.run(5)
    reason = next(o["reason"] for o in east.outcomes if not o["ok"])
    told = " ".join(str(value) for value in reason.values())
    ours = "FQDN east.example" if named else "IPV4_ADDR 192.0.2.2"
    assert "FQDN other.example" in told and ours in told
    assert "Remote-ID" in reason["mend"] and not east.rows(1)
