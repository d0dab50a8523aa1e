"""The tables of isakmpd.conf(5) out of the table of tags.

Under a heading that names a kind of section stands its table, and is written anew.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from types import MappingProxyType

from isakmp.conf.kinds import Kind, Tag
from isakmp.conf.tags import FIXED, MAY_BE_EMPTY, TAGS

HEADINGS: Mapping[str, Kind] = MappingProxyType(
    {
        **{f"[{name}]": kind for name, kind in FIXED.items()},
        "ISAKMP peer": Kind.PEER,
        "ID": Kind.ID,
        "ISAKMP configuration": Kind.ISAKMP_CONFIGURATION,
        "ISAKMP transform": Kind.ISAKMP_TRANSFORM,
        "Lifetime": Kind.LIFETIME,
        "IPsec connection": Kind.CONNECTION,
        "IPsec configuration": Kind.IPSEC_CONFIGURATION,
        "Suite": Kind.SUITE,
        "Protocol": Kind.PROTOCOL,
        "IPsec transform": Kind.IPSEC_TRANSFORM,
        "Bypass": Kind.BYPASS,
        "Mode-config": Kind.MODE_CONFIG,
        "Initiator's identity": Kind.INITIATOR,
    }
)
HEAD = "| tag | value | default | meaning |"
# From the heading to its table: text in between may say what is no tag, a heading may not.
_TABLE = re.compile(
    r"^(#+ ([^\n]+)\n(?:(?!#|\| tag )[^\n]*\n)*)(?:\| tag [^\n]*\n(?:\|[^\n]*\n)*)", re.M
)

# What lists the tags that may be without a value, up to the next item.
_EMPTY = re.compile(r"(A tag without a value.*?not known:\n).*?(?=\n- )", re.S)
_WIDTH = 120


def table(kind: Kind) -> str:
    """The table of one kind of section, in Markdown."""
    rows = [_row(name, tag) for name, tag in TAGS[kind].items()]
    return "\n".join([HEAD, "|---|---|---|---|", *rows]) + "\n"


def with_tables(page: str) -> str:
    """The page with every table, and the list of tags without a value, as it should be."""

    def anew(match: re.Match[str]) -> str:
        kind = HEADINGS.get(match[2])
        return match[1] + table(kind) if kind else match[0]

    return _EMPTY.sub(lambda match: match[1] + _may_be_empty(), _TABLE.sub(anew, page))


def _may_be_empty() -> str:
    """The names of the tags that are ignored without a value, and have an effect with one."""
    rows = [(name, tag) for tags in TAGS.values() for name, tag in tags.items()]
    names = {name for name, tag in rows if name.lower() in MAY_BE_EMPTY and not tag.idle}
    told = ", ".join(sorted(names, key=str.lower)) + "."
    return textwrap.fill(
        told, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
    )


def _row(name: str, tag: Tag) -> str:
    what = tag.type.what
    if tag.leads:
        what = ("sections: " if tag.every else "a section: ") + tag.leads.value.split(" ", 1)[-1]
    elif tag.every:
        what = f"a list: {what}"
    default = tag.default or tag.otherwise
    return f"| {name}{' †' if tag.idle else ''} | {what} | {default} | {tag.meaning} |"
