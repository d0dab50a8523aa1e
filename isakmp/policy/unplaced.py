"""Tags of [Phase 1] that are no address: whom they name could come from anywhere.

Nobody who may be one of these is taken for the Default peer.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from isakmp.conf.kinds import Kind
from isakmp.conf.spelling import likely_meant
from isakmp.conf.store import Conf
from isakmp.conf.tags import tag_of
from isakmp.errors import ConfError
from isakmp.event.steps import Steps, pauses
from isakmp.policy.spd import Address

HINT = "write a host's address, no name"


class Unplaced(NamedTuple):
    """sections: that such tags name; at: by the Address that these have; said: the first of those
    without one that have a Remote-ID, which tells them apart once it is said; anybody: the first of
    all others."""

    sections: list[str]
    at: dict[Address, ConfError]
    said: ConfError | None
    anybody: ConfError | None

    def error(self, address: Address, by_identity: bool) -> ConfError | None:
        """What keeps who calls from there from being the Default peer. by_identity: who it is has
        been said."""
        return self.at.get(address) or self.anybody or (None if by_identity else self.said)


def unplaced(conf: Conf) -> Steps[Unplaced]:
    """What [Phase 1] has of such tags."""
    at: dict[Address, ConfError] = {}
    without: dict[bool, ConfError] = {}
    tags = []
    for tag, pause in pauses(conf.tags("Phase 1")):
        if tag_of(Kind.PHASE_1, tag) is None:
            tags.append(tag)
        if pause:
            yield
    sections = [conf.get("Phase 1", tag) or "" for tag in tags]
    for tag, section in zip(tags, sections, strict=True):
        yield
        error, address = no_address(conf, tag), _address(conf, section)
        if address is None:
            without.setdefault(bool(conf.get(section, "Remote-ID")), error)
        else:
            at.setdefault(address, error)
    return Unplaced(sections, at, without.get(True), without.get(False))


def _address(conf: Conf, section: str) -> Address | None:
    address: Address | None = None
    with suppress(ConfError):
        address = conf.value(Kind.PEER, section, "Address")
    return address


def no_address(conf: Conf, tag: str) -> ConfError:
    """What is wrong with such a tag."""
    meant = likely_meant(Kind.PHASE_1, tag)
    hint = f"did you mean {meant}?" if meant else _hint(conf, conf.get("Phase 1", tag) or "")
    return conf.error("is no address, so that nobody is known by it", "Phase 1", tag, hint)


def _hint(conf: Conf, section: str) -> str:
    """What to write. IKEv2 knows a caller by its identity, once its address lets it in."""
    if conf.get("Phase 1", "Default") is not None:
        return f"{HINT}; or leave it out, and give [{section}] a Remote-ID, which IKEv2 alone heeds"
    return (
        f"{HINT}; or Default= {section}: every address may call then, so give [{section}] a "
        "Remote-ID"
    )
