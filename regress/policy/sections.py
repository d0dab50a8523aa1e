"""Sections for tests of the IKEv2 policy, and the way of their proposals over the wire."""

from __future__ import annotations

from typing import Any

from isakmp.conf.store import Conf
from isakmp.constants.ikev2 import Payload
from isakmp.payloads import codec
from isakmp.policy.reader import read_connection, read_remote
from isakmp.policy.spd import Connection, Remote


def peer(tags: str = "", more: str = "") -> Remote:
    """A peer's section with these tags, separated by semicolons."""
    return read_remote(conf(tags, "", more), "west")


def connection(tags: str = "", peer_tags: str = "", more: str = "") -> Connection:
    """A connection's section with these tags, separated by semicolons."""
    return read_connection(conf(peer_tags, tags, more), "net")


def conf(peer_tags: str = "", tags: str = "", more: str = "") -> Conf:
    """A peer in lines 1 up, a connection behind it."""
    return Conf.from_text(
        "\n".join(
            (
                "[west]", "Address= 192.0.2.2", "Local-address= 192.0.2.1", *_lines(peer_tags),
                "[net]", "ISAKMP-peer= west", *_lines(tags), more,
            )
        ),
        "f",
    )  # fmt: skip


def _lines(tags: str) -> list[str]:
    return [tag.strip() for tag in tags.split(";") if tag.strip()]


def over_the_wire(kind: Payload, value: Any) -> Any:
    """A payload built and parsed again."""
    found = codec(2, kind)
    assert found is not None
    return found.parse(found.build(value))


def proposals_of(value: Any) -> Any:
    """The proposals of an SA payload as a peer sees them."""
    return over_the_wire(Payload.SA, value).proposals
