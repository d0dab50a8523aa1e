"""What the IKEv2 scripts share: notifies, windows, and key exchanges that do not fit."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.constants import ikev2
from isakmp.errors import MalformedPayload, Refused
from isakmp.exchange.script import Incoming, Outgoing
from isakmp.message import build_payloads, parse_payloads
from isakmp.payloads.ikev2 import FAMILY
from isakmp.payloads.ikev2.sa import TransformValue
from isakmp.payloads.shapes import ProposalValue
from isakmp.policy.keywords import parse_ike
from isakmp.scripts.ikev2 import common
from regress.pair import Network
from regress.scripts.ikev2.pairs import gateways, pair, sa_of

P, Notify = ikev2.Payload, ikev2.Notify
KE, X25519, ECP_256, MODP_2048 = int(P.KE), 31, 19, 14


def message(*notifies: tuple[int, bytes]) -> Incoming:
    """One that holds these notifies, as the peer sees it."""
    out = Outgoing()
    for number, data in notifies:
        common.add_notify(out, number, data)
    first, chain = build_payloads(2, out.payloads)
    payloads, end = parse_payloads(2, first, chain)
    path: Any = None
    return Incoming(None, FAMILY, payloads, chain, end, path, 28)


def test_notifies_are_taken_by_type_in_their_order() -> None:
    one = message((Notify.COOKIE, b"a"), (Notify.REKEY_SA, b""), (Notify.COOKIE, b"b"))
    found = common.take_notifies(one)
    assert {number: [value.data for value in values] for number, values in found.items()} == {
        Notify.COOKIE: [b"a", b"b"], Notify.REKEY_SA: [b""],
    }  # fmt: skip
    assert not common.take_notifies(one), "they count as handled"


@pytest.mark.parametrize(
    ("numbers", "error"),
    [
        ((), None),
        ((Notify.COOKIE, 40000), None),
        ((16384,), None),  # the first of the status types (RFC 7296 3.10.1)
        ((Notify.COOKIE, 16383, Notify.NO_PROPOSAL_CHOSEN), 16383),
        ((Notify.NO_PROPOSAL_CHOSEN, Notify.INVALID_SYNTAX), Notify.NO_PROPOSAL_CHOSEN),
    ],
)
def test_the_first_error_of_a_message(numbers: tuple[int, ...], error: int | None) -> None:
    found = common.take_notifies(message(*((number, b"") for number in numbers)))
    assert common.error_among(found) == error


@pytest.mark.parametrize(
    ("data", "size"), [(b"\0\0\0\4", 4), (b"\0\4", 1), (b"\0\0\0\0\4", 1), (b"", 1)]
)
def test_the_peers_window_is_heeded_where_it_is_one(data: bytes, size: int) -> None:
    """RFC 7296 2.3."""
    _, west, _ = pair()
    sa = sa_of(west)
    common.take_window(sa, message((Notify.COOKIE, b"\0\0\0\7"), (Notify.SET_WINDOW_SIZE, data)))
    assert sa.ids.size_out == size


def test_without_an_ike_sa_what_needs_one_is_malformed() -> None:
    west = Network().host(gateways()[0])
    west.daemon.start()
    (exchange,) = west.daemon.engine.exchanges.values()
    with pytest.raises(MalformedPayload, match="needs an IKE SA"):
        common.sa_of(exchange)


def test_the_peers_error_says_whether_it_is_proven_and_gets_no_answer() -> None:
    west = Network().host(gateways()[0])
    west.daemon.start()
    (exchange,) = west.daemon.engine.exchanges.values()
    clear, proven = (
        common.refused_by_peer(exchange, Notify.NO_PROPOSAL_CHOSEN, proven=proven, offered="this")
        for proven in (False, True)
    )
    assert "in clear" in clear.reason.detail and "in clear" not in proven.reason.detail
    assert "NO_PROPOSAL_CHOSEN" in proven.reason.detail and proven.reason.offered == "this"
    assert not clear.notify and not proven.notify, "nobody answers an answer"
    assert proven.reason.line == exchange.remote.line


def test_an_error_that_nobody_knows_counts_before_all_else() -> None:
    """RFC 7296 3.10.1."""
    west = Network().host(gateways()[0])
    west.daemon.start()
    (exchange,) = west.daemon.engine.exchanges.values()
    common.check_errors(exchange, message((Notify.COOKIE, b""), (50000, b"")))
    common.check_errors(exchange, message((Notify.NO_PROPOSAL_CHOSEN, b"")))
    with pytest.raises(Refused):
        common.check_errors(exchange, message((8000, b"")))


def test_a_key_exchange_of_another_group_is_told_which() -> None:
    """RFC 7296 1.3: the octets of INVALID_KE_PAYLOAD are the group."""
    proposals = (parse_ike("aes128-sha256-x25519", "f:4 [west]"),)
    common.check_group(X25519, X25519, proposals)
    common.check_group(ECP_256, None, proposals)
    with pytest.raises(Refused) as caught:
        common.check_group(ECP_256, X25519, proposals)
    refused = caught.value
    assert (refused.notify, refused.data) == (Notify.INVALID_KE_PAYLOAD, b"\0\x1f")
    assert (refused.reason.came, refused.reason.acceptable) == ("ECP_256", "CURVE25519")
    assert refused.reason.line == "f:4 [west]"


@pytest.mark.parametrize(
    ("came", "cause"),
    [
        (ECP_256, "another-group"),
        (0, "another-group"),  # RFC 7296 1.3: KEi may be left out beside a proposal without it
        (MODP_2048, "invalid-ke-payload"),
    ],
)
def test_a_guess_is_of_any_group_that_is_proposed(came: int, cause: str) -> None:
    """RFC 7296 1.2 and 1.3."""
    ours = (parse_ike("aes128-sha256-x25519", "f:4 [west]"),)
    theirs = [
        ProposalValue(1, 1, b"", tuple(TransformValue(ikev2.Transform.KE, i, ()) for i in ids))
        for ids in ((X25519, ECP_256), ())
    ]
    with pytest.raises(Refused) as caught:
        common.check_group(came, X25519, ours, theirs)
    assert (caught.value.reason.cause, caught.value.data) == (cause, b"\0\x1f")


def test_who_has_chosen_a_group_does_not_guess() -> None:
    with pytest.raises(Refused) as caught:
        common.check_group(ECP_256, X25519, ())
    assert caught.value.reason.cause == "invalid-ke-payload"


@pytest.mark.parametrize(
    ("asked", "group"),
    [(ECP_256, ECP_256), (X25519, None), (MODP_2048, None)],
    ids=["another of ours", "the one tried", "none of ours"],
)
def test_which_group_is_tried_instead(asked: int, group: int | None) -> None:
    said = common.take_notifies(message((Notify.INVALID_KE_PAYLOAD, asked.to_bytes(2, "big"))))
    assert common.other_group(said, {X25519, ECP_256}, X25519) == group


def test_a_wish_for_a_group_has_two_octets() -> None:
    assert common.other_group({}, {X25519}, None) is None
    for data in (b"", b"\x13", b"\0\0\x13"):
        said = common.take_notifies(message((Notify.INVALID_KE_PAYLOAD, data)))
        with pytest.raises(MalformedPayload, match="names no group"):
            common.other_group(said, {X25519, ECP_256}, X25519)


def test_the_groups_of_proposals_preferred_first_and_once() -> None:
    texts = "aes128-sha256-x25519-ecp256", "aes256-sha256-ecp256-modp2048"
    assert common.groups_of(tuple(map(parse_ike, texts))) == [X25519, ECP_256, MODP_2048]
