"""Traffic that the configuration has for one peer alone, whether that is up or not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isakmp.policy.reserved import Reserved, Share
from isakmp.policy.spd import Connection, Selector
from regress.policy.sections import connection


def to(*networks: str) -> list[Selector]:
    """From our network to each of these."""
    return [Selector.of("fd00::/8" if ":" in far else "10.1.0.0/16", far) for far in networks]


def named(name: str, peer: str = "clients") -> Connection:
    """A connection of that name with that peer's section."""
    return replace(connection(), name=name, remote=peer)


def reserved(*shares: tuple[str, str, list[Selector], bool]) -> Reserved:
    found = Reserved()
    for name, who, selectors, shared in shares:
        found.add(Share(name, who, selectors, shared))
    return found


CLIENTS = ("clients", "clients", to("10.0.0.0/8"), True)


def whose(found: Reserved, name: str, asked: str, peer: str = "clients") -> str | None:
    share = found.of_another(named(name, peer), to(asked))
    return share.name if share is not None else None


@pytest.mark.parametrize(
    ("asked", "owner"),
    [
        ("10.2.0.0/16", "site"), ("10.2.3.4/32", "site"), ("10.0.0.0/8", "site"),
        ("10.3.0.0/16", None), ("192.0.2.0/24", None), ("fd00:2::/32", None),
    ],
)  # fmt: skip
def test_what_another_has_for_its_own_peer_is_not_for_who_shares(
    asked: str, owner: str | None
) -> None:
    found = reserved(CLIENTS, ("site", "east", to("10.2.0.0/16"), False))
    assert whose(found, "clients", asked) == owner


def test_a_peer_is_not_in_its_own_way() -> None:
    found = reserved(("site", "east", to("10.2.0.0/16"), False))
    assert whose(found, "site", "10.2.0.0/16", "east") is None


def test_what_several_share_is_for_none_of_them_alone() -> None:
    found = reserved(CLIENTS, ("more", "others", to("10.2.0.0/16"), True))
    assert whose(found, "clients", "10.2.0.0/16") is None


def test_what_was_cut_out_on_purpose_counts_before_the_wider() -> None:
    found = reserved(
        ("part", "clients", to("10.2.3.0/24"), True), ("site", "east", to("10.2.0.0/16"), False)
    )
    assert whose(found, "part", "10.2.3.0/24") is None


@pytest.mark.parametrize(
    ("own", "wider", "cut"),
    [
        (["10.2.3.0/24"], ["10.2.0.0/16"], True),
        (["10.2.3.0/24", "10.2.4.0/24"], ["10.2.0.0/16"], True),
        (["10.2.3.0/24", "10.9.4.0/24"], ["10.2.0.0/16", "10.9.0.0/16"], True),
        (["10.2.3.0/24", "10.9.4.0/24"], ["10.2.0.0/16"], False),
        (["10.2.0.0/16"], ["10.2.0.0/16"], False),
        (["10.0.0.0/8"], ["10.2.0.0/16"], False),
        (["10.2.3.0/24"], ["fd00::/8"], False),
    ],
)
def test_each_network_has_to_be_a_part_of_the_wider(
    own: list[str], wider: list[str], cut: bool
) -> None:
    found = reserved(("own", "a", to(*own), True), ("wider", "b", to(*wider), False))
    assert found.cut_out(named("own", "a"), "wider") is cut


def test_who_is_not_known_has_cut_out_nothing() -> None:
    found = reserved(("own", "a", to("10.2.3.0/24"), True))
    assert not found.cut_out(named("own"), "nobody")
    assert not found.cut_out(named("nobody"), "own")


def left_out(own: Share | None, *former: Share) -> Reserved:
    """Where a connection of clients and one that is left out are."""
    found = reserved(CLIENTS)
    found.add_left_out("site", own, former)
    return found


NOW, WAS = Share("site", "east", to("10.2.0.0/16")), Share("site", "east", to("10.3.0.0/16"))


@pytest.mark.parametrize(
    ("own", "former", "kept"),
    [
        (None, [], []),
        (NOW, [], ["10.2.0.0/16"]),
        (None, [WAS], ["10.3.0.0/16"]),
        (NOW, [WAS], ["10.2.0.0/16", "10.3.0.0/16"]),
        (None, [WAS, Share("gone", "west", to("10.4.0.0/16"))], ["10.3.0.0/16", "10.4.0.0/16"]),
        (NOW._replace(shared=True), [], []),
        (NOW._replace(shared=True), [WAS], ["10.3.0.0/16"]),
        (NOW, [WAS._replace(shared=True)], ["10.2.0.0/16"]),
    ],
)
def test_what_is_dropped_of_one_that_is_left_out_is_for_nobody_who_shares(
    own: Share | None, former: list[Share], kept: list[str]
) -> None:
    found = left_out(own, *former)
    asked = ("10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16")
    assert [each for each in asked if whose(found, "clients", each)] == kept
    # and so at the next reload
    was = found.of("site")
    again = left_out(None, *([was] if was is not None else []))
    assert [each for each in asked if whose(again, "clients", each)] == kept


def test_its_own_peer_may_have_it_in_another_connection() -> None:
    assert whose(left_out(NOW, WAS), "other", "10.3.0.0/16", "east") is None
    assert whose(left_out(None, WAS), "other", "10.3.0.0/16", "east") is None


def test_a_name_counts_in_any_case() -> None:
    found = reserved(("site", "east", to("10.2.0.0/16"), False))
    assert found.of("Site") == found.of("site") is not None
