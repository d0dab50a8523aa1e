"""What one process has at a time, and whose word counts for that."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from isakmp.app.held import Held
from isakmp.errors import ApplicationError

NOBODY = 65534
HOLD = """
import os, sys
from isakmp.app.held import Held
if len(sys.argv) > 2: os.setuid(int(sys.argv[2]))
held = Held(sys.argv[1], "a thing")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def name(tmp_path: Path) -> str:
    """One that no other test has, nor another run of this one."""
    return str(tmp_path)


@pytest.fixture
def holder(request: pytest.FixtureRequest, name: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds it, of the user that is asked for."""
    words = [sys.executable, "-c", HOLD, name, *map(str, request.param)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).resolve().parents[2],
    ) as process:  # fmt: skip
        assert process.stdout and process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.parametrize("holder", [()], indirect=True)
def test_a_second_one_is_told_who_has_it(name: str, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(ApplicationError, match=f"process {holder.pid} has a thing already"):
        Held(name, "a thing")
    holder.kill()
    holder.wait()
    Held(name, "a thing").close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("holder", [(NOBODY,)], indirect=True)
def test_another_users_name_keeps_nobody_out(
    name: str, holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    Held(name, "a thing").close()
    os.chown(tmp_path, NOBODY, NOBODY)
    with pytest.raises(ApplicationError, match=f"process {holder.pid}"):
        Held(name, "a thing", str(tmp_path))


def test_other_things_are_others(name: str) -> None:
    one = Held(name, "a thing")
    Held(f"{name}/other", "another").close()
    one.close()
    Held(name, "a thing").close()
