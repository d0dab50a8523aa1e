"""What a peer's silence can mean, by the message that it did not answer.

What the peer knew by then narrows it down: who has answered once is there, and knows us.
"""

from __future__ import annotations

from isakmp.errors import Reason
from isakmp.policy.meanings import (
    COMPARE_SECRETS_AND_IDS,
    PROPOSALS_AGREED,
    Meaning,
    lines,
)

_PORT_4500 = "datagrams to UDP port 4500, or large ones, are lost between us"
_REACHABLE = ("the peer is down: it has answered before",)
_ANYBODY = Meaning(
    (), "is the peer reachable on this address and port, and does it know us?"
)  # fmt: skip

# By exchange and number of the message: the first of main mode is 1, the initiator's are odd.
_SILENCES = {
    ("main mode", 4): Meaning(
        (_PORT_4500, "the initiator has another secret for us, or none"),
        "let UDP port 4500 through in both directions, and compare the secrets",
        _REACHABLE,
    ),
    ("main mode", 5): Meaning(
        (
            "the secrets of both ends differ: many peers say nothing to what they cannot decrypt",
            "the peer expects another identity of us",
            _PORT_4500,
        ),
        COMPARE_SECRETS_AND_IDS,
        (PROPOSALS_AGREED, *_REACHABLE),
    ),
    ("aggressive mode", 2): Meaning(
        (
            "the secrets of both ends differ: the initiator does not believe our answer",
            "the initiator expects another identity of us",
            _PORT_4500,
        ),
        COMPARE_SECRETS_AND_IDS,
        (PROPOSALS_AGREED,),
    ),
    ("IKE_AUTH", 1): Meaning(
        (_PORT_4500, "the peer says nothing to whom it does not know"),
        "let UDP port 4500 through in both directions, and fragments too; the peer's log says more",
        (PROPOSALS_AGREED, *_REACHABLE),
    ),
    ("IKE_INTERMEDIATE", 1): Meaning(
        (
            _PORT_4500,
            "fragments of messages are lost: this one is as large as a key of its method",
            "from the second one on: the keys of both ends differ, as somebody has changed a value",
        ),
        "let UDP port 4500 through in both directions; set Fragment-size= 1280 or less",
        (PROPOSALS_AGREED, *_REACHABLE),
    ),
    ("quick mode", 1): Meaning(
        ("the peer has no connection for this traffic, or other proposals, and does not say so",),
        "make the selectors and the Suites or ESP-proposals of both ends the same",
        ("secrets and identities: they are accepted", *_REACHABLE),
    ),
}
# Under an SA that the peer has not been heard under since; what else it may be comes after.
_LOST = Meaning(
    (
        "the peer was started anew and has lost this SA, perhaps with another configuration",
        "the peer is down, or cannot be reached any more",
    ),
    "see that the peer runs and can be reached; what another SA with it ends for tells whether "
    "proposals, secrets and identities still fit",
)


def silence(
    exchange: str, message: int, address: str, port: int, *, lost: bool = False, repeated: int = 0
) -> Reason:
    """The reason that no answer to a message is. lost: the peer may know nothing any more of the
    SA that the message is under; repeated: how often the message has been so far, where an answer
    is waited for yet."""
    found = _SILENCES.get((exchange, message), _ANYBODY)
    if lost:
        found = Meaning((*_LOST.can, *found.can), _LOST.mend)
    yet, times = " yet" * bool(repeated), f"{repeated} time{'s' * (repeated > 1)}"
    detail = f"no answer{yet} to message {message} of {exchange} from {address} port {port}"
    detail += f", repeated {times}" * bool(repeated)
    return Reason("timeout", detail, mend=found.mend, means=lines(found))


def farewell(exchange: str, address: str, port: int) -> Reason:
    """The same under an SA that is on its way out."""
    detail = f"{address} port {port} does not confirm what {exchange} says of its end"
    return Reason("not-confirmed", detail)
