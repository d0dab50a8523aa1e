"""What isakmpctl dump says at the end: what was read, what was not, and the exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from regress.capture.packets import MACS, MESSAGE, ipv4, pcap, udp
from regress.decode.test_ikev1 import conversation
from regress.fifo_ui.test_dump import call

ESP = bytes.fromhex("c0ffee01 00000001") + bytes(16)


def written(tmp_path: Path, file: bytes) -> Path:
    path = tmp_path / "some.pcap"
    path.write_bytes(file)
    return path


def test_messages_repetitions_and_esp_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = conversation()[:2]
    path = written(tmp_path, pcap(
        ipv4(udp(first)), ipv4(udp(second)), ipv4(udp(first)), ipv4(ESP, protocol=50),
        ipv4(udp(ESP, 4500, 4500)), ipv4(udp(b"query", 53, 53)),
    ))  # fmt: skip
    assert call(path) == 0
    *_, head, esp = capsys.readouterr().out.strip().splitlines()
    assert head == (
        "6 frames: 3 IKE messages (1 of them repeated) of 1 negotiation, 2 ESP packets, "
        "1 frame of other traffic"
    )
    assert esp == "    ESP c0ffee01 192.0.2.1 > 192.0.2.2: 2 packets"


def test_a_repetition_names_the_frame_it_repeats(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, pcap(ipv4(udp(MESSAGE)), ipv4(udp(b"\xff")), ipv4(udp(MESSAGE))))
    assert call(path) == 0
    assert "192.0.2.1:500 > 192.0.2.2:500 (frame 1 again)\n" in capsys.readouterr().out
    assert call(path, "--json") == 0
    first, second, _ = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["repeats"], second["repeats"]) == (None, 1)


def test_of_a_file_that_has_no_frames_no_port_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (b"no capture at all, but some text", pcap()):
        assert call(written(tmp_path, file)) == 1
        assert "--port" not in capsys.readouterr().out


def test_what_is_not_read_is_named_and_a_file_without_ike_is_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, pcap(bytes(40), bytes(40), link=105))
    assert call(path) == 1
    text = capsys.readouterr().out
    assert "not read: 2 frames of link type 105 are passed over\n" in text
    assert "ETHERNET (1)" in text
    assert "--port N" in text
    assert call(path, "--json") == 1
    summary = json.loads(capsys.readouterr().out)["summary"]
    assert (summary["frames"], summary["link_types_not_read"]) == (2, {"105": 2})


def test_another_port_is_read_where_it_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = pcap(
        MACS + b"\x08\x00" + ipv4(udp(MESSAGE, 10500, 10500)),
        MACS + b"\x08\x00" + ipv4(udp(bytes(4) + MESSAGE, 1024, 62465)),
        link=1,
    )
    path = written(tmp_path, file)
    assert call(path) == 1
    capsys.readouterr()
    assert call(path, "--port", "10500", "--port", "62465", "--json") == 0
    plain, marked, _ = map(json.loads, capsys.readouterr().out.splitlines())
    assert (plain["source_port"], plain["non_esp_marker"]) == (10500, False)
    assert (marked["destination_port"], marked["non_esp_marker"]) == (62465, True)
    assert plain["header"]["cky_i"] == marked["header"]["cky_i"]


def test_a_port_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call("none", "--port", "65536")
    assert "65536 is not a port: 1 to 65535" in capsys.readouterr().err


def test_an_sa_is_shown_up_to_its_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = bytearray(conversation()[0])
    at = first.index(bytes.fromhex("80010007"))  # the first attribute: AES
    first[at : at + 2] = b"\x00\x01"  # now its value says how long it is: longer than the rest
    first[at + 2 : at + 4] = b"\xff\xff"
    assert call(written(tmp_path, pcap(ipv4(udp(bytes(first)))))) == 0
    text = capsys.readouterr().out
    assert "SA.proposal[0]: number 1 protocol_id ISAKMP spi -\n" in text
    assert "SA.proposal[0].transform[0]: number 1 transform_id KEY_IKE\n" in text
    assert "malformed: SA.proposal[0].transform[0].attribute[0] at octet" in text
