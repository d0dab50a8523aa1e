"""How one change of the configuration is written, wherever it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fifo_ui.change import FORMS, Change, parse
from isakmp.errors import IsakmpError

DN = "/C=CH/O=Long Road Ltd/CN=Jane Doe"


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        (f'set [id]:Name="{DN}"', [Change("set", "id", "Name", DN)]),
        (f'SET [my id]:Name= "{DN}" force', [Change("set", "my id", "Name", DN, force=True)]),
        (r'add [a]:b="say \"x\" \\ y"', [Change("add", "a", "b", r'say "x" \ y')]),
        ('set [a]:b="c ; d # e" ; rms [f]', [Change("set", "a", "b", "c ; d # e"),
                                            Change("rms", "f")]),
        ("set [a ; b]:c=d", [Change("set", "a ; b", "c", "d")]),
        ("set [a]:b=c#d;e # why", [Change("set", "a", "b", "c#d;e")]),
        ("rm [a]:b # why ; rms [a]", [Change("rm", "a", "b")]),
        ('set [a]:b=c"d', [Change("set", "a", "b", 'c"d')]),
    ],
)  # fmt: skip
def test_changes_of_a_text(text: str, changes: list[Change]) -> None:
    assert list(parse(text)) == changes


@pytest.mark.parametrize(
    "text",
    [
        f"set [id]:Name={DN}", f'set [id]:Name="{DN}', 'set [a]:b="c"d', 'set [a]:b="c" d',
        r'set [a]:b="c\d"', "set [a]:b=c now", "set [a]:b=c forced", "set [a]:b= # c",
        "set [a]:b= ; rms [a]", "set [a]:b=c ;", "set [a]:b=c;rms [a] ; x", "rm [a]:b force",
        "rms [a] force", "rm [a]:b=c", "rms [a]:b", "set [a]", "", "# set [a]:b=c", "; rms [a]",
    ],
)  # fmt: skip
def test_what_is_no_change(text: str) -> None:
    with pytest.raises(IsakmpError, match="expected: ") as caught:
        list(parse(text))
    assert "Long" not in str(caught.value), "it may be a secret"


_names = st.text(
    st.characters(exclude_characters="[]=#", exclude_categories=("C", "Z")), min_size=1
)
_values = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1)


@given(st.sampled_from(["set", "add", "rmv"]), _names, _names, _values, st.booleans())
def test_what_is_written_is_read_again(
    verb: str, section: str, tag: str, value: str, force: bool
) -> None:
    first = Change(verb, section[:200], tag[:200], value[:200], force)
    last = Change("rms", "a section")
    assert list(parse(f"{first} ; {last}")) == [first, last]


def test_every_form_reads_as_its_example() -> None:
    for verb, form in FORMS.items():
        (change,) = parse(form.replace("[force]", "force"))
        assert change.verb == verb
        assert str(change) == form.replace("[force]", "force")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", [f"set [a]:b{' ' * 20_000}c", "rm [a]:b ; " * 100_000 + "x"])
def test_a_long_text_is_read_in_one_go(text: str) -> None:
    """The daemon does nothing else meanwhile."""
    with pytest.raises(IsakmpError):
        list(parse(text))
