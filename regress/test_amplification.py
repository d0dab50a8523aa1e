"""What a forged address gets for one octet that is sent in its name: docs/security.md has the
ratios."""

from __future__ import annotations

import re
from ipaddress import ip_address
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

from isakmp.app.base import UnknownSpi
from isakmp.exchange.budget import NAMED_PER_S
from isakmp.message import HEADER_SIZE, Header
from isakmp.payloads.shapes import HEADER as GENERIC
from regress.pair import Host, Network, Packet, both

VICTIM = ip_address("192.0.2.1")
SECURITY = Path(__file__).resolve().parents[1] / "docs" / "security.md"
LONG_S = 200


def chain(*payloads: tuple[int, bytes]) -> tuple[int, bytes]:
    """The first type, and the payloads behind one another."""
    kinds = [kind for kind, _ in payloads] + [0]
    found = b"".join(
        GENERIC.pack(following, 0, 4 + len(body)) + body
        for following, (_, body) in zip(kinds[1:], payloads, strict=True)
    )
    return kinds[0], found


def message(
    major: int, kind: int, payloads: tuple[int, bytes] = (0, b""), *, flags: int = 0,
    number: int = 0, cky_r: bytes = bytes(8), cky_i: bytes = b"stranger",
) -> bytes:  # fmt: skip
    first, body = payloads
    header = Header(cky_i, cky_r, first, major, 0, kind, flags, number, HEADER_SIZE + len(body))
    return header.pack() + body


def attributes(*pairs: tuple[int, int]) -> bytes:
    return b"".join((0x8000 | kind).to_bytes(2, "big") + v.to_bytes(2, "big") for kind, v in pairs)


# The smallest that are answered with more than an error: one transform, the shortest nonce.
ATTRIBUTES = attributes((1, 7), (14, 256), (2, 4), (3, 1), (4, 31))
TRANSFORM = b"\0\0\0\x1c\1\1\0\0" + ATTRIBUTES
V1_SA = b"\0\0\0\1\0\0\0\1" + b"\0\0\0\x24\1\1\0\1" + TRANSFORM
V2_SA = bytes.fromhex(
    "0000002c 01010004  0300000c 0100000c 800e0100  03000008 02000005 03000008 0300000c"
    "00000008 0400001f"
)
PUBLIC = bytes(range(1, 33))
MAIN_MODE_1 = message(1, 2, chain((1, V1_SA)))
AGGRESSIVE_1 = message(
    1, 4, chain((1, V1_SA), (4, PUBLIC), (10, bytes(8)), (5, b"\1\0\0\0" + VICTIM.packed))
)
SA_INIT = message(
    2, 34, chain((33, V2_SA), (34, b"\0\x1f\0\0" + PUBLIC), (40, bytes(range(16)))), flags=8
)
OTHER_GROUP = message(
    2, 34, chain((33, V2_SA), (34, b"\0\x0e\0\0" + b"\2"), (40, bytes(range(16)))), flags=8
)
NOTHING_FITS = SA_INIT.replace(b"\3\0\0\x08\2\0\0\5", b"\3\0\0\x08\2\0\0\1")
SOME = b"somebody"


class Row(NamedTuple):
    """ratio: octets out for one in, at most; how: what the daemon is set to."""

    data: bytes
    ratio: float
    how: str = "ikev2"


def sealed(kind: int) -> bytes:
    """A request that looks encrypted, under SPIs that nobody knows."""
    return message(2, kind, (46, b"\0\0\0\x18" + bytes(20)), flags=8, number=1, cky_r=SOME)


def unknown(kind: int) -> bytes:
    """An encrypted message of IKEv1, with cookies that nobody knows."""
    return message(1, kind, (8, bytes(32)), flags=1, number=7, cky_r=SOME)


NOTIFY = chain((11, b"\0\0\0\1\1\0\0\x0e"))
ROWS = {
    "main mode, message 1": Row(MAIN_MODE_1, 2.4, "main"),
    "aggressive mode, message 1": Row(AGGRESSIVE_1, 2.2, "aggressive"),
    "IKE_SA_INIT": Row(SA_INIT, 1.7),
    "IKE_SA_INIT, a cookie is asked for": Row(SA_INIT, 0.6, "cookie"),
    "IKE_SA_INIT, another group": Row(OTHER_GROUP, 0.4),
    "IKE_SA_INIT, nothing fits": Row(NOTHING_FITS, 0.3),
    "main mode, nothing fits": Row(MAIN_MODE_1.replace(b"\0\x1f", b"\0\x0e"), 0.6, "main"),
    "main mode for whom aggressive mode is meant": Row(MAIN_MODE_1, 0.6, "aggressive"),
    "aggressive mode for whom main mode is meant": Row(AGGRESSIVE_1, 0.3, "main"),
    "INFORMATIONAL of IKEv2, unknown SPIs": Row(
        message(2, 37, flags=8, number=2, cky_r=SOME), 1.3),
    "IKE_AUTH, unknown SPIs": Row(sealed(35), 0.7),
    "CREATE_CHILD_SA, unknown SPIs": Row(sealed(36), 0.7),
    "another major version": Row(message(3, 34, flags=8), 1.3),
    "quick mode, unknown cookies": Row(unknown(32), 0.7, "main"),
    "TRANSACTION, unknown cookies": Row(unknown(6), 0, "main"),
    "INFORMATIONAL of IKEv1, unknown cookies": Row(unknown(5), 0.7, "main"),
    "INFORMATIONAL of IKEv1 in clear": Row(message(1, 5, NOTIFY, number=7), 0, "main"),
    "main mode, message 3, unknown cookies": Row(
        message(1, 2, chain((4, PUBLIC), (10, bytes(8))), cky_r=SOME), 0, "main"),
}  # fmt: skip


# Of them all, and so of whatever else may come.
RATIO = max(row.ratio for row in ROWS.values())


def daemon(how: str) -> tuple[Network, Host]:
    """One that has a peer at the address whose name is used."""
    exchange = "AGGRESSIVE" if how == "aggressive" else "ID_PROT"
    tags = "Key-exchange= ikev2" if how in ("ikev2", "cookie") else ""
    general = "Cookie-threshold= 0" if how == "cookie" else ""
    net = Network()
    _, east = both(exchange=exchange, peer_tags=tags, general=general)
    host = net.host(east)
    host.daemon.start()
    return net, host


def gets(net: Network, host: Host, data: bytes, seconds: int = LONG_S) -> int:
    """Octets that the address gets in whose name that is sent, in the time that follows."""
    host.receive(Packet(VICTIM, 500, host.address, 500, data))
    out = 0
    for _ in range(seconds):
        out += sum(len(p.data) for p in net.flying if p.dst == VICTIM)
        net.flying.clear()
        net.now += 1
        host.timers.run()
    return out


@pytest.mark.parametrize("name", ROWS)
def test_one_message_in_somebodys_name(name: str) -> None:
    row = ROWS[name]
    out = gets(*daemon(row.how), row.data)
    assert bool(out) is bool(row.ratio)
    assert out <= row.ratio * len(row.data)


@pytest.mark.parametrize("how", ["main", "aggressive", "ikev2", "cookie"])
def test_no_type_of_exchange_in_no_version_is_answered_with_more(how: str) -> None:
    """Headers alone, and with a payload that cannot be read."""
    worst = 0.0
    for major, flags, body in product((0, 1, 2, 3, 15), (0, 1, 8), ((0, b""), NOTIFY)):
        net, host = daemon(how)
        for kind in range(256):
            data = message(major, kind, body, flags=flags, cky_i=kind.to_bytes(8, "big"))
            worst = max(worst, gets(net, host, data, 1) / len(data))
    assert worst <= RATIO


SHORTER = [
    pytest.param(how, data, id=how)
    for how, data in (
        ("main", MAIN_MODE_1), ("aggressive", AGGRESSIVE_1), ("ikev2", SA_INIT),
        ("cookie", SA_INIT),
    )
]  # fmt: skip


@pytest.mark.parametrize(("how", "data"), SHORTER)
def test_what_is_cut_short_is_not_answered_with_more(how: str, data: bytes) -> None:
    net, host = daemon(how)
    for size in range(HEADER_SIZE, len(data)):
        cut = size.to_bytes(8, "big") + data[8:24] + size.to_bytes(4, "big") + data[28:size]
        assert gets(net, host, cut, 2) <= RATIO * size


@pytest.mark.parametrize(("how", "data"), SHORTER)
def test_the_same_again_gets_no_more_than_the_same_again(how: str, data: bytes) -> None:
    net, host = daemon(how)
    out = sum(gets(net, host, data, 1) for _ in range(100))
    assert out <= RATIO * 100 * len(data)


def test_packets_of_no_sa_are_told_of_now_and_then() -> None:
    """They are shorter than any answer: not each has one."""
    net, host = daemon("ikev2")
    for number in range(1000):
        event = UnknownSpi(0x1000 + number, VICTIM, host.address, None)
        host.daemon.unknown_spi(event)
    assert 0 < len(net.flying) <= NAMED_PER_S


def test_the_ratios_are_those_that_are_documented() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([0-9.]+) \|$", SECURITY.read_text(), re.M)
    assert dict(rows) == {name: f"{row.ratio:g}" for name, row in ROWS.items()}
