"""What of IKEv1's transforms and suites, and of its identities, IKEv2 has not got."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from isakmp.constants import ipsec, isakmp, name_of
from isakmp.policy.algorithms import ENCR_OF_ESP, INTEG_OF_AUTH, encr_of_ike, prfs_of_hash
from isakmp.policy.spd import IkeTransform, Suite


def ike_outside(transforms: Iterable[IkeTransform]) -> str:
    """The algorithms of phase 1 that IKEv2 lacks, each once."""
    names: dict[str, None] = {}
    for ours in transforms:
        if not encr_of_ike(ours.encryption):
            names[name_of(isakmp.Encryption, ours.encryption or 0)] = None
        if not prfs_of_hash(ours.hash):
            names[name_of(isakmp.Hash, ours.hash or 0)] = None
    return ", ".join(names)


def ipsec_outside(suites: Sequence[Suite]) -> str:
    """The algorithms of AH and ESP that IKEv2 lacks, each once; bundles are left out."""
    names: dict[str, None] = {}
    for policy in (suite.protocols[0] for suite in suites if len(suite.protocols) == 1):
        for ours in policy.transforms:
            esp = policy.protocol is isakmp.Protocol.IPSEC_ESP
            if esp and ipsec.Esp(ours.transform_id) not in ENCR_OF_ESP:
                names[name_of(ipsec.Esp, ours.transform_id)] = None
            if ours.auth and ours.auth not in INTEG_OF_AUTH:
                names[name_of(ipsec.Auth, ours.auth)] = None
    return ", ".join(names)


def no_network(kind: ipsec.Id) -> str:
    """That an identity which is a network is none of a peer."""
    return f"{kind.name}: a peer is no network"


def meant_for(tag: str) -> str:
    """What a tag of a peer that names a network is likely meant for."""
    return f"is the connection's {'Remote-ID' if tag == 'Remote-ID' else 'Local-ID'} meant?"
