"""What a peer may name in a Delete, in both versions: RFC 2408 3.15, RFC 7296 1.4.1 and 3.11."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from isakmp.constants import DOI_IPSEC, ikev2, isakmp
from isakmp.errors import Reason, Refused
from isakmp.keeper.rivals import GRACE_S
from isakmp.log.log import LogClass
from isakmp.payloads.delete import DeleteValue
from isakmp.payloads.ikev2.delete import DeleteValue as DeleteValue2
from isakmp.sa import ChildSa, State
from isakmp.scripts.ikev2 import rekey, sealing
from regress.pair import Host, Network, agree, both, connected

VERSIONS = pytest.mark.parametrize("version", [1, 2])
WHO = pytest.mark.parametrize("who", [0, 1], ids=["initiator", "responder"])
P2, N = ikev2.Payload, ikev2.Notify
Named = tuple[int, list[bytes]]


def pair(version: int) -> tuple[Network, Host, Host]:
    net = Network()
    west, east = both(peer_tags=f"Key-exchange= ikev{version}\n")
    hosts = net.host(west), net.host(east)
    net.start()
    net.run(3)
    return net, *hosts


def child_of(host: Host) -> ChildSa:
    (child,) = host.daemon.sas.all_children()
    return child


def say(host: Host, version: int, *named: Named) -> None:
    """A Delete payload for each protocol and its SPIs, in one message."""
    (sa,) = host.daemon.sas.isakmp.values()
    kind = int((ikev2 if version == 2 else isakmp).Payload.DELETE)
    items: list[tuple[int, Any]] = [
        (kind, DeleteValue(DOI_IPSEC, protocol, tuple(spis)))
        for protocol, spis in named
    ]  # fmt: skip
    dialect: Any = host.daemon.engine.dialects[f"ikev{version}"]
    dialect.tell(host.daemon.engine, sa, items)


def halves(child: ChildSa) -> tuple[bytes, bytes]:
    first = child.protocols[0]
    return first.spi_in.to_bytes(4, "big"), first.spi_out.to_bytes(4, "big")


@VERSIONS
@WHO
@pytest.mark.parametrize("gone", [True, False])
def test_a_peer_that_names_the_wrong_half_is_told_of(version: int, who: int, gone: bool) -> None:
    """RFC 2408 3.15, RFC 7296 1.4.1: the SPI is that of who deletes. Whether it has deleted the
    pair shows when it is asked for another one."""
    net, *hosts = pair(version)
    one, other = hosts[who], hosts[1 - who]
    net.run(GRACE_S)
    (theirs, wrong), old = halves(child_of(one)), child_of(other)
    if gone:
        one.daemon.keeper.children.delete_child(child_of(one), tell=False)
    say(one, version, (3, [wrong]))
    net.run(90)
    (reason,) = [o["reason"] for o in other.outcomes if _cause(o) == "wrong-spi"]
    assert (reason["came"], reason["acceptable"]) == (f"0x{wrong.hex()}", f"0x{theirs.hex()}")
    assert "by the SPI that it sends with" in other.said
    assert old not in other.daemon.sas.all_children()
    assert connected(one) and connected(other)
    agree(one, other)


def _cause(outcome: dict[str, Any]) -> str:
    return str(outcome["reason"]["cause"]) if outcome["reason"] else ""


@VERSIONS
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("wrong_first", [False, True])
def test_a_peer_may_name_both_halves(version: int, apart: bool, wrong_first: bool) -> None:
    net, west, east = pair(version)
    spis = list(halves(child_of(west)))
    if wrong_first:
        spis.reverse()
    gone = child_of(east)
    say(west, version, *([(3, [spi]) for spi in spis] if apart else [(3, spis)]))
    net.pump()
    assert gone not in east.daemon.sas.all_children()
    if not (apart and version == 2):
        assert east.reasons() == []


@pytest.mark.parametrize(("version", "protocol"), [(1, 1), (1, 2), (1, 3), (1, 4), (2, 2), (2, 3)])
def test_an_spi_of_nothing_deletes_nothing_and_is_told(version: int, protocol: int) -> None:
    net, west, east = pair(version)
    east.daemon.log.set_level(LogClass.SA, 20)
    spi = bytes.fromhex("0102030405060708090a0b0c0d0e0f10") if protocol == 1 else b"\1\2\3\4"
    say(west, version, (protocol, [spi]))
    net.run(1)
    assert connected(west) and connected(east)
    assert f"deletes what nobody has: {spi.hex()}" in east.said


@VERSIONS
def test_the_child_sa_of_another_is_not_a_peers_to_delete(version: int) -> None:
    net, west, east = pair(version)
    spis = list(halves(child_of(west)))
    kept = child_of(east)
    kept.peer = (("north", *kept.peer[0][1:]), None)
    kept.parent = None
    say(west, version, (3, spis))
    net.pump()
    assert kept in east.daemon.sas.all_children()


# --- in answers ------------------------------------------------------------------------------

ANSWERS = ["to a probe", "to a rekeying of the IKE SA", "with a refusal"]


def ask(one: Host, other: Host, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request of ``one``, whose answer is of that kind."""
    (sa,) = one.daemon.sas.isakmp.values()
    dialect: Any = one.daemon.engine.dialects["ikev2"]
    if kind == "to a probe":
        dialect.probe(one.daemon.engine, sa, 1)
    elif kind == "to a rekeying of the IKE SA":
        one.daemon.keeper.rekey_sa(sa)
    else:
        refusal = Refused(Reason("temporary-failure", "of the test"), N.TEMPORARY_FAILURE)
        monkeypatch.setattr(rekey, "check_child_request", Mock(side_effect=refusal))
        one.daemon.connections.rekey(child_of(one))


def answers_with(monkeypatch: pytest.MonkeyPatch, host: Host, *named: Named) -> None:
    """Its next answer of IKEv2, whatever it is, holds these Deletes, too."""
    left = [(P2.DELETE, DeleteValue2(protocol, tuple(spis))) for protocol, spis in named]
    seal: Any = sealing.seal

    def sealed(x: Any, items: list[Any], protected: bool) -> Any:
        if x.host is not host.daemon.engine or x.initiator:
            return seal(x, items, protected)
        beside = left[:]
        left.clear()
        return seal(x, [*items, *beside], protected)

    monkeypatch.setattr(sealing, "seal", sealed)


@WHO
@pytest.mark.parametrize("kind", ANSWERS)
def test_a_delete_counts_in_any_answer(
    kind: str, who: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 7296 1.4.1 and C.6: who answers may delete, too; our half goes in a request of ours."""
    net, *hosts = pair(2)
    one, other = hosts[who], hosts[1 - who]
    old, theirs = child_of(one), child_of(other)
    answers_with(monkeypatch, other, (3, [halves(theirs)[0], b"\1\2\3\4"]))
    ask(one, other, kind, monkeypatch)
    net.pump()
    assert old.state is State.DEAD and theirs.state is State.DEAD
    assert "deleted by the peer" in one.said
    monkeypatch.undo()
    net.run(30)
    assert connected(one) and connected(other)
    agree(one, other)


@WHO
@pytest.mark.parametrize("with_child", [False, True])
def test_an_answer_may_delete_the_ike_sa(
    who: int, with_child: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 7296 1.4.1 and C.6."""
    net, *hosts = pair(2)
    one, other = hosts[who], hosts[1 - who]
    (sa,), old = one.daemon.sas.isakmp.values(), child_of(one)
    named = [(3, [halves(child_of(other))[0]])] if with_child else []
    answers_with(monkeypatch, other, *named, (1, []))
    (theirs,) = other.daemon.sas.isakmp.values()
    ask(one, other, "to a probe", monkeypatch)
    net.pump()
    other.daemon.keeper.delete_sa(theirs, tell=False)
    assert sa.state is State.DEAD and old.state is State.DEAD
    net.run(30)
    assert connected(one) and connected(other)
    agree(one, other)


def test_the_answer_to_our_own_delete_is_no_news() -> None:
    """RFC 7296 1.4.1: it names the other half of the pair."""
    net, west, east = pair(2)
    west.daemon.log.set_level(LogClass.SA, 20)
    west.daemon.keeper.children.delete_child(child_of(west))
    net.run(1)
    assert "deletes what nobody has" not in west.said
    assert west.reasons() == []
