"""Lines of a file: what goes on, and comments in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isakmp.conf.lines import lines_of
from isakmp.conf.parse import Parsed, parse
from isakmp.conf.store import Conf
from isakmp.conf.tags import LISTS, SPELLED

ENDS = "a comment without a backslash in a value that goes on: the value ends before it"
GOES_ON = "a comment without a backslash in a value that goes on: what follows still belongs to the"


def listed(text: str, tag: str = "t") -> list[str]:
    return Conf.from_text(f"[s]\n{text}", "f").get_list("s", tag)


def read(text: str) -> Parsed:
    return parse(f"[s]\n{text}", "f")


@pytest.mark.parametrize(
    "comment", ["# b, \\", "  # b, \\", "\t; b, \\", "#\\", "# b \\\n; c, \\", "# b,", "; b", "#"]
)
@pytest.mark.parametrize("tag", sorted(SPELLED[name] for name in LISTS))
def test_a_line_that_is_commented_out_takes_none_with_it(tag: str, comment: str) -> None:
    text = f"{tag}= a, \\\n{comment}\n   c, \\\n  d\n"
    assert listed(text, tag) == ["a", "c", "d"]
    warnings = parse(f"[s]\n{text}", "f").warnings
    assert [w.startswith(f"f:3: {GOES_ON}") for w in warnings] == [True] * ("\\" not in comment)


@pytest.mark.parametrize(
    "text",
    [
        "t= a, \\\n# b, \\\n\tc\n",
        "t= \\\n# b, \\\na, c\n",
        "t= a, # the first \\\n   c # the other\n",
        "t= a, \\\n  c, # b \\\n",
        "t= a, \\\r\n  # b, \\\r\n   c\r\n",
        "t= a, \\\n  # b, \\ \n   c # x=y\n",
        "t= a, \\\n   c \\\n  # b\n\n",
        "t= a, \\\n   c \\\n  # b",
        "t= a, \\\n   c \\\n  # b \\",
    ],
)
def test_forms_of_one_list(text: str) -> None:
    assert listed(text) == ["a", "c"]


@pytest.mark.parametrize(
    ("behind", "warnings"),
    [("", []), ("\n", []), ("[u]\nv= w\n", []), ("  [u]\n", []), ("v= w\n", [f"f:3: {ENDS}"])],
)
def test_a_value_ends_before_what_is_none_of_it(behind: str, warnings: list[str]) -> None:
    parsed = read(f"t= a \\\n# b\n{behind}")
    assert parsed.sections["s"].entries["t"].value == "a"
    assert (parsed.warnings, parsed.errors) == (warnings, [])
    if "=" in behind:
        last = parsed.sections["u" if "[u]" in behind else "s"].entries["v"]
        assert last.value == "w"


def test_positions_stay_right() -> None:
    parsed = read("t= a, \\\n# b, \\\n   c\nu= d\nv w\n")
    assert [entry.line for entry in parsed.sections["s"].entries.values()] == [2, 5]
    assert [error.line for error in parsed.errors] == [6]


def test_what_cannot_belong_to_a_value_is_an_error() -> None:
    """Of a comment behind a value that does not go on the rest is told, as ever."""
    errors = read("t= a, # b\n   c\n").errors
    assert [(error.line, error.reason) for error in errors] == [
        (3, "neither [section] nor tag= value")
    ]


@pytest.mark.parametrize("mark", "#;")
def test_a_secret_keeps_its_lines(mark: str) -> None:
    conf = Conf.from_text(f"[s]\nAuthentication= one \\\n{mark}two \\\n{mark}three\n", "f")
    assert conf.get("s", "Authentication") == f"one  {mark}two  {mark}three"


def test_a_comment_behind_a_header_takes_no_line_with_it() -> None:
    conf = Conf.from_text("[s] # from C:\\\nt= a\n", "f")
    assert conf.get("s", "t") == "a"


WORDS = st.lists(st.sampled_from(["a", "b2", "c-d"]), min_size=1, max_size=5)
COMMENTS = st.sampled_from(["", "# x", "  ; x, y", "#= [z]", "# x \\", "; \\"])


@given(WORDS, st.lists(COMMENTS, min_size=5, max_size=5))
def test_comments_between_the_lines_of_a_list_change_nothing(
    words: list[str], comments: list[str]
) -> None:
    lines = ["t= \\"]
    for word, comment in zip(words, comments, strict=False):
        lines += [comment] * bool(comment) + [f"  {word}, \\"]
    assert listed("\n".join([*lines, "", "[u]", "v= w", ""])) == words


def test_each_line_has_its_number() -> None:
    found = [(line.number, line.text) for line in lines_of("a= b \\\n# c\nd\n\ne= f # g", ())]
    assert found == [(1, "a= b  d"), (4, ""), (5, "e= f")]
