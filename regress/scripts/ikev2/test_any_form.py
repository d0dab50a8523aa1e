"""Messages in every form that RFC 7296 allows are taken: order, reserved bits, what is not known,
padding. What must be understood and is not is refused, wherever it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from isakmp.constants import ikev2
from isakmp.crypto import sk
from isakmp.message import HEADER_SIZE, Header, Item, build_payloads
from isakmp.payloads.ikev2 import FAMILY
from isakmp.payloads.shapes import HEADER as GENERIC
from isakmp.scripts.ikev2 import fragments, sealing
from regress.pair import Host, Network, Packet, agree, connected
from regress.payloads.values import first_changed
from regress.scripts.changed import change_sent
from regress.scripts.ikev2.pairs import child_of, gateways, pair, sa_of
from regress.scripts.ikev2.test_order import live

P, Notify = ikev2.Payload, ikev2.Notify
STRANGE = [kind for kind in range(1, 256) if kind not in FAMILY.codecs]
KNOWN = frozenset(map(int, FAMILY.codecs))
CRITICAL, RESERVED = 0x80, 0x7F
CIPHERS = [
    "aes128gcm16-prfsha256-x25519", "aes128-sha256-x25519", "aes256ctr-sha256-x25519",
    "chacha20poly1305-prfsha256-x25519",
]  # fmt: skip
# Shrinking whole handshakes takes minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


class Wild:
    """Seals as an odd peer does. random: says how odd; patch: of the test."""

    def __init__(self, random: Random, patch: pytest.MonkeyPatch) -> None:
        self.random = random
        patch.setattr(sealing, "build_payloads", self.build)
        for where, name in ((sk.Sk, "_padded"), (sk.Sk, "sealed_size"), (sk._Combined, "seal")):
            patch.setattr(where, name, self._method(getattr(self, name.strip("_"))))

    @staticmethod
    def _method(function: Any) -> Any:
        """That gets the cipher first."""
        return lambda cipher, *rest: function(cipher, *rest)

    def build(self, major: int, items: Sequence[Item], last_next: int = 0) -> tuple[int, bytes]:
        """In any order, with unknown payloads anywhere, and all reserved bits as they fall."""
        mixed = list(items)
        self.random.shuffle(mixed)
        for _ in range(self.random.randrange(4)):
            unknown = self.random.choice(STRANGE), self.random.randbytes(self.random.randrange(9))
            mixed.insert(self.random.randint(0, len(mixed)), unknown)
        first, chain = build_payloads(major, mixed, last_next)
        data, at = bytearray(chain), 0
        for item in mixed:
            known = CRITICAL if item[0] in KNOWN else 0
            data[at + 1] = self.random.getrandbits(8) & (RESERVED | known)
            at += int.from_bytes(data[at + 2 : at + 4], "big")
        return first, bytes(data)

    @staticmethod
    def pad(cipher: Any, size: int) -> int:
        """Any that fills the blocks, up to 255 octets; the same for the same size."""
        least, block = -(size + 1) % cipher.block_size, cipher.block_size
        return int(least + block * (size * 7919 % ((255 - least) // block + 1)))

    def padded(self, cipher: Any, inner: bytes) -> bytes:
        size = self.pad(cipher, len(inner))
        return inner + self.random.randbytes(size) + bytes([size])

    def sealed_size(self, cipher: Any, size: int) -> int:
        fixed: int = cipher.iv_size + cipher.icv_size
        return fixed + size + 1 + self.pad(cipher, size)

    def seal(self, cipher: Any, head: bytes, inner: bytes, random: Any) -> bytes:
        iv: bytes = cipher._ivs.next(random)
        sealed: bytes = cipher._seal(cipher._salt + iv, self.padded(cipher, inner), head)
        return iv + sealed


def world(cipher: str, cookie: bool) -> tuple[Network, Host, Host]:
    net, general = Network(), "Cookie-threshold= 0" if cookie else ""
    both = gateways(f"IKE-proposals= {cipher}", general=general)
    west, east = (net.host(gateway) for gateway in both)
    return net, west, east


@settings(max_examples=16, deadline=None, phases=PHASES)
@given(seed=st.integers(0, 2**32), cipher=st.sampled_from(CIPHERS), cookie=st.booleans(),
       cut=st.booleans())  # fmt: skip
def test_any_legal_form_is_taken(seed: int, cipher: str, cookie: bool, cut: bool) -> None:
    """RFC 7296 2.5, 3.2 and 3.14, in every message of every exchange, whole or in pieces
    (RFC 7383 2.5)."""
    with pytest.MonkeyPatch.context() as patch:
        if cut:
            patch.setattr(fragments, "TRIES_V4", (160, 120))
        Wild(Random(seed), patch)
        net, west, east = world(cipher, cookie)
        live(net, west, east)
        assert not west.reasons() + east.reasons()
        cut_any = any(p.header.next_payload == P.SKF for p in net.history)
        assert cut_any is cut


# --- what must be understood -----------------------------------------------------------------


def sealed_with(patch: pytest.MonkeyPatch, host: Host, kind: str, answer: bool, item: Item) -> None:
    """The next message of that kind which ``host`` seals has one more payload."""
    real: Any = sealing.seal
    left = [item]

    def seal(x: Any, items: list[Any], protected: bool) -> Any:
        ours = x.host is host.daemon.engine and x.script.name == kind
        if ours and left and x.initiator is not answer:
            items = [*items[:1], left.pop(), *items[1:]]
        return real(x, items, protected)

    patch.setattr(sealing, "seal", seal)


def ask(host: Host, kind: str, of_child: bool) -> None:
    """A request of that kind, under the IKE SA."""
    if kind == "INFORMATIONAL":
        host.daemon.engine.dialects["ikev2"].probe(host.daemon.engine, sa_of(host), 1)
    elif of_child:
        host.daemon.connections.rekey(child_of(host))
    else:
        host.daemon.keeper.rekey_sa(sa_of(host))


UNDER = [("INFORMATIONAL", True), ("CREATE_CHILD_SA", True), ("CREATE_CHILD_SA", False)]


@pytest.mark.parametrize(("kind", "of_child"), UNDER)
@pytest.mark.parametrize("strange", [1, 54, 200])
def test_a_request_with_what_must_be_understood_is_refused(
    kind: str, of_child: bool, strange: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 7296 2.5 and 3.10.1: with the payload's type, and nothing else is done."""
    net, west, east = pair()
    sealed_with(monkeypatch, west, kind, False, (strange, b"?", True))
    before = sa_of(west), child_of(west), sa_of(east), child_of(east)
    ask(west, kind, of_child)
    net.pump()
    assert before == (sa_of(west), child_of(west), sa_of(east), child_of(east))
    assert "unsupported-critical-payload" in east.reasons()
    assert "UNSUPPORTED_CRITICAL_PAYLOAD" in west.said


@pytest.mark.parametrize(("kind", "of_child"), UNDER)
def test_an_answer_with_it_is_of_no_use_and_leaves_nothing_behind(
    kind: str, of_child: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 7296 2.5: whatever the peer has made of the request goes again."""
    net, west, east = pair()
    sealed_with(monkeypatch, east, kind, True, (200, b"?", True))
    ask(west, kind, of_child)
    net.pump()
    assert "unsupported-critical-payload" in west.reasons()
    if of_child:
        assert len(east.daemon.sas.all_children()) == len(west.daemon.sas.all_children()) == 1
    net.run(90)
    assert connected(west) and connected(east)
    agree(west, east)


@pytest.mark.parametrize("answer", [False, True])
def test_nobody_comes_in_with_it(answer: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7296 2.5 and 2.21.2: IKE_AUTH fails at both ends."""
    net = Network()
    west, east = (net.host(gateway) for gateway in gateways())
    sealed_with(monkeypatch, east if answer else west, "IKE_AUTH", answer, (200, b"?", True))
    net.start()
    net.run(2)
    who = west if answer else east
    assert "unsupported-critical-payload" in who.reasons()
    assert not west.daemon.sas.isakmp and not east.daemon.sas.isakmp


# --- in front of the encrypted payload -------------------------------------------------------


def forge_behind(host: Host, outer: bytes, first: int, pieces: int = 0) -> list[bytes]:
    """An empty INFORMATIONAL behind payloads in clear; pieces: so many, the first has them."""
    sa, datagrams = sa_of(host), []
    for number in range(1, max(pieces, 1) + 1):
        front = outer if number == 1 else b""
        kind = P.SKF if pieces else P.SK
        extra = number.to_bytes(2, "big") + pieces.to_bytes(2, "big") if pieces else b""
        size = 4 + len(extra) + sa.keys.seals.sealed_size(0)
        header = Header(sa.cky_i, sa.cky_r, first if front else kind, 2, 0,
                        ikev2.Exchange.INFORMATIONAL, 8, sa.ids.next_out,
                        HEADER_SIZE + len(front) + size)  # fmt: skip
        head = header.pack() + front + GENERIC.pack(0, 0, size) + extra
        datagrams.append(head + sa.keys.seals.seal(head, b"", host.random))
    return datagrams


@pytest.mark.parametrize("pieces", [0, 2, 3])
@pytest.mark.parametrize(
    ("kind", "critical", "refused"),
    [(200, True, True), (200, False, False), (P.VENDOR, True, False), (P.NOTIFY, True, False)],
)
def test_what_stands_in_clear_must_be_understood_too(
    kind: int, critical: bool, refused: bool, pieces: int
) -> None:
    """RFC 7296 2.5, RFC 7383 2.5.3: it is proven as the rest is; with pieces the first has it."""
    net, west, east = pair()
    following = P.SKF if pieces else P.SK
    body = b"\0\0\x40\x00"
    outer = GENERIC.pack(following, CRITICAL * critical, 8) + body
    before = len(net.history)
    for data in forge_behind(west, outer, kind, pieces)[::-1]:
        east.receive(Packet(west.address, 500, east.address, 500, data))
    (answer,) = [p for p in net.history[before:] if p.src == east.address]
    inner = sa_of(west).keys.opens.open(answer.data, HEADER_SIZE + 4)
    told = Notify.UNSUPPORTED_CRITICAL_PAYLOAD.to_bytes(2, "big") + bytes([kind])
    assert (told in inner) is refused
    assert connected(east)


# --- reserved SPIs ---------------------------------------------------------------------------


@pytest.mark.parametrize("anothers", [True, False])
def test_an_spi_that_is_taken_blames_the_peer_only_where_it_is_its_own(
    anothers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, west, east = pair()
    child = child_of(east)
    taken = replace(child, peer=(("another", b"", ""), None)) if anothers else child
    monkeypatch.setattr(east.daemon.sas, "child_by_spi", lambda *key: taken)
    west.daemon.teardown("west-east", 2)
    net.run(1)
    west.daemon.connect("west-east")
    net.run(1)
    assert ("spi-taken" in east.reasons(), "invalid-spi" in east.reasons()) == (
        anothers, not anothers,
    )  # fmt: skip


@pytest.mark.parametrize("spi", [0, 1, 255])
@pytest.mark.parametrize("in_ike_auth", [True, False])
def test_a_reserved_spi_is_refused_and_the_ike_sa_stays(spi: int, in_ike_auth: bool) -> None:
    """RFC 4303 2.1, RFC 7296 2.21.2: both ends have the same view of what is up."""
    net = Network()
    west, east = (net.host(gateway) for gateway in gateways())

    def reserve(x: Any, message: Any) -> None:
        for at, (kind, value) in enumerate(message.payloads):
            if kind == P.SA and x.initiator and x.sa is not None:
                message.payloads[at] = kind, first_changed(value, spi=spi.to_bytes(4, "big"))

    if in_ike_auth:
        change_sent(west, reserve, 2)
    net.start()
    net.run(1)
    if not in_ike_auth:
        change_sent(west, reserve, 2)
        west.daemon.connections.rekey(child_of(west))
        net.run(1)
    assert "invalid-spi" in east.reasons()
    children = 0 if in_ike_auth else 1
    assert connected(west, children=children) and connected(east, children=children)
