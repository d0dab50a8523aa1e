"""What the shells offer is what the command lines take: each flag, verb and tag, in its place."""

from __future__ import annotations

import argparse
import os
import pty
import re
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from isakmp.conf.tags import TAGS
from regress.interop.forked import forking
from tools.completion import Level, bash, levels, values, zsh

COMMANDS = ["isakmpd", "isakmpd-engine", "isakmpctl"]
LEVELS = [(name, level) for name in COMMANDS for level in levels(name)]


def offered(script: str, *words: str) -> set[str]:
    """What bash offers for the last of ``words``."""
    name = words[0]
    code = (
        f"{script}\nisakmpctl() {{ printf 'NAME\\nto-east east\\n    below\\n'; }}\n"
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }\n'
        f'_{name.replace("-", "_")}\nprintf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(["bash", "-c", code, "-", *words], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split())


@pytest.mark.parametrize(("name", "level"), LEVELS, ids=lambda value: str(value)[:40])
def test_bash_offers_every_flag_and_verb_of_a_level(name: str, level: Level) -> None:
    flags = {flag for action in level.options() for flag in action.option_strings}
    assert flags <= offered(bash(name), name, *level.path, "-")
    given = offered(bash(name), name, *level.path, "")
    assert set(level.verbs()) <= given
    if level.verbs() or level.arguments():
        assert not flags & given  # who wants one types a hyphen


def test_bash_offers_what_an_argument_can_be() -> None:
    script = bash("isakmpctl")
    assert offered(script, "isakmpctl", "up", "to") == {"to-east"}
    assert offered(script, "isakmpctl", "--json", "down", "x", "--phase", "") == {"1", "2"}
    assert {"on", "off"} <= offered(script, "isakmpctl", "capture", "o")
    tags = {tag for table in TAGS.values() for tag in table}
    assert tags <= offered(script, "isakmpctl", "conf", "get", "General", "")
    assert "rmv" in offered(script, "isakmpctl", "conf", "r")
    assert "Negotiation" in offered(script, "isakmpctl", "debug", "N")


def test_bash_offers_peers_sections_and_classes() -> None:
    script = bash("isakmpctl")
    for verb in ("down", "explain", "rekey", "sa"):
        assert offered(script, "isakmpctl", verb, "e") == {"east"}
    assert offered(script, "isakmpctl", "up", "") == {"to-east", "east"}
    assert offered(script, "isakmpctl", "conf", "get", "") == {"General", "to-east", "east"}
    assert "Negotiation=" in offered(bash("isakmpd"), "isakmpd", "-D", "N")


def test_bash_asks_the_daemon_of_that_run_directory() -> None:
    script = bash("isakmpctl").replace('isakmpctl "${where', 'echo "${where')
    script = script.replace("2>/dev/null | awk", "; :")
    assert "/run/b" in offered(script, "isakmpctl", "--run-directory", "/run/b", "up", "")


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("Application", {"engine", "xfrm", "pf_key", "none"}),
        ("Key-exchange", {"ikev1", "ikev2"}),
        ("Run-directory", set()),
    ],
)
@pytest.mark.parametrize("action", ["set", "add", "rmv"])
def test_bash_offers_the_values_of_the_tag(action: str, tag: str, words: set[str]) -> None:
    script = bash("isakmpctl")
    assert offered(script, "isakmpctl", "conf", action, "General", tag, "") == words
    assert "--force" in offered(script, "isakmpctl", "conf", "set", "General", tag, "-")


def test_bash_offers_every_value_that_the_table_has() -> None:
    script = bash("isakmpctl")
    for tag, words in values().items():
        given = {word for table in TAGS.values() if tag in table and not table[tag].idle
                 for word in table[tag].type.words}  # fmt: skip
        assert set(words) == given
    tag, words = max(values().items(), key=lambda row: len(row[1]))
    assert offered(script, "isakmpctl", "conf", "set", "x", tag, "") == set(words)


def test_bash_offers_files(tmp_path: Path) -> None:
    (tmp_path / "west.pcap").touch()
    for words in (
        ("isakmpctl", "dump"),
        ("isakmpctl", "dump", "--keys"),
        ("isakmpd", "-c"),
        ("isakmpd-engine", "--socket"),
        ("isakmpctl", "conf", "apply"),
    ):
        given = offered(bash(words[0]), *words, f"{tmp_path}/w")
        assert given == {f"{tmp_path}/west.pcap"}


def test_a_flag_means_the_same_wherever_it_stands() -> None:
    """bash's script looks at the flag alone."""
    for name in COMMANDS:
        seen: dict[str, argparse.Action] = {}
        for level in levels(name):
            for action in level.options():
                for flag in action.option_strings:
                    assert seen.setdefault(flag, action).nargs == action.nargs, flag


class Zsh:
    """A zsh at a terminal of its own, with our functions."""

    def __init__(self, folder: Path) -> None:
        for name in COMMANDS:
            (folder / f"_{name}").write_text(zsh(name))
        with forking():
            self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(ZDOTDIR=str(folder), TERM="dumb", COLUMNS="200", HOME=str(folder))
            os.execvp("zsh", ["zsh", "-f", "-i"])
        self.type(f"fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D; PS1=\n")
        # What is called in the end says what was typed and completed.
        names = "".join(
            f"'{where}connections --timeout 1') printf 'NAME\\n{row}\\n' ;; "
            for where, row in (("", "to-east east"), ("--run-directory /run/b ", "to-north north"))
        )
        for name in COMMANDS:
            self.type(f'{name}() {{ case "$*" in {names} *) print "<$*>" ;; esac; }}\n')

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def until(self, wanted: str) -> str:
        """What is printed until ``wanted`` is."""
        text, deadline = "", time.monotonic() + 60
        while wanted not in text and time.monotonic() < deadline:
            if select.select([self.fd], [], [], 1)[0]:
                text += re.sub(
                    r"\x1b\[[0-9;?]*[a-zA-Z]|\r|\x07", "", os.read(self.fd, 65536).decode()
                )
        assert wanted in text
        return text

    def close(self) -> None:
        os.close(self.fd)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


def test_zsh_completes(tmp_path: Path) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("needs zsh")
    shell = Zsh(tmp_path)
    try:
        for typed, wanted in (
            ("isakmpd --che", "--check"),
            ("isakmpctl --ver", "--version"),
            ("isakmpctl explai", "explain"),
            ("isakmpctl --json rekey x --reauth", "--json rekey x --reauthenticate"),
            ("isakmpctl up to-", "up to-east"),
            ("isakmpctl conf get General Acq", "conf get General Acquire-Only"),
            ("isakmpctl conf set General Application xf", "conf set General Application xfrm"),
            ("isakmpd-engine --dev", "--device"),
            ("isakmpctl debug Negot", "debug Negotiation"),
            ("isakmpctl --run-directory /run/b up to-", "--run-directory /run/b up to-north"),
            ("isakmpctl --run-directory '/run/b' up to-", "--run-directory /run/b up to-north"),
            ("isakmpctl down eas", "down east"),
            ("isakmpctl conf get eas", "conf get east"),
            ("isakmpctl conf get Gene", "conf get General"),
            ("isakmpd -D Negot", "-D Negotiation="),
        ):
            shell.type(f"{typed}\t\n")
            shell.until(f"<{wanted}>")
    finally:
        shell.close()
