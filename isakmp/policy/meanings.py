"""What a peer's error notify can and cannot mean: RFC 7296 3.10.1, RFC 2408 3.14.1.

A notify is one number, and what the peer knew when it sent it narrows down what it may stand for.
Each entry: the exchange it answers ("" for any), the notify, what it can mean, what it cannot, and
what to do, which follows from the former.
"""

from __future__ import annotations

from typing import NamedTuple

from isakmp.errors import Reason

# Phase 1 of IKEv1, in either mode, once the peer has chosen of what we proposed.
AGREED = "phase 1"
# What a peer says to traffic that is none of its.
OF_ANOTHER = "TS_UNACCEPTABLE"


class Meaning(NamedTuple):
    """can: in the order of likelihood; cannot: what the peer had no way to judge; mend: what to do
    about the likeliest."""

    can: tuple[str, ...]
    mend: str
    cannot: tuple[str, ...] = ()


_NOT_SEEN_YET = "secrets and identities: the peer has not seen them yet"
_NOT_SELECTORS = "selectors and ESP proposals: they come later"
_PHASE_1_DONE = ("phase 1: it is done",)
_IKE_AGREED = ("IKE proposals, secrets and identities: they are accepted",)
_LOG = "the peer's log says what it missed; isakmpctl capture on shows what we sent"
_COMPARE_IKE = (
    "make Key-exchange, and Transforms or IKE-proposals, of both ends the same, and have the peer "
    "name us"
)
_COMPARE_ESP = (
    "make Suites or ESP-proposals of both ends the same, with mode, PFS group and esn or noesn"
)
_COMPARE_SELECTORS = "make the selectors of both ends the same, crosswise"
_COMPARE_TRAFFIC = f"{_COMPARE_SELECTORS}, and the Mode"
_OTHER_MODE = "the peer takes it in transport mode alone, and we ask for tunnel mode"
_COMPARE_SECRETS = "make the Authentication of both ends the same"
COMPARE_SECRETS_AND_IDS = (
    "make the Authentication of both ends the same, and the ID here the Remote-ID there"
)
_COMPARE_SECRETS_AND_ALL_IDS = (
    "make the Authentication of both ends the same, and the ID of each the Remote-ID at the other"
)
PROPOSALS_AGREED = "proposals: one is agreed on"
_OTHER_KIND = "use pre-shared keys at the peer: this version has no certificates"
_ELSEWHERE = "our identity is connected from another place, and the peer keeps the first one"
_READ = ("the peer could not read our message",)
_NOTHING = "nothing: it is tried again"

_MEANINGS = {
    ("IKE_SA_INIT", "NO_PROPOSAL_CHOSEN"): Meaning(
        (
            "none of our IKE proposals fits the peer's",
            "the peer has no configuration for our address, or none for IKEv2",
        ),
        _COMPARE_IKE,
        (_NOT_SEEN_YET, _NOT_SELECTORS),
    ),
    ("main mode", "NO_PROPOSAL_CHOSEN"): Meaning(
        (
            "none of our phase 1 transforms fits the peer's",
            "the peer has no configuration for our address, or not for main mode",
        ),
        _COMPARE_IKE,
        (_NOT_SEEN_YET, "phase 2"),
    ),
    ("aggressive mode", "NO_PROPOSAL_CHOSEN"): Meaning(
        (
            "none of our phase 1 transforms fits the peer's",
            "the peer has no configuration for our address or identity, or not for this mode",
        ),
        _COMPARE_IKE,
        ("the secret", "phase 2"),
    ),
    (AGREED, "NO_PROPOSAL_CHOSEN"): Meaning(
        ("the peer has no secret for us, or knows nobody with our identity",),
        COMPARE_SECRETS_AND_IDS,
        (PROPOSALS_AGREED,),
    ),
    (AGREED, "AUTHENTICATION_FAILED"): Meaning(
        (
            "the secrets of both ends differ",
            "the peer expects another identity of us",
            _ELSEWHERE,
        ),
        COMPARE_SECRETS_AND_IDS,
        (PROPOSALS_AGREED,),
    ),
    (AGREED, "INVALID_KEY_INFORMATION"): Meaning(
        (
            "the peer has no secret for us",
            "our public value or its length is not what the peer takes for this group",
        ),
        _COMPARE_SECRETS,
        (PROPOSALS_AGREED,),
    ),
    ("IKE_SA_INIT", "INVALID_SYNTAX"): Meaning(
        ("the peer could not read a payload, or our public value is not in the group",),
        _LOG,
        (_NOT_SEEN_YET,),
    ),
    ("IKE_SA_INIT", "INVALID_MAJOR_VERSION"): Meaning(
        ("the peer does not speak IKEv2 with us",),
        "set Key-exchange= ikev1 for this peer, or turn IKEv2 on there",
        (_NOT_SEEN_YET,),
    ),
    ("IKE_AUTH", "AUTHENTICATION_FAILED"): Meaning(
        (
            "the secrets of both ends differ",
            "the peer expects another identity of us, or knows none like it",
            "we asked for an identity (IDr) that the peer does not have",
            "the PPKs of both ends differ, or one of them requires one that the other lacks",
            _ELSEWHERE,
        ),
        _COMPARE_SECRETS_AND_ALL_IDS,
        ("IKE proposals: they are agreed on", "selectors: they are judged afterwards"),
    ),
    ("INFORMATIONAL", "AUTHENTICATION_FAILED"): Meaning(
        (
            "the secret that the peer has for us differs from ours",
            "the peer asked for another identity than ours",
            "the peer requires a PPK, and we went on without",
        ),
        COMPARE_SECRETS_AND_IDS,
        ("what the peer says of itself: we have accepted it",),
    ),
    ("IKE_AUTH", "NO_PROPOSAL_CHOSEN"): Meaning(
        ("none of our ESP proposals fits the peer's", "the peer wants another mode of the SA"),
        _COMPARE_ESP,
        (*_IKE_AGREED, "selectors"),
    ),
    ("IKE_AUTH", "TS_UNACCEPTABLE"): Meaning(
        (
            "nothing of our traffic selectors is in the peer's, sides exchanged",
            "the peer has no connection for this identity",
            _OTHER_MODE,
        ),
        _COMPARE_TRAFFIC,
        _IKE_AGREED,
    ),
    ("CREATE_CHILD_SA", "NO_PROPOSAL_CHOSEN"): Meaning(
        (
            "none of our ESP proposals fits the peer's",
            "one end wants perfect forward secrecy, or another group for it",
        ),
        _COMPARE_ESP,
        (*_IKE_AGREED, "selectors"),
    ),
    ("quick mode", "NO_PROPOSAL_CHOSEN"): Meaning(
        (
            "none of our phase 2 proposals fits the peer's: algorithm, mode, PFS group or lifetime",
            "some peers say this of selectors too",
        ),
        _COMPARE_ESP,
        _PHASE_1_DONE,
    ),
    ("quick mode", "INVALID_ID_INFORMATION"): Meaning(
        ("the networks (IDci, IDcr) are not those of a connection of the peer's",),
        _COMPARE_SELECTORS,
        _PHASE_1_DONE,
    ),
    ("quick mode", "PAYLOAD_MALFORMED"): Meaning(_READ, _LOG, _PHASE_1_DONE),
    ("", "NO_PROPOSAL_CHOSEN"): Meaning(
        ("none of our proposals fits the peer's",), "make the proposals of both ends the same"
    ),
    ("", "TS_UNACCEPTABLE"): Meaning(
        ("nothing of our traffic selectors is in the peer's, sides exchanged", _OTHER_MODE),
        _COMPARE_TRAFFIC,
        _IKE_AGREED,
    ),
    ("", "INVALID_ID_INFORMATION"): Meaning(
        ("the peer expects another identity of us",),
        "make the ID here the Remote-ID there",
        ("proposals: they are agreed on",),
    ),
    ("", "AUTHENTICATION_FAILED"): Meaning(
        (
            "the secrets of both ends differ",
            "the peer expects another identity of us",
            _ELSEWHERE,
        ),
        _COMPARE_SECRETS,
    ),
    ("", "PAYLOAD_MALFORMED"): Meaning(
        ("the secrets of both ends differ, so that the peer could not decrypt our message",),
        _COMPARE_SECRETS,
    ),
    ("", "INVALID_HASH_INFORMATION"): Meaning(
        ("the secrets of both ends differ",), _COMPARE_SECRETS
    ),
    ("", "INVALID_KEY_INFORMATION"): Meaning(
        ("our public value or its length is not what the peer takes for this group",),
        "make the groups of both ends the same",
    ),
    ("", "INVALID_KE_PAYLOAD"): Meaning(
        ("the peer wants a group that we do not propose",),
        "make the groups of both ends the same",
    ),
    ("", "SINGLE_PAIR_REQUIRED"): Meaning(
        ("the peer makes an SA for one pair of addresses only",),
        "set Single-pair= yes for the connection, or name single hosts",
        ("proposals and secrets",),
    ),
    ("", "FAILED_CP_REQUIRED"): Meaning(
        ("the peer insists on giving us an address, which this version cannot take",),
        "give our identity fixed selectors at the peer, without a pool of addresses",
        _IKE_AGREED,
    ),
    ("", "INTERNAL_ADDRESS_FAILURE"): Meaning(
        ("the peer has no address to give us, and this version cannot take one",),
        "give our identity fixed selectors at the peer, without a pool of addresses",
        _IKE_AGREED,
    ),
    ("", "NO_ADDITIONAL_SAS"): Meaning(
        ("the peer takes no more child SAs under this IKE SA",),
        "raise the limit at the peer, or put the networks into one connection",
    ),
    ("", "TEMPORARY_FAILURE"): Meaning(
        (
            "another exchange stood in the way",
            "the peer is short of something, which its log names",
        ),
        _NOTHING,
        ("anything configured",),
    ),
    ("", "CHILD_SA_NOT_FOUND"): Meaning(
        ("the peer has deleted the child SA that was to be rekeyed",),
        _NOTHING,
        ("anything configured",),
    ),
    ("", "UNSUPPORTED_CRITICAL_PAYLOAD"): Meaning(
        ("the peer does not know a payload that it may not ignore",), _LOG
    ),
    ("", "INVALID_IKE_SPI"): Meaning(("the peer has lost this IKE SA",), _NOTHING),
    ("", "INVALID_SPI"): Meaning(("the peer has lost an SA of ours",), _NOTHING),
    ("", "INVALID_COOKIE"): Meaning(("the peer has lost this ISAKMP SA",), _NOTHING),
    ("", "STATE_NOT_FOUND"): Meaning(("the peer has lost this IKE SA",), _NOTHING),
    ("", "INVALID_SYNTAX"): Meaning(_READ, _LOG),
    ("", "INVALID_MESSAGE_ID"): Meaning(
        ("the peer's window is smaller than we believe, or it has lost count",), _NOTHING
    ),
    ("", "INVALID_MAJOR_VERSION"): Meaning(
        ("the peer does not speak this version of IKE with us",),
        "set Key-exchange of this peer to what it speaks",
    ),
    ("", "INVALID_MINOR_VERSION"): Meaning(_READ, _LOG),
    ("", "INVALID_SELECTORS"): Meaning(
        ("a packet came at the peer through an SA that is not for it",),
        _COMPARE_SELECTORS,
    ),
    ("", "UNACCEPTABLE_ADDRESSES"): Meaning(
        ("the peer does not take the address we have moved to",),
        "allow that address at the peer",
    ),
    ("", "UNEXPECTED_NAT_DETECTED"): Meaning(
        ("there is a NAT between us, and the peer forbids one",), "allow NATs at the peer"
    ),
    ("", "USE_ASSIGNED_HOA"): Meaning(
        ("the peer wants us to use the home address it gave (Mobile IPv6)",),
        "turn Mobile IPv6 off for us at the peer: this version has none",
    ),
    ("", "INVALID_GROUP_ID"): Meaning(
        ("the peer serves groups (RFC 9838) and does not know ours",), _OTHER_KIND
    ),
    ("", "AUTHORIZATION_FAILED"): Meaning(
        ("the peer knows us, and its policy does not let us in",),
        "allow our identity at the peer",
        ("secrets: they are right",),
    ),
    ("", "TS_MAX_QUEUE"): Meaning(
        ("the peer takes no more SAs for these selectors",), "raise the limit at the peer"
    ),
    ("", "REGISTRATION_FAILED"): Meaning(
        ("the peer serves groups (RFC 9838) and does not take us",), _OTHER_KIND
    ),
    ("", "INVALID_PAYLOAD_TYPE"): Meaning(_READ, _LOG),
    ("", "DOI_NOT_SUPPORTED"): Meaning(_READ, _LOG),
    ("", "SITUATION_NOT_SUPPORTED"): Meaning(_READ, _LOG),
    ("", "INVALID_EXCHANGE_TYPE"): Meaning(
        ("the peer is configured for the other of main and aggressive mode",),
        "make EXCHANGE_TYPE of both ends the same",
    ),
    ("", "INVALID_FLAGS"): Meaning(_READ, _LOG),
    ("", "INVALID_PROTOCOL_ID"): Meaning(
        ("the peer does not do AH, ESP or IPComp as we propose it",), _COMPARE_ESP
    ),
    ("", "INVALID_TRANSFORM_ID"): Meaning(
        ("the peer does not know a cipher we propose",), "propose others to this peer"
    ),
    ("", "ATTRIBUTES_NOT_SUPPORTED"): Meaning(
        ("the peer does not know an attribute of what we propose",),
        "propose less to this peer: no key length where the cipher has one, other lifetimes",
    ),
    ("", "BAD_PROPOSAL_SYNTAX"): Meaning(_READ, _LOG),
    ("", "INVALID_CERT_ENCODING"): Meaning(("the peer wants a certificate",), _OTHER_KIND),
    ("", "INVALID_CERTIFICATE"): Meaning(("the peer wants a certificate",), _OTHER_KIND),
    ("", "CERT_TYPE_UNSUPPORTED"): Meaning(("the peer wants a certificate",), _OTHER_KIND),
    ("", "INVALID_CERT_AUTHORITY"): Meaning(("the peer wants a certificate",), _OTHER_KIND),
    ("", "CERTIFICATE_UNAVAILABLE"): Meaning(("the peer wants a certificate",), _OTHER_KIND),
    ("", "INVALID_SIGNATURE"): Meaning(("the peer wants a signature",), _OTHER_KIND),
    ("", "ADDRESS_NOTIFICATION"): Meaning(("the peer says where it is",), _LOG),
    ("", "NOTIFY_SA_LIFETIME"): Meaning(
        ("the peer does not like our lifetimes",), "make the lifetimes of both ends the same"
    ),
    ("", "UNSUPPORTED_EXCHANGE_TYPE"): Meaning(
        ("the peer does not speak this exchange: not this version of IKE, or not this mode",),
        "set Key-exchange and EXCHANGE_TYPE of this peer to what it speaks",
    ),
    ("", "UNEQUAL_PAYLOAD_LENGTHS"): Meaning(_READ, _LOG),
}


def find(exchange: str, notify: str) -> Meaning:
    """What ``notify`` in answer to ``exchange`` stands for; of one without a name nothing is
    known."""
    return (
        _MEANINGS.get((exchange, notify))
        or _MEANINGS.get(("", notify))
        or Meaning((), "the peer's log names the reason")
    )


def meaning(exchange: str, notify: str) -> tuple[str, ...]:
    """Lines for people: what ``notify`` in answer to ``exchange`` can and cannot mean."""
    return lines(find(exchange, notify))


def lines(found: Meaning) -> tuple[str, ...]:
    """Lines for people: what it can mean, and what not."""
    return (
        *(f"can mean: {text}" for text in found.can),
        *(f"cannot mean: {text}" for text in found.cannot),
    )


def refusal(exchange: str, notify: str, detail: str, offered: str, line: str) -> Reason:
    """The reason that a peer's ``notify`` is. offered: what we had asked for, from that line."""
    return Reason(
        "peer-refused", detail, came=notify, offered=offered, line=line,
        mend=find(exchange, notify).mend, means=meaning(exchange, notify),
    )  # fmt: skip
