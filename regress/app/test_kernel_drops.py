"""The kernel's counters of dropped packets."""

from __future__ import annotations

from pathlib import Path

import pytest

from isakmp.app.kernel_drops import kernel_drops
from isakmp.errors import ApplicationError


def test_what_happened_is_counted_by_the_kernels_names(tmp_path: Path) -> None:
    stat = tmp_path / "xfrm_stat"
    stat.write_text("XfrmInError             \t0\nXfrmInNoStates          \t7\nodd\n")
    assert kernel_drops(stat) == {"XfrmInNoStates": 7}


def test_a_kernel_that_counts_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(ApplicationError, match="xfrm_stat: No such file"):
        kernel_drops(tmp_path / "xfrm_stat")
