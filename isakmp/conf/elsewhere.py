"""Tags of other daemons' files, and of other words for the same, that have one equivalent here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from isakmp.conf.kinds import Kind

# Ours, and theirs without case and hyphens: of ipsec.conf, swanctl.conf, racoon.conf, iked.conf.
_SAME: Mapping[Kind, Mapping[str, str]] = MappingProxyType(
    {
        Kind.PEER: MappingProxyType({
            "Authentication": "psk secret presharedkey key ikepsk password passphrase sharedsecret",
            "Address": "right remoteaddrs remoteaddress remoteaddr remotehost remoteip peeraddress "
                       "peer gateway host",
            "Local-address": "left localaddrs localaddr localip myaddress",
            "ID": "leftid localid myidentifier myid srcid",
            "Remote-ID": "rightid peersidentifier peerid dstid",
            "IKE-proposals": "ike proposals",
            "Key-exchange": "version ikeversion",
            "Port": "rightikeport remoteport",
            "Reauthenticate": "reauthtime",
        }),
        Kind.CONNECTION: MappingProxyType({
            "Local-selectors": "leftsubnet leftsubnets localts localsubnet",
            "Remote-selectors": "rightsubnet rightsubnets remotets remotesubnet",
            "ESP-proposals": "esp phase2alg",
            "ISAKMP-peer": "peer remote gateway",
            "Mode": "type",
        }),
    }
)  # fmt: skip
_OURS = MappingProxyType(
    {
        kind: {word: tag for tag, words in tags.items() for word in words.split()}
        for kind, tags in _SAME.items()
    }
)


def same_here(kind: Kind, name: str) -> str:
    """The tag of ours that says what one of another daemon's does; empty where there is none."""
    return _OURS.get(kind, {}).get(re.sub("[-_]", "", name.lower()), "")
