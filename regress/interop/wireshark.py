"""Whether tshark, with the daemon's key log, reads what went over the wire."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from regress.interop.acts import Play
from regress.interop.end import Failure
from regress.interop.isakmpd import Isakmpd

QUICK_MODE = "32"


def tshark(pcap: Path, keys: Path, display_filter: str, *fields: str) -> list[list[str]]:
    """A row of ``fields`` for each packet that the filter takes; ``keys`` decrypt."""
    options = ("esp.enable_encryption_decode:TRUE", "esp.enable_authentication_check:TRUE")
    done = subprocess.run(
        [
            *("tshark", "-n", "-r", str(pcap), "-Y", display_filter, "-T", "fields"),
            *(word for field in fields for word in ("-e", field)),
            *(word for option in options for word in ("-o", option)),
        ],
        env=os.environ | {"WIRESHARK_CONFIG_DIR": str(keys)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode:
        raise Failure(f"tshark: {done.stderr.strip()}")
    return [line.split("\t") for line in done.stdout.splitlines()]


def available() -> bool:
    return shutil.which("tshark") is not None


def decrypts(play: Play) -> None:
    """Main mode, quick mode and ESP are readable with the keys that isakmpd logged."""
    end = next(end for end in (play.a, play.b) if isinstance(end, Isakmpd))
    pcap, keys = end.folder.parent / "wire.pcap", end.key_log
    play.wire.write(pcap)
    hashes = tshark(pcap, keys, "isakmp.hash", "isakmp.exchangetype", "isakmp.hash")
    quick = [row for row in hashes if row[0] == QUICK_MODE]
    if len(quick) < 3 or len(hashes) < 5:
        raise Failure(
            f"tshark sees {len(hashes)} HASH payloads, {len(quick)} of them in quick mode; "
            "main mode has 2 and quick mode 3"
        )
    inner = tshark(pcap, keys, f"esp && icmp && ip.src=={end.site.host}", "esp.icv_good")
    if len(inner) < 6:
        raise Failure(f"tshark sees {len(inner)} of 6 ICMP packets from {end} inside ESP")
    if not all(row == ["1"] for row in inner):
        raise Failure(f"tshark finds bad ICVs: {inner}")
