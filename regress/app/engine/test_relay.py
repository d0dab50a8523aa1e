"""ESP in UDP between a daemon and its key engine in another process."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.app.engine.relay import Datagram, Relay, pack, unpack
from isakmp.errors import MalformedPayload
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from regress.app.pf_key import strategies as some
from regress.app.pf_key.fakes import (
    THEM,
    US,
)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80), some.address_pairs, some.u16, some.u16, some.u8)
def test_relay_round_trip(esp: bytes, ends, sport, dport, tos) -> None:  # type: ignore[no-untyped-def]
    src, dst = ends
    datagram = Datagram(esp, src, dst, sport, dport, tos)
    whole = pack(datagram)
    assert unpack(whole) == datagram
    for size in range(38):
        with pytest.raises(MalformedPayload):
            unpack(whole[:size])
    with pytest.raises(MalformedPayload, match="family 5"):
        unpack(b"\5" + whole[1:])


def test_a_full_relay_loses_packets() -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    loop = Loop(Timers(lambda: 0.0))
    relay = Relay(near, loop, lambda datagram: None, lambda: None)
    while not relay.dropped:
        relay.send(Datagram(bytes(1400), US, THEM, 4500, 4500))
    relay.close()
    relay.close()
    far.close()
