"""The fuzz target of captures runs, from a made-up recording, and finds nothing at first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from isakmp.capture import CaptureWriter
from regress.decode.test_ikev1 import conversation

ROOT = Path(__file__).resolve().parents[2]


def test_the_fuzz_target(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="needs atheris, of the test extra")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    with CaptureWriter(corpus / "recording") as writer:
        for message in conversation():
            writer.write(0, ("192.0.2.1", 500), ("192.0.2.2", 500), message)
    command = [sys.executable, "-m", "regress.fuzz.fuzz_capture", "-runs=400", "-seed=1"]
    command += ["-max_len=4000", f"-artifact_prefix={tmp_path}/", str(corpus)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Done 400 runs" in done.stderr
