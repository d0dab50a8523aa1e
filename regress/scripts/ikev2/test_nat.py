"""NAT detection: who is behind one, by what each end sees of the other. RFC 7296 2.23."""

from __future__ import annotations

from hashlib import sha1
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isakmp.constants.ikev2 import Payload
from isakmp.path import Path
from isakmp.payloads import codec
from isakmp.payloads.ikev2.notify import NotifyValue
from isakmp.scripts.ikev2.common import Notifies
from isakmp.scripts.ikev2.nat import (
    DESTINATION,
    SOURCE,
    Found,
    digest,
    floated,
    look,
    notifies,
)

SPI_I, SPI_R = b"initiate", b"responds"
WEST, EAST = ip_address("192.0.2.1"), ip_address("192.0.2.2")
INSIDE = ip_address("10.0.0.9")


def path(local: Any = WEST, remote: Any = EAST, local_port: int = 500, port: int = 500) -> Path:
    return Path(local, local_port, remote, port)


def carried(values: list[NotifyValue]) -> Notifies:
    """Notifies as the other end reads them."""
    notify = codec(2, Payload.NOTIFY)
    assert notify is not None
    found: Notifies = {}
    for value in values:
        read = notify.parse(notify.build(value))
        found.setdefault(read.notify, []).append(read)
    return found


def seen(sender: Path, receiver: Path, *, force: bool = False) -> Found:
    """What the receiver learns of a first message that was sent over ``sender``."""
    sent = notifies(sender, SPI_I, bytes(8), force)
    return look(carried(sent), receiver, SPI_I, bytes(8))


def test_the_digest_is_over_spis_address_and_port() -> None:
    assert digest(SPI_I, SPI_R, WEST, 500) == sha1(
        b"initiateresponds" + bytes([192, 0, 2, 1]) + b"\x01\xf4"
    ).digest()  # fmt: skip
    six = ip_address("2001:db8::1")
    assert digest(SPI_I, SPI_R, six, 4500) == sha1(
        b"initiateresponds" + six.packed + b"\x11\x94"
    ).digest()  # fmt: skip


def test_there_is_no_nat() -> None:
    assert seen(path(), path(EAST, WEST)) == Found(False, False, True)


@pytest.mark.parametrize(
    ("sender", "receiver", "found"),
    [
        (path(INSIDE), path(EAST, WEST), Found(False, True, True)),
        (path(), path(EAST, WEST, port=20001), Found(False, True, True)),
        (path(), path(INSIDE, WEST), Found(True, False, True)),
        (path(), path(EAST, WEST, local_port=4500), Found(True, False, True)),
        (path(INSIDE), path(INSIDE, WEST, port=9), Found(True, True, True)),
    ],
)
def test_an_address_or_port_that_is_another_is_a_nat(
    sender: Path, receiver: Path, found: Found
) -> None:
    assert seen(sender, receiver) == found


def test_forced_encapsulation_looks_like_a_nat_before_the_sender() -> None:
    assert seen(path(), path(EAST, WEST), force=True) == Found(False, True, True)


@given(st.integers(0, 5), st.integers(0, 5), st.data())
def test_one_source_of_several_is_enough(before: int, behind: int, data: st.DataObject) -> None:
    others = data.draw(
        st.lists(st.binary(max_size=40), min_size=before + behind, max_size=before + behind)
    )
    good = digest(SPI_I, SPI_R, EAST, 500)
    wrong = [NotifyValue(0, SOURCE, b"", one) for one in others]
    sent = notifies(path(EAST, WEST), SPI_I, SPI_R, False)
    sources = [*wrong[:before], sent[0], *wrong[before:], sent[1]]
    assert look(carried(sources), path(), SPI_I, SPI_R) == Found(False, False, True)
    found = look(carried([*wrong, sent[1]]), path(), SPI_I, SPI_R)
    assert found == (Found(False, good not in others, True) if wrong else Found())


@pytest.mark.parametrize("kind", [SOURCE, DESTINATION])
def test_one_of_the_two_alone_says_nothing(kind: int) -> None:
    sent = [v for v in notifies(path(), SPI_I, SPI_R, False) if v.notify == kind]
    assert look(carried(sent), path(EAST, WEST), SPI_I, SPI_R) == Found()
    assert look({}, path(EAST, WEST), SPI_I, SPI_R) == Found()


def test_other_spis_make_another_digest() -> None:
    sent = carried(notifies(path(), SPI_I, SPI_R, False))
    assert look(sent, path(EAST, WEST), SPI_I, bytes(8)) == Found(True, True, True)


def test_both_ends_go_on_at_port_4500() -> None:
    moved = floated(path(port=20001))
    assert (moved.local, moved.remote) == (WEST, EAST)
    assert (moved.local_port, moved.remote_port, moved.encap) == (4500, 4500, True)
    assert floated(path(), 14500).local_port == 14500
