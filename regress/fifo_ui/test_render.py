"""Tables and the report: width, what is cut, what is made printable."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fifo_ui import render
from fifo_ui.render import Line
from fifo_ui.screen import WIDTH, Screen
from isakmp.conf.store import Conf
from isakmp.log.log import LogClass
from regress.fifo_ui.fake import CONF, FAILURE, PHASE_1, PHASE_2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"), (0, "0s"), (0.9, "0s"), (59.9, "59s"), (60, "1m00s"), (725, "12m05s"),
        (3599, "59m59s"), (3600, "1h00m"), (86399, "23h59m"), (187200, "2d04h"),
    ],
)  # fmt: skip
def test_durations(seconds: float | None, text: str) -> None:
    assert render.duration(seconds) == text


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (0, "0"), (812, "812"), (999, "999"), (1000, "1.0k"), (1234, "1.2k"), (9950, "10k"),
        (45_000_000, "45M"), (999_600, "1.0M"), (3e12, "3.0T"), (5e15, "5P"),
    ],
)  # fmt: skip
def test_amounts(octets: float, text: str) -> None:
    assert render.amount(octets) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"), ("", "-"), (True, "yes"), (False, "no"), (0, "0"), (1.5, "1.5"), (2.0, "2"),
        ([], "-"), (["a", 1], "a, 1"), ({"a": 1, "b": None}, "a 1, b -"), ("a\nb", "a\\nb"),
    ],
)  # fmt: skip
def test_any_field(value: object, text: str) -> None:
    assert render.text_of(value) == text


def test_moments() -> None:
    assert render.moment(12.5) == "12.500s"
    assert render.moment(1e9).startswith("2001-09-09T01:46:40")


def test_sas_show_what_people_look_for() -> None:
    text = render.sas([PHASE_1, PHASE_2])
    for wanted in (
        "198.51.100.22:4500", "AES_CBC-256 SHA2_256 MODP_2048 PRE_SHARED", "1m02s/50m00s/1h00m",
        "peer as gw.example.org", "NAT-T local", PHASE_1["cookies"],
        "10.1.0.0/16 -> 10.2.0.0/16, 10.3.0.0-10.3.0.9[tcp/80]",
        "AES_GCM_16-256 PFS MODP_2048", "SPI in 0x12345678 out 0x9abcdef0", "0s/-/-",
        "12345 1.2MB", "9 900B", "198.51.100.22 in UDP, SPI", "responder",
    ):  # fmt: skip
        assert wanted in text


def test_sas_fit_the_width_with_ipv6_too() -> None:
    six = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"
    rows = [
        {**PHASE_1, "local": f"[{six}]:4500", "remote": f"[{six}]:4500", "name": "n" * 80},
        {**PHASE_2, "local_selectors": [six] * 9, "local": six, "remote": six},
    ]
    text = render.sas(rows)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert f"[{six}]:4500" in text


def test_rows_that_lack_fields_are_no_fault() -> None:
    text = render.sas([{"phase": 1}, {"phase": 2}]) + render.outcomes([{}])
    assert "-" in text
    assert render.things([{}]) != ""


def test_empty_tables_say_so() -> None:
    assert render.things([]) == "none\n"
    assert render.outcomes([]) == "none\n"
    assert render.sas([]).count("none") == 2


def test_outcome_has_its_reason_whole() -> None:
    text = render.outcomes([FAILURE])
    for wanted in (
        "2001-09-09T01:46:40.000Z", "0.012s",
        "    no-proposal-chosen: none of the peer's transforms fits",
        "    came: 3DES SHA MODP_1024", "    mend: add 3DES-SHA-GRP2",
        "    tried: transform 1: group MODP_1024",
    ):  # fmt: skip
        assert wanted in text.replace("isakmpd.conf:12", "")
    assert "just a text" in render.outcomes([{**FAILURE, "reason": "just a text"}])


def test_fields_without_room_go_below() -> None:
    rows: list[dict[str, Any]] = [
        {"name": "a", "wide": "x" * 50, "wider": "y" * 60, "left_s": 3.5, "none": None}
    ]
    text = render.things(rows)
    header, first, below = text.splitlines()
    assert header.split() == ["NAME", "WIDE"]
    assert first.split() == ["a", "x" * 50]
    assert below.split(", ")[-1] == "left_s 3s"
    assert "none" not in below


def test_first_field_is_a_column_however_wide() -> None:
    assert render.things([{"name": "x" * 300}]).startswith("NAME")


def test_what_became_of_a_ppk_is_told() -> None:
    told = {"id": "FIXED a", "used": True, "required": True, "why": ""}
    assert "PPK FIXED a (required) used" in render.sas([{**PHASE_1, "ppk": told}])
    told |= {"used": False, "required": False, "why": "the peer uses no PPK"}
    text = render.sas([{**PHASE_1, "ppk": told}])
    assert "PPK FIXED a (optional) not used: the peer uses no PPK" in text
    assert "PPK" not in render.sas([{**PHASE_1, "ppk": None}])


def test_what_is_in_the_way_and_was_before_is_told_once() -> None:
    reason = {"cause": "authentication-failed", "detail": "not the same secret", "mend": "mend it"}
    row = {"name": "net", "state": "starting", "so_far": reason, "reason": dict(reason)}
    assert render.connections([row]).count("not the same secret") == 1
    other = {**reason, "detail": "another one"}
    shown = render.connections([{**row, "reason": other}])
    assert "not the same secret" in shown and "another one" in shown


def test_a_peer_cannot_write_on_the_terminal() -> None:
    row = {**PHASE_1, "remote_id": "\x1b[2Jx\r\ny", "name": "\x07", "reason": "\x1b]0;t\x07"}
    assert all(line.isprintable() for line in render.sas([row]).split("\n"))


@given(st.lists(st.dictionaries(st.sampled_from("abcdef"), st.text() | st.integers() | st.none())))
@settings(max_examples=100, deadline=None)
def test_any_rows_fit(rows: list[dict[str, Any]]) -> None:
    text = render.things(rows)
    assert all(len(line) <= WIDTH and line.isprintable() for line in text.split("\n"))


def test_table_cuts_the_widest_column() -> None:
    text = render.table(("A", "B"), [Line(["x" * 50, "short"], ["w " * 60])], screen=Screen(20))
    _, row, *below = text.splitlines()
    assert row == "x" * 11 + "..  short"
    assert len(below) > 5
    assert all(len(line) <= 20 for line in below)


def test_report_has_every_part_and_no_secret() -> None:
    status = {
        "sas": [PHASE_1, PHASE_2],
        "connections": [{"name": "a-b", "state": "up"}],
        "timers": [{"name": "dpd peer-b", "in_s": 3.2}],
        "outcomes": [FAILURE],
    }
    text = render.report(status, dict.fromkeys(LogClass, 7), Conf.from_text(CONF))
    for title in (
        "Security associations", "Connections", "Peers", "Exchanges", "Outcomes", "Transports",
        "Timers", "Debug levels", "Configuration",
    ):  # fmt: skip
        assert f"{title}\n{'=' * len(title)}\n" in text
    assert "dpd peer-b  3s" in text
    assert " 7 Exchange     7" in text
    assert "mekmitasdigoat" not in text
    assert "[Phase 2]\nConnections= a-b,a-c\n" in text


def test_report_of_nothing() -> None:
    text = render.report({}, {}, Conf.from_text(""))
    assert text.count("none") >= 8
