"""The selectors that a list of them likely means."""

from __future__ import annotations

import pytest

from isakmp.policy.likely_selectors import instead_of, likely_selectors


@pytest.mark.parametrize(
    ("text", "found", "certain"),
    [
        ("10.2.0.0 255.255.0.0", ["10.2.0.0/16"], True),
        ("10.2.0.0, 255.255.0.0", ["10.2.0.0/16"], True),
        ("10.2.0.0 /16", ["10.2.0.0/16"], True),
        ("10.2.0.0 / 16", ["10.2.0.0/16"], True),
        ("10.2.0.0 16", ["10.2.0.0/16"], True),
        ("10.2.0.0 mask 255.255.0.0", ["10.2.0.0/16"], True),
        ("10.2.0.0, netmask= 16", ["10.2.0.0/16"], True),
        ("10.2.0.0 0.0.255.255", ["10.2.0.0/16"], True),
        ("10.2.0.0/24 255.255.0.0", ["10.2.0.0/16"], True),
        ("10.2.0.0 255.255.0.0[tcp/22]", ["10.2.0.0/16[tcp/22]"], True),
        ("10.2.0.0 255.255.0.0, 10.3.0.0 24", ["10.2.0.0/16", "10.3.0.0/24"], True),
        ("2001:db8:: 32", ["2001:db8::/32"], True),
        ("[2001:db8::]/32", ["2001:db8::/32"], True),
        ("2001:db8:: ::1", ["2001:db8::", "::1"], True),
        ("10.2.0.1 10.3.0.1", ["10.2.0.1", "10.3.0.1"], True),
        ("10.2.0.1 - 10.2.0.9 10.3.0.0/16;", ["10.2.0.1-10.2.0.9", "10.3.0.0/16"], True),
        ('"10.2.0.0/16"', ["10.2.0.0/16"], True),
        ("10.2.0.0/16[tcp/22-20]", ["10.2.0.0/16"], True),
        ("10.2.0.0/16 [tpc]", ["10.2.0.0/16"], True),
        ("10.2.0.0/16[tcp/shs], 10.3.0.0/16[tcp]", ["10.2.0.0/16", "10.3.0.0/16[tcp]"], True),
        ("10.2.0.0/16[tcp/22,80]", ["10.2.0.0/16"], True),
        ("10.2.0.0/16[tcp/22", ["10.2.0.0/16"], False),
        ("10.2.0.0/33", [], False),
        ("10.2.0.0 99", ["10.2.0.0"], False),
        ("10.2.0", [], False),
        ("10.2.0.0/16 elsewhere", ["10.2.0.0/16"], False),
        ("10.2.0.9-10.2.0.1", [], False),
        ("10.2.0.0/16-10.3.0.0/16", [], False),
        ("", [], True),
    ],
)
def test_what_is_meant_and_whether_that_is_all(text: str, found: list[str], certain: bool) -> None:
    assert likely_selectors(text) == (found, certain)


def test_what_to_write_instead() -> None:
    """Nothing that is less narrow than what is written, and nothing that is guessed."""
    assert instead_of("10.2.0.0 255.255.0.0") == "write 10.2.0.0/16"
    assert instead_of("10.2.0.1 10.3.0.1") == "write 10.2.0.1, 10.3.0.1"
    assert not instead_of("10.2.0.0/33") and not instead_of("10.2.0.0/16[tpc]")
