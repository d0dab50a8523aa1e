"""IntAuth, by which AUTH covers what went before it in IKE_INTERMEDIATE: RFC 9242 3.3.2.

IntAuth_in = prf(SK_pin, IntAuth_i(n-1) | IntAuth_inA | IntAuth_inP), for the responder likewise
IntAuth = IntAuth_iN | IntAuth_rN | IKE_AUTH_MID

A is the message up to its encrypted payload, P what that holds: the same whether it is cut or not.
"""

from __future__ import annotations

from dataclasses import dataclass

from isakmp.scripts.ikev2.keys import Keys
from isakmp.scripts.ikev2.packet import covered


@dataclass(slots=True)
class IntAuth:
    """That of one attempt, as far as it has come. answered: how many exchanges are done."""

    i: bytes = b""
    r: bytes = b""
    answered: int = 0

    def note(self, keys: Keys, initiators: bool, datagram: bytes, chain: bytes) -> None:
        """One more message, the initiator's or the responder's, under the keys that protect it.

        datagram: the message, or the first piece of it; chain: the payloads in it.
        """
        octets = covered(datagram, chain)
        if initiators:
            self.i = keys.prf(keys.sk.pi, self.i, octets)
        else:
            self.r = keys.prf(keys.sk.pr, self.r, octets)
            self.answered += 1

    @property
    def octets(self) -> bytes:
        """What AUTH covers of it, nothing without such exchanges. The message ID of the first
        IKE_AUTH follows theirs, which begin with 1."""
        if not self.answered:
            return b""
        return self.i + self.r + (self.answered + 1).to_bytes(4, "big")
