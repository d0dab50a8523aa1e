"""NAT traversal in phase 1: RFC 3947, and draft-ietf-ipsec-nat-t-ike-02 and -03.

NAT-D = HASH(CKY-I | CKY-R | IP | Port); the first covers the far end as the sender sees it,
the rest cover the sender's own addresses (3.2). Who finds a NAT moves to port 4500 (4).
"""

from __future__ import annotations

from collections.abc import Sequence
from hmac import compare_digest

from isakmp.constants import NAT_T_PORT, ipsec, isakmp
from isakmp.crypto.hash import HashSpec
from isakmp.exchange.script import Incoming, Outgoing
from isakmp.path import Path
from isakmp.payloads.sa import Offer
from isakmp.payloads.vendor import (
    VENDOR_NAT_T_02,
    VENDOR_NAT_T_02_NEWLINE,
    VENDOR_NAT_T_03,
    VENDOR_RFC3947,
)
from isakmp.policy.identity import host_network
from isakmp.policy.spd import Address, Selector
from isakmp.sa import Nat

# Preferred first; the same value in both directions makes the dialect.
VENDORS = (VENDOR_RFC3947, VENDOR_NAT_T_03, VENDOR_NAT_T_02_NEWLINE, VENDOR_NAT_T_02)

_MODES = {
    (ipsec.Encapsulation.TUNNEL, False): ipsec.Encapsulation.UDP_ENCAP_TUNNEL,
    (ipsec.Encapsulation.TRANSPORT, False): ipsec.Encapsulation.UDP_ENCAP_TRANSPORT,
    (ipsec.Encapsulation.TUNNEL, True): ipsec.Encapsulation.UDP_ENCAP_TUNNEL_DRAFT,
    (ipsec.Encapsulation.TRANSPORT, True): ipsec.Encapsulation.UDP_ENCAP_TRANSPORT_DRAFT,
}
_TRANSPORT = {ipsec.Encapsulation.TRANSPORT} | {
    mode for (plain, _), mode in _MODES.items() if plain is ipsec.Encapsulation.TRANSPORT
}


def best_vendor(seen: set[bytes]) -> bytes:
    """The dialect both ends know, empty where there is none."""
    return next((vendor for vendor in VENDORS if vendor in seen), b"")


def is_draft(nat: Nat) -> bool:
    """Whether the drafts' numbers are in use."""
    return nat.vendor != VENDOR_RFC3947


def on_the_wire(mode: ipsec.Encapsulation, nat: Nat) -> ipsec.Encapsulation:
    """The encapsulation mode to propose: its UDP variant behind a NAT (RFC 3947 5.1)."""
    return _MODES[mode, is_draft(nat)] if nat.found else mode


def asks_for_transport(proposals: Sequence[Offer]) -> bool:
    """Whether a quick mode proposes transport mode, in UDP or not."""
    of_mode = ipsec.Attribute.ENCAPSULATION_MODE
    return any(
        a.type == of_mode and a.value in _TRANSPORT
        for p in proposals for t in p.transforms for a in t.attributes
    )  # fmt: skip


def as_seen(selector: Selector, nat: Nat, path: Path) -> Selector:
    """Transport mode's traffic with the addresses that we see: who is behind a NAT names its own
    (5.2, RFC 3948 3.1.2)."""
    here, there = host_network(path.local), host_network(path.remote)
    if nat.local and selector.src.num_addresses == 1:
        selector = selector._replace(src=here)
    if nat.remote and selector.dst.num_addresses == 1:
        selector = selector._replace(dst=there)
    return selector


def digest(hash_spec: HashSpec, cky_i: bytes, cky_r: bytes, address: Address, port: int) -> bytes:
    """The body of a NAT-D payload (RFC 3947 3.2)."""
    return hash_spec.digest(cky_i, cky_r, address.packed, port.to_bytes(2, "big"))


def send_nat_d(
    message: Outgoing, nat: Nat, hash_spec: HashSpec, path: Path, cky_i: bytes, cky_r: bytes
) -> None:
    """Append our NAT-D payloads, where both ends know NAT traversal."""
    if nat.vendor:
        kind = isakmp.Payload.NAT_D_DRAFT if is_draft(nat) else isakmp.Payload.NAT_D
        for address, port in ((path.remote, path.remote_port), (path.local, path.local_port)):
            message.add(kind, digest(hash_spec, cky_i, cky_r, address, port))


def recv_nat_d(
    message: Incoming, nat: Nat, hash_spec: HashSpec, path: Path, cky_i: bytes, cky_r: bytes
) -> None:
    """Compare the peer's NAT-D payloads with where it is known to be, from wherever a copy of this
    comes; it may be at the NAT-traversal port already. None: no NAT traversal."""
    kind = isakmp.Payload.NAT_D_DRAFT if is_draft(nat) else isakmp.Payload.NAT_D
    digests = [payload.body for payload in message.take_all(kind)] if nat.vendor else []
    if len(digests) < 2:
        nat.vendor, nat.spoken = b"", False
        return
    nat.spoken = True

    def fits(seen: Sequence[bytes], address: Address, port: int) -> bool:
        return any(
            compare_digest(each, digest(hash_spec, cky_i, cky_r, address, p))
            for p in ((port,) if port == NAT_T_PORT else (port, NAT_T_PORT))
            for each in seen
        )

    nat.local = not fits(digests[:1], path.local, path.local_port)
    nat.remote = not fits(digests[1:], path.remote, path.remote_port)


def floated(path: Path, nat_t_port: int = NAT_T_PORT) -> Path:
    """The same two hosts on the NAT-traversal port (RFC 3947 4)."""
    return path._replace(local_port=nat_t_port, remote_port=NAT_T_PORT, encap=True)
