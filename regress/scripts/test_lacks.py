"""What the IPsec stack lacks, of what the file asks for, is told as that, and not as the peer's or
the file's fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from isakmp.constants import isakmp
from regress.pair import Gateway, Host, Network, Recorder, both
from regress.scripts.ikev2.pairs import SPOKEN, only_reason

VERSIONS = pytest.mark.parametrize("tags", ["", SPOKEN], ids=["IKEv1", "IKEv2"])
LONG, SHORT = (f"QM-ESP-AES-{bits}-SHA2-256-SUITE" for bits in (256, 128))
WHY = "the kernel module is not there"


def no_long_keys(self: Recorder, *asked: Any) -> str:
    return WHY if asked[3] == 256 else ""


def no_compression(self: Recorder, *asked: Any) -> str:
    return WHY if asked[0] is isakmp.Protocol.IPCOMP else ""


def lacking(net: Network, gateway: Gateway, supports: Callable[..., str]) -> Host:
    """A host whose stack alone lacks something."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, "supports", supports)
        return net.host(gateway)


@VERSIONS
def test_a_cipher_that_the_stack_lacks_is_no_matter_of_the_peer(tags: str) -> None:
    net, (ours, theirs) = Network(), both(peer_tags=tags, suites=LONG)
    more = replace(theirs, suites=f"{LONG}, {SHORT}")
    west, east = net.host(ours), lacking(net, more, no_long_keys)
    net.start()
    net.run(1)
    assert not west.rows(2)
    reason = only_reason(east)
    assert reason["cause"] == "no-proposal-chosen" and WHY in reason["detail"]
    assert "fits [east-west]" in reason["detail"] and "IPsec stack" in reason["mend"]


@VERSIONS
def test_what_nobody_has_is_told_as_before(tags: str) -> None:
    net, (ours, theirs) = Network(), both(peer_tags=tags, suites="QM-ESP-3DES-SHA-SUITE")
    more = replace(theirs, suites=f"{LONG}, {SHORT}")
    net.host(ours)
    east = lacking(net, more, no_long_keys)
    net.start()
    net.run(1)
    reason = only_reason(east)
    assert reason["cause"] == "no-proposal-chosen"
    assert WHY not in reason["detail"] and " at the peer" in reason["mend"]


@VERSIONS
def test_an_offer_that_is_refused_says_what_it_was_without(tags: str) -> None:
    net, (ours, theirs) = Network(), both(peer_tags=tags, suites=LONG)
    less = replace(ours, suites=f"{LONG}, {SHORT}")
    west = lacking(net, less, no_long_keys)
    net.host(theirs)
    net.start()
    net.run(1)
    reason = only_reason(west)
    assert reason["came"] == "NO_PROPOSAL_CHOSEN" and f"not proposed: {WHY}" in reason["offered"]


def test_compression_that_the_stack_lacks_is_no_matter_of_the_file() -> None:
    net, (ours, theirs) = Network(), both(peer_tags=SPOKEN, connection_tags="IPComp= yes")
    west, east = net.host(ours), lacking(net, theirs, no_compression)
    net.start()
    net.run(1)
    west.daemon.teardown("west-east", 2)
    net.run(1)
    reason = only_reason(east)
    assert reason["cause"] == "ipcomp-refused" and WHY in reason["detail"]
    assert "IPComp=" not in reason["mend"] and "IPsec stack" in reason["mend"]
