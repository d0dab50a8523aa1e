"""A peer whose section cannot be read, as far as it says who that would be.

Whoever says to be it is refused: with what is left of the section it could be taken for the Default
peer.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from isakmp.conf.kinds import Kind
from isakmp.conf.spelling import MAX_UNKNOWN, meant_by
from isakmp.conf.store import Conf
from isakmp.conf.tags import tag_of
from isakmp.constants import IKEV1, IKEV2, isakmp
from isakmp.errors import ConfError
from isakmp.policy.identity import Resolve, read_identity
from isakmp.policy.spd import Address, Identity, Remote


class Outline(NamedTuple):
    """remote: to be known by, in each version and exchange; error: why it cannot be used; hidden:
    whom it expects cannot be read either, so that anybody may be it."""

    remote: Remote
    error: ConfError
    hidden: bool


def outline(conf: Conf, section: str, resolve: Resolve, error: ConfError) -> Outline | None:
    """What can be read of a peer's section all the same; None where there is no such section."""
    if not conf.has_section(section):
        return None
    address: Address | None = None
    expected: Identity | None = None
    with suppress(ConfError):  # then it may be anywhere
        address = conf.value(Kind.PEER, section, "Address")
    with suppress(ConfError):
        name = conf.get(section, "Remote-ID")
        expected = read_identity(conf, name, resolve) if name else None
    remote = Remote(
        section, address, 0, isakmp.Exchange.AGGRESSIVE, (),
        remote_id=expected, line=conf.where(section), key_exchange=(IKEV1, IKEV2),
    )  # fmt: skip
    return Outline(remote, error, expected is None and _expects(conf, section))


def _expects(conf: Conf, section: str) -> bool:
    """Whether somebody is expected, be the tag misspelt."""
    unknown = [tag for tag in conf.tags(section) if tag_of(Kind.PEER, tag) is None]
    meant = (meant_by(conf, Kind.PEER, section, tag) for tag in unknown[:MAX_UNKNOWN])
    return bool(conf.get(section, "Remote-ID")) or "Remote-ID" in meant
