"""The fuzz target runs, from the codecs' own vectors, and finds nothing in its first rounds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from isakmp.message import Header, build_message
from isakmp.payloads import family

ROOT = Path(__file__).resolve().parents[2]


def seeds(folder: Path) -> None:
    """A message for every vector of every codec."""
    folder.mkdir()
    for major in (1, 2):
        header = Header(bytes(8), bytes(8), 0, major, 0, 2, 0, 0)
        known = family(major)
        assert known
        for codec in known.codecs.values():
            for nth, (text, _) in enumerate(codec.vectors):
                data = build_message(header, [(int(codec.type), bytes.fromhex(text))])
                (folder / f"{major}-{codec.name}-{nth}").write_bytes(data)


def test_the_fuzz_target(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="needs atheris, of the test extra")
    seeds(tmp_path / "corpus")
    command = [sys.executable, "-m", "regress.fuzz.fuzz_message", "-runs=1500", "-seed=1"]
    command += ["-max_len=400", f"-artifact_prefix={tmp_path}/", str(tmp_path / "corpus")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Done 1500 runs" in done.stderr
