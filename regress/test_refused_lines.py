"""A peer that takes none of our proposals, or not our secret: the reason cites their line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from regress.pair import Network, both


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
