"""What a peer's error notify can and cannot mean: RFC 7296 3.10.1, RFC 2408 3.14.1.

A notify is one number, and what the peer knew when it sent it narrows down what it may stand for.
Each entry: the exchange it answers ("" for any), the notify, what it can mean, what it cannot.
"""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """can: in the order of likelihood; cannot: what the peer had no way to judge."""

    can: tuple[str, ...]
    cannot: tuple[str, ...] = ()


_NOT_SEEN_YET = "secrets and identities: the peer has not seen them yet"
_NOT_SELECTORS = "selectors and ESP proposals: they come later"

_MEANINGS = {
    ("IKE_SA_INIT", "NO_PROPOSAL_CHOSEN"): Meaning(
        (
            "none of our IKE proposals fits the peer's",
            "the peer has no configuration for our address, or none for IKEv2",
        ),
        (_NOT_SEEN_YET, _NOT_SELECTORS),
    ),
    ("main mode", "NO_PROPOSAL_CHOSEN"): Meaning(
        (
            "none of our phase 1 transforms fits the peer's",
            "the peer has no configuration for our address, or not for main mode",
        ),
        (_NOT_SEEN_YET, "phase 2"),
    ),
    ("aggressive mode", "NO_PROPOSAL_CHOSEN"): Meaning(
        (
            "none of our phase 1 transforms fits the peer's",
            "the peer has no configuration for our address or identity, or not for this mode",
        ),
        ("the secret", "phase 2"),
    ),
    ("IKE_SA_INIT", "INVALID_SYNTAX"): Meaning(
        ("the peer could not read a payload, or our public value is not in the group",),
        (_NOT_SEEN_YET,),
    ),
    ("IKE_SA_INIT", "INVALID_MAJOR_VERSION"): Meaning(
        ("the peer does not speak IKEv2 with us",), (_NOT_SEEN_YET,)
    ),
    ("IKE_AUTH", "AUTHENTICATION_FAILED"): Meaning(
        (
            "the secrets of both ends differ",
            "the peer expects another identity of us, or knows none like it",
            "we asked for an identity (IDr) that the peer does not have",
        ),
        ("IKE proposals: they are agreed on", "selectors: they are judged afterwards"),
    ),
    ("IKE_AUTH", "NO_PROPOSAL_CHOSEN"): Meaning(
        ("none of our ESP proposals fits the peer's", "the peer wants another mode of the SA"),
        ("IKE proposals, secrets and identities: they are accepted", "selectors"),
    ),
    ("IKE_AUTH", "TS_UNACCEPTABLE"): Meaning(
        (
            "nothing of our traffic selectors is in the peer's, sides exchanged",
            "the peer has no connection for this identity",
        ),
        ("IKE proposals, secrets and identities: they are accepted",),
    ),
    ("CREATE_CHILD_SA", "NO_PROPOSAL_CHOSEN"): Meaning(
        (
            "none of our ESP proposals fits the peer's",
            "one end wants perfect forward secrecy, or another group for it",
        ),
        ("IKE proposals, secrets and identities: they are accepted", "selectors"),
    ),
    ("CREATE_CHILD_SA", "TS_UNACCEPTABLE"): Meaning(
        ("nothing of our traffic selectors is in the peer's, sides exchanged",),
        ("IKE proposals, secrets and identities: they are accepted",),
    ),
    ("quick mode", "NO_PROPOSAL_CHOSEN"): Meaning(
        (
            "none of our phase 2 proposals fits the peer's: algorithm, mode, PFS group or lifetime",
            "some peers say this of selectors too",
        ),
        ("phase 1: it is done",),
    ),
    ("quick mode", "INVALID_ID_INFORMATION"): Meaning(
        ("the networks (IDci, IDcr) are not those of a connection of the peer's",),
        ("phase 1: it is done",),
    ),
    ("", "INVALID_ID_INFORMATION"): Meaning(
        ("the peer expects another identity of us",), ("proposals: they are agreed on",)
    ),
    ("", "AUTHENTICATION_FAILED"): Meaning(("the secrets of both ends differ",)),
    ("", "PAYLOAD_MALFORMED"): Meaning(
        ("the secrets of both ends differ, so that the peer could not decrypt our message",)
    ),
    ("", "SINGLE_PAIR_REQUIRED"): Meaning(
        ("the peer makes an SA for one pair of addresses only",), ("proposals and secrets",)
    ),
    ("", "NO_ADDITIONAL_SAS"): Meaning(("the peer takes no more child SAs under this IKE SA",)),
    ("", "TEMPORARY_FAILURE"): Meaning(
        ("another exchange stood in the way; it is tried again",), ("anything configured",)
    ),
    ("", "CHILD_SA_NOT_FOUND"): Meaning(
        ("the peer has deleted the child SA that was to be rekeyed",), ("anything configured",)
    ),
}


def meaning(exchange: str, notify: str) -> tuple[str, ...]:
    """Lines for people: what ``notify`` in answer to ``exchange`` can and cannot mean."""
    found = _MEANINGS.get((exchange, notify)) or _MEANINGS.get(("", notify))
    if found is None:
        return ()
    return (
        *(f"can mean: {text}" for text in found.can),
        *(f"cannot mean: {text}" for text in found.cannot),
    )
