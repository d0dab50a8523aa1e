"""A chain is followed past whatever is wrong in one payload, and no further than it holds."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.constants import ikev2, isakmp
from isakmp.decode.walk import read_chain
from isakmp.message import MAX_PAYLOADS, build_payloads


def test_a_malformed_payload_does_not_hide_those_behind_it() -> None:
    items = [
        (isakmp.Payload.NONCE, bytes(8)),
        (isakmp.Payload.ID, b"\x01\0\0\0\x7f"),
        (isakmp.Payload.VENDOR, b"vendor"),
    ]
    first, data = build_payloads(1, items)
    chain = read_chain(1, first, data, 28)
    assert [payload.type for payload in chain.payloads] == [10, 5, 13]
    assert [payload.next_type for payload in chain.payloads] == [5, 13, 0]
    assert [payload.value is None for payload in chain.payloads] == [False, True, False]
    assert chain.end == len(data)
    (error,) = chain.errors
    assert (error.path, error.offset) == ("ID", 28 + 12 + 4)


def test_a_length_that_leads_out_ends_the_chain() -> None:
    data = struct.pack(">BBH", 13, 0, 12) + bytes(8) + struct.pack(">BBH", 0, 0, 99)
    chain = read_chain(1, isakmp.Payload.NONCE, data, 28)
    assert len(chain.payloads) == 1
    assert [(error.path, error.offset) for error in chain.errors] == [("VENDOR", 40)]


def test_an_encrypted_payload_is_the_last() -> None:
    first, data = build_payloads(2, [(ikev2.Payload.SK, b"sealed")], ikev2.Payload.IDI)
    chain = read_chain(2, first, data + b"rest", 28)
    assert chain.payloads[0].next_type == ikev2.Payload.IDI
    assert (chain.end, chain.errors) == (len(data), [])


def test_no_more_than_so_many_payloads() -> None:
    data = struct.pack(">BBH", 13, 0, 4) * (MAX_PAYLOADS + 1)
    chain = read_chain(2, 43, data.replace(b"\x0d", b"\x2b"), 28)
    assert len(chain.payloads) == MAX_PAYLOADS
    assert "more than" in chain.errors[-1].reason


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([1, 2]), st.integers(0, 60), st.binary(max_size=120))
def test_any_octets(major: int, first: int, data: bytes) -> None:
    chain = read_chain(major, first, data, 28)
    assert chain.end <= len(data)
    assert all(payload.offset >= 28 for payload in chain.payloads)
    assert chain.errors or chain.end == sum(4 + len(payload.body) for payload in chain.payloads)
