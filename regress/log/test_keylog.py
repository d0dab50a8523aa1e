"""The key log: lines as Wireshark's own tables have them, in files nobody else reads."""

from __future__ import annotations

import csv
import os
import shutil
import stat
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest

from isakmp.app.base import SaSpec
from isakmp.constants.ipsec import Auth, Encapsulation, Esp
from isakmp.constants.isakmp import Protocol
from isakmp.errors import ConfError
from isakmp.log.keylog import KeyLog, esp_line
from isakmp.log.log import Log
from isakmp.policy.spd import Selector

ANOTHER = 65534
root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")


def sa_of(
    src: str = "192.0.2.1",
    dst: str = "192.0.2.2",
    spi: int = 0x1001,
    encryption: int = Esp.AES,
    enc_key: bytes = bytes(16),
    auth: Auth | None = Auth.HMAC_SHA,
    auth_key: bytes = bytes(20),
) -> SaSpec:
    host = "/128" if ":" in src else "/32"
    return SaSpec(
        protocol=Protocol.IPSEC_ESP,
        spi=spi,
        src=ip_address(src),
        dst=ip_address(dst),
        mode=Encapsulation.TUNNEL,
        inbound=True,
        selectors=(Selector.of(src + host, dst + host),),
        reqid=1,
        encryption=encryption,
        enc_key=enc_key,
        auth=auth,
        auth_key=auth_key,
    )


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def keylog(tmp_path: Path, lines: list[str]) -> KeyLog:
    return KeyLog(tmp_path / "keys", Log(lambda: 0.0, lines.append))


def test_phase_1_lines_are_appended(keylog: KeyLog) -> None:
    keylog.phase_1(bytes.fromhex("29f6006212625def"), bytes.fromhex("c26a81ba"))
    keylog.phase_1(bytes(8), b"\xff")
    table = (keylog.directory / "ikev1_decryption_table").read_text()
    assert table == "29f6006212625def,c26a81ba\n0000000000000000,ff\n"


def test_files_are_private(keylog: KeyLog) -> None:
    loose = keylog.directory / "esp_sa"
    loose.touch(mode=0o644)
    keylog.phase_1(bytes(8), bytes(16))
    keylog.esp(sa_of())
    modes = {stat.S_IMODE(path.stat().st_mode) for path in keylog.directory.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(keylog.directory.stat().st_mode) == 0o700


@pytest.mark.parametrize("kind", ["link", "folder", "fifo"])
def test_only_regular_files_are_written(
    keylog: KeyLog, lines: list[str], tmp_path: Path, kind: str
) -> None:
    path = keylog.directory / "esp_sa"
    if kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    keylog.esp(sa_of())
    assert "key log" in lines[0]
    assert not (tmp_path / "elsewhere").exists()


def test_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfError, match="key log"):
        KeyLog(tmp_path / "file", Log(lambda: 0.0, print))


@root
def test_a_directory_of_another_user_is_none_for_keys(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o755)
    os.chown(tmp_path / "keys", ANOTHER, ANOTHER)
    log = Log(lambda: 0.0, print)
    with pytest.raises(ConfError, match=f"key log.*belongs to user {ANOTHER}.*Key-log"):
        KeyLog(tmp_path / "keys", log)
    KeyLog(tmp_path / "keys", log, {ANOTHER})


def test_a_directory_that_others_may_write_is_none_for_keys(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys").chmod(0o777)
    with pytest.raises(ConfError, match="may be written by others"):
        KeyLog(tmp_path / "keys", Log(lambda: 0.0, print))


@root
def test_another_user_s_table_gets_no_keys(keylog: KeyLog, lines: list[str]) -> None:
    """In a directory where all may make files, made before the start or after it."""
    keylog.directory.chmod(0o1777)
    path = keylog.directory / "ikev1_decryption_table"
    path.touch()
    os.chown(path, ANOTHER, ANOTHER)
    keylog.phase_1(bytes(8), bytes(16))
    assert path.read_bytes() == b""
    assert f"key log {path}: belongs to user {ANOTHER}, who can read" in lines[0]
    with pytest.raises(ConfError, match=f"{path} belongs to user {ANOTHER}"):
        KeyLog(keylog.directory, Log(lambda: 0.0, print))


@pytest.mark.parametrize(
    ("encryption", "key_size", "auth"),
    [(Esp.AES_GCM_16, 20, None), (Esp._3DES, 24, Auth.HMAC_SHA2_256), (Esp.NULL, 0, Auth.HMAC_MD5)],
)
def test_esp_line_has_eight_quoted_fields(
    encryption: Esp, key_size: int, auth: Auth | None
) -> None:
    sa = sa_of(encryption=encryption, enc_key=b"\x01" * key_size, auth=auth, auth_key=b"")
    line = esp_line(sa)
    assert line is not None
    fields = next(csv.reader([line]))
    assert len(fields) == 8
    assert fields[:4] == ["IPv4", "192.0.2.1", "192.0.2.2", "0x00001001"]
    assert fields[5] == ("0x" + "01" * key_size if key_size else "")


def test_esp_of_ipv6() -> None:
    line = esp_line(sa_of(src="2001:db8::1", dst="2001:db8::2"))
    assert line is not None
    assert line.startswith('"IPv6","2001:db8::1","2001:db8::2",')


@pytest.mark.parametrize("encryption", [Esp.CHACHA20_POLY1305, Esp.AES_CCM_16, 4711])
def test_algorithms_wireshark_does_not_know_are_left_out(keylog: KeyLog, encryption: int) -> None:
    assert keylog.esp(sa_of(encryption=encryption, auth=None)) is False
    assert not (keylog.directory / "esp_sa").exists()


def test_esp_lines_are_those_of_a_real_table(shared: Path) -> None:
    """Every row of a table that Wireshark reads, made again from its values."""
    rows = (shared / "vectors" / "keys" / "esp_sa").read_text().splitlines()
    assert rows
    for row in rows:
        _, src, dst, spi, _, enc_key, _, auth_key = next(csv.reader([row]))
        sa = sa_of(
            src=src,
            dst=dst,
            spi=int(spi, 16),
            enc_key=bytes.fromhex(enc_key[2:]),
            auth_key=bytes.fromhex(auth_key[2:]),
        )
        assert esp_line(sa) == row


def test_tshark_loads_the_tables(keylog: KeyLog, tmp_path: Path) -> None:
    """Every algorithm we name is one that tshark takes: it complains about a table otherwise."""
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("needs tshark")
    for encryption in Esp:
        for auth in (None, *Auth):
            keylog.esp(sa_of(encryption=encryption, auth=auth))
    keylog.phase_1(bytes(8), bytes(16))
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
    run = subprocess.run(
        [tshark, "-r", str(empty)],
        env={**os.environ, "WIRESHARK_CONFIG_DIR": str(keylog.directory)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "esp_sa" not in run.stderr
    assert "ikev1_decryption_table" not in run.stderr
