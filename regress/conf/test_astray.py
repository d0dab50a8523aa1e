"""Tags that a kind of section does not know, and that must not be ignored."""

from __future__ import annotations

import pytest

from isakmp.conf.astray import is_traffic, misheld, names_traffic, side_of
from isakmp.conf.check import judge
from isakmp.conf.kinds import Kind
from isakmp.conf.store import Conf
from regress.pair import WEST

TEXT = WEST.text()


def judged(right: str, wrong: str) -> tuple[list[str], list[str]]:
    """Errors and warnings of the file with that change."""
    assert right in TEXT
    found = judge(Conf.from_text(TEXT.replace(right, wrong, 1), "f"))
    return [str(error) for error in found.errors], found.warnings


@pytest.mark.parametrize(
    ("section", "line", "hint"),
    [
        ("west-east", "Suites= QM-ESP-AES-SHA2-256-SUITE",
         "it belongs to the section that Configuration names; here it is ESP-proposals"),
        ("west-east", "Authentication= k", "to the section that ISAKMP-peer or Local-ID names"),
        ("west-east", "Unique-ids= no", "it belongs to the section that ISAKMP-peer names"),
        ("west-east", "IKE-proposals= aes256-sha256-x25519", "that ISAKMP-peer names"),
        ("west-east", "GROUP_DESCRIPTION= MODP_2048", "it belongs to an ISAKMP transform or an"),
        ("east", "Transforms= AES-SHA2-256-GRP14",
         "it belongs to the section that Configuration names; here it is IKE-proposals"),
        ("east", "ESP-proposals= aes256gcm16", "it belongs to an IPsec connection"),
        ("east", "Mode= transport", "it belongs to an IPsec connection"),
        ("phase-1", "IKE-proposals= aes256-sha256-x25519", "it belongs to an ISAKMP peer"),
        ("phase-2", "ESP-proposals= aes256gcm16", "it belongs to an IPsec connection"),
        ("General", "ESP-proposals= aes256gcm16", "connection: is its header missing?"),
    ],
)  # fmt: skip
def test_a_tag_of_another_kind_that_would_protect_more(section: str, line: str, hint: str) -> None:
    errors, _ = judged(f"[{section}]\n", f"[{section}]\n{line}\n")
    (error,) = [each for each in errors if f"[{section}]:{line.partition('=')[0]}" in each]
    assert hint in error


@pytest.mark.parametrize(
    ("section", "line"),
    [("west-east", "Fragmentation= yes"), ("west-east", "Rainbow= yes"), ("east", "IPComp= yes")],
)  # fmt: skip
def test_one_that_loses_nothing_is_ignored(section: str, line: str) -> None:
    errors, warnings = judged(f"[{section}]\n", f"[{section}]\n{line}\n")
    assert errors == []
    assert any(f"[{section}]:{line.partition('=')[0]}: no tag" in each for each in warnings)


def test_a_section_that_is_of_two_kinds_has_the_tags_of_both() -> None:
    both = Conf.from_text("[a]\nAddress= 192.0.2.2\nID-type= IPV4_ADDR\nName= x\n[b]\nSuites= b\n")
    assert misheld(Kind.PEER, both.written["a"], "Name") == ""
    assert misheld(Kind.CONNECTION, both.written["b"], "Suites") == ""


@pytest.mark.parametrize(
    ("kind", "tag", "value", "meant"),
    [
        (Kind.CONNECTION, "Local-subnet", "10.1.0.0/16", ("Local-selectors",)),
        (Kind.CONNECTION, "rightsubnet", "10.1.0.0/16, 10.3.0.0/16", ("Remote-selectors",)),
        (Kind.CONNECTION, "Destination", "10.1.0.1-10.1.0.9", ("Remote-selectors",)),
        (Kind.CONNECTION, "src", "2001:db8::/32[tcp/80]", ("Local-selectors",)),
        (Kind.CONNECTION, "Net", "192.0.2.1", ("Local-selectors", "Remote-selectors")),
        (Kind.CONNECTION, "Source", "near", ("Local-ID",)),
        (Kind.CONNECTION, "Source", "east", ()),
        (Kind.CONNECTION, "Priority", "5", ()),
        (Kind.BYPASS, "Local-subnet", "10.1.0.0/16", ("Local-selectors",)),
        (Kind.ID, "Subnet", "255.255.0.0", ("Network", "Netmask")),
        (Kind.PEER, "Gateway", "192.0.2.2", ()),
    ],
)
def test_what_a_tag_is_meant_for_whose_value_is_traffic(
    kind: Kind, tag: str, value: str, meant: tuple[str, ...]
) -> None:
    written = Conf.from_text(TEXT).written
    assert names_traffic(kind, tag, "", value, written.get) == meant


def test_it_is_an_error_with_the_tag_that_is_meant() -> None:
    errors, _ = judged("Local-ID= near", "leftsubnet= 10.1.0.0/16")
    assert errors == [
        "f:18 [west-east]:leftsubnet: no tag leftsubnet in an IPsec connection (did you mean "
        "Local-selectors?)"
    ]


def test_a_network_in_the_place_of_an_identity_is_told_where_it_stands() -> None:
    errors, _ = judged("Local-ID= near", "Local-ID= 10.1.0.0/16")
    assert "a network stands in Local-selectors" in errors[0]


def test_sides_and_traffic() -> None:
    assert [side_of(name) for name in ("LocalNet", "My-net", "peer-net", "Traffic")] == [
        0, 0, 1, None,
    ]  # fmt: skip
    assert not is_traffic("") and not is_traffic("10.2.0.0/99")


def test_a_bypass_that_would_let_more_pass_for_it_is_in_error() -> None:
    bypass = "[Phase 2]\nBypass= lan\n[lan]\nRemote-selectors= 10.2.7.0/24\nOur-net= 10.1.9.7\n"
    (error,) = judge(Conf.from_text(bypass, "f")).errors
    assert error.tag == "Our-net" and error.hint == "did you mean Local-selectors?"
