"""What the name of a command line means in the status: a connection, a peer by its section or its
address, or one SA by an SPI or its cookies, as ``sa`` shows them. isakmpd takes the same
(isakmp/asked.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]

_SPI = re.compile(r"(?:0x)?([0-9a-f]{8})", re.IGNORECASE)
_COOKIES = re.compile(r"([0-9a-f]{16}):?([0-9a-f]{16})?", re.IGNORECASE)
_PORT = re.compile(r"\[?([0-9.]+|[0-9a-f:.]+(?=\]))\]?:\d{1,5}", re.IGNORECASE)


def names(status: Mapping[str, Any]) -> list[str]:
    """The connections and peers that there are, and what has an SA."""
    rows = (row for table in ("connections", "peers", "sas") for row in status[table])
    return list(dict.fromkeys(str(row["name"]) for row in rows if row.get("name")))


def meant(status: Mapping[str, Any], name: str | None) -> str | None:
    """A name, or an address without its port; of one SA the name of its connection or peer."""
    if name is None or name in names(status):
        return name
    if one := _one(status["sas"], name):
        return str(one[0]["name"])
    place = _PORT.fullmatch(name)
    return place[1] if place else name


def connections_of(status: Mapping[str, Any], name: str) -> list[str]:
    """The connections: that one, or those of a peer."""
    rows, asked = status["connections"], meant(status, name)
    if any(row["name"] == asked for row in rows):
        return [str(asked)]
    return [row["name"] for row in rows if row.get("peer") in _peers(status, str(asked))]


def sas_of(status: Mapping[str, Any], name: str) -> list[Row]:
    """The SAs of a name; of a connection those of phase 1, too, that its child SAs are under, or
    that there are with its peer; of a peer all with it; of a child SA alone what it is under."""
    first, second = ([r for r in status["sas"] if r.get("phase") == phase] for phase in (1, 2))
    if name not in names(status) and (one := _one(status["sas"], name)):
        found = [row for row in second if row in one or row.get("cookies") == one[0]["cookies"]]
        found = [row for row in found if row in one] or (found if one[0] in first else [])
        return [row for row in first if row.get("cookies") == one[0]["cookies"]] + found
    asked = str(meant(status, name))
    peers = _peers(status, asked)
    own = [row for row in first if row.get("name") in peers or _address(row) == asked]
    of_them = {row.get("cookies") for row in own} - {None, ""}
    theirs = {row["name"] for row in status["connections"] if row.get("peer") in peers}
    second = [
        row for row in second
        if row.get("name") in {asked, *theirs} or row.get("cookies") in of_them
    ]  # fmt: skip
    if own:
        return own + second
    under = {row.get("cookies") for row in second}
    peers = {row.get("peer") for row in status["connections"] if row.get("name") == asked}
    found = [row for row in first if row.get("cookies") in under]
    return (found or [row for row in first if row.get("name") in peers]) + second


def _peers(status: Mapping[str, Any], asked: str) -> set[str]:
    """The sections of peers of that name or address."""
    found = {row["name"] for row in status["peers"] if asked in (row["name"], row.get("address"))}
    others = {row["name"] for row in status["connections"]}
    return found | ({asked} - others)


def _address(row: Row) -> str:
    """The far end of an SA, without its port."""
    remote = str(row.get("remote"))
    place = _PORT.fullmatch(remote)
    return place[1] if place else remote


def _one(sas: Iterable[Row], text: str) -> Sequence[Row]:
    """The SA that has this SPI, or these cookies."""
    rows = list(sas)
    if spi := _SPI.fullmatch(text):
        number = f"0x{spi[1].lower()}"
        return [row for row in rows if number in (row.get("spi_in"), row.get("spi_out"))]
    if cookies := _COOKIES.fullmatch(text):
        wanted = [half.lower() for half in cookies.groups() if half]
        return [
            row for row in rows if row.get("phase") == 1
            and (row["cookies"].split(":") == wanted or wanted[0] in row["cookies"].split(":")
                 and len(wanted) == 1)
        ]  # fmt: skip
    return []
