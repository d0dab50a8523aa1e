"""The kernel's IPsec behind the Application: every case of dataplane.py, in one boot."""

from __future__ import annotations

import json
import sys

import pytest

from regress.kernel import guest
from regress.kernel.dataplane import CASES

TIMEOUT_S = 220


@pytest.mark.skipif(bool(guest.missing()), reason=guest.missing())
@pytest.mark.timeout(TIMEOUT_S + 40)
def test_every_case() -> None:
    done = guest.run([sys.executable, "-m", "regress.kernel.dataplane"], timeout_s=TIMEOUT_S)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    failed = [f"{line['case']}:\n{line['why']}" for line in lines if line["why"]]
    assert not failed, "\n\n".join(failed)
    assert [line["case"] for line in lines] == list(CASES), done.stderr[-2000:]
    assert done.returncode == 0
