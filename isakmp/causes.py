"""What can be done about each cause of a refusal, where the place that refuses knows no better.

A Reason whose maker gives no mend of its own has the one of its cause. BY_LINE: the causes that a
line of the configuration decides, which every such Reason cites.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_PEER_AT_FAULT = (
    "the peer breaks its RFC: isakmpctl capture on records what it sends, for whoever mends it"
)
_NOTHING = "nothing: it is negotiated again where it should be up"

MENDS: Mapping[str, str] = MappingProxyType(
    {
        "another-group": "nothing: the peer asks again with the group that it is told",
        "another-answer": "where this is seen again and again, isakmpctl capture on shows what "
        "somebody sends in the peer's name",
        "bad-choice": _PEER_AT_FAULT,
        "bad-configuration": "isakmpd --check names what is wrong; mend it and send HUP",
        "child-sa-not-found": "nothing: the peer rekeys what has ended here, and makes it anew",
        "doi-not-supported": _PEER_AT_FAULT,
        "failed": "see the lines of the log before it; isakmpctl debug SA 90 shows more of them",
        "half-open-limit": "raise Max-half-open and Max-half-open-per-peer in [General], if those "
        "who began are peers of yours",
        "identity-in-use": "give each device an identity of its own, or set Unique-ids= replace "
        "or never; a first one that is dead is found so within DPD-timeout",
        "identity-moved": "where the peer has another address now, nothing; where these are two "
        "devices, give each an identity of its own, or set Unique-ids= never",
        "invalid-id-information": "write the addresses or networks of both ends as the traffic of "
        "the connection, crosswise at the peer",
        "invalid-identity": "set an ID of another type at the peer: an address, FQDN, USER_FQDN, "
        "KEY_ID or a distinguished name",
        "invalid-ke-payload": _PEER_AT_FAULT,
        "invalid-key-exchange": _PEER_AT_FAULT,
        "invalid-key-information": _PEER_AT_FAULT,
        "invalid-spi": _PEER_AT_FAULT,
        "malformed-message": _PEER_AT_FAULT,
        "not-confirmed": "nothing: the peer may have ended it before us, or is started anew",
        "not-done": "where the IPsec stack does not answer, the log says so; else this host has "
        "too much to compute: raise Workers in [General]",
        "not-replaced": "see the lines of the log before it, and the peer's log; where its life "
        "is too short for a rekeying, give it a longer Life",
        "not-resumed": "look at the log of the peer, which says why it did not go on; it begins "
        "anew where it should be there",
        "not-sent": "isakmpctl exchanges shows what it waits for; where the IPsec stack does not "
        "answer, the log says so",
        "nothing-to-offer": "set Transforms, Suites or proposals that this version can do; "
        "isakmpd --check says which are not",
        "peer-dead": "see that the peer runs, and that it can be reached; what should be up is "
        "begun again until it answers",
        "reloaded": "nothing: it is negotiated again with what the configuration says now",
        "sa-gone": _NOTHING,
        "several-sas": "have the peer negotiate each SA in an exchange of its own",
        "spi-taken": "nothing: two peers behind one address have drawn the same number by chance; "
        "it is negotiated again with another",
        "state-not-found": "see whether this host or the way to the peer is slow: it took longer "
        "between two requests than is waited for; it is begun anew",
        "stack-gone": "isakmpd connects again by itself; dmesg may say why it cannot",
        "superseded": _NOTHING,
        "taken-down": "nothing: isakmpctl up begins it again",
        "temporary-failure": "nothing: the peer tries again once what is under way has ended",
        "too-many-exchanges": "raise Max-exchanges in [General], or set the peer to negotiate less "
        "at a time",
        "too-many-identities": "raise that bound in [General], or give each peer a secret of "
        "its own",
        "too-many-negotiations": "raise Max-negotiations in [General], or lengthen the lifetimes "
        "at the peer",
        "too-many-restarts": "isakmpctl capture on shows whether somebody answers in its name",
        "too-many-rounds": _PEER_AT_FAULT,
        "too-many-selectors": "raise Max-selectors in [General], or ask for fewer and wider "
        "networks at the peer",
        "traffic-of-another": "have the peer ask for addresses that nobody has, or set "
        "Share-traffic= yes in the connection",
        "unusable-selectors": "ask for fewer and plainer networks at both ends",
        "unknown-exchange": _PEER_AT_FAULT,
        "unsupported-authentication": "use pre-shared keys at both ends: AUTHENTICATION_METHOD= "
        "PRE_SHARED",
        "unsupported-critical-payload": "turn the extension that sends it off at the peer",
        "wrong-spi": _PEER_AT_FAULT,
        "unsupported-exchange-type": "use main mode, aggressive mode or IKEv2 at the peer",
    }
)

# Attempts that end so are not at fault, and there is nothing to mend: the log says it as
# information.
EXPECTED = frozenset(
    (
        "another-group", "child-sa-not-found", "not-confirmed", "reloaded", "sa-gone", "spi-taken",
        "superseded", "taken-down", "temporary-failure",
    )
)  # fmt: skip
# What the peer only has to ask for in another way: that attempt is no failed one.
ASKED_AGAIN = frozenset(("another-group",))
# A bound on what peers may have: the same refusal comes as often as they ask.
BOUNDS = frozenset(
    (
        "too-many-children", "too-many-exchanges", "too-many-identities", "too-many-negotiations",
        "too-many-sas", "too-many-selectors",
    )
)  # fmt: skip
# What costs who provokes it nothing, so that it comes as often as somebody likes: what comes under
# an ISAKMP SA need not be its peer's before it verifies.
CHEAP = BOUNDS | {"malformed-message", "unknown-exchange", "unsupported-critical-payload"}
# What this host, and not its peer, is the cause of.
OURS = frozenset(
    (
        "bad-configuration", "cannot-send", "failed", "no-address", "no-secret", "not-done",
        "not-sent", "nothing-to-offer", "stack-gone",
    )
)  # fmt: skip
# Nothing came in answer, whether the peer or this host is silent.
UNANSWERED = frozenset(("timeout", "cannot-send"))

BY_LINE = frozenset(
    (
        "authentication-failed", "bad-configuration", "childless-refused", "fragments-refused",
        "identity-in-use", "identity-moved", "ipcomp-refused", "narrowed", "no-configuration",
        "no-connection", "no-proposal-chosen", "no-secret",
        "nothing-to-offer", "own-message", "ppk-differs", "ppk-not-used", "ppk-unknown",
        "single-pair-required", "traffic-of-another", "transport-mode-refused",
        "ts-unacceptable", "version-not-configured", "wrong-exchange-type", "wrong-identity",
    )
) | BOUNDS  # fmt: skip
