"""What a section in error was likely meant to say; what comes of it is in test_closed.py."""

from __future__ import annotations

import time

import pytest

from isakmp.conf.store import Conf
from isakmp.event.steps import at_once
from isakmp.policy.meant import Meant
from regress.pair import WEST


def meant(text: str) -> Meant:
    return at_once(Meant.of(Conf.from_text(text)))


def test_what_is_right_is_not_mended() -> None:
    assert not meant(WEST.text()).mend("west-east")


def test_what_is_mended_counts_there_alone() -> None:
    conf = Conf.from_text(WEST.text().replace("Remote-ID", "Remtoe-ID"))
    found = at_once(Meant.of(conf))
    assert found.mend("west-east")
    assert found.conf.get("west-east", "Remote-ID") == "far"
    assert conf.get("west-east", "Remote-ID") is None


def test_a_tag_that_is_there_is_not_taken_for_the_misspelt_one() -> None:
    found = meant("[c]\nISAKMP-peer= p\nLocal-ID= right\nLocal-DI= wrong\n")
    assert found.mend("c")
    assert found.conf.get("c", "Local-ID") == "right"


@pytest.mark.parametrize("slip", ["R=emote-ID", "Remote-=ID", "Remo=teID"])
def test_an_equals_sign_within_a_tag_is_left_away(slip: str) -> None:
    found = meant(WEST.text().replace("Remote-ID", slip))
    assert found.mend("west-east")
    assert found.conf.get("west-east", "Remote-ID") == "far"


def test_what_a_value_has_of_an_equals_sign_is_its_own() -> None:
    found = meant("[c]\nISAKMP-peer= p\nLocal-ID= right\nL=ocal-ID= wrong\n")
    assert found.mend("c")
    assert found.conf.get("c", "Local-ID") == "right"


def test_the_section_that_nothing_names_is_meant_first() -> None:
    text = "[Phase 2]\nConnections= a, b\n[a]\nISAKMP-peer= p\nRemote-ID= net-1\n"
    text += (
        "[b]\nISAKMP-peer= p\nRemote-ID= net-2\n[net-1]\nID-type= IPV4_ADDR\nAddress= 10.0.0.1\n"
    )
    found = meant(f"{text}[net-22]\nID-type= IPV4_ADDR\nAddress= 10.0.0.2\n")
    assert found.mend("b")
    assert found.conf.get("b", "Remote-ID") == "net-22"


@pytest.mark.parametrize(
    ("name", "sections"),
    [
        ("to-east", ["to-east"]),
        ("to-east to-west", ["to-east", "to-west"]),
        ("to-east;to-west", ["to-east", "to-west"]),
        ("to-east to-wset", ["to-east", "to-west"]),
        ("to-est", ["to-east", "to-west"]),
        ("to-eastto-west", ["to-east", "to-west"]),
        ("to-easst", ["to-east", "to-west"]),
        ("'to-west'", ["to-west"]),
        ("othre", ["other"]),
        ("nothing", []),
    ],
)
def test_a_listed_name_is_one_or_several(name: str, sections: list[str]) -> None:
    text = f"[Phase 2]\nConnections= {name}\n"
    for section in ("to-east", "to-west", "other"):
        text += f"[{section}]\nISAKMP-peer= p\n"
    found = meant(text)
    assert sorted(found.listed(name)) == sections
    assert set(sections) <= {*found.unlisted(), name}


def test_what_a_bypass_has_is_no_connection() -> None:
    assert meant("[Phase 2]\nBypass= b\n[b]\nISAKMP-peer= p\n").unlisted() == []


def test_it_is_made_in_steps() -> None:
    text = "".join(f"[c{n}]\nISAKMP-peer= p{n}\n[p{n}]\nAddress= 192.0.2.1\n" for n in range(8000))
    conf = Conf.from_text(text)
    began = time.process_time()
    steps = sum(1 for _ in Meant.of(conf))
    assert steps > 100
    assert time.process_time() - began < 1
