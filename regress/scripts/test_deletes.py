"""What a peer may name in a Delete, in both versions: RFC 2408 3.15, RFC 7296 1.4.1 and 3.11."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.constants import DOI_IPSEC, ikev2, isakmp
from isakmp.log import LogClass
from isakmp.rivals import GRACE_S
from isakmp.sa import ChildSa
from regress.pair import Host, Network, agree, both, connected

VERSIONS = pytest.mark.parametrize("version", [1, 2])
WHO = pytest.mark.parametrize("who", [0, 1], ids=["initiator", "responder"])
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
        (kind, {"doi": DOI_IPSEC, "protocol_id": protocol, "spis": spis})
        for protocol, spis in named
    ]  # fmt: skip
    dialect: Any = host.daemon.engine.dialects[version]
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
