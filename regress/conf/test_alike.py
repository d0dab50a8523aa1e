"""Which of the known names one looks like."""

from __future__ import annotations

from isakmp.conf.alike import ALIKE, MAX_CANDIDATES, alike, most_alike, nearest

KNOWN = ("Connections", "Passive-connections", "Bypass")


def test_the_most_alike_comes_first_as_it_is_spelled() -> None:
    assert alike("conections", KNOWN) == ["Connections", "Passive-connections"]
    assert most_alike("CONECTIONS", KNOWN) == "Connections"
    assert nearest("bypas", KNOWN) == "did you mean Bypass?"


def test_what_looks_like_none() -> None:
    assert (alike("x", KNOWN), most_alike("x", KNOWN), nearest("x", KNOWN)) == ([], "", "")
    assert most_alike("passive", KNOWN, ALIKE) == ""


def test_so_many_names_are_looked_at() -> None:
    known = [*(f"{number}" for number in range(MAX_CANDIDATES)), "Connections"]
    assert most_alike("Connections", known) == ""
