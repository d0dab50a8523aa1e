"""The network that an identity likely means."""

from __future__ import annotations

import pytest

from isakmp.policy.likely_network import is_mask, likely_network


@pytest.mark.parametrize(
    ("text", "masks", "network", "certain"),
    [
        ("10.2.0.0/16", ["255.255.0.0"], "10.2.0.0/16", True),
        ("10.2.0.0/16", [], "10.2.0.0/16", True),
        ("10.2.3.4", ["16"], "10.2.0.0/16", True),
        ("10.2.0.0/255.255.0.0", [], "10.2.0.0/16", True),
        ("10.2.0.0 255.255.0.0", [], "10.2.0.0/16", True),
        ("10.2.0.0 mask 255.255.0.0", [], "10.2.0.0/16", True),
        ("10.2.0.0", ["0.0.255.255"], "10.2.0.0/16", True),
        ("10.2.0.0/24", ["255.255.0.0"], "10.2.0.0/16", True),
        ("10.2.0.0/16", ["255.255.255.0"], "10.2.0.0/16", True),
        ("10.2.0.0/16", ["0.0.0.0"], "10.2.0.0/16", True),
        ("10.2.0.0", ["255.0.255.0"], "10.0.0.0/8", True),
        ("10.2.0.0.", ["/16"], "10.2.0.0/16", True),
        ("[2001:db8::]/32", [], "2001:db8::/32", True),
        ("0.0.0.0", ["0"], "0.0.0.0/0", True),
        ("10.2.0", ["255.255.0.0"], "10.2.0.0/16", False),
        ("10.2.0.0", [], "10.2.0.0/16", False),
        ("10.2.0.0", ["55.255.0.0"], "10.2.0.0/16", False),
        ("10.2.0.0", ["eth0"], "10.2.0.0/16", False),
        ("10.2.0.0", ["33"], "10.2.0.0/16", False),
        ("10.2.0.9", [], "10.2.0.9/32", False),
        ("2001:db8::", [], "2001:db8::/32", False),
        ("0.0.0.0", [], None, False),
        ("10.2.0.300", ["16"], None, False),
        ("eth0", ["16"], None, False),
    ],
)
def test_what_is_meant_and_whether_that_is_certain(
    text: str, masks: list[str], network: str | None, certain: bool
) -> None:
    found, sure = likely_network(text, masks)
    assert (str(found) if found else None, sure) == (network, certain)


def test_masks() -> None:
    assert is_mask("255.255.0.0") and is_mask("ffff:ffff::")
    assert not is_mask("10.2.0.0") and not is_mask("0.0.0.0") and not is_mask("eth0")
