"""What the IPsec stack lacks is told with the line that asks for it, by --check and the daemon."""

from __future__ import annotations

from pathlib import Path

import pytest

from isakmp.__main__ import main
from isakmp.app.engine.ability import supports
from isakmp.conf.check import judge
from isakmp.conf.store import Conf, Transaction
from isakmp.constants import ipsec
from isakmp.errors import ConfError
from isakmp.policy.supported import Stack
from regress.pair import WEST, Network, Recorder

SUITE, AH = "QM-ESP-AES-128-SHA2-256-SUITE", "QM-AH-SHA2-256-SUITE"
NO_AH = "the key engine has no IPSEC_AH"


def written(path: Path, suites: str, application: str = "engine") -> Path:
    general = f"[General]\nApplication= {application}\n"
    path.write_text(WEST.text().replace(SUITE, suites).replace("[General]\n", general))
    path.chmod(0o600)
    return path


def line_of(path: Path, text: str) -> int:
    return 1 + path.read_text().splitlines().index(text)


def test_check_asks_the_key_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "conf", AH)
    assert main(["--check", "-c", str(path)]) == 1
    said = capsys.readouterr().err.splitlines()
    line = line_of(path, f"Suites= {AH}")
    assert said[0].startswith(f"{path}:{line} [phase-2]:Suites: ")
    assert said[0].count(NO_AH) == 1
    others = [text for text in said[1:] if not text.startswith("warning: ")]
    assert others == [f"{path}: 1 error"]


def test_check_warns_of_what_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "conf", f"{SUITE}, {AH}")
    assert main(["--check", "-c", str(path)]) == 0
    said = capsys.readouterr().err
    line = line_of(path, f"Suites= {SUITE}, {AH}")
    assert said.count(f"{path}:{line} [phase-2]:Suites: ") == said.count(NO_AH) == 1


@pytest.mark.parametrize(("application", "flags"), [("none", []), ("xfrm", []), ("engine", ["-n"])])
def test_check_asks_no_stack_that_is_not_used_or_is_a_kernel(
    tmp_path: Path, application: str, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "conf", AH, application)
    assert main(["--check", *flags, "-c", str(path)]) == 0
    assert "IPSEC_AH" not in capsys.readouterr().err


def test_keywords_are_told_at_their_own_line() -> None:
    text = WEST.text().replace(
        "[west-east]\n", "[west-east]\nESP-proposals= camellia128-sha256, aes128gcm16\n"
    )
    camellia = ipsec.Esp.CAMELLIA
    none = Stack(lambda *asked: "there is none such" if asked[2] == camellia else "")
    found = judge(Conf.from_text(text), stack=none)
    assert not found.errors
    (line,) = [text for text in found.warnings if "there is none such" in text]
    assert "[west-east]:ESP-proposals: " in line


def test_the_daemon_says_it_once_with_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorder, "supports", supports)
    net = Network()
    west = net.add(WEST.address, WEST.text().replace(SUITE, AH))
    net.start()
    (line,) = [line for line in west.lines if NO_AH in line]
    assert "left out: west-east: " in line
    assert "[phase-2]:Suites: " in line
    assert line.count(NO_AH) == 1


def test_a_command_that_asks_for_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorder, "supports", supports)
    net = Network()
    west = net.add(WEST.address, WEST.text())
    net.start()
    change = Transaction(west.daemon.conf)
    change.set("phase-2", "Suites", AH, override=True)
    with pytest.raises(ConfError, match=NO_AH):
        west.done(west.daemon.alter(change, True))
    assert west.daemon.conf.get("phase-2", "Suites") == SUITE
