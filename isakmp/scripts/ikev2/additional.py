"""Additional key exchanges, one request and answer for each: RFC 9370 2.2.2 and 2.2.4.

    initiator            responder
    KEi(n)     -->
               <--   KEr(n)

What both ends have then is SK(n). IKE_INTERMEDIATE and IKE_FOLLOWUP_KE do with it what they do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from isakmp.constants import ikev2
from isakmp.constants.key_exchange import method_name
from isakmp.crypto.groups import KeyPair
from isakmp.errors import Reason, Refused
from isakmp.exchange.exchange import Exchange
from isakmp.exchange.script import Incoming, Outgoing, Wait
from isakmp.payloads import ikev2 as codecs
from isakmp.scripts.ikev2 import common

P, Notify = ikev2.Payload, ikev2.Notify


@dataclass(slots=True)
class Additional:
    """Those of one negotiation. methods: that are to come, in their order, the first one is being
    done; key_pair: the initiator's, ke_peer: what the responder has got, secret: SK(n), of it."""

    methods: tuple[int, ...] = ()
    key_pair: KeyPair | None = None
    ke_peer: bytes = b""
    secret: bytes = field(default=b"", repr=False)

    def take_secret(self) -> bytes:
        """SK(n), once; the next one follows."""
        secret, self.secret, self.ke_peer, self.key_pair = self.secret, b"", b"", None
        self.methods = self.methods[1:]
        return secret


def send(x: Exchange, a: Additional, message: Outgoing) -> Wait:
    """KEi(n), or KEr(n), which makes the responder's secret."""
    method = a.methods[0]
    if x.initiator:
        a.key_pair = yield from common.make_key_pair(x, method)
        public = a.key_pair.public
    else:
        public, a.secret = yield from common.respond(x, method, a.ke_peer)
    message.add(P.KE, common.ke_value(method, public))


def recv(x: Exchange, a: Additional, message: Incoming) -> Wait:
    """The peer's, which makes the initiator's secret. Refused where it is of another method."""
    ke, method = message.value(codecs.KE), a.methods[0]
    if ke.group != method:
        raise Refused(
            Reason("invalid-key-exchange", "the key exchange is not the one whose turn it is",
                   came=method_name(ke.group), acceptable=method_name(method)),
            Notify.INVALID_SYNTAX,
        )  # fmt: skip
    if a.key_pair is None:
        a.ke_peer = ke.data
    else:
        a.secret = yield from common.agree(x, a.key_pair, ke.data)
