"""What a peer's silence can mean, by the message that it did not answer.

What the peer knew by then narrows it down: who has answered once is there, and knows us.
"""

from __future__ import annotations

from collections.abc import Sequence

from isakmp.errors import Reason
from isakmp.policy.meanings import (
    COMPARE_SECRETS_AND_IDS,
    PROPOSALS_AGREED,
    Meaning,
    lines,
)

_PORT_4500 = "datagrams to UDP port 4500, or large ones, are lost between us"
_ANOTHER = "somebody else has begun in the peer's name, and cannot go on"
_REACHABLE = ("the peer is down: it has answered before",)
_ACCEPTED = "secrets and identities: they are accepted"
_PEERS_LOG = "the peer's log says why it does not go on"
_ANYBODY = Meaning(
    (), "is the peer reachable on this address and port, and does it know us?"
)  # fmt: skip
# The same message once more, as an answer has asked for another group or a cookie.
_ASKED_AGAIN = Meaning(
    (
        "the peer does not take the message that it has asked for, or that one is lost",
        "somebody else has asked for it in the peer's name",
    ),
    "see the peer's log; isakmpctl capture on shows what asks for another message",
)
# An IKE SA of IKEv2 is there at both ends, and of its messages each has an answer.
_UNDER_SA = Meaning(
    (
        "the peer, or the way to it, has failed just now",
        "large datagrams are lost between us",
    ),
    "see that the peer runs and can be reached; set Fragment-size= 1280 or less",
    (_ACCEPTED,),
)
_INITIATOR_KEEPS_SILENT = Meaning(
    (
        f"{_PORT_4500}: the peer goes on there where there is a NAT",
        "our answer is lost on its way to the peer",
        "the peer does not take our answer, as it insists on what that lacks, or has given up",
        _ANOTHER,
    ),
    f"let UDP port 4500 through in both directions, and fragments too; {_PEERS_LOG}",
)

# By exchange and number of the message: the first of main mode is 1, the initiator's are odd. Where
# an exchange follows another one its responder waits at 0.
_SILENCES = {
    ("main mode", 2): Meaning(
        (
            "our answer is lost on its way to the peer",
            "the peer does not take what we chose of its proposal",
            _ANOTHER,
        ),
        f"let UDP port 500 through in both directions; {_PEERS_LOG}",
    ),
    ("main mode", 3): Meaning(
        (
            "the peer has no secret for us, and does not say so",
            "datagrams of this size, or their answers, are lost between us",
        ),
        f"have the peer hold a secret for our address; {_PEERS_LOG}",
        (PROPOSALS_AGREED, *_REACHABLE),
    ),
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
    ("IKE_AUTH", 0): _INITIATOR_KEEPS_SILENT,
    ("IKE_INTERMEDIATE", 0): _INITIATOR_KEEPS_SILENT,
    ("IKE_FOLLOWUP_KE", 0): Meaning(
        ("the peer has given up", "large datagrams are lost between us"),
        f"set Fragment-size= 1280 or less; {_PEERS_LOG}",
        (_ACCEPTED,),
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
        (_ACCEPTED, *_REACHABLE),
    ),
    ("quick mode", 2): Meaning(
        (
            "the peer does not take what we chose of its proposal, and does not say so",
            "our answer, or what the peer said to it, is lost between us",
        ),
        f"make the Suites or ESP-proposals of both ends the same; {_PEERS_LOG}",
        (_ACCEPTED,),
    ),
    ("quick mode", 3): Meaning(
        ("the peer has not got our last message, or what confirms it is lost",),
        "nothing: the SAs are used in a while all the same",
        (_ACCEPTED, "proposals and selectors: they are agreed on"),
    ),
    ("CREATE_CHILD_SA", 1): _UNDER_SA,
    ("IKE_FOLLOWUP_KE", 1): _UNDER_SA,
    ("INFORMATIONAL", 1): _UNDER_SA,
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
    exchange: str, message: int, address: str, port: int, *, after: str = "", lost: bool = False,
    repeated: int | None = None, declined: Sequence[Reason] = (),
) -> Reason:  # fmt: skip
    """The reason that no answer to a message is, or at 0 nothing that goes on after our answer.

    after: the exchange before it, or itself where an answer had it begun anew; lost: the peer may
    know nothing any more of the SA that the message is under; repeated: how often the message has
    been so far, where an answer is waited for yet; declined: what the peer asked for and did not
    get.
    """
    found = _SILENCES.get((exchange, message), _ASKED_AGAIN if after else _ANYBODY)
    if lost:
        found = Meaning((*_LOST.can, *found.can), _LOST.mend)
    elif declined:
        insists = [f"{reason.detail}: it may insist on that" for reason in declined]
        mend = f"{declined[0].mend}; else {found.mend}"
        found = found._replace(can=(*insists, *found.can), mend=mend)
    detail = f"no answer{' yet' * (repeated is not None)} to message {message} of {exchange} "
    detail += f"from {address} port {port}"
    if not message:
        whose = f"answer to {after}" if after else "answer"
        detail = f"nothing{' yet' * (repeated is not None)} after our {whose} "
        detail += f"from {address} port {port}, which is to go on with {exchange}"
    if repeated:
        detail += f", repeated {repeated} time{'s' * (repeated > 1)}"
    line = declined[0].line if declined else ""
    return Reason("timeout", detail, line=line, mend=found.mend, means=lines(found))


def farewell(exchange: str, address: str, port: int) -> Reason:
    """The same under an SA that is on its way out."""
    detail = f"{address} port {port} does not confirm what {exchange} says of its end"
    return Reason("not-confirmed", detail)
