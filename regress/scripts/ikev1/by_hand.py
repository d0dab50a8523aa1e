"""A peer of IKEv1 whose side is written by hand."""

from __future__ import annotations

from typing import Any

from isakmp.constants import DOI_IPSEC, isakmp
from isakmp.crypto import keymat
from isakmp.message import HEADER_SIZE, Header, build_payloads, generic_header, parse_payloads
from isakmp.payloads.sa import SaValue
from isakmp.payloads.shapes import ProposalValue
from regress.pair import EAST, WEST, Network, Packet

P = isakmp.Payload
ENCRYPTION = int(isakmp.Flag.ENCRYPTION)


class Peer:
    """East's side of quick mode by hand, under the ISAKMP SA that east has made."""

    def __init__(self) -> None:
        self.net = Network()
        self.west, self.east = self.net.host(WEST), self.net.host(EAST)
        self.caught: list[Packet] = []
        self.port = 500
        self.net.lose = self._catch
        self.net.start()
        self.net.pump()
        (self.sa,) = self.east.daemon.sas.isakmp.values()
        self.keys = self.sa.keys

    def _catch(self, packet: Packet) -> bool:
        if packet.src == self.west.address and packet.header.exchange_type == 32:
            self.caught.append(packet)
            return True
        return False

    def opened(self, packet: Packet, iv: bytes) -> list[Any]:
        header = packet.header
        found = self.keys.decrypt(iv, packet.message[HEADER_SIZE:])
        assert found is not None
        return parse_payloads(1, header.next_payload, found[0])[0]

    def say(
        self, kind: int, message_id: int, iv: bytes, payloads: list[tuple[int, Any]],
        seal: Any, flags: int = 0,
    ) -> bytes:  # fmt: skip
        """Send an encrypted message; ``seal``: makes the HASH over the rest. Its last block."""
        first, chain = build_payloads(1, payloads) if payloads else (0, b"")
        value = seal(chain)
        chain = generic_header(first, value) + value + chain
        data, last = self.keys.encrypt(iv, chain)
        header = Header(self.sa.cky_i, self.sa.cky_r, P.HASH, 1, 0, kind, flags | ENCRYPTION,
                        message_id, HEADER_SIZE + len(data))  # fmt: skip
        packet = Packet(self.east.address, self.port, self.west.address, 500, header.pack() + data)
        self.net.deliver(packet)
        return bytes(last)

    def answer_quick_mode(self, extra: Any = (), flags: int = 0) -> tuple[int, bytes]:
        """Message 2 to west's first; its message ID and the next IV."""
        first = self.caught.pop()
        number = first.header.message_id
        payloads = self.opened(first, self.keys.phase_2_iv(number))
        proposal = payloads[1].value.proposals[0]
        chosen = ProposalValue(proposal.number, 3, b"\0\1\2\3", proposal.transforms[:1])
        answer = SaValue(DOI_IPSEC, 1, (chosen,))
        ni_b = payloads[2].body
        bodies = [(P.ID, p.body) for p in payloads if p.type == P.ID]
        last = self.say(
            32, number, first.data[-16:],
            [(P.SA, answer), (P.NONCE, b"r" * 16), *bodies, *extra],
            lambda rest: keymat.quick_hash_2(
                self.keys.prf, self.keys.skeyid_a, number, ni_b, rest
            ),
            flags,
        )  # fmt: skip
        return number, last

    def hash_1(self, number: int) -> Any:
        return lambda rest: keymat.quick_hash_1(self.keys.prf, self.keys.skeyid_a, number, rest)
