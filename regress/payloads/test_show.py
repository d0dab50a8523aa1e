"""How fields read in a symbolic dump."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from isakmp.constants.ipsec import Id
from isakmp.payloads import show


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "-"), (b"\xde\xad", "dead"), (bytes(show.MAX_SHOWN), "00" * show.MAX_SHOWN),
        (bytes(show.MAX_SHOWN + 1), "00" * show.MAX_SHOWN + f"... ({show.MAX_SHOWN + 1} octets)"),
    ],
)  # fmt: skip
def test_octets_are_cut_short_with_their_size(data: bytes, text: str) -> None:
    assert show.octets(data) == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"jo doe", '"jo doe"'),
        (b"", "-"),
        (b"jo\n", "6a6f0a"),
        (b"\xc3\xb6", "c3b6"),
        (b"\x7f", "7f"),
    ],
)
def test_a_peer_writes_nothing_of_its_own_into_a_dump(data: bytes, text: str) -> None:
    assert show.text(data) == text


@pytest.mark.parametrize(
    ("data", "text"), [(b"\n\0\0\1", "10.0.0.1"), (bytes(15) + b"\1", "::1"), (b"\n\0\0", "0a0000")]
)
def test_addresses(data: bytes, text: str) -> None:
    assert show.address(data) == text


def test_two_addresses_of_a_family() -> None:
    assert show.addresses(b"\n\0\0\0\xff\0\0\0", "/") == "10.0.0.0/255.0.0.0"
    assert show.addresses(bytes(32), "-") == "::-::"


def test_domains_of_interpretation() -> None:
    assert [show.doi(number) for number in (0, 1, 2)] == ["ISAKMP", "IPSEC", "UNKNOWN(2)"]


def test_a_line_has_its_fields_in_the_order_given() -> None:
    describe = show.fields(type=show.registry(Id), data=show.octets)
    assert describe(SimpleNamespace(data=b"\1", type=2)) == [("", "type FQDN data 01")]
    assert describe(SimpleNamespace(data=b"\1", type=222)) == [("", "type UNKNOWN(222) data 01")]
