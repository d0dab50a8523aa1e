"""IKEv2 proposals out of the configuration: keywords, or what isakmpd's sections say.

A keyword proposal is algorithms joined by hyphens, ``aes128gcm16-prfsha256-x25519``; several of
one kind are alternatives. IKEv1's transforms and suites are made of the same keywords.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from types import MappingProxyType

from isakmp.conf import Conf, nearest
from isakmp.constants import ikev2, ipsec, isakmp
from isakmp.policy.algorithms import (
    AUTH_OF_INTEG,
    COMBINED,
    ENCR_OF_ESP,
    ESP_OF_ENCR,
    HASH_OF_PRF,
    IKE_OF_ENCR,
    INTEG_OF_AUTH,
    INTEG_OF_PRF,
    KEY_LENGTHS,
    PRF_OF_INTEG,
    encr_of_ike,
    encr_transforms,
    groups_of,
    in_ikev1,
    prfs_of_hash,
)
from isakmp.policy.spd import (
    IkeTransform,
    IpsecTransform,
    Lifetime,
    Proposal,
    Range,
    SaPolicy,
    Suite,
    Transform,
)
from isakmp.policy.transforms import MAX_PROPOSALS, MAX_TRANSFORMS, read_names

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

_INTEGS = {
    "md5": Integ.HMAC_MD5_96,
    "sha1": Integ.HMAC_SHA1_96,
    "sha": Integ.HMAC_SHA1_96,
    "sha256": Integ.HMAC_SHA2_256_128,
    "sha2_256": Integ.HMAC_SHA2_256_128,
    "sha384": Integ.HMAC_SHA2_384_192,
    "sha2_384": Integ.HMAC_SHA2_384_192,
    "sha512": Integ.HMAC_SHA2_512_256,
    "sha2_512": Integ.HMAC_SHA2_512_256,
    "aesxcbc": Integ.AES_XCBC_96,
    "aescmac": Integ.AES_CMAC_96,
}
_GROUPS = {
    "curve25519": Group.CURVE25519,
    "x25519": Group.CURVE25519,
    "curve448": Group.CURVE448,
    "x448": Group.CURVE448,
    "modp1024s160": Group.MODP_1024_160,
    "modp2048s224": Group.MODP_2048_224,
    "modp2048s256": Group.MODP_2048_256,
    **{
        f"modp{n}": isakmp.Group[f"MODP_{n}"]
        for n in (768, 1024, 1536, 2048, 3072, 4096, 6144, 8192)
    },
    **{f"ecp{n}": isakmp.Group[f"ECP_{n}"] for n in (192, 224, 256, 384, 521)},
    **{f"ecp{n}bp": isakmp.Group[f"BRAINPOOL_{n}"] for n in (224, 256, 384, 512)},
}


def _cipher_words() -> Iterator[tuple[str, Transform]]:
    for word, encr in (("3des", Encr._3DES), ("des", Encr.DES), ("null", Encr.NULL),
                       ("cast128", Encr.CAST), ("chacha20poly1305", Encr.CHACHA20_POLY1305),
                       ("chacha20", Encr.CHACHA20_POLY1305)):  # fmt: skip
        yield word, Transform(T.ENCR, encr)
    families = {"aes": Encr.AES_CBC, "camellia": Encr.CAMELLIA_CBC, "blowfish": Encr.BLOWFISH}
    for (word, encr), bits in product(families.items(), KEY_LENGTHS):
        yield f"{word}{bits}", Transform(T.ENCR, encr, bits)
    for word, encr in families.items():
        yield word, Transform(T.ENCR, encr, 128)
    for bits in KEY_LENGTHS:
        yield f"aes{bits}ctr", Transform(T.ENCR, Encr.AES_CTR, bits)
        yield f"aes{bits}gmac", Transform(T.ENCR, Encr.NULL_AUTH_AES_GMAC, bits)
        for mode, octets in product(("gcm", "ccm"), (8, 12, 16)):
            transform = Transform(T.ENCR, ikev2.Encr[f"AES_{mode.upper()}_{octets}"], bits)
            yield f"aes{bits}{mode}{octets}", transform
            yield f"aes{bits}{mode}{octets * 8}", transform
        yield f"aes{bits}gcm", Transform(T.ENCR, Encr.AES_GCM_16, bits)
        yield f"aes{bits}ccm", Transform(T.ENCR, Encr.AES_CCM_16, bits)


def _all_words() -> dict[str, Transform]:
    words = dict(_cipher_words())
    words |= {word: Transform(T.INTEG, integ) for word, integ in _INTEGS.items()}
    words |= {
        f"prf{word}": Transform(T.PRF, PRF_OF_INTEG[integ]) for word, integ in _INTEGS.items()
    }
    words |= {word: Transform(T.KE, group) for word, group in _GROUPS.items()}
    esn = ikev2.SequenceNumbers
    words["noesn"] = Transform(T.ESN, esn.SEQUENTIAL_32)
    words["esn"] = Transform(T.ESN, esn.SEQUENTIAL_64)
    return words


KEYWORDS: Mapping[str, Transform] = MappingProxyType(_all_words())

# What the IKE SA is not protected with.
_NOT_FOR_IKE = frozenset({Encr.NULL, Encr.NULL_AUTH_AES_GMAC, Encr.CAST, Encr.BLOWFISH})


class KeywordError(ValueError):
    """A keyword proposal that cannot be; ``hint``: the nearest keyword, where there is one."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


def parse_ike(text: str, line: str = "") -> Proposal:
    """An IKE proposal from its keywords. KeywordError says what is wrong with it."""
    found = _sorted(text)
    for kind, what in ((T.ENCR, "cipher"), (T.KE, "group")):
        if not found[kind]:
            raise KeywordError(f"{text!r} names no {what}")
    if found[T.ESN]:
        raise KeywordError(f"{text!r}: esn is for ESP")
    _expect_none(text, found[T.ENCR], _NOT_FOR_IKE, "protects no IKE SA")
    combined = _combined(text, found[T.ENCR])
    if not combined and not found[T.INTEG]:
        raise KeywordError(f"{text!r} names no integrity algorithm, such as sha256")
    found[T.PRF] = found[T.PRF] or [
        Transform(T.PRF, PRF_OF_INTEG[Integ(t.id)]) for t in found[T.INTEG]
    ]
    if not found[T.PRF]:
        raise KeywordError(f"{text!r} names no prf, such as prfsha256")
    if combined:
        # Here the integrity algorithm only stood for the prf of its name.
        found[T.INTEG] = []
    return _proposal(ikev2.Protocol.IKE, found, text, line)


def parse_esp(text: str, line: str = "") -> Proposal:
    """An ESP proposal from its keywords. KeywordError says what is wrong with it."""
    found = _sorted(text)
    if not found[T.ENCR]:
        raise KeywordError(f"{text!r} names no cipher")
    if found[T.PRF]:
        raise KeywordError(f"{text!r}: a prf is for IKE")
    if _combined(text, found[T.ENCR]):
        if found[T.INTEG]:
            raise KeywordError(f"{text!r}: this cipher brings its own integrity algorithm")
    elif not found[T.INTEG]:
        raise KeywordError(f"{text!r} names no integrity algorithm, such as sha256")
    found[T.ESN] = found[T.ESN] or [KEYWORDS["noesn"]]
    return _proposal(ikev2.Protocol.ESP, found, text, line)


def _sorted(text: str) -> dict[T, list[Transform]]:
    """The transforms a proposal names by type, each once, in its order."""
    found: dict[T, list[Transform]] = {kind: [] for kind in (T.ENCR, T.PRF, T.INTEG, T.KE, T.ESN)}
    for word in text.split("-"):
        transform = KEYWORDS.get(word.strip().lower())
        if transform is None:
            raise KeywordError(f"{word!r} is no algorithm", nearest(word, KEYWORDS))
        if transform not in found[transform.type]:
            found[transform.type].append(transform)
    return found


def _expect_none(
    text: str, named: Sequence[Transform], unwanted: frozenset[int], reason: str
) -> None:
    for transform in named:
        if transform.id in unwanted:
            word = next(word for word, known in KEYWORDS.items() if known == transform)
            raise KeywordError(f"{text!r}: {word} {reason}")


def _combined(text: str, ciphers: Sequence[Transform]) -> bool:
    """Whether its ciphers are of combined mode. All or none may be (RFC 7296 3.3)."""
    combined = {t.id in COMBINED for t in ciphers}
    if len(combined) > 1:
        reason = "ciphers that bring their own integrity algorithm need a proposal of their own"
        raise KeywordError(f"{text!r}: {reason}")
    return combined == {True}


def _proposal(
    protocol: ikev2.Protocol, found: Mapping[T, Sequence[Transform]], name: str, line: str
) -> Proposal:
    transforms = tuple(transform for kind in found for transform in found[kind])
    if len(transforms) > MAX_TRANSFORMS:
        raise KeywordError(f"{len(transforms)} algorithms, {MAX_TRANSFORMS} are possible")
    return Proposal(protocol, transforms, name, line)


def read_keywords(conf: Conf, section: str, tag: str) -> tuple[Proposal, ...]:
    """The proposals of IKE-proposals or ESP-proposals. ConfError with the nearest keyword."""
    parse = parse_ike if tag == "IKE-proposals" else parse_esp
    line = conf.where(section, tag)
    found = []
    for text in read_names(conf, section, tag, MAX_PROPOSALS):
        try:
            found.append(parse(text, line))
        except KeywordError as error:
            raise conf.error(str(error), section, tag, error.hint) from None
    return tuple(found)


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
            proposal.of_type(T.KE), proposal.of_type(T.ENCR), proposal.of_type(T.PRF)
        )
        if encr.id in IKE_OF_ENCR and prf.id in HASH_OF_PRF
    )
    return tuple(found)[:MAX_TRANSFORMS]


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
        for group in proposal.of_type(T.KE) or (None,):
            transforms = tuple(
                IpsecTransform(
                    name=proposal.name,
                    transform_id=ESP_OF_ENCR[Encr(encr.id)],
                    encapsulation=mode,
                    auth=AUTH_OF_INTEG[Integ(integ.id)] if integ else None,
                    group=Group(group.id) if group else None,
                    key_bits=_exactly(encr.key_bits),
                    life=life,
                    line=proposal.line,
                    esn=esn,
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
