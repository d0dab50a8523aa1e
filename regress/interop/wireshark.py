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
_IKEV2_TABLE = "ikev2_decryption_table"
# Of an algorithm that Wireshark decrypts beside, and does not compute.
_UNCHECKED = "[no checking]"
_BAD_ICV = "isakmp.ikev2.integrity_checksum"


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
    """Everything that is encrypted is readable with the keys that isakmpd logged.

    What Wireshark has no name for, the key log leaves out: ChaCha20, Camellia.
    """
    end = next(end for end in (play.a, play.b) if isinstance(end, Isakmpd))
    pcap = end.folder.parent / "wire.pcap"
    play.wire.write(pcap)
    if play.scenario.version == 1:
        _ikev1(pcap, end.key_log)
    elif (end.key_log / _IKEV2_TABLE).exists():
        _ikev2(pcap, end.key_log)
    table = end.key_log / "esp_sa"
    if table.exists() and _UNCHECKED not in table.read_text() and play.scenario.inner == 4:
        _esp(pcap, end)


def _ikev1(pcap: Path, keys: Path) -> None:
    hashes = tshark(pcap, keys, "isakmp.hash", "isakmp.exchangetype", "isakmp.hash")
    quick = [row for row in hashes if row[0] == QUICK_MODE]
    if len(quick) < 3 or len(hashes) < 5:
        raise Failure(
            f"tshark sees {len(hashes)} HASH payloads, {len(quick)} of them in quick mode; "
            "main mode has 2 and quick mode 3"
        )


def _ikev2(pcap: Path, keys: Path) -> None:
    """Each message after IKE_SA_INIT is decrypted, and its ICV right."""
    fields = ("frame.number", "isakmp.enc.decrypted", _BAD_ICV, "_ws.malformed")
    rows = tshark(pcap, keys, "isakmp.exchangetype >= 35", *fields)
    bad = [row[0] for row in rows if not row[1] or any(row[2:])]
    if bad or len(rows) < 2:
        raise Failure(f"tshark cannot read {len(bad)} of {len(rows)} messages: frames {bad}")


def _esp(pcap: Path, end: Isakmpd) -> None:
    inner = tshark(pcap, end.key_log, f"esp && icmp && ip.src=={end.site.host}", "esp.icv_good")
    if len(inner) < 6:
        raise Failure(f"tshark sees {len(inner)} of 6 ICMP packets from {end} inside ESP")
    if not all(row == ["1"] for row in inner):
        raise Failure(f"tshark finds bad ICVs: {inner}")
