"""IKEv2 proposals out of the configuration: keywords, or what isakmpd's sections say.

A keyword proposal is algorithms joined by hyphens, ``aes128gcm16-prfsha256-x25519``; several of
one kind are alternatives. IKEv1's transforms and suites are made of the same keywords.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from isakmp.conf.kinds import Kind
from isakmp.conf.store import Conf
from isakmp.constants import ikev2, ipsec, isakmp
from isakmp.policy.algorithms import (
    AUTH_OF_INTEG,
    ENCR_OF_ESP,
    ESP_OF_ENCR,
    HASH_OF_PRF,
    IKE_OF_ENCR,
    INTEG_OF_AUTH,
    INTEG_OF_PRF,
    encr_of_ike,
    encr_transforms,
    groups_of,
    in_ikev1,
    prfs_of_hash,
)
from isakmp.policy.keywords import parse_esp, parse_ike
from isakmp.policy.lacking import MEND, without_lacking
from isakmp.policy.spd import (
    MAX_PROPOSALS,
    MAX_TRANSFORMS,
    IkeTransform,
    IpsecTransform,
    Lifetime,
    Proposal,
    Range,
    SaPolicy,
    Suite,
    Transform,
)
from isakmp.policy.transforms import read_names

T = ikev2.Transform
Encr = ikev2.Encr
Prf = ikev2.Prf
Integ = ikev2.Integ
Group = isakmp.Group

# What is proposed where nothing is written.
_DEFAULT_GROUPS = "x25519-ecp256-ecp384-modp3072-modp2048"
DEFAULT_IKE = (
    f"aes128gcm16-aes256gcm16-chacha20poly1305-prfsha256-prfsha384-{_DEFAULT_GROUPS}",
    f"aes128-aes256-sha256-sha384-{_DEFAULT_GROUPS}",
)
DEFAULT_ESP = ("aes128gcm16-aes256gcm16-chacha20poly1305", "aes128-aes256-sha256")


_GROUPS = frozenset(Group)


def read_keywords(conf: Conf, kind: Kind, section: str, tag: str) -> tuple[Proposal, ...]:
    """The proposals of IKE-proposals or ESP-proposals that the library can do. ConfError with the
    nearest keyword, or where it can do none."""
    read_names(conf, section, tag, MAX_PROPOSALS)
    line = conf.where(section, tag)
    usable = filter(None, map(without_lacking, conf.value(kind, section, tag)))
    found = tuple(replace(proposal, line=line) for proposal in usable)
    if not found:
        reason = "the library lacks a key exchange method of each of these"
        raise conf.error(reason, section, tag, MEND)
    return found


# --- from isakmpd's sections -----------------------------------------------------------------


def default_ike(line: str) -> tuple[Proposal, ...]:
    """What is proposed for an IKE SA where nothing is written."""
    return tuple(parse_ike(text, line) for text in DEFAULT_IKE)


def default_esp(line: str) -> tuple[Proposal, ...]:
    """What is proposed for a child SA where nothing is written."""
    return tuple(parse_esp(text, line) for text in DEFAULT_ESP)


def ike_proposals(transforms: Sequence[IkeTransform]) -> tuple[Proposal, ...]:
    """One proposal for each phase 1 transform whose algorithms IKEv2 has."""
    return tuple(found for ours in transforms if (found := _ike_proposal(ours)))


def _ike_proposal(ours: IkeTransform) -> Proposal | None:
    ciphers = [
        t for encr in encr_of_ike(ours.encryption) for t in encr_transforms(encr, ours.key_bits)
    ]
    prfs = prfs_of_hash(ours.hash)
    if not ciphers or not prfs:
        return None
    transforms = (
        *ciphers,
        *(Transform(T.PRF, prf) for prf in prfs),
        *(Transform(T.INTEG, INTEG_OF_PRF[prf]) for prf in prfs),
        *(Transform(T.KE, group) for group in groups_of(ours.group)),
    )
    return Proposal(ikev2.Protocol.IKE, transforms, ours.name, ours.line)


def ipsec_proposals(suites: Sequence[Suite]) -> tuple[Proposal, ...]:
    """One proposal for each transform of a suite; of bundles none, IKEv2 has no such thing."""
    return tuple(
        found
        for suite in suites
        if len(suite.protocols) == 1
        for ours in suite.protocols[0].transforms
        if (found := _ipsec_proposal(suite, suite.protocols[0], ours))
    )[:MAX_PROPOSALS]


def _ipsec_proposal(suite: Suite, policy: SaPolicy, ours: IpsecTransform) -> Proposal | None:
    is_esp = policy.protocol is isakmp.Protocol.IPSEC_ESP
    integ = INTEG_OF_AUTH.get(ours.auth) if ours.auth else None
    encr = ENCR_OF_ESP.get(ipsec.Esp(ours.transform_id)) if is_esp else None
    if (is_esp and encr is None) or (ours.auth and integ is None):
        return None
    transforms = (
        *(encr_transforms(encr, ours.key_bits) if encr else ()),
        *((Transform(T.INTEG, integ),) if integ else ()),
        *((Transform(T.KE, ours.group),) if ours.group else ()),
        *(Transform(T.ESN, ikev2.SequenceNumbers(int(esn))) for esn in ours.esn),
    )
    single = len(policy.transforms) == 1
    protocol = ikev2.Protocol.ESP if is_esp else ikev2.Protocol.AH
    return Proposal(protocol, transforms, suite.name if single else ours.name, ours.line)


# --- keywords for IKEv1 ----------------------------------------------------------------------


def ike_transforms(proposals: Sequence[Proposal], life: Lifetime) -> tuple[IkeTransform, ...]:
    """IKEv1's transforms for proposals by keywords, those that it has numbers for."""
    found = (
        IkeTransform(
            name=proposal.name,
            encryption=IKE_OF_ENCR[Encr(encr.id)],
            hash=HASH_OF_PRF[Prf(prf.id)],
            group=Group(group.id),
            key_bits=_exactly(encr.key_bits),
            life=life,
            line=proposal.line,
        )
        for proposal in proposals
        for group, encr, prf in product(
            _groups_in_ikev1(proposal), proposal.of_type(T.ENCR), proposal.of_type(T.PRF)
        )
        if encr.id in IKE_OF_ENCR and prf.id in HASH_OF_PRF
    )
    return tuple(found)[:MAX_TRANSFORMS]


def _groups_in_ikev1(proposal: Proposal) -> list[Transform]:
    """Those that IKEv1 has a number for; none where more than one key exchange is demanded."""
    if proposal.demanded:
        return []
    return [t for t in proposal.of_type(T.KE) if t.id in _GROUPS]


def suites_of(
    proposals: Sequence[Proposal], life: Lifetime, mode: ipsec.Encapsulation, replay_window: int
) -> tuple[Suite, ...]:
    """IKEv1's suites for ESP proposals by keywords: one for each group of PFS.

    What demands 64-bit sequence numbers, or has no number there, is IKEv2's alone, unless there is
    nothing else: the lifetimes and the mode of a connection are those of its first suite.
    """
    suites, spoken = [], []
    for proposal in proposals:
        esn = tuple(bool(t.id) for t in proposal.of_type(T.ESN))
        groups = _groups_in_ikev1(proposal)
        alone = bool(proposal.of_type(T.KE)) and not groups
        for group in groups or (None,):
            transforms = tuple(
                IpsecTransform(
                    name=proposal.name,
                    transform_id=ESP_OF_ENCR[encr.id],
                    encapsulation=mode,
                    auth=AUTH_OF_INTEG[integ.id] if integ else None,
                    group=Group(group.id) if group else None,
                    key_bits=_exactly(encr.key_bits),
                    life=life,
                    line=proposal.line,
                    esn=esn,
                    ikev2_alone=alone,
                )
                for encr, integ in product(
                    proposal.of_type(T.ENCR), proposal.of_type(T.INTEG) or (None,)
                )
            )
            policy = SaPolicy(
                isakmp.Protocol.IPSEC_ESP, transforms[:MAX_TRANSFORMS], replay_window, proposal.line
            )
            suites.append(Suite(proposal.name, (policy,), proposal.line))
            if all(map(in_ikev1, transforms)):
                spoken.append(suites[-1])
    return tuple(spoken or suites)[:MAX_PROPOSALS]


def _exactly(bits: int) -> Range | None:
    return Range(bits, bits, bits) if bits else None


def with_mode(suites: Sequence[Suite], mode: ipsec.Encapsulation) -> tuple[Suite, ...]:
    """The same suites in that mode."""
    return tuple(
        replace(
            suite,
            protocols=tuple(
                replace(
                    policy,
                    transforms=tuple(replace(t, encapsulation=mode) for t in policy.transforms),
                )
                for policy in suite.protocols
            ),
        )
        for suite in suites
    )
