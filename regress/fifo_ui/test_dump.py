"""isakmpctl dump: every message of every capture, decrypted where a key file has its key."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fifo_ui import dump
from fifo_ui.flags import make_parser
from isakmp.capture import CaptureWriter, Damage, read_datagrams, read_frames
from isakmp.decode import Decoder
from isakmp.keytable import KeyTable
from regress.decode.test_ikev1 import CKY_I, KEY, conversation

# What tshark hands back because of its length field, 0: shown here, with what is wrong.
NOT_COUNTED = "isakmp-pointer-loop.pcap"
# Messages that break a rule. (Of ISAKMP_sa_setup tshark takes NAT-D payloads by their number in
# the first drafts, 15, for group key management, and calls two messages malformed.)
MALFORMED = {
    "isakmp-delete-segfault.pcap": ["HDR.length", "HDR.version"],
    "isakmp-pointer-loop.pcap": ["HDR.length", "HASH"],
    "isakmpv1-attr-oobr.pcap": ["HDR.length", "TRANSFORM"],
    "ikev2-id-normal.pcap": ["IDi"],
    "isakmp-no-none-np.pcapng": ["HDR.length", "NOTIFY"],
}
AUTH_DATA = {
    "ikev2-decrypt-3des-sha1_160.pcap": "02f7a0d5f1fdc8ea81039818c65bb9bd09af9b89",
    "ikev2-decrypt-aes128ccm12.pcap": "c2104394299e1ffe7908ea720ad5d13717a0d454",
    "ikev2-decrypt-aes128ccm12-2.pcap": "aaa281c87b4a19046c57271d557488ca413b5722",
    "ikev2-decrypt-aes256cbc.pcapng": "e1a8d550064201a7ec024a85758d0673c61c5c51",
    "ikev2-decrypt-aes256gcm16.pcap": "9ab71f14ab553cad873a1aa70b99df155dee77cd",
}


def call(*words: str | Path) -> int:
    return dump.run(make_parser().parse_args(["dump", *map(str, words)]))


def objects(capsys: pytest.CaptureFixture[str], *words: str | Path) -> list[dict[str, Any]]:
    """The messages, without the summary behind them, which the status has to fit."""
    status = call(*words, "--json")
    *messages, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert status == (not messages and not last["summary"]["esp_packets"])
    return messages


def test_a_file_that_is_not_there_is_named_without_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(tmp_path / "none.pcap") == 1
    told = f"isakmpctl: {tmp_path / 'none.pcap'}: No such file or directory\n"
    assert capsys.readouterr().err == told


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "recording.pcap"
    with CaptureWriter(path) as writer:
        for second, message in enumerate(conversation()):
            ends = [("192.0.2.1", 500), ("192.0.2.2", 500)]
            source, destination = ends if second % 2 == 0 else reversed(ends)
            writer.write(1_700_000_000 + second, source, destination, message)
    return path


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(f"{CKY_I.hex()},{KEY.hex()}\n")
    return path


def test_messages_as_json(recording: Path, keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = objects(capsys, recording, "--keys", keys)
    assert [one["frame"] for one in found] == list(range(1, 14))
    quick = found[6]
    assert quick["time"] == 1_700_000_006
    assert (quick["source"], quick["source_port"]) == ("192.0.2.1", 500)
    assert (quick["destination"], quick["destination_port"]) == ("192.0.2.2", 500)
    assert quick["header"]["exchange"] == "QUICK_MODE"
    assert quick["header"]["message_id"] == "00000007"
    assert [payload["name"] for payload in quick["payloads"]] == ["HASH", "NONCE"]
    assert (quick["encrypted"], quick["decrypted"], quick["errors"]) == (True, True, [])


def test_messages_as_text(recording: Path, keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(recording, "--keys", keys) == 0
    text = capsys.readouterr().out
    assert "7 2023-11-14T22:13:26.000000Z 192.0.2.1:500 > 192.0.2.2:500\n    HDR: cky_i" in text
    assert "ENCRYPTION_ALGORITHM = AES_CBC" in text
    assert text.count("    decrypted\n") == 9
    assert call(recording) == 0
    assert "not decrypted: no key for this initiator cookie" in capsys.readouterr().out


def test_broken_files_are_read_to_where_they_break(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = recording.read_bytes()
    recording.write_bytes(data[:-10])
    assert call(recording, "--json") == 1
    *messages, damage, _ = map(json.loads, capsys.readouterr().out.splitlines())
    assert len(messages) == 12
    assert damage["errors"][0]["path"] == "capture"
    assert damage["errors"][0]["reason"].startswith("the file ends in frame 13")
    assert call(recording) == 1
    assert "malformed: capture at octet" in capsys.readouterr().out


def test_files_that_cannot_be_read(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(tmp_path / "none") == 1
    assert "No such file" in capsys.readouterr().err
    (tmp_path / "bad").write_text("# a comment\n0011,22\n")
    assert call(recording, "--keys", tmp_path / "bad") == 1
    assert "bad:2: the initiator cookie has 8 octets, not 2" in capsys.readouterr().err


def test_a_version_that_is_not_spoken_and_a_packet_too_short(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.pcap"
    odd = conversation()[0][:17] + b"\x30" + conversation()[0][18:]
    with CaptureWriter(path) as writer:
        writer.write(0, ("2001:db8::1", 500), ("2001:db8::2", 500), odd)
        writer.write(1e12, ("192.0.2.1", 500), ("192.0.2.2", 500), b"short")
    version, short = objects(capsys, path)
    assert version["header"]["version"] == "3.0"
    assert version["errors"][0]["path"] == "HDR.version"
    assert (version["payloads"], short["header"]) == ([], None)
    assert short["errors"][0]["reason"] == "5 octets: 28 are needed"
    assert call(path) == 0
    text = capsys.readouterr().out
    assert "[2001:db8::1]:500 > [2001:db8::2]:500\n    HDR: cky_i" in text
    assert "malformed: HDR at octet 0: 5 octets: 28 are needed (RFC 2408 3.1)" in text


def test_times_that_no_calendar_has(capsys: pytest.CaptureFixture[str]) -> None:
    text = dump.damage_text(Damage(1, 10**25, "IPv4", 0, "odd", "RFC 791 3.1"))
    assert text.startswith("1 10000000000000000.000000\n")
    assert dump.damage_text(Damage(1, -1, "IPv4", 0, "odd")).startswith("1 -1.999999\n")


def test_a_reader_that_goes_away_is_no_error(recording: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    root = Path(dump.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "fifo_ui.ctl", "dump", str(recording)],
        stdout=writing,
        stderr=subprocess.PIPE,
        cwd=root,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(st.integers(0, 2500), st.binary(min_size=1, max_size=3)), max_size=8),
    st.integers(0, 2600),
)
def test_any_damage_is_shown_and_ends_nothing(
    recording: Path, changes: list[tuple[int, bytes]], size: int
) -> None:
    data = bytearray(recording.read_bytes())
    for at, octets in changes:
        data[at : at + len(octets)] = octets
    table = KeyTable()
    table.ikev1[CKY_I] = KEY
    decoder = Decoder(table)
    for item in read_datagrams(read_frames(io.BytesIO(data[:size]))):
        if isinstance(item, Damage):
            json.dumps(dump.damage_dict(item))
            assert dump.damage_text(item)
            continue
        for decoded in decoder.decode(item):
            json.dumps(dump.message_dict(decoded))
            assert all(line.isprintable() for line in dump.message_text(decoded).splitlines())


# Captures of others


def entries(shared: Path) -> list[dict[str, Any]]:
    listed = json.loads((shared / "vectors" / "MANIFEST.json").read_text())
    return [one for one in listed if one.get("tshark") and ".pcap" in one["file"]]


def test_all_messages_of_all_captures(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {}
    for entry in entries(shared):
        path = shared / "vectors" / entry["file"]
        found = objects(capsys, path)
        surplus = 1 if path.name == NOT_COUNTED else 0
        assert len(found) == entry["tshark"]["ike"] + surplus, path.name
        assert all(one["header"] for one in found), path.name
        if paths := [error["path"] for one in found for error in one["errors"]]:
            wrong[path.name] = paths
    assert wrong == MALFORMED


@pytest.mark.parametrize("name", AUTH_DATA)
def test_ikev2_with_keys(shared: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    tables = shared / "vectors" / "keys"
    path = shared / "vectors" / "captures" / "wireshark" / name
    words: list[str | Path] = [
        "--keys",
        tables / "ikev1_decryption_table",
        "--keys",
        tables / "ikev2_decryption_table",
    ]
    found = objects(capsys, path, *words)
    sealed = [one for one in found if one["encrypted"]]
    assert sealed
    assert all(one["decrypted"] and not one["errors"] for one in sealed)
    assert {one["icv"] for one in sealed} == {"unchecked" if name.endswith("-2.pcap") else "good"}
    auths = [p["value"]["data"] for one in sealed for p in one["payloads"] if p["name"] == "AUTH"]
    assert any(data.startswith(AUTH_DATA[name]) for data in auths)


def test_ikev1_with_a_key(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shared / "vectors" / "captures" / "wireshark" / "ikev1-bug-12620.pcapng.gz"
    table = shared / "vectors" / "keys" / "ikev1_decryption_table"
    found = objects(capsys, path, "--keys", table)
    assert [one["decrypted"] for one in found] == [False] * 3 + [True] * 7
    assert not [error for one in found for error in one["errors"]]
    names = [[payload["name"] for payload in one["payloads"]] for one in found[3:]]
    assert names == [["HASH", "NOTIFY"]] + [["HASH", "ATTRIBUTE"]] * 6
    digest = found[3]["payloads"][0]["value"]["data"]
    assert digest.startswith("40043b640f4373250d5ac3a1fb63153c")


def test_gzipped_or_not_is_the_same(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = shared / "vectors" / "captures" / "wireshark" / "ikev1-bug-12620.pcapng.gz"
    plain = tmp_path / "plain.pcapng"
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    assert objects(capsys, path) == objects(capsys, plain)


def tshark(path: Path, *words: str, config: Path | None = None) -> list[list[str]]:
    """The fields of every IKE message, as tshark sees them."""
    if shutil.which("tshark") is None:
        pytest.skip("needs tshark, which is not installed")
    fields = [word for field in words for word in ("-e", field)]
    command = ["tshark", "-r", str(path), "-Y", "isakmp.version", "-T", "fields", *fields]
    environment = dict(os.environ) | ({"WIRESHARK_CONFIG_DIR": str(config)} if config else {})
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    "name",
    [
        "tcpdump/isakmp4500.pcap",
        "tcpdump/ikev2four.pcap",
        "scapy/ikev2_nat_t.pcapng",
        "suricata/ikev1-isakmp-main-mode.pcap",
    ],
)
def test_headers_are_those_that_tshark_sees(
    shared: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = shared / "vectors" / "captures" / name
    words = ("frame.number", "isakmp.ispi", "isakmp.rspi", "isakmp.messageid", "isakmp.length")
    ours = [
        [
            str(one["frame"]),
            one["header"]["cky_i"],
            one["header"]["cky_r"],
            f"0x{one['header']['message_id']}",
            str(one["header"]["length"]),
        ]
        for one in objects(capsys, path)
    ]
    assert ours == tshark(path, *words)


def test_tshark_opens_the_same_messages(recording: Path, tmp_path: Path) -> None:
    (tmp_path / "ikev1_decryption_table").write_text(f"{CKY_I.hex()},{KEY.hex()}\n")
    seen = tshark(recording, "isakmp.hash", config=tmp_path)
    assert [field for (field,) in seen if field] == [f"{octet:02x}" * 20 for octet in range(1, 10)]
