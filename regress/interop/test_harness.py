"""The harness itself: its parsers, its eyes for clear packets, and that it can say no."""

from __future__ import annotations

import socket
import struct
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from isakmp.conf.check import check
from isakmp.conf.store import Conf
from regress.interop.capture import Capture, Wire
from regress.interop.charon import Charon, parse_raw, proposal
from regress.interop.end import Failure
from regress.interop.forked import forking
from regress.interop.isakmpd_conf import configuration, identity, suite_name, transform_name
from regress.interop.namespace import wire
from regress.interop.needs import missing
from regress.interop.play import play, stage
from regress.interop.rows import SCENARIOS
from regress.interop.scenario import Role, Scenario, Suite
from regress.interop.site import sites

_MACS = bytes(12)
needs_peers = pytest.mark.skipif(bool(missing()), reason=missing() or "-")


def ipv4(protocol: int, body: bytes) -> bytes:
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0)
    return header + socket.inet_aton("192.168.77.1") + socket.inet_aton("192.168.77.2") + body


def udp(source: int, destination: int, data: bytes) -> bytes:
    return struct.pack("!HHHH", source, destination, 8 + len(data), 0) + data


def on_wire(packet: bytes, ether_type: int = 0x0800) -> Wire:
    return Wire([(0.0, _MACS + struct.pack("!H", ether_type) + packet)])


def test_of_threads_beside_a_fork_alone_no_warning_comes() -> None:
    """What Python says of it from 3.12 on."""
    said = (
        "This process (pid=%d) is multi-threaded, use of %s() may lead to deadlocks in the child."
    )
    with forking():
        for name in ("fork", "forkpty"):
            warnings.warn(said % (1, name), DeprecationWarning, stacklevel=1)
        with pytest.raises(DeprecationWarning):
            warnings.warn("anything else", DeprecationWarning, stacklevel=1)
    with pytest.raises(DeprecationWarning):
        warnings.warn(said % (1, "fork"), DeprecationWarning, stacklevel=1)


@pytest.mark.parametrize(
    ("packet", "clear", "esp"),
    [
        (ipv4(17, udp(500, 500, bytes(40))), False, 0),
        (ipv4(17, udp(4500, 23456, b"\0\0\0\0" + b"x" * 40)), False, 0),
        (ipv4(17, udp(4500, 4500, b"\xff")), False, 0),
        (ipv4(17, udp(4500, 4500, b"\0\0\1\0" + b"x" * 40)), False, 1),
        (ipv4(50, b"\0\0\1\0" + b"x" * 40), False, 1),
        (ipv4(1, b"\x08\0" + bytes(30)), True, 0),
        (ipv4(17, udp(53, 53, bytes(20))), True, 0),
        (ipv4(6, bytes(20)), True, 0),
        (ipv4(1, b"\x03\x03" + bytes(6) + ipv4(17, udp(4500, 4500, b"x"))), False, 0),
        (ipv4(1, b"\x03\x03" + bytes(6) + ipv4(1, b"\x08\0" + bytes(8))), True, 0),
    ],
)
def test_wire_tells_clear_packets_from_esp(packet: bytes, clear: bool, esp: int) -> None:
    seen = on_wire(packet)
    assert bool(seen.clear()) is clear
    assert seen.esp() == esp


def test_wire_knows_neighbour_discovery_and_unknown_ether_types() -> None:
    def ipv6(protocol: int, body: bytes) -> bytes:
        return b"\x60\0\0\0" + struct.pack("!HBB", len(body), protocol, 255) + bytes(32) + body

    assert not on_wire(ipv6(58, b"\x87\0" + bytes(22)), 0x86DD).clear()
    assert not on_wire(ipv6(0, b"\x3a\0" + bytes(6) + b"\x8f\0" + bytes(22)), 0x86DD).clear()
    assert on_wire(ipv6(58, b"\x80\0" + bytes(22)), 0x86DD).clear()
    assert on_wire(bytes(20), 0x8888).clear()


def test_wire_has_each_ike_message_once_and_no_strays() -> None:
    seen = Wire(
        [
            frame
            for packet in (
                udp(500, 500, b"one" * 10),
                udp(500, 500, b"one" * 10),
                udp(4500, 4500, bytes(4) + b"two" * 10),
                udp(4500, 4500, b"\xff"),
                udp(4500, 4500, b"\0\0\1\0" + b"esp" * 10),
                udp(40000, 500, b"stray" * 10),
            )
            for frame in on_wire(ipv4(17, packet)).frames
        ]
    )
    assert seen.ike() == [b"one" * 10, b"two" * 10]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a.example", "ID-type= FQDN\nName= a.example"),
        ("carol@a.example", "ID-type= USER_FQDN\nName= carol@a.example"),
        ("@#c0ffee", "ID-type= KEY_ID\nName= 0xc0ffee"),
        ("C=DE, CN=a", "ID-type= DER_ASN1_DN\nName= C=DE, CN=a"),
        ("192.0.2.1", "ID-type= IPV4_ADDR\nAddress= 192.0.2.1"),
        ("2001:db8::1", "ID-type= IPV6_ADDR\nAddress= 2001:db8::1"),
    ],
)
def test_an_identitys_type_follows_from_its_shape(text: str, kind: str) -> None:
    assert identity("id", text) == f"[id]\n{kind}\n"


def test_wire_writes_pcap(tmp_path: Path) -> None:
    on_wire(ipv4(50, bytes(20))).write(tmp_path / "one.pcap")
    data = (tmp_path / "one.pcap").read_bytes()
    assert data[:4] == bytes.fromhex("d4c3b2a1")
    assert len(data) == 24 + 16 + 14 + 40


def test_parse_raw_reads_nested_sections() -> None:
    line = (
        "list-sa event {peer {uniqueid=1 version=1 state=ESTABLISHED local-host=fd77::1 "
        "initiator-spi=00112233aabbccdd tasks-active=[QUICK_MODE INFO] child-sas {net-1 {"
        "name=net state=INSTALLED local-ts=[10.10.1.0/24] spi-in=c0ffee01}}}}"
    )
    peer = parse_raw(line)["event"]["peer"]
    assert peer["local-host"] == "fd77::1"
    assert peer["tasks-active"] == ["QUICK_MODE", "INFO"]
    assert peer["child-sas"]["net-1"]["local-ts"] == ["10.10.1.0/24"]
    assert peer["child-sas"]["net-1"]["spi-in"] == "c0ffee01"


def test_suites_have_each_daemons_names() -> None:
    with_pfs, without = Suite("AES-256", "SHA", 19), Suite("AESGCM-128", "", None)
    assert proposal(with_pfs) == "aes256-sha1-ecp256"
    assert transform_name(with_pfs) == "AES-256-SHA-GRP19"
    assert suite_name(with_pfs) == "QM-ESP-AES-256-SHA-PFS-GRP19-SUITE"
    assert proposal(without) == "aes128gcm16"
    assert suite_name(without) == "QM-ESP-AESGCM-128-SUITE"


def test_the_table_names_each_row_once() -> None:
    names = [row.name for row in SCENARIOS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("row", SCENARIOS, ids=lambda row: row.name)
def test_isakmpd_takes_every_rows_configuration(row: Scenario, role: Role, tmp_path: Path) -> None:
    site = dict(zip(Role, sites(row), strict=True))[role]
    text = configuration(row, role, site, tmp_path)
    assert check(Conf.from_text(text)) == []


@needs_peers
@pytest.mark.parametrize("name", ["main-aes-256-sha2-256-group19-pfs", "nat-main", "ipv6"])
def test_strongswan_with_itself_plays_a_row(name: str) -> None:
    play(next(row for row in SCENARIOS if row.name == name), "charon-charon")


@needs_peers
def test_a_scenario_that_cannot_work_fails(tmp_path: Path) -> None:
    row = replace(SCENARIOS[0], name="other-secrets")
    with stage(row, "charon-charon", tmp_path) as ready:
        (ready.b.folder / "secrets.conf").write_text('secrets { ike-1 { secret = "other" } }\n')
        assert isinstance(ready.b, Charon)
        ready.b.ready()
        ready.a.patience_s = 2.0
        with pytest.raises(Failure, match="initiate"):
            ready.a.initiate()


@needs_peers
def test_a_clear_ping_is_seen() -> None:
    with wire(nat=False) as (a, b):
        capture = Capture((a, b))
        a.run("ping", "-c", "1", "-W", "1", "192.168.77.2")
        assert len(capture.read().clear()) == 2
        capture.close()
