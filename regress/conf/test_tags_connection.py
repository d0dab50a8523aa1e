"""The tags of connections and of what they offer: what they take, and what they do not."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.conf.kinds import Kind
from isakmp.conf.store import Conf
from isakmp.conf.tags_connection import CONNECTION
from isakmp.constants import ipsec, isakmp
from isakmp.errors import ConfError
from isakmp.policy.spd import Range

PROTOCOL, TRANSFORM = Kind.PROTOCOL, Kind.IPSEC_TRANSFORM


def value(kind: Kind, tag: str, text: str) -> Any:
    return Conf.from_text(f"[it]\n{tag}= {text}\n", "f").value(kind, "it", tag)


def test_a_connection_leads_to_its_peer_and_identities() -> None:
    leads = {name: tag.leads for name, tag in CONNECTION.items() if tag.leads}
    assert leads["ISAKMP-peer"] is Kind.PEER
    assert leads["Local-ID"] is leads["Remote-ID"] is Kind.ID


@pytest.mark.parametrize(
    ("kind", "tag", "text", "read"),
    [
        (Kind.CONNECTION, "IPComp", "yes", True),
        (PROTOCOL, "PROTOCOL_ID", "IPSEC_AH", isakmp.Protocol.IPSEC_AH),
        (PROTOCOL, "ReplayWindow", "64", 64),
        (TRANSFORM, "ENCAPSULATION_MODE", "TRANSPORT", ipsec.Encapsulation.TRANSPORT),
        (TRANSFORM, "AUTHENTICATION_ALGORITHM", "HMAC_SHA", ipsec.Auth.HMAC_SHA),
        (TRANSFORM, "KEY_LENGTH", "192", Range(192, 192, 192)),
    ],
)
def test_what_is_taken(kind: Kind, tag: str, text: str, read: object) -> None:
    assert value(kind, tag, text) == read


@pytest.mark.parametrize(
    ("kind", "tag", "text"),
    [
        (Kind.CONNECTION, "IPComp", "deflate"), (PROTOCOL, "PROTOCOL_ID", "TCP"),
        (PROTOCOL, "ReplayWindow", "wide"), (TRANSFORM, "ENCAPSULATION_MODE", "BOTH"),
        (TRANSFORM, "AUTHENTICATION_ALGORITHM", "ROT13"), (TRANSFORM, "KEY_LENGTH", "long"),
    ],
)  # fmt: skip
def test_what_is_not_has_its_line(kind: Kind, tag: str, text: str) -> None:
    with pytest.raises(ConfError) as caught:
        value(kind, tag, text)
    assert (caught.value.line, caught.value.section) == (2, "it")
