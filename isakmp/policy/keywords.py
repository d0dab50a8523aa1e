"""Keyword proposals, ``aes128gcm16-prfsha256-x25519``: algorithms joined by hyphens.

Several of one kind are alternatives. ``ke1_mlkem768`` to ``ke7_mlkem768`` are additional key
exchanges (RFC 9370), and ``ke1_none`` makes the first of them optional.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from itertools import product
from types import MappingProxyType

from isakmp.conf.alike import nearest
from isakmp.conf.values import BadValue
from isakmp.constants import ikev2, isakmp
from isakmp.constants.key_exchange import ADDITIONAL, KEY_EXCHANGES, Method
from isakmp.policy.algorithms import COMBINED, KEY_LENGTHS, PRF_OF_INTEG, distinct
from isakmp.policy.likely_keywords import joined, joining
from isakmp.policy.spd import MAX_TRANSFORMS, Proposal, Transform

T = ikev2.Transform
Encr = ikev2.Encr
Integ = ikev2.Integ
Group = isakmp.Group

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
_KEMS = {f"mlkem{n}": ikev2.KeyExchange[f"ML_KEM_{n}"] for n in (512, 768, 1024)}
_GROUPS: dict[str, Method] = {
    "x25519": Group.CURVE25519,
    "curve25519": Group.CURVE25519,
    "x448": Group.CURVE448,
    "curve448": Group.CURVE448,
    "modp1024s160": Group.MODP_1024_160,
    "modp2048s224": Group.MODP_2048_224,
    "modp2048s256": Group.MODP_2048_256,
    **{
        f"modp{n}": isakmp.Group[f"MODP_{n}"]
        for n in (768, 1024, 1536, 2048, 3072, 4096, 6144, 8192)
    },
    **{f"ecp{n}": isakmp.Group[f"ECP_{n}"] for n in (192, 224, 256, 384, 521)},
    **{f"ecp{n}bp": isakmp.Group[f"BRAINPOOL_{n}"] for n in (224, 256, 384, 512)},
    **_KEMS,
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
    for number, kind in enumerate(ADDITIONAL, 1):
        words |= {f"ke{number}_{word}": Transform(kind, group) for word, group in _GROUPS.items()}
        words[f"ke{number}_none"] = Transform(kind, 0)
    esn = ikev2.SequenceNumbers
    words["noesn"] = Transform(T.ESN, esn.SEQUENTIAL_32)
    words["esn"] = Transform(T.ESN, esn.SEQUENTIAL_64)
    return words


KEYWORDS: Mapping[str, Transform] = MappingProxyType(_all_words())


# A word for each, as the manual has it; other spellings are understood, and not hinted at.
_WORDS = {transform: word for word, transform in reversed(_all_words().items())}
_BARE = {word.replace("_", ""): transform for word, transform in KEYWORDS.items()}
# What no word stands for, as it is there without one.
_NONES = frozenset((KEYWORDS["noesn"], Transform(T.INTEG, Integ.NONE), Transform(T.KE, 0)))
# Nor hinted at is what no library does, and what has a shorter check value than others.
_UNTOLD = re.compile(r"mlkem512$|[gc]cm(?:8|12)$")
_TOLD = tuple(w for w, t in KEYWORDS.items() if _WORDS[t] == w and not _UNTOLD.search(w))
# A group by its number.
_GROUP = re.compile(r"(?:dh|grp|group|(modp|ecp))([0-9]{1,2})", re.ASCII)
# A cipher with its key length behind its mode.
_TURNED = re.compile(r"aes(ctr|gmac|[gc]cm)(8|12|16)?(128|192|256)", re.ASCII)

# In the order in which a proposal has them.
_KINDS = (T.ENCR, T.PRF, T.INTEG, T.KE, T.ESN, *ADDITIONAL)
# What the IKE SA is not protected with.
_NOT_FOR_IKE = frozenset({Encr.NULL, Encr.NULL_AUTH_AES_GMAC, Encr.CAST, Encr.BLOWFISH})


def parse_ike(text: str, line: str = "") -> Proposal:
    """An IKE proposal from its keywords. BadValue says what is wrong with it."""
    found = _ike(text)
    return replace(found, line=line) if line else found


def parse_esp(text: str, line: str = "") -> Proposal:
    """An ESP proposal from its keywords. BadValue says what is wrong with it."""
    found = _esp(text)
    return replace(found, line=line) if line else found


# Thousands of sections have the same words.
@lru_cache(256)
def _ike(text: str) -> Proposal:
    found = _sorted(text)
    for kind, what in ((T.ENCR, "cipher"), (T.KE, "group")):
        if not found[kind]:
            raise BadValue(f"{text!r} names no {what}")
    if found[T.ESN]:
        raise BadValue(f"{text!r}: esn is for ESP")
    _expect_none(text, found[T.ENCR], _NOT_FOR_IKE, "protects no IKE SA")
    combined = _combined(text, found[T.ENCR])
    if not combined and not found[T.INTEG]:
        raise BadValue(f"{text!r} names no integrity algorithm, such as sha256")
    found[T.PRF] = found[T.PRF] or [
        Transform(T.PRF, PRF_OF_INTEG[Integ(t.id)]) for t in found[T.INTEG]
    ]
    if not found[T.PRF]:
        raise BadValue(f"{text!r} names no prf, such as prfsha256")
    if combined:
        # Here the integrity algorithm only stood for the prf of its name.
        found[T.INTEG] = []
    return _proposal(ikev2.Protocol.IKE, found, text)


@lru_cache(256)
def _esp(text: str) -> Proposal:
    found = _sorted(text)
    if not found[T.ENCR]:
        raise BadValue(f"{text!r} names no cipher")
    if found[T.PRF]:
        raise BadValue(f"{text!r}: a prf is for IKE")
    if _combined(text, found[T.ENCR]):
        if found[T.INTEG]:
            raise BadValue(f"{text!r}: this cipher brings its own integrity algorithm")
    elif not found[T.INTEG]:
        raise BadValue(f"{text!r} names no integrity algorithm, such as sha256")
    found[T.ESN] = found[T.ESN] or [KEYWORDS["noesn"]]
    return _proposal(ikev2.Protocol.ESP, found, text)


def words_of(protocol: ikev2.Protocol, transforms: Sequence[Transform]) -> str:
    """The keywords of a proposal of IKE or ESP with these transforms; empty: none has them."""
    integs = [t for t in transforms if t.type is T.INTEG and t.id]
    implied = [Transform(T.PRF, PRF_OF_INTEG[Integ(t.id)]) for t in integs if t.id in PRF_OF_INTEG]
    same = implied == [t for t in transforms if t.type is T.PRF]
    unsaid = {KEYWORDS["noesn"], *(implied if same else ())}
    said = [t for t in transforms if t not in unsaid and (t.id or t.type in ADDITIONAL)]
    text = "-".join(_WORDS.get(t, "?") for t in sorted(said, key=lambda t: _KINDS.index(t.type)))
    with suppress(BadValue):
        found = (parse_ike if protocol is ikev2.Protocol.IKE else parse_esp)(text)
        return text if set(transforms) <= {*found.transforms, *_NONES} else ""
    return ""


# Names of transforms and suites of isakmpd, which people write where keywords belong.
_TRANSFORM = re.compile(
    r"(?:3?DES|BLF|CAST|AES(?:-(?:128|192|256))?)-(?:MD5|SHA(?:2-(?:256|384|512))?)"
    r"(?:-GRP\d{1,2})?(?:-DSS|-RSA(?:_SIG)?)?",
    re.IGNORECASE,
)
_SUITE = re.compile(r"QM-.+", re.IGNORECASE)


def _no_algorithm(word: str, text: str) -> BadValue:
    """What a word is not, or the whole, where that is a name of isakmpd's."""
    for pattern, what, tag in (
        (_TRANSFORM, "transform", "Transforms"),
        (_SUITE, "suite", "Suites"),
    ):
        if pattern.fullmatch(text.strip()):
            where = f"{tag} of a Configuration"
            here = joined(text, _meant) or "aes256-sha256-modp2048"
            return BadValue(f"{text!r} is the name of a {what}, which belongs in {where}",
                            f"here algorithms stand, such as {here}")  # fmt: skip
    alone = _meant(word.strip().lower())
    hint = f"did you mean {alone}?" if alone else joining(text, _meant) or _hint(word)
    return BadValue(f"{word!r} is no algorithm", hint)


def _meant(word: str) -> str:
    """The keyword of the manual that a word stands for; empty where it is but like one."""
    word = word.replace("_", "")
    if transform := _BARE.get(word):
        return _WORDS[transform]
    if "cbc" in word:
        return _meant(word.replace("cbc", ""))
    if turned := _TURNED.fullmatch(word):
        mode, octets, bits = turned.groups("")
        return _meant(f"aes{bits}{mode}{octets}")
    numbered = _GROUP.fullmatch(word)
    prefix, number = numbered.groups("") if numbered else ("", "0")
    return next((w for w, group in _GROUPS.items() if group == int(number) and prefix in w), "")


def _hint(text: str) -> str:
    """What a word may be meant for: what it begins or looks like. Of a number alone that is told
    where one keyword has it: there are AES, SHA-2 and groups of 256."""
    word = text.strip().lower()
    if word.isdecimal():
        having = [one for one in _TOLD if one.endswith(word) and not one.startswith("ke")]
        return f"did you mean {having[0]}?" if len(having) == 1 else ""
    found = next((one for one in _TOLD if word and one.startswith(word)), "")
    return f"did you mean {found}?" if found else nearest(word, _TOLD)


def one_of(items: Sequence[str], parse: Callable[[str], Proposal]) -> str:
    """A hint for a list of which none is a proposal and all together are one: a comma ends each."""
    if len(items) < 2 or any(_reads(item, parse) for item in items):
        return ""
    found = joined("-".join(items), _meant)
    return f"join them with hyphens: {found}" if found and _reads(found, parse) else ""


def _reads(text: str, parse: Callable[[str], Proposal]) -> bool:
    try:
        return bool(parse(text))
    except BadValue:
        return False


def _sorted(text: str) -> dict[T, list[Transform]]:
    """The transforms a proposal names by type, each once, in its order."""
    found: dict[T, list[Transform]] = {kind: [] for kind in _KINDS}
    for word in text.split("-"):
        transform = KEYWORDS.get(word.strip().lower())
        if transform is None:
            raise _no_algorithm(word, text)
        if transform not in found[transform.type]:
            found[transform.type].append(transform)
    _expect_exchanges(text, found)
    return found


def _expect_exchanges(text: str, found: Mapping[T, Sequence[Transform]]) -> None:
    """Additional key exchanges follow a first one, and all that are done differ (RFC 9370)."""
    if not any(found[kind] for kind in ADDITIONAL):
        return
    if not found[T.KE]:
        raise BadValue(f"{text!r} names an additional key exchange, and none that it is added to")
    if distinct([found[kind] for kind in KEY_EXCHANGES if found[kind]]) is None:
        raise BadValue(f"{text!r}: no two key exchanges may be of the same method")


def _expect_none(
    text: str, named: Sequence[Transform], unwanted: frozenset[int], reason: str
) -> None:
    for transform in named:
        if transform.id in unwanted:
            word = next(word for word, known in KEYWORDS.items() if known == transform)
            raise BadValue(f"{text!r}: {word} {reason}")


def _combined(text: str, ciphers: Sequence[Transform]) -> bool:
    """Whether its ciphers are of combined mode. All or none may be (RFC 7296 3.3)."""
    combined = {t.id in COMBINED for t in ciphers}
    if len(combined) > 1:
        reason = "ciphers that bring their own integrity algorithm need a proposal of their own"
        raise BadValue(f"{text!r}: {reason}")
    return combined == {True}


def _proposal(
    protocol: ikev2.Protocol, found: Mapping[T, Sequence[Transform]], name: str
) -> Proposal:
    transforms = tuple(transform for kind in found for transform in found[kind])
    if len(transforms) > MAX_TRANSFORMS:
        raise BadValue(f"{len(transforms)} algorithms, {MAX_TRANSFORMS} are possible")
    return Proposal(protocol, transforms, name)
