"""Warnings of traffic that is cut off, not dropped, or claimed twice."""

from __future__ import annotations

import socket
from ipaddress import ip_interface

import pytest

from isakmp.conf import Conf
from isakmp.conf_check import check, warnings
from isakmp.transport.netif import Interface
from regress.pair import EAST, WEST


@pytest.fixture(autouse=True)
def lan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(2, "lan0")])


def resolve(name: str, version: int) -> Interface | None:
    return ip_interface("10.2.7.1/24") if (name, version) == ("lan0", 4) else None


def said(text: str) -> str:
    assert not check(Conf.from_text(text))
    return "\n".join(warnings(Conf.from_text(text), resolve))


def test_an_own_network_inside_a_remote_one_is_told_until_it_is_bypassed() -> None:
    assert "Remote-selectors= 10.2.7.0/24" in said(WEST.text())
    text = WEST.text().replace("[Phase 2]\n", "[Phase 2]\nBypass= lan\n")
    assert "10.2.7.0" not in said(text + "[lan]\nRemote-selectors= 10.2.0.0/16\n")


def test_overlaps_of_connections_are_told() -> None:
    text = WEST.text().replace("Connections= ", "Connections= part, ")
    text += (
        "[part]\nPhase= 2\nISAKMP-peer= east\nConfiguration= phase-2\nLocal-ID= near\n"
        "Remote-ID= host\n[host]\nID-type= IPV4_ADDR\nAddress= 10.2.9.9\n"
    )
    assert "[part] has traffic that [west-east] has, too" in said(text)
    assert "has, too" not in said(WEST.text())


def test_a_passive_connection_with_everybody_is_told() -> None:
    text = EAST.text().replace("10.1.0.0", "0.0.0.0").replace("255.255.0.0", "0.0.0.0")
    assert "is not dropped" in said(text)
    assert "is not dropped" not in said(EAST.text())
