"""The tags of peers, their identities and phase 1: what they take, and what they do not."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from isakmp.conf.kinds import Kind
from isakmp.conf.store import Conf
from isakmp.constants import isakmp
from isakmp.errors import ConfError
from isakmp.policy.spd import Range, Unique

PEER, TRANSFORM = Kind.PEER, Kind.ISAKMP_TRANSFORM
ID, LIFETIME, CONFIGURATION = Kind.ID, Kind.LIFETIME, Kind.ISAKMP_CONFIGURATION


def value(kind: Kind, tag: str, text: str) -> Any:
    return Conf.from_text(f"[it]\n{tag}= {text}\n", "f").value(kind, "it", tag)


@pytest.mark.parametrize(
    ("kind", "tag", "text", "read"),
    [
        (PEER, "Address", "192.0.2.1", ip_address("192.0.2.1")),
        (PEER, "Address", "2001:db8::1", ip_address("2001:db8::1")),
        (PEER, "Unique-ids", "never", Unique.NEVER),
        (PEER, "Reauthenticate", "0", 0),
        (TRANSFORM, "HASH_ALGORITHM", "SHA2_256", isakmp.Hash.SHA2_256),
        (TRANSFORM, "KEY_LENGTH", "128,128:256", Range(128, 128, 256)),
        (TRANSFORM, "KEY_LENGTH", "ANY", None),
        (CONFIGURATION, "EXCHANGE_TYPE", "AGGRESSIVE", isakmp.Exchange.AGGRESSIVE),
        (LIFETIME, "LIFE_DURATION", "60", Range(60, 60, 60)),
    ],
)
def test_what_is_taken(kind: Kind, tag: str, text: str, read: object) -> None:
    assert value(kind, tag, text) == read


@pytest.mark.parametrize(
    ("kind", "tag", "text"),
    [
        (PEER, "Address", "west.example"), (PEER, "Port", "0"), (PEER, "Port", "65536"),
        (PEER, "Unique-ids", "perhaps"), (PEER, "Phase", "2"), (PEER, "Reauthenticate", "-1"),
        (ID, "ID-type", "EMAIL"), (TRANSFORM, "HASH_ALGORITHM", "AES"),
        (TRANSFORM, "KEY_LENGTH", "256,192:128"), (CONFIGURATION, "EXCHANGE_TYPE", "INFO"),
        (LIFETIME, "LIFE_TYPE", "YEARS"), (LIFETIME, "LIFE_DURATION", "0"),
    ],
)  # fmt: skip
def test_what_is_not_has_its_line(kind: Kind, tag: str, text: str) -> None:
    with pytest.raises(ConfError) as caught:
        value(kind, tag, text)
    assert (caught.value.line, caught.value.section) == (2, "it")
