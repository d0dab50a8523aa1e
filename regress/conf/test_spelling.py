"""Sections whose names are fixed, and what is near to them."""

from __future__ import annotations

import time

import pytest

from isakmp.conf.alike import whole
from isakmp.conf.check import judge
from isakmp.conf.kinds import Kind
from isakmp.conf.spelling import lost, refuse_misspelt, safest
from isakmp.conf.store import Conf
from isakmp.conf.tags_general import GENERAL
from isakmp.errors import ConfError

TEXT = "Connections= net\n[net]\nISAKMP-peer= east\n"


@pytest.mark.parametrize("name", ["PHASE 2", "phase 2", "Phase 2"])
def test_they_are_known_however_they_are_written(name: str) -> None:
    assert not lost(Conf.from_text(f"[{name}]\n{TEXT}"))


def test_a_misspelt_one_is_lost() -> None:
    (error,) = lost(Conf.from_text(f"[Phase2]\n{TEXT}"))
    assert "did you mean Phase 2" in error.hint or "Phase 2" in error.hint


def test_one_that_looks_like_none_and_names_a_connection_is_lost() -> None:
    (error,) = lost(Conf.from_text(f"[Phase 2]\n{TEXT.replace('Connections', 'Conns')}"))
    assert (error.tag, "names an IPsec connection" in error.hint) == ("Conns", True)
    assert not lost(Conf.from_text("[Phase 2]\nConns= 4\n"))


def test_looking_for_one_takes_no_longer_for_each_of_many_sections() -> None:
    text = "".join(f"[c{n}]\nISAKMP-peer= p{n}\n[p{n}]\nAddress= 192.0.2.1\n" for n in range(8000))
    conf = Conf.from_text(text)
    began = time.process_time()
    assert not lost(conf)
    assert time.process_time() - began < 1  # 0.05; 3 where each looks at all


@pytest.mark.parametrize(
    ("tag", "value", "meant"),
    [
        ("L", "ocal-ID= near", ("Local-ID", "near")),
        ("L", "ocal-ID=", ("Local-ID", "")),
        ("Local-ID", "near", ("Local-ID", "near")),
        ("Local-ID", "near far= 1", ("Local-ID", "near far= 1")),
        ("Authentication", "a=b=c", ("Authenticationa", "b=c")),
    ],
)
def test_an_equals_sign_may_be_a_slip_within_a_tag(
    tag: str, value: str, meant: tuple[str, str]
) -> None:
    assert whole(tag, value) == meant


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("L=ocal-ID= net", "did you mean Local-ID?"),
        ("R=emtoe-ID= net", "did you mean Remote-ID?"),
        ("Local-=selectors= 10.0.0.0/8", "did you mean Local-selectors?"),
        ("X=Y= Z", ""),
        ("Note= Local-ID is net= 5", ""),
    ],
)
def test_such_a_tag_is_an_error_where_it_looks_like_one_that_is_known(line: str, hint: str) -> None:
    errors = judge(Conf.from_text(f"[Phase 2]\n{TEXT}{line}\n")).errors
    hints = [error.hint for error in errors if error.tag == line.partition("=")[0]]
    assert hints == [hint] * bool(hint)


def test_a_list_with_one_is_lost() -> None:
    (error,) = lost(Conf.from_text(f"[Phase 2]\nP=assive-connections= net\n{TEXT}"))
    assert error.hint == "did you mean Passive-connections?"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Port=", "Port: no value"),
        ("Lif= brief", "no tag Lif in an ISAKMP peer"),
        ("Note= x", ""),
        ("Send-IDr=", ""),
    ],
)
def test_a_section_is_refused_for_a_tag_that_is_misspelt_or_says_nothing(
    line: str, said: str
) -> None:
    """By who reads it, without the checker."""
    conf = Conf.from_text(f"[east]\nAddress= 192.0.2.2\n{line}\n", "f")
    if not said:
        refuse_misspelt(conf, Kind.PEER, "east")
        return
    with pytest.raises(ConfError, match=said):
        refuse_misspelt(conf, Kind.PEER, "east")


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("Username= nobody", "User"),
        ("Listen-address= 192.0.2.1", "Listen-on"),
        ("U=ser= nobody", "User"),
        ("Run-dir= /run/west", "Run-directory"),
        ("Rainbow= 7", ""),
        ("Policy= /etc/policy", ""),
    ],
)
def test_of_what_a_start_needs_less_likeness_is_enough(line: str, meant: str) -> None:
    """Its default is root, or all addresses."""
    hints = [error.hint for error in lost(Conf.from_text(f"[General]\n{line}\n"))]
    assert hints == [f"did you mean {meant}?"] * bool(meant)


@pytest.mark.parametrize("tag", [tag for tag, row in GENERAL.items() if row.safe])
@pytest.mark.parametrize(
    "written", ["{tag}= yess", "{tag}=", "{short}= {safe}", "{half}={rest}= {safe}"]
)
def test_what_would_open_something_is_safe_where_it_is_lost(tag: str, written: str) -> None:
    row = GENERAL[tag]
    line = written.format(tag=tag, safe=row.safe, short=tag[:-1], half=tag[:9], rest=tag[9:])
    conf = Conf.from_text(f"[General]\n{line}\n")
    assert (safest(conf, tag), safest(Conf.from_text(""), tag)) == (
        row.type.parse(row.safe), row.type.parse(row.default),
    )  # fmt: skip
    assert [error.line for error in judge(conf).errors] == [2]
    value, refused = conf.general(tag)
    assert refused is None or (value == row.type.parse(row.safe) and (
        f"{row.safe} counts instead" in str(refused)))  # fmt: skip


def test_what_is_said_of_an_end_counts() -> None:
    for said, counts in (("yes", True), ("no", False), ("off", False)):
        conf = Conf.from_text(f"[General]\nBlock-when-stopped= {said}\n")
        assert safest(conf, "Block-when-stopped") is counts
