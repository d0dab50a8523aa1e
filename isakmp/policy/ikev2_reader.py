"""What a peer speaks, and what its section says of IKEv2: the options of RFC 7296 and after."""

from __future__ import annotations

from typing import Any

from isakmp.conf.kinds import Kind
from isakmp.conf.store import Conf
from isakmp.policy.ppk_reader import read_ppk
from isakmp.policy.spd import Ikev2


def read_key_exchange(conf: Conf, section: str) -> tuple[str, ...]:
    """Key-exchange: what the peer speaks, first what we start with."""
    return tuple(dict.fromkeys(conf.value(Kind.PEER, section, "Key-exchange")))


def read_ikev2(conf: Conf, section: str) -> Ikev2:
    """The options. ConfError with the line of the first that is wrong."""

    def said(tag: str) -> Any:
        return conf.value(Kind.PEER, section, tag)

    return Ikev2(
        window=said("Window-size"),
        childless=said("Childless"),
        fragmentation=said("Fragmentation"),
        fragment_size=said("Fragment-size"),
        force_encap=said("Encapsulation"),
        send_idr=said("Send-IDr"),
        prefer_local=said("Proposal-preference"),
        reauth_s=said("Reauthenticate"),
        make_before_break=said("Make-before-break"),
        ppk=read_ppk(conf, section),
    )
