"""What is behind the last payload of an encrypted message: the next one's IV hangs on it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isakmp.constants import isakmp
from isakmp.scripts.ikev1.keys import Keys
from regress.pair import Host, Network, Packet, agree, both, connected, up

BLOCK = b"sixteen octets!!"
PHASE_1 = {"main": "ID_PROT", "aggressive": "AGGRESSIVE"}


def longer(packet: Packet, blocks: int) -> Packet:
    """A copy with blocks of any octets behind it, and the length in its header set to fit."""
    data = bytearray(packet.data + BLOCK * blocks)
    data[24:28] = len(data).to_bytes(4, "big")
    return packet._replace(data=bytes(data))


def injected(mode: str, which: int, blocks: int = 1) -> tuple[Network, Host, Host, list[Packet]]:
    """Copies of that encrypted message, counted in all of a handshake, go before it."""
    net = Network()
    west, east = (net.host(gateway) for gateway in both(exchange=PHASE_1[mode]))
    sent: list[Packet] = []
    copies: list[Packet] = []
    carry = net.send

    def send(packet: Packet) -> None:
        if packet.header.flags & isakmp.Flag.ENCRYPTION and packet.header.exchange_type != 5:
            sent.append(packet)
            if len(sent) == which:
                copies.extend(longer(packet, n) for n in range(blocks, 0, -1))
                net.flying.extend(copies)
        carry(packet)

    net.send = send  # type: ignore[method-assign]
    net.start()
    return net, west, east, copies


@pytest.mark.parametrize("blocks", [1, 3])
@pytest.mark.parametrize(
    ("mode", "which"),
    [("main", 1), ("main", 2), ("main", 3), ("main", 4), ("main", 5),
     ("aggressive", 1), ("aggressive", 2), ("aggressive", 3)],
)  # fmt: skip
def test_blocks_behind_a_message_do_not_make_the_next_ones_iv(
    mode: str, which: int, blocks: int
) -> None:
    """All its HASH covers is true: only the next message shows that the last block was not."""
    net, west, east, copies = injected(mode, which, blocks)
    net.run(0.1)
    assert len(copies) == blocks
    assert connected(west) and connected(east), "nothing had to be sent again"
    agree(west, east)
    net.run(60)
    assert connected(west) and connected(east)
    agree(west, east)
    assert not west.reasons() and not east.reasons()


def padded_more(monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
    """Both ends pad by so many whole blocks more than they have to."""
    encrypt = Keys.encrypt

    def more(keys: Keys, iv: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
        least = -len(plaintext) % keys.block_size
        octets = least + blocks * keys.block_size
        return encrypt(keys, iv, plaintext + bytes(octets - 1) + bytes([octets - 1]))

    monkeypatch.setattr(Keys, "encrypt", more)


@pytest.mark.parametrize("blocks", [1, 2, 14])
@pytest.mark.parametrize("mode", PHASE_1)
def test_who_pads_by_whole_blocks_is_taken_a_little_later(
    monkeypatch: pytest.MonkeyPatch, mode: str, blocks: int
) -> None:
    """As racoon does: by one where the payloads fill their blocks, by more where it may."""
    padded_more(monkeypatch, blocks)
    net = Network()
    west, east = (net.host(gateway) for gateway in both(exchange=PHASE_1[mode]))
    net.start()
    net.run(0.1)
    assert not connected(west)
    net.run(5)
    assert connected(west) and connected(east)
    agree(west, east)
    assert not west.reasons() and not east.reasons()


@pytest.mark.parametrize("which", [1, 2, 3, 4, 5])
def test_of_several_that_are_padded_by_whole_blocks_the_shortest_counts(
    monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    padded_more(monkeypatch, 1)
    net, west, east, copies = injected("main", which, 2)
    net.run(5)
    assert len(copies) == 2
    assert connected(west) and connected(east)
    agree(west, east)


def test_what_waits_under_one_cookie_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as a peer may have exchanges under way."""
    padded_more(monkeypatch, 1)
    net, west, east = up(*both())
    bounds = east.daemon.engine.bounds
    bounds.set(replace(bounds.limits, exchanges=2))
    engine, before = west.daemon.engine, east.daemon.engine.counters.get("dropped", 0)
    (sa,), (child,) = west.daemon.sas.isakmp.values(), west.daemon.sas.all_children()
    for _ in range(3):
        engine.dialects["ikev1"].begin_child(engine, sa, child.connection, child)
    net.run(0.1)
    assert east.daemon.engine.counters.get("dropped", 0) == before + 1
    net.run(120)
    assert connected(west) and connected(east)
    agree(west, east)
