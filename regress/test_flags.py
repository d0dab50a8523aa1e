"""The command lines explain themselves: every flag of --help, the version, the exit status."""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from fifo_ui import ctl
from fifo_ui.flags import make_parser as control_parser
from isakmp import __main__, __version__
from isakmp.app.engine.flags import make_parser as engine_parser
from isakmp.flags import make_parser as daemon_parser
from regress.parsers import arguments_of

ROOT = Path(__file__).resolve().parents[1]
PARSERS = [daemon_parser, engine_parser, control_parser]


@pytest.mark.parametrize("make", PARSERS)
def test_every_argument_is_explained(make: Callable[[], argparse.ArgumentParser]) -> None:
    assert [name for name, action in arguments_of(make()) if not action.help] == []


@pytest.mark.parametrize("make", PARSERS)
def test_a_default_that_help_names_is_the_one(
    make: Callable[[], argparse.ArgumentParser],
) -> None:
    """What ``%(default)s`` stands for is put in, so nothing may be left of it, and no None."""
    text = make().format_help()
    assert "%(" not in text and "None" not in text


@pytest.mark.parametrize(("main", "name"), [(__main__.main, "isakmpd"), (ctl.main, "isakmpctl")])
def test_the_version(main: Callable[[list[str]], int], name: str) -> None:
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended, redirect_stdout(out):
        main(["--version"])
    assert (ended.value.code, out.getvalue()) == (0, f"{name} {__version__}\n")


@pytest.mark.parametrize("module", ["isakmp.flags", "isakmp.app.engine.flags", "fifo_ui.flags"])
def test_a_build_can_read_the_flags_without_what_isakmpd_needs(module: str) -> None:
    """-S: no package that pip has installed."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {module}"
    assert subprocess.run([sys.executable, "-I", "-S", "-c", code]).returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ["-p", "0"],
        ["-p", "501", "-N", "501"],
        ["-p", "x"],
        ["--frob"],
        ["extra"],
        ["-c"],
        ["--check", "--open"],
        ["--check", "--close-only"],
        ["--close-only", "--open"],
    ],
)
def test_wrong_usage_of_the_daemon_is_status_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        __main__.main(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: isakmpd")


@pytest.mark.parametrize("flag", ["-p", "-N"])
@pytest.mark.parametrize("text", ["0", "65536", "nan", "5_0", "1e3", ""])
def test_what_is_no_port(flag: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        daemon_parser().parse_args([flag, text])
    assert ended.value.code == 2
    assert f"{text} is not a port: 1 to 65535" in capsys.readouterr().err
