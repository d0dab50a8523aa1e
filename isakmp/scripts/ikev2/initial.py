"""What the initial exchanges of IKEv2 share: RFC 7296 1.2. IKE_SA_INIT learns, IKE_AUTH proves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from isakmp.chosen import ChosenIkev2
from isakmp.constants import IKEV2, ipsec
from isakmp.crypto.groups import KeyPair
from isakmp.crypto.skeyseed import SkKeys
from isakmp.errors import MalformedPayload, Reason, Refused
from isakmp.exchange.exchange import Exchange, ExchangeOf
from isakmp.exchange.script import Incoming, duplicate
from isakmp.log.log import LogClass
from isakmp.message import Header
from isakmp.policy.spd import Identity, Remote
from isakmp.sa import IsakmpSa, Nat, State
from isakmp.scripts.ikev2.additional import Additional
from isakmp.scripts.ikev2.child import Child, Creating
from isakmp.scripts.ikev2.intauth import IntAuth
from isakmp.scripts.ikev2.keys import Keys
from isakmp.window import Window

NOBODY = Identity(ipsec.Id.KEY_ID, b"")


@dataclass(frozen=True, slots=True)
class First:
    """A first message of ours: the group and the cookie in it, its octets, and when it went."""

    group: int
    cookie: bytes
    key_pair: KeyPair = field(repr=False)
    octets: bytes = field(repr=False)
    sent: float


@dataclass(slots=True)
class Initial(Creating):
    """What the steps of the initial exchanges have learned.

    message_1, message_2: IKE_SA_INIT's as they went over the wire, which AUTH covers; answers: what
    the latter may have been, by its octets, the one that was followed first; asked: our first
    messages, in the order they went; cookies: those that came, and how often; supports: the
    status notifies of the peer's; additional, int_auth: what IKE_INTERMEDIATE is for and what AUTH
    covers of it; local_body, remote_body: the identities as they are sent; child: what is
    negotiated along with IKE_AUTH; use_ppk: both have said USE_PPK; doubted: what that was in
    answers that were refused where others differed, by time; sk_before: the keys as they
    were without the PPK that is in them; no_ppk: why there is none though there could be;
    refusal: why there is no child SA though the IKE SA is good; unwanted: the peer believes there
    is one.
    """

    chosen: ChosenIkev2 | None = None
    group: int | None = None
    key_pair: KeyPair | None = None
    ke_peer: bytes = b""
    g_ir: bytes = field(default=b"", repr=False)
    ni: bytes = b""
    nr: bytes = b""
    cookie: bytes = b""
    cookies: dict[bytes, int] = field(default_factory=dict)
    message_1: bytes = field(default=b"", repr=False)
    message_2: bytes = field(default=b"", repr=False)
    answers: dict[bytes, Incoming] = field(default_factory=dict, repr=False)
    asked: list[First] = field(default_factory=list, repr=False)
    supports: set[int] = field(default_factory=set)
    additional: Additional = field(default_factory=Additional)
    int_auth: IntAuth = field(default_factory=IntAuth)
    nat: Nat = field(default_factory=Nat)
    local_id: Identity | None = None
    remote_id: Identity | None = None
    local_body: bytes = field(default=b"", repr=False)
    remote_body: bytes = field(default=b"", repr=False)
    initial_contact: bool = False
    use_ppk: bool = False
    doubted: list[bool] = field(default_factory=list)
    sk_before: SkKeys | None = field(default=None, repr=False)
    no_ppk: Reason | None = None
    refusal: Refused | None = None
    unwanted: bool = False


X = ExchangeOf[Initial]


def fork(x: X) -> Initial:
    """What is known, for another answer; each has a child SA of its own, of which nothing is
    negotiated yet. What was asked, and which cookies came, is the first message's alone."""
    state = x.state
    other = duplicate(state)
    other.nat, other.answers = duplicate(state.nat), {}
    other.additional, other.int_auth = Additional(), IntAuth()
    other.child = Child(state.child.connection) if state.child is not None else None
    return other


def octets_of(message: Incoming) -> bytes:
    """A message in clear as it went over the wire."""
    header: Header = message.header
    return header.pack() + message.data


def chosen_of(x: X) -> ChosenIkev2:
    """What was agreed on; the script sees to it that SA came first."""
    if x.state.chosen is None:
        raise MalformedPayload("SA", 28, "nothing is agreed on yet", "RFC 7296 1.2")
    return x.state.chosen


def chosen_of_choice(remote: Remote, choice: Any) -> ChosenIkev2:
    """What a choice among ``remote``'s proposals means; lifetimes are ours alone."""
    life = remote.life
    if choice.encr is None or choice.prf is None or choice.group is None:
        raise MalformedPayload("SA", 28, "lacks a cipher, a prf or a group", "RFC 7296 3.3.3")
    return ChosenIkev2(
        choice.encr.id, choice.encr.key_bits, choice.prf.id,
        choice.integ.id if choice.integ and choice.integ.id else None, choice.group,
        life.seconds.offer if life.seconds else 0, life.kilobytes.offer if life.kilobytes else 0,
        choice.proposal.name, choice.additional,
    )  # fmt: skip


def larval(
    x: Exchange, keys: Keys, chosen: ChosenIkev2, spi_i: bytes, spi_r: bytes, nat: Nat
) -> IsakmpSa:
    """An IKE SA that nobody has proved to be for."""
    now = x.host.now()
    return IsakmpSa(
        x.remote, x.path, x.initiator, spi_i, spi_r, IKEV2, x.script.exchange_type, keys,
        Window(x.remote.ikev2.window), chosen, NOBODY, NOBODY, nat, True, x.created, now, b"",
        last_heard=now, state=State.LARVAL,
    )  # fmt: skip


def log_keys(x: Exchange, g_ir: bytes, keys: Keys) -> None:
    """Every intermediate value, at the highest level of the Crypto class."""
    log, sk = x.host.log, keys.sk
    if not log.on(LogClass.CRYPTO, 50):
        return
    for title, value in (
        ("g_ir", g_ir), ("SK_d", sk.d), ("SK_ai", sk.ai), ("SK_ar", sk.ar), ("SK_ei", sk.ei),
        ("SK_er", sk.er), ("SK_pi", sk.pi), ("SK_pr", sk.pr),
    ):  # fmt: skip
        log.secret(title, value)
