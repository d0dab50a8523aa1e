"""The guest runs what it is given and says how that ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from regress.kernel import guest

pytestmark = pytest.mark.skipif(bool(guest.missing()), reason=guest.missing())


def test_output_errors_and_status_come_through_apart() -> None:
    done = guest.run(["sh", "-c", "echo out; echo error >&2; exit 7"])
    assert (done.stdout, done.returncode) == ("out\n", 7)
    assert "error" in done.stderr


def test_only_writable_directories_keep_what_is_written(tmp_path: Path) -> None:
    kept, lost = tmp_path / "kept", tmp_path / "lost"
    kept.mkdir()
    lost.mkdir()
    script = f"echo 1 >{kept}/file; echo 1 >{lost}/file; cat {lost}/file"
    done = guest.run(["sh", "-c", script], writable=[kept])
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert (kept / "file").read_text() == "1\n"
    assert not (lost / "file").exists()


def test_the_time_limit_ends_a_guest() -> None:
    assert guest.run(["sleep", "600"], timeout_s=8).returncode == guest.OVER_TIME


def test_a_guest_has_ipsec() -> None:
    script = "ip xfrm state add src 10.0.0.1 dst 10.0.0.2 proto esp spi 1 mode tunnel aead " \
        "'rfc4106(gcm(aes))' 0x" + 20 * "11" + " 128 && ip xfrm state count"  # fmt: skip
    done = guest.run(["sh", "-c", script])
    assert done.returncode == 0, done.stderr
    assert "SAD count 1" in done.stdout
