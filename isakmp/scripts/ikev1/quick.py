"""Quick: what one quick mode has learned, and what it is under and for (RFC 2409 5.5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from isakmp.app.base import Limits, SaSpec
from isakmp.constants.key_exchange import Method
from isakmp.crypto.groups import KeyPair
from isakmp.errors import MalformedPayload
from isakmp.exchange.exchange import Exchange, ExchangeOf
from isakmp.policy.match import Chosen
from isakmp.policy.spd import Connection, Selector
from isakmp.sa import IsakmpSa


@dataclass(slots=True)
class Quick:
    """What the steps of one quick mode have learned. selector runs from us to the peer.

    first_spi: of what the peer has offered, or chosen; agreed: when the responder's answer left, or
    came; committed: the last block of one that came with the commit bit; unconfirmed: nothing is to
    come behind our last message after all; in_udp: whether the SAs go through UDP. What was agreed
    on counts: nothing protects what the two ends have found of NATs, so that it need not be the
    same.
    """

    connection: Connection | None = None
    selector: Selector | None = None
    id_bodies: tuple[bytes, ...] = ()
    ni_b: bytes = b""
    nr_b: bytes = b""
    group: Method | None = None
    key_pair: KeyPair | None = None
    g_qm_peer: bytes = b""
    g_qm_xy: bytes = field(default=b"", repr=False)
    spis: dict[int, int] = field(default_factory=dict)
    reqid: int = 0
    first_spi: bytes = b""
    chosen: list[Chosen] = field(default_factory=list)
    specs: list[SaSpec] = field(default_factory=list, repr=False)
    responder_life_s: int = 0
    limits: Limits = field(default_factory=Limits)
    in_udp: bool = False
    agreed: float = 0.0
    committed: bytes = b""
    unconfirmed: bool = False

    @property
    def peer_spi(self) -> bytes:
        """By which the peer knows what it has sent, as far as that was read."""
        return self.chosen[0].proposal.spi if self.chosen else self.first_spi


X = ExchangeOf[Quick]


def parent(x: Exchange) -> IsakmpSa:
    """The ISAKMP SA that protects this exchange."""
    if x.sa is None:
        raise MalformedPayload("HDR", 0, "quick mode needs an ISAKMP SA", "RFC 2409 5.5")
    return x.sa


def connection_of(x: X) -> Connection:
    """The connection this exchange is for."""
    if x.state.connection is None:
        raise MalformedPayload("ID", 28, "no connection is chosen", "RFC 2409 5.5")
    return x.state.connection


def selector_of(x: X) -> Selector:
    """The agreed traffic."""
    return x.state.selector or connection_of(x).selector
