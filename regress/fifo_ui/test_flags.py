"""The command line of isakmpctl: what is no word of it is told with what was meant."""

from __future__ import annotations

from math import inf

import pytest

from fifo_ui.flags import make_parser


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["conections"], "; did you mean connections?"),
        (["conf", "gett", "General", "Workers"], "; did you mean get?"),
        (["xyzzy"], "invalid choice: 'xyzzy'"),
    ],
)
def test_a_misspelt_word(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        make_parser().parse_args(words)
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert said in err
    assert ("did you mean" in err) is ("did you mean" in said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nan", "'nan' is no number of seconds"),
        ("NaN", "'NaN' is no number of seconds"),
        ("soon", "'soon' is no number of seconds"),
        ("", "'' is no number of seconds"),
        ("-1", "-1 is less than no time"),
        ("-inf", "-inf is less than no time"),
    ],
)
def test_what_is_no_time_to_wait(
    text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    for words in ([f"--timeout={text}", "sa"], ["up", "a-b", f"--wait={text}"]):
        with pytest.raises(SystemExit) as ended:
            make_parser().parse_args(words)
        assert ended.value.code == 2
        assert said in capsys.readouterr().err


def test_a_time_to_wait_may_be_without_end() -> None:
    args = make_parser().parse_args(["--timeout", "inf", "up", "a-b", "--wait", "inf"])
    assert (args.timeout, args.wait) == (inf, inf)
