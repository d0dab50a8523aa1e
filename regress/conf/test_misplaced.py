"""Tags under the header of another section, as their own is missing."""

from __future__ import annotations

import pytest

from isakmp.conf.check import check
from isakmp.conf.spelling import lost
from isakmp.conf.store import Conf
from regress.pair import WEST

GOOD = WEST.text() + "[second]\nISAKMP-peer= east\nLocal-ID= near\nRemote-ID= far\n"
TEXT = GOOD.replace("= west-east", "= west-east, second")
PHASE_1, PHASE_2 = "[Phase 1]\n", "[Phase 2]\n"


def test_where_all_is_in_its_place_there_is_none() -> None:
    assert not lost(Conf.from_text(TEXT))


@pytest.mark.parametrize(
    ("right", "wrong", "tag", "whose"),
    [
        (PHASE_2, "", "Connections", "[Phase 2]"),
        (PHASE_2, "# [Phase 2]\n", "Connections", "[Phase 2]"),
        (PHASE_2, "[Phase 1]\n", "Connections", "[Phase 2]"),
        (PHASE_2, "[General]\n", "Connections", "[Phase 2]"),
        (PHASE_2, "[X509-certificates]\n", "Connections", "[Phase 2]"),
        (PHASE_2, "[something]\n", "Connections", "[Phase 2]"),
        (PHASE_2, "[east]\n", "Connections", "[Phase 2]"),
        (PHASE_2 + "C", "[Phase 2]\n[General]\nPassive-c", "Passive-connections", "[Phase 2]"),
        (PHASE_2 + "Conn", "[General]\nCon", "Conections", "[Phase 2]"),
        (PHASE_2 + "C", "[Phase 1]\nPasive-c", "Pasive-connections", "[Phase 2]"),
        (PHASE_1, "", "192.0.2.2", "[Phase 1]"),
        (PHASE_1, "[Phase 2]\n", "192.0.2.2", "[Phase 1]"),
        (PHASE_1, "[something]\n", "192.0.2.2", "[Phase 1]"),
        (PHASE_1 + "192.0.2.2", "2001:db8::2", "2001:db8::2", "[Phase 1]"),
        (PHASE_1 + "192.0.2.2", "Default", "Default", "[Phase 1]"),
        ("[west-east]\nPhase= 2\n", "", "ISAKMP-peer", "[west-east]"),
        ("[second]\n", "", "ISAKMP-peer", "[second]"),
    ],
)
def test_what_stands_elsewhere_names_its_header(
    right: str, wrong: str, tag: str, whose: str
) -> None:
    assert right in TEXT
    text = TEXT.replace(right, wrong, 1)
    conf = Conf.from_text(text)
    (error,) = lost(conf)
    assert (error.tag, error.reason) == (
        tag, f"{tag} belongs to {whose}: is its header missing?",
    )  # fmt: skip
    assert tag in text.splitlines()[error.line - 1]
    told = [each for each in check(conf) if each.tag == tag]
    assert [each.reason for each in told] == [error.reason], "it is told once"


def test_two_connections_under_one_header_name_the_lost_one() -> None:
    """The tags of the second are ignored, as those of the first came before."""
    text = WEST.text().replace("= west-east", "= west-east, second")
    text = text.replace("[near]", "ISAKMP-peer= east\nRemote-ID= far-2\n[near]")
    (error,) = lost(Conf.from_text(text))
    assert error.reason == "ISAKMP-peer belongs to [second]: is its header missing?"


def test_a_tag_said_twice_is_none_where_all_connections_are_there() -> None:
    text = WEST.text().replace("ISAKMP-peer= east", "ISAKMP-peer= east\nISAKMP-peer= east")
    assert not lost(Conf.from_text(text))
