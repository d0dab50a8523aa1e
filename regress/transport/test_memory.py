"""The transport in memory, and what may come to the NAT-traversal port."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from isakmp.path import Path
from isakmp.transport.base import sort
from isakmp.transport.memory import Memory

US, THEM = ip_address("192.0.2.1"), ip_address("192.0.2.2")
PLAIN, ENCAP = Path(US, 500, THEM, 500), Path(US, 4500, THEM, 4500, True)
Got = list[tuple[str, bytes]]


def started() -> tuple[Memory, Got, list[tuple[Path, bytes]]]:
    sent: list[tuple[Path, bytes]] = []
    memory, got = Memory(lambda path, data: sent.append((path, data))), []
    memory.start(lambda p, d: got.append(("ike", d)), lambda p, d: got.append(("esp", d)))
    return memory, got, sent


def test_messages_go_behind_the_marker_on_the_nat_traversal_port_only() -> None:
    """RFC 3948 2.2."""
    memory, _, sent = started()
    memory.send(PLAIN, b"message")
    memory.send(ENCAP, b"message")
    memory.send_raw(ENCAP, b"\xff")
    assert [data for _, data in sent] == [b"message", bytes(4) + b"message", b"\xff"]
    assert memory.describe() == [{"transport": "memory"}]


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (bytes(4) + b"message", [("ike", b"message")]),
        (b"\0\0\1\0" + bytes(8), [("esp", b"\0\0\1\0" + bytes(8))]),
        (b"\xff", []), (b"", []), (b"\0\0\1\0", []), (b"\0\0\1\0\0\0\0\1", []),
        (bytes(4), [("ike", b"")]),
    ],
)  # fmt: skip
def test_what_comes_to_the_nat_traversal_port(data: bytes, got: Got) -> None:
    """RFC 3948 2.1 to 2.3."""
    found: Got = []
    sort(ENCAP, data, lambda p, d: found.append(("ike", d)), lambda p, d: found.append(("esp", d)))
    assert found == got


def test_nothing_is_received_before_start_and_after_close() -> None:
    memory = Memory(lambda path, data: None)
    memory.receive(PLAIN, b"early")
    memory, got, _ = started()
    memory.receive(PLAIN, b"message")
    memory.receive(ENCAP, bytes(4) + b"message")
    memory.receive(PLAIN, b"")
    memory.close()
    memory.receive(PLAIN, b"late")
    assert got == [("ike", b"message")] * 2
