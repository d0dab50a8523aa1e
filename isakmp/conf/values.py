"""Types of the configuration's values: a text to what it means, or what is wrong with it."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any, TypeVar

from isakmp.constants import names, value_of
from isakmp.constants.ip import PROTOCOLS
from isakmp.policy.spd import Address, Range

# isakmpd's manual writes "Defined" for tags that it only looked for.
YES = ("yes", "true", "on", "1", "defined")
NO = ("no", "false", "off", "0")
# Of less an SA is not replaced before it ends: a negotiation takes a while, and is repeated.
_LEAST = {"seconds": 30, "kilobytes": 100, "packets": 100}
# Kilobytes whose octets a counter of eight octets holds; seconds that a timer can wait.
MAX_AMOUNT = (1 << 53) - 1
MAX_SECONDS = 1 << 31
MAX_PPK_NAME = 255

E = TypeVar("E", bound=IntEnum)

_NUMBER = re.compile("[0-9]{1,19}", re.ASCII)
_RANGE = re.compile(r"([0-9]{1,19})\s*(?:,\s*([0-9]{1,19})\s*:\s*([0-9]{1,19}))?", re.ASCII)
# An address with a port.
_PLACED = re.compile(r"\[?([0-9A-Fa-f.:]+?)\]?:([0-9]{1,5})", re.ASCII)
_INTERFACE = re.compile(r"[A-Za-z][A-Za-z0-9_.:@-]{0,31}", re.ASCII)
_ALIASES = {
    "AES_GMAC": "NULL_AES_GMAC",
    "AES_GCM": "AES_GCM_16",
    "BP_224": "BRAINPOOL_224",
    "BP_256": "BRAINPOOL_256",
    "BP_384": "BRAINPOOL_384",
    "BP_512": "BRAINPOOL_512",
}


class BadValue(ValueError):
    """A text that is no value of its type. hint: what may have been meant."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


@dataclass(frozen=True)
class Type:
    """A type of value. what: as the manual names it, with its range; parse: ValueError where a
    text is none; words: every value there is, where they can be listed; remark: what there is to
    say of a value that was parsed; split: a hint for a list whose items are but one value."""

    what: str
    parse: Callable[[str], Any]
    words: tuple[str, ...] = ()
    remark: Callable[[str], str] = lambda _: ""
    split: Callable[[Sequence[str]], str] = lambda _: ""


def number(low: int, high: int, unit: str = "") -> Type:
    """A whole number in that range. unit: of what, in the plural."""
    what = f"{low} to {high}" + (f" {unit}" if unit else "")

    def parse(text: str) -> int:
        if not _NUMBER.fullmatch(text) or not low <= int(text) <= high:
            raise BadValue(f"{text!r} is not a number from {what}")
        return int(text)

    return Type(what, parse)


def number_or_zero(low: int, high: int, unit: str) -> Type:
    """0, or a whole number in that range."""
    what = f"0 or {low} to {high} {unit}"

    def parse(text: str) -> int:
        if not _NUMBER.fullmatch(text) or not (low <= int(text) <= high or int(text) == 0):
            raise BadValue(f"{text!r} is not {what}")
        return int(text)

    return Type(what, parse)


def words(known: Mapping[str, Any]) -> Type:
    """One of some words, in any case, and what each means."""
    meant = {word.lower(): meaning for word, meaning in known.items()}

    def parse(text: str) -> Any:
        if text.lower() not in meant:
            only = f"is not {next(iter(known))}, the only value"
            several = f"is not one of {', '.join(known)}"
            raise BadValue(f"{text!r} {several if len(known) > 1 else only}")
        return meant[text.lower()]

    return Type(", ".join(known), parse, tuple(known))


def word(*known: str) -> Type:
    """One of some words, in any case; its value is the word in lower case."""
    return words({each: each.lower() for each in known})


def member_of(*registries: type[IntEnum], only: tuple[str, ...] = ()) -> Type:
    """A member of a registry by name. only: the names that are told."""
    told = only or tuple(dict.fromkeys(name for each in registries for name in names(each)))

    def parse(text: str) -> IntEnum:
        for registry in registries:
            try:
                return member(registry, text)
            except KeyError:
                continue
        raise BadValue(f"{text!r} is not one of {', '.join(told)}")

    return Type(", ".join(told), parse, told)


def member(registry: type[E], text: str) -> E:
    """What isakmpd.conf(5) calls ``text``, in any case. KeyError where nothing is called so."""
    name = text.upper().replace("-", "_")
    return value_of(registry, _ALIASES.get(name, name))


def or_any(other: Type) -> Type:
    """The same, or ANY, which is None."""

    def parse(text: str) -> Any:
        return None if text.upper() == "ANY" else other.parse(text)

    return Type(f"{other.what}, or ANY", parse, (*other.words, "ANY") if other.words else ())


def pattern(expression: str, what: str) -> Type:
    """A text of that shape."""
    compiled = re.compile(expression, re.ASCII | re.IGNORECASE)

    def parse(text: str) -> str:
        if not compiled.fullmatch(text):
            raise BadValue(f"{text!r} is not {what}")
        return text

    return Type(what, parse)


def parsed(
    what: str,
    parse: Callable[[str], Any],
    hint: str = "",
    remark: Callable[[str], str] = lambda _: "",
) -> Type:
    """A value with a grammar of its own, whose parser raises ValueError. hint: an example."""

    def quoted(text: str) -> Any:
        try:
            return parse(text)
        except BadValue as error:
            raise BadValue(str(error), hint or error.hint) from None
        except ValueError as error:
            told = str(error)
            quote = "" if told.startswith(repr(text)) else f"{text!r}: "
            raise BadValue(quote + told, hint) from None

    return Type(what, quoted, remark=remark)


def offer_range(unit: str = "", least: int = 0, most: int = MAX_AMOUNT) -> Type:
    """``offer,min:max``, or ``offer`` alone; the offer is within ``least`` and ``most``."""
    what = "offer,min:max" + (f" {unit}" if unit else "")

    def parse(text: str) -> Range:
        match = _RANGE.fullmatch(text)
        if match is None:
            raise BadValue(f"{text!r} is not {what}")
        result = Range(*(int(match[n] or match[1]) for n in (1, 2, 3)))
        if result.min > result.max:
            raise BadValue(f"{text!r} accepts nothing: {result.min} > {result.max}")
        if not least <= result.offer <= most or result.max > most:
            raise BadValue(f"{text!r} is not within {least} and {most} {unit}".rstrip())
        return result

    return Type(what, parse)


def too_little(life: Range | int | None, unit: str) -> str:
    """That a lifetime, or one that is accepted, is too short for an SA to be replaced in time;
    empty where it is not, and of 0, which is none."""
    offer, least = (life.offer, life.min) if isinstance(life, Range) else (life, life)
    if not offer or least is None or min(offer, least) >= _LEAST[unit]:
        return ""
    amount = f"{offer} {unit}" if offer < _LEAST[unit] else f"accepts {least} {unit}"
    return f"{amount}: too little to replace an SA in time; give it {_LEAST[unit]} or more"


def outside(life: Range | None) -> str:
    """That a lifetime's offer is none that it accepts itself; empty where it is."""
    if not life or life.offer in life:
        return ""
    return f"offers {life.offer}, which it would not accept"


def lifetime(other: Type, unit: str) -> Type:
    """The same, of a lifetime, which may be too short, or not what it accepts."""

    def remark(text: str) -> str:
        life = other.parse(text)
        said = too_little(life, unit), outside(life if isinstance(life, Range) else None)
        return "; ".join(filter(None, said))

    return replace(other, remark=remark)


@lru_cache(4096)
def address_of(text: str) -> Address | None:
    """The IP address that a text is; None: it is none. One is asked for several times in a row."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def address_hint(text: str) -> str:
    """What to write in place of a text that is no address; empty where that cannot be told."""
    if beside := _beside(text):
        return beside
    bare = text.partition("/")[0].strip("[] ")
    if bare.replace(".", "").isdecimal() and 0 < bare.count(".") < 3:
        bare += ".0" * (3 - bare.count("."))
        return f"an address has four octets: {bare}?" if is_address(bare) else ""
    if not is_address(bare):
        return ""
    mask = "; of a network the mask is Netmask's" if "/" in text else ""
    return f"write {bare} alone{mask}"


def _beside(text: str) -> str:
    """The same of an address with something that belongs elsewhere, or that nobody sees."""
    bare = text.strip().strip("\"'")
    if is_address(bare):
        odd = next((char for char in text if char.isspace() and char not in " \t"), "")
        said = f": U+{ord(odd):04X} looks like a blank, and is none" if odd else " without quotes"
        return f"write {bare} alone{said}"
    bare, mark, _ = text.partition("#")
    if mark and is_address(bare):
        return f"write {bare} alone: a blank goes before the # of a comment"
    placed = _PLACED.fullmatch(text)
    if placed and is_address(placed[1]):
        return f"write {placed[1]} alone: a port stands in a tag of its own, Port= {placed[2]}"
    return ""


def _address(text: str) -> Address:
    address = address_of(text)
    if address is None:
        hint = address_hint(text) or "write a host's address, no name"
        raise BadValue(f"{text!r} is not an address", hint)
    _refuse_unbound(address)
    return address


def _refuse_unbound(address: Address) -> None:
    """BadValue of one of IPv4 in the form of IPv6, which no socket of either has."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    if mapped is not None:
        raise BadValue(f"'{address}' is {mapped} in the form of IPv6", f"write {mapped}")


def _place(text: str) -> str:
    address = address_of(text)
    if address is None and not names_interface(text):
        hint = address_hint(text) or "an address, an interface, or default"
        raise BadValue(f"{text!r} is not an address or an interface", hint)
    if address is not None:
        _refuse_unbound(address)
    return text


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    return address_of(text) is not None


def names_interface(text: str) -> bool:
    """Whether a text is not an address and could be the name of an interface."""
    return not is_address(text) and _INTERFACE.fullmatch(text) is not None


def port_number(text: str) -> int:
    """A port by number or by the name of a service. BadValue."""
    if _NUMBER.fullmatch(text) and int(text) <= 0xFFFF:
        return int(text)
    try:
        return socket.getservbyname(text)
    except (OSError, ValueError):
        raise BadValue(f"{text!r} is no port", "0 to 65535, or a name of services(5)") from None


def port_or_any(text: str) -> int:
    """The same; ``any`` is 0."""
    return 0 if text.lower() == "any" else port_number(text)


def udp_port(text: str) -> int:
    """A port that somebody can listen at. BadValue."""
    port = port_number(text)
    if not port:
        raise BadValue(f"{text!r} is no port", "1 to 65535, or a name of services(5)")
    return port


def protocol_number(text: str) -> int:
    """A protocol by number or by name, 0: any. BadValue."""
    if (known := PROTOCOLS.get(text.lower())) is not None:
        return known
    if _NUMBER.fullmatch(text) and int(text) <= 0xFF:
        return int(text)
    try:
        return socket.getprotobyname(text)
    except (OSError, ValueError):
        hint = "0 to 255, or a name of protocols(5)"
        raise BadValue(f"{text!r} is no protocol", hint) from None


def _yes_no(text: str) -> bool:
    if text.lower() not in YES + NO:
        raise BadValue(f"{text!r} is neither yes nor no")
    return text.lower() in YES


def _secret(text: str) -> bytes:
    """A key; hex after 0x. What is wrong with it is told without it."""
    if not text.startswith("0x"):
        return text.encode()
    try:
        return bytes.fromhex(text[2:])
    except ValueError:
        pass
    raise BadValue("not hexadecimal after 0x")


def _named(most: int) -> Callable[[str], bytes]:
    """A name of so many octets at most; hex after 0x."""

    def parse(text: str) -> bytes:
        try:
            data = bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode()
        except ValueError:
            raise BadValue(f"{text!r} is not hexadecimal after 0x") from None
        if not 0 < len(data) <= most:
            raise BadValue(f"not 1 to {most} octets")
        return data

    return parse


def _whole_path(text: str) -> str:
    """A path wherever one stands: a daemon stands in no directory."""
    bare = text.strip("\"'")
    if bare != text:
        raise BadValue(f"{text!r} is in quotes, which would be a part of the path", f"write {bare}")
    if text.startswith("~"):
        raise BadValue(f"{text!r} begins with ~, which only a shell knows", "write the path from /")
    if not text.startswith("/"):
        raise BadValue(f"{text!r} is not a path from / on")
    PATH.parse(text)
    return text


YES_NO = Type("yes or no", _yes_no, ("yes", "no"))
SECONDS = number(0, MAX_SECONDS, "seconds")
ADDRESS = Type("an address", _address)
PLACE = Type("an address, an interface, or `default`", _place)
PATH = pattern(r".{1,1023}", "a path")
WHOLE_PATH = Type("a path from / on", _whole_path)
UDP_PORT = Type("1 to 65535, or a service's name", udp_port)
PORT = Type("0 to 65535, or a service's name", port_or_any)
PROTOCOL = Type("0 to 255, or a protocol's name", protocol_number)
SECRET = Type("a text; hexadecimal after `0x`", _secret)
PPK_NAME = Type("1 to 255 octets of text; hexadecimal after `0x`", _named(MAX_PPK_NAME))
TEXT = Type("a text", str)
SECTION = Type("a section", str)
