"""The command line of isakmpctl: what is no word of it is told with what was meant."""

from __future__ import annotations

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
