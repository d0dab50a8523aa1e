"""isakmpd against other daemons with a kernel's ESP: the rows as such, and some of them played."""

from __future__ import annotations

from pathlib import Path
from threading import Timer

import pytest

from isakmp.conf.check import check
from isakmp.conf.store import Conf
from regress.interop import iked, pluto
from regress.interop.isakmpd_conf import configuration
from regress.interop.play import KINDS
from regress.interop.scenario import Role, Scenario, Stack, Suite
from regress.interop.site import sites
from regress.interop.stream import missing_of
from regress.interop.xfrm import parse_states
from regress.kernel import guest
from regress.kernel.batches import Guests, play_all
from regress.kernel.needs import missing
from regress.kernel.rows import PEERS, ROWS, TABLES, key

# Some 30 s each, in one boot.
SMALL = {
    "charon": [
        ("ikev1-traffic", "charon-isakmpd"),
        ("ikev2-acquire", "isakmpd-charon"),
        ("ikev2-nat", "isakmpd-charon"),
    ],
    "pluto": [
        ("ikev1-delete-ike-by-initiator", "isakmpd-pluto"),
        ("ikev2-rekey-child-busy-by-initiator", "pluto-isakmpd"),
    ],
    "iked": [("ikev2-traffic", "isakmpd-iked"), ("ikev2-transport", "iked-isakmpd")],
}


def test_each_row_and_pair_is_there_once() -> None:
    names = [key(row) for table in TABLES.values() for row in table]
    assert len(set(names)) == len(names)
    assert {pair for _, pair in ROWS} == {
        name for peer in PEERS for name in (f"isakmpd-{peer}", f"{peer}-isakmpd")
    }
    assert not any(row.version == 1 for row, pair in ROWS if "iked" in pair)
    assert {pair for row, pair in ROWS if row.name == "ikev1-traffic"} == {
        "isakmpd-charon", "charon-isakmpd", "isakmpd-pluto", "pluto-isakmpd",
    }  # fmt: skip


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("row", dict.fromkeys(row for row, _ in ROWS), ids=lambda row: row.name)
def test_isakmpd_takes_every_rows_configuration(row: Scenario, role: Role, tmp_path: Path) -> None:
    site = dict(zip(Role, sites(row), strict=True))[role]
    text = configuration(row, role, site, tmp_path, Stack.KERNEL)
    assert check(Conf.from_text(text)) == []


def test_suites_have_each_daemons_names() -> None:
    with_pfs, without = Suite("AES-256", "SHA2-256", 19), Suite("AESGCM-128", "", None)
    assert pluto.proposal(with_pfs) == "aes256-sha2_256;dh19"
    assert pluto.proposal(without) == "aes_gcm128"
    assert iked.transforms(with_pfs) == "enc aes-256 auth hmac-sha2-256 group ecp256"
    assert iked.transforms(without) == "enc aes-128-gcm"


def test_states_are_read_as_ip_prints_them() -> None:
    text = """\
src 192.168.77.1 dst 192.168.77.2
\tproto esp spi 0x0d8736b2(226965170) reqid 16389(0x00004005) mode tunnel
\treplay-window 0 seq 0x00000000 flag af-unspec (0x00100000)
\tlifetime config:
\t  limit: soft 2373051929281343510(bytes), hard 9223372036854775808(bytes)
\tlifetime current:
\t  252(bytes), 3(packets)
src 192.168.77.2 dst 192.168.77.1
\tproto esp spi 0x00000000(0) reqid 1(0x00000001) mode transport
"""
    up, larval = parse_states(text)
    assert (up.src, up.dst, up.protocol, up.spi) == (
        "192.168.77.1", "192.168.77.2", "esp", 0x0D8736B2,
    )  # fmt: skip
    assert (up.reqid, up.mode, up.packets, up.octets) == (16389, "tunnel", 3, 252)
    assert (larval.spi, larval.mode, larval.packets) == (0, "transport", 0)


def test_pings_without_an_answer_are_counted() -> None:
    text = (
        "64 bytes from 10.10.2.1: icmp_seq=1 ttl=64\n64 bytes from 10.10.2.1: icmp_seq=3 ttl=64\n"
    )
    assert missing_of(text, 4) == [2, 4]


def test_rows_that_a_guest_does_not_come_to_have_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    dies = ["sh", "-c", "echo the kernel died >&2; exit 125"]
    monkeypatch.setattr(guest, "command", lambda *_, **__: dies)
    results = play_all(ROWS[:3], jobs=2)
    assert [r["scenario"] for r in results] == [row.name for row, _ in ROWS[:3]]
    assert {r["result"] for r in results} == {"FAILED"}
    assert "the kernel died" in results[0]["detail"]


def test_all_guests_end_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest, "command", lambda *_, **__: ["sleep", "600"])
    guests = Guests()
    timer = Timer(0.5, guests.end)
    timer.start()
    assert guests.play(ROWS[:3]) == []
    assert guests.play(ROWS[3:6]) == []
    timer.join()


@pytest.mark.skipif(bool(missing()), reason=missing() or "-")
@pytest.mark.parametrize("peer", PEERS)
def test_some_rows(peer: str) -> None:
    if reason := KINDS[peer].missing(Stack.KERNEL):
        pytest.skip(reason)
    table = {(row.name, pair): (row, pair) for row, pair in ROWS}
    results = play_all([table[name] for name in SMALL[peer]])
    assert [r["detail"] for r in results if r["result"] != "ok"] == []
    assert len(results) == len(SMALL[peer])
