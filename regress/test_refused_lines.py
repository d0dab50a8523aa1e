"""What both ends tell of what keeps them apart: the line that decided; what came, and what would
have been taken, which are never the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from regress.pair import Network, both, up


@pytest.mark.parametrize("spoken", ["ikev1", "ikev2", "aggressive"])
@pytest.mark.parametrize(
    ("differs", "line"),
    [
        ("ike", "[phase-1]:Transforms"),
        ("esp", "[phase-2]:Suites"),
        ("secret", "[east]:Authentication"),
    ],
)
def test_the_line_of_what_was_refused(spoken: str, differs: str, line: str) -> None:
    if spoken == "aggressive":
        one, other = both(exchange="AGGRESSIVE")
    else:
        one, other = both(peer_tags=f"Key-exchange= {spoken}")
    if differs == "ike":
        other = replace(other, transforms="AES-SHA-GRP14")
    elif differs == "secret":
        other = replace(other, secret="another")
    else:
        other = replace(other, suites="QM-ESP-AES-256-SHA2-512-PFS-GRP14-SUITE")
    net = Network()
    west = net.host(one)
    net.host(other)
    net.start()
    net.run(150)
    (cited,) = {o["reason"]["line"] for o in west.outcomes if o["reason"]}
    assert cited.endswith(line)


WHO = "[who]\nID-type= FQDN\nName= {}.example\n"
MANY = "Local-selectors= 10.1.0.0/16\nRemote-selectors= 10.2.0.0/16, 10.5.0.0/16"
# What each end has that the other has not.
APART: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "phase 1": ({}, {"transforms": "AES-SHA-GRP14"}),
    "exchange": ({}, {"exchange": "AGGRESSIVE"}),
    "version": ({}, {"peer_tags": "Key-exchange= kink"}),
    "secret": ({}, {"secret": "another"}),
    "no secret": ({}, {"secret": ""}),
    "suites": ({}, {"suites": "QM-ESP-AES-256-SHA2-512-SUITE"}),
    "protocol": ({}, {"suites": "QM-AH-SHA2-256-SUITE"}),
    "PFS": ({}, {"suites": "QM-ESP-AES-128-SHA2-256-PFS-GRP14-SUITE"}),
    "mode": ({}, {"connection_tags": "Mode= transport"}),
    "mode there": ({"connection_tags": "Mode= transport"}, {}),
    "esn": ({}, {"connection_tags": "ESP-proposals= aes128-sha256-esn"}),
    "esn there": ({"connection_tags": "ESP-proposals= aes128-sha256-esn"}, {}),
    "flags": ({}, {"connection_tags": "Flags= Active-only"}),
    "traffic": ({}, {"local": "10.9.0.0/16"}),
    "wider": ({"remote": "10.0.0.0/8"}, {}),
    "narrower": ({"remote": "10.2.5.0/24"}, {"passive": False}),
    "several": ({"connection_tags": MANY}, {}),
    "too many": ({"remote": "10.2.0.0/15"}, {"general": "Max-selectors-per-child= 1"}),
    "single pair": ({}, {"connection_tags": "Single-pair= yes"}),
    "compression": ({"connection_tags": "IPComp= yes"}, {}),
    "fragments": ({"connection_tags": "Non-first-fragments= yes"}, {}),
    "identity": ({}, {"peer_tags": "Remote-ID= who", "more": WHO.format("other")}),
    "own identity": ({"peer_tags": "ID= who", "more": WHO.format("west")}, {}),
    "stranger": ({}, {"peer_address": "192.0.2.77"}),
}  # fmt: skip


@pytest.mark.parametrize("spoken", ["ikev1", "ikev2"])
@pytest.mark.parametrize("apart", APART)
def test_what_came_is_never_what_would_have_been_taken(spoken: str, apart: str) -> None:
    """At either end; nor is there a table of both ends in which all is the same."""
    ends = zip(both(), APART[apart], strict=True)
    spoken_by = f"Key-exchange= {spoken}\n"
    one, other = (
        replace(end, **{**more, "peer_tags": spoken_by + more.get("peer_tags", "")})
        for end, more in ends
    )
    net, west, east = up(one, other, 30)
    for name in west.daemon.catalog.connections:
        west.daemon.teardown(name, 2)  # some insist on what was left out
    net.run(1)
    for host in (west, east):
        told = [o["reason"] for o in host.outcomes if not o["ok"]]
        told += [row["less"] for row in host.daemon.status()["connections"] if row["less"]]
        for reason in told:
            taken = {reason.get(name) for name in ("acceptable", "offered")} - {None}
            assert reason.get("came") not in taken, reason
            assert not all(fits for *_, fits in reason.get("beside") or [(False,)]), reason
