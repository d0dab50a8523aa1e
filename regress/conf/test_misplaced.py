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
        (PHASE_2, "[Phase 2]\nUser= nobody\n", "User", "[General]"),
        (PHASE_1, "[Phase 1]\nListen-on= 192.0.2.1\n", "Listen-on", "[General]"),
        (PHASE_1, "[Phase 1]\nRun-directory= /run/w\n", "Run-directory", "[General]"),
        (PHASE_2, "[Phase 2]\nBlock-when-stopped= yes\n", "Block-when-stopped", "[General]"),
        (PHASE_2, "[KeyNote]\nApplication= none\n[Phase 2]\n", "Application", "[General]"),
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


# --- a side of the traffic below the next header -----------------------------------------------

SECOND = (
    "[second]\nLocal-selectors= 10.1.0.0/16\nRemote-selectors= 10.3.0.0/16\nISAKMP-peer= east\n"
)


def below(text: str, line: str, header: str) -> str:
    """The text with a line, right above that header, below it."""
    assert text.count(f"{line}\n{header}\n") == 1
    return text.replace(f"{line}\n{header}\n", f"{header}\n{line}\n")


OF_ID = SECOND.replace("Remote-selectors= 10.3.0.0/16", "Remote-ID= net")
ONE = "[Phase 2]\nConnections= first, second\n[first]\nISAKMP-peer= east\n{side}\n" + SECOND


@pytest.mark.parametrize(
    ("side", "header", "after"),
    [
        ("Remote-ID= far", "[second]", ""),
        ("Local-ID= near", "[second]", ""),
        ("Remote-ID= far", "[second]", OF_ID),
        ("Remote-selectors= 10.2.0.0/16", "[second]", ""),
        ("Remote-selectors= 10.2.0.0/16", "[second]", OF_ID),
        ("Remote-ID= far", "[second]", "[second]\nID-type= IPV4_ADDR\nAddress= 10.1.0.1\n"),
        ("Remote-ID= far", "[second]", "[second]\nEXCHANGE_TYPE= QUICK_MODE\n"),
        ("Remote-ID= far", "[X509-certificates]", "[X509-certificates]\nCA-directory= /ca\n"),
    ],
)  # fmt: skip
def test_a_side_below_the_next_header_is_told(side: str, header: str, after: str) -> None:
    text = ONE.format(side=side).replace(SECOND, after or SECOND)
    assert not [error for error in lost(Conf.from_text(text)) if "counts for" in error.reason]
    (error,) = lost(Conf.from_text(below(text, side, header)))
    tag = side.split("=")[0]
    assert error.reason == f"{tag} belongs to [first], which has none: it counts for nothing here"
    assert (error.section, error.tag) == (header[1:-1], tag)


AGAIN = WEST.text().replace("Local-ID= near\nRemote-ID= far\n", "{}Phase= 2\n")
SIDES = {
    "Local-ID= near": "Remote-ID= far",
    "Remote-ID= far": "Local-ID= near",
    "Local-selectors= 10.1.0.0/16": "Remote-ID= far",
    "Remote-selectors= 10.2.0.0/16": "Local-ID= near",
    "Remote-ID= 10.2.0.0/16": "Local-ID= near",
}


@pytest.mark.parametrize("stays", [False, True], ids=["both", "one"])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    "header", ["[General]", "[Phase 1]", "[Phase 2]", "[east]", "[phase-1]", "[near]", "[EAST]"]
)
def test_so_it_is_below_a_header_that_has_been_before(header: str, side: str, stays: bool) -> None:
    """The connection would be used, or dropped, with what is this host's and the peer's own."""
    above, below = (f"{SIDES[side]}\n" * stays, f"{SIDES[side]}\n" * (not stays))
    text = AGAIN.format(f"{above}{header}\n{side}\n{below}")
    (error,) = lost(Conf.from_text(text))
    tag = side.split("=")[0]
    name = next(n for n in ("General", "Phase 1", "Phase 2", "east", "phase-1", "near")
                if n.lower() == header[1:-1].lower())  # fmt: skip
    assert (
        error.reason == f"{tag} belongs to [west-east], which has none: it counts for nothing here"
    )
    assert (error.section, error.tag) == (name, tag)
    told = [each.reason for each in check(Conf.from_text(text)) if each.tag == tag]
    assert [each for each in told if "there is no section" not in each] == [error.reason]


@pytest.mark.parametrize("header", ["[General]", "[Phase 1]", "[Phase 2]"])
def test_so_it_is_anywhere_below_one_that_has_no_sides(header: str) -> None:
    text = AGAIN.format(f"{header}\n# a comment\nUnknown= x\nRemote-ID= far\n")
    assert [error.tag for error in lost(Conf.from_text(text)) if "counts for" in error.reason] == [
        "Remote-ID"
    ]


@pytest.mark.parametrize(
    "text",
    [
        GOOD + "[east]\nRemote-ID= far\n",
        AGAIN.format("[east]\nRemote-ID= name\n") + "[name]\nID-type= FQDN\nName= a.example\n",
        AGAIN.format("Local-ID= near\n[west-east]\nRemote-ID= far\n"),
        AGAIN.format("") + "[second]\nISAKMP-peer= east\n[west-east]\nRemote-ID= far\n",
        AGAIN.format("[General]\n[west-east]\nRemote-ID= far\nLocal-ID= near\n"),
        AGAIN.format("[near]\n[phase-2]\nSuites= a\n[west-east]\nRemote-ID= far\n"),
    ],
)
def test_a_section_that_goes_on_may_say_its_own(text: str) -> None:
    assert not [error for error in lost(Conf.from_text(text)) if "counts for" in error.reason]


@pytest.mark.parametrize(
    "text",
    [
        ONE.format(side="Remote-ID= far").replace("[second]", "[second]\nRemote-ID= far"),
        ONE.format(side="").replace("Local-selectors= 10.1.0.0/16", "Local-ID= near"),
        ONE.format(side="").replace("ISAKMP-peer= east\n", "", 1).replace("Lo", "Local-ID= a\nLo"),
        ONE.format(side="").replace(SECOND, "[second]\nRemote-ID= far\nAddress= 192.0.2.2\n"),
    ],
)  # fmt: skip
def test_a_side_that_counts_or_is_no_others_is_not(text: str) -> None:
    assert not [error for error in lost(Conf.from_text(text)) if "counts for" in error.reason]
