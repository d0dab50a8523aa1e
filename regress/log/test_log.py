"""The log: format, levels, secrets, and the bound on what a stranger can make it write."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.errors import IsakmpError, Reason
from isakmp.log import log as log_module
from isakmp.log.log import (
    MAX_LINE,
    REPEAT_KINDS,
    REPEAT_LINES,
    REPEAT_WINDOW_S,
    Log,
    LogClass,
    Severity,
    parse_class,
    parse_level,
    severity_of,
    stamp_of,
)


class Paper:
    """A log on a list, and its clock."""

    def __init__(self, *, stamp: bool = False) -> None:
        self.lines: list[str] = []
        self.now = 1_000_000_000.25
        self.log = Log(lambda: self.now, self.lines.append, stamp=stamp)


@pytest.fixture
def paper() -> Paper:
    return Paper()


def test_line_has_time_class_level_id_and_text() -> None:
    paper = Paper(stamp=True)
    paper.log.set_level(LogClass.EXCHANGE, 30)
    paper.log.bind("3f9c").debug(LogClass.EXCHANGE, 30, "step %s of %d", "send_SA", 6)
    assert paper.lines == ["2001-09-09T01:46:40.250Z Exchange    30 [3f9c] step send_SA of 6"]


@pytest.mark.parametrize("now", [0.0, 0.9999, 1_000_000_000.0, 4e9])
def test_stamp_is_utc_to_the_millisecond(now: float) -> None:
    stamp = stamp_of(now)
    assert len(stamp) == len("2001-09-09T01:46:40.250Z")
    assert stamp.endswith(f".{int(now * 1000) % 1000:03d}Z")


def test_classes_start_off_and_are_independent(paper: Paper) -> None:
    paper.log.debug(LogClass.SA, 1, "unseen")
    paper.log.set_level(LogClass.SA, 50)
    paper.log.debug(LogClass.SA, 50, "seen")
    paper.log.debug(LogClass.SA, 51, "unseen")
    paper.log.debug(LogClass.MISC, 1, "unseen")
    assert paper.lines == ["SA          50 seen"]
    assert paper.log.on(LogClass.SA, 50)
    assert not paper.log.on(LogClass.SA, 51)
    assert not paper.log.on(LogClass.MISC, 0)


def test_arguments_are_not_formatted_while_off(paper: Paper) -> None:
    class Costly:
        def __str__(self) -> str:
            raise AssertionError("formatted")

    paper.log.debug(LogClass.MISC, 10, "%s", Costly())
    assert paper.lines == []


def test_levels_of_all_and_shared_with_what_is_bound(paper: Paper) -> None:
    bound = paper.log.bind("1")
    paper.log.set_level(None, 20)
    assert bound.levels() == dict.fromkeys(LogClass, 20)
    bound.set_level(LogClass.UI, 0)
    assert paper.log.levels()[LogClass.UI] == 0
    assert not paper.log.on(LogClass.UI, 0)


def test_toggle_turns_off_and_back(paper: Paper) -> None:
    paper.log.set_level(LogClass.CRYPTO, 70)
    assert paper.log.toggle() is False
    assert set(paper.log.levels().values()) == {0}
    assert paper.log.toggle() is True
    assert paper.log.levels()[LogClass.CRYPTO] == 70


def test_toggle_turns_off_what_was_turned_on_since(paper: Paper) -> None:
    """Not on what was off: the levels of before come back only to silence."""
    paper.log.set_level(LogClass.CRYPTO, 70)
    paper.log.toggle()
    paper.log.set_level(LogClass.EXCHANGE, 90)
    assert paper.log.toggle() is False
    assert set(paper.log.levels().values()) == {0}
    assert paper.log.toggle() is True
    assert paper.log.levels()[LogClass.EXCHANGE] == 90


@pytest.mark.parametrize("level", [-1, 100])
def test_level_out_of_range_is_refused(paper: Paper, level: int) -> None:
    with pytest.raises(IsakmpError, match="0 to 99"):
        paper.log.set_level(LogClass.MISC, level)


@pytest.mark.parametrize(
    ("text", "cls"),
    [("7", LogClass.EXCHANGE), ("exchange", LogClass.EXCHANGE), ("SA", LogClass.SA), ("A", None)],
)
def test_classes_people_write(text: str, cls: LogClass | None) -> None:
    assert parse_class(text) is cls


@pytest.mark.parametrize("text", ["", "11", "-1", "Exchang", "²", "007"])
def test_unknown_class_names_the_known_ones(text: str) -> None:
    with pytest.raises(IsakmpError, match="7 Exchange"):
        parse_class(text)


@pytest.mark.parametrize("text", ["", "100", "-1", "x", "٣"])
def test_unknown_level(text: str) -> None:
    with pytest.raises(IsakmpError, match="0 .off. to 99"):
        parse_level(text)


def test_level_as_written() -> None:
    assert [parse_level("0"), parse_level("99")] == [0, 99]


def test_dump_has_offsets(paper: Paper) -> None:
    paper.log.set_level(LogClass.MESSAGE, 70)
    paper.log.dump(LogClass.MESSAGE, 70, "message", bytes(range(34)))
    paper.log.dump(LogClass.MESSAGE, 71, "unseen", b"x")
    assert paper.lines == [
        "Message     70 message: 34 octets",
        "Message     70 message 0000: 00010203 04050607 08090a0b 0c0d0e0f"
        " 10111213 14151617 18191a1b 1c1d1e1f",
        "Message     70 message 0020: 2021",
    ]


def test_dump_is_bounded(paper: Paper) -> None:
    paper.log.set_level(None, 99)
    paper.log.dump(LogClass.MISC, 1, "big", bytes(1 << 20))
    assert len(paper.lines) == 1 + log_module.MAX_DUMP // log_module.DUMP_WIDTH


def test_secrets_only_at_the_highest_level_of_crypto(paper: Paper) -> None:
    paper.log.set_level(None, 99)
    paper.log.set_level(LogClass.CRYPTO, 98)
    paper.log.secret("skeyid_e", b"\xaa" * 4)
    assert paper.lines == []
    paper.log.set_level(LogClass.CRYPTO, 99)
    paper.log.secret("skeyid_e", b"\xaa" * 4)
    assert "aaaaaaaa" in paper.lines[-1]


def test_reason_is_printed_whole(paper: Paper) -> None:
    misses = tuple(f"transform {n}: hash differs" for n in range(9))
    reason = Reason("no-proposal-chosen", "none fits", "3DES", "AES", "a:1 [x]:y", misses, "mend")
    paper.log.proto_err("10.0.0.1: %s", reason)
    assert str(reason) in paper.lines[0]
    assert "tried: transform 8" in paper.lines[0]


@pytest.mark.parametrize(
    ("cause", "severity"),
    [
        ("no-proposal-chosen", Severity.PROTO_ERR), ("timeout", Severity.PROTO_ERR),
        ("no-address", Severity.INTERNAL_ERR), ("failed", Severity.INTERNAL_ERR),
        ("reloaded", Severity.INFO), ("superseded", Severity.INFO),
    ],
)  # fmt: skip
def test_a_failure_is_the_networks_or_ours_or_none(cause: str, severity: Severity) -> None:
    assert severity_of(Reason(cause, "some")) is severity


def test_counts_of_what_was_held_back_keep_their_severity(paper: Paper) -> None:
    for say in (paper.log.proto_warn, paper.log.internal_err, paper.log.critical):
        say("twice")
        say("twice")
    paper.log.flush()
    heads = [line.split()[0] for line in paper.lines]
    assert heads == ["PROTO_WARN", "INTERNAL_ERR", "CRITICAL"] * 2


def test_wrong_format_is_shown_not_raised(paper: Paper) -> None:
    paper.log.info("%d octets of %s", "x")
    assert paper.lines[0].endswith("%d octets of %s ('x',)")


def test_percent_without_arguments_is_text(paper: Paper) -> None:
    paper.log.info("100% of it")
    assert paper.lines[0].endswith("100% of it")


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_whatever_comes_stays_one_printable_line(text: str) -> None:
    paper = Paper()
    paper.log.info("%s", text)
    paper.log.proto_err(text)
    assert len(paper.lines) == 2
    assert all(line.isprintable() for line in paper.lines)


def test_line_is_bounded(paper: Paper) -> None:
    paper.log.info("x" * 100_000)
    assert len(paper.lines[0]) < MAX_LINE + 100
    assert paper.lines[0].endswith(f"({100_000 - MAX_LINE} more characters)")


def test_same_error_is_written_once_and_counted(paper: Paper) -> None:
    for _ in range(1000):
        paper.log.proto_err("%s: malformed", "10.0.0.1")
    assert len(paper.lines) == 1
    paper.now += REPEAT_WINDOW_S
    paper.log.proto_err("something else")
    assert paper.lines[1].endswith("10.0.0.1: malformed (repeated 999 times)")
    assert paper.lines[2].endswith("something else")


def test_different_errors_of_one_kind_are_bounded(paper: Paper) -> None:
    for n in range(1000):
        paper.log.proto_err("%d: malformed", n)
    assert len(paper.lines) == REPEAT_LINES
    paper.log.flush()
    assert f"{1000 - REPEAT_LINES} more lines like '%d: malformed'" in paper.lines[-1]


def test_kinds_of_error_are_bounded(paper: Paper) -> None:
    for n in range(1000):
        paper.log.proto_err(f"{n} made up")
    assert len(paper.lines) == REPEAT_KINDS
    paper.log.flush()
    assert f"{1000 - REPEAT_KINDS} more errors of other kinds" in paper.lines[-1]


def test_after_the_window_an_error_is_news_again(paper: Paper) -> None:
    paper.log.proto_err("again")
    paper.now += REPEAT_WINDOW_S
    paper.log.proto_err("again")
    assert len(paper.lines) == 2


def test_clock_that_steps_back_ends_the_window(paper: Paper) -> None:
    paper.log.proto_err("again")
    paper.now -= 3600
    paper.log.proto_err("again")
    assert len(paper.lines) == 2


def test_errors_of_two_attempts_are_not_the_same(paper: Paper) -> None:
    paper.log.bind("1").proto_err("timeout")
    paper.log.bind("2").proto_err("timeout")
    assert [line.split(maxsplit=1)[1] for line in paper.lines] == ["[1] timeout", "[2] timeout"]


def test_flush_keeps_windows_that_go_on(paper: Paper) -> None:
    paper.log.proto_err("again")
    paper.log.proto_err("again")
    paper.log.flush(ended_only=True)
    assert len(paper.lines) == 1
    paper.log.flush()
    assert paper.lines[1].endswith("again (repeated once)")
