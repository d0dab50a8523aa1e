"""What a peer's section says of IKEv2: which versions, and the options of RFC 7296 and after."""

from __future__ import annotations

from typing import TypeVar

from isakmp.conf import Conf
from isakmp.policy.spd import Ikev2, Wish
from isakmp.policy.transforms import read_names

W = TypeVar("W")

VERSIONS = {"ikev2": 2, "ikev1": 1}
WISHES = {wish.value: wish for wish in Wish}
PREFERENCES = {"local": True, "peer": False}
ENCAPSULATIONS = {"auto": False, "force": True}
MAX_WINDOW = 64
# The least IPv4 packet that everybody takes, and the largest there is.
LEAST_FRAGMENT, MAX_FRAGMENT = 576, 0xFFFF
MAX_SECONDS = 1 << 31


def read_versions(conf: Conf, section: str) -> tuple[int, ...]:
    """Key-exchange: the major versions, first the one we start with."""
    if conf.get(section, "Key-exchange") is None:
        return (1,)
    found = []
    for word in read_names(conf, section, "Key-exchange", len(VERSIONS)):
        if word.lower() not in VERSIONS:
            hint = ", ".join(VERSIONS)
            raise conf.error(f"{word!r} is no key exchange", section, "Key-exchange", hint)
        found.append(VERSIONS[word.lower()])
    return tuple(dict.fromkeys(found))


def read_ikev2(conf: Conf, section: str) -> Ikev2:
    """The options. ConfError with the line of the first that is wrong."""
    return Ikev2(
        window=_number(conf, section, "Window-size", 1, 1, MAX_WINDOW),
        childless=_word(conf, section, "Childless", WISHES, Wish.YES),
        fragmentation=conf.get_bool(section, "Fragmentation", True),
        fragment_size=_fragment_size(conf, section),
        force_encap=_word(conf, section, "Encapsulation", ENCAPSULATIONS, False),
        send_idr=conf.get_bool(section, "Send-IDr", True),
        prefer_local=_word(conf, section, "Proposal-preference", PREFERENCES, True),
        reauth_s=_number(conf, section, "Reauthenticate", 0, 0, MAX_SECONDS),
        make_before_break=conf.get_bool(section, "Make-before-break", True),
    )


def _number(conf: Conf, section: str, tag: str, default: int, low: int, high: int) -> int:
    number = conf.get_int(section, tag, default)
    if number is None or not low <= number <= high:
        raise conf.error(f"not {low} to {high}", section, tag)
    return number


def _fragment_size(conf: Conf, section: str) -> int:
    size = _number(conf, section, "Fragment-size", 0, 0, MAX_FRAGMENT)
    if 0 < size < LEAST_FRAGMENT:
        raise conf.error(f"not 0 or {LEAST_FRAGMENT} to {MAX_FRAGMENT}", section, "Fragment-size")
    return size


def _word(conf: Conf, section: str, tag: str, words: dict[str, W], default: W) -> W:
    text = conf.get(section, tag)
    if text is None:
        return default
    if text.lower() not in words:
        raise conf.error(f"{text!r} is not known", section, tag, "one of " + ", ".join(words))
    return words[text.lower()]
