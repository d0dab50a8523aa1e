"""Why attempts failed, for people: what the peer offered and what is accepted side by side, what
came nearest, which line of the configuration decided, and what to change.

It reads the outcomes of status(), so that what it tells is what the log and the report tell.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from fifo_ui.render import GAP, MAX_TEXT, MIN_COLUMN, far_end, moment, text_of
from fifo_ui.screen import PLAIN, Screen, Tone, cell, fit
from isakmp.causes import EXPECTED
from isakmp.log.log import printable

Row = Mapping[str, Any]

SHOWN = 5
LEFT_OUT, NO_STACK = "left out", "no stack"  # states of a connection, as status() has them
IN_PART, NOT_BEGUN = "up in part", "not begun"
_TOPICS = {
    "proposals": ("no-proposal-chosen", "bad-choice", "invalid-ke-payload", "nothing-to-offer",
                  "invalid-key-information", "invalid-key-exchange"),
    "identities": ("wrong-identity", "invalid-identity"),
    "selectors": ("ts-unacceptable", "no-connection", "transport-mode-refused",
                  "invalid-id-information", "too-many-children", "narrowed"),
    "authentication": ("authentication-failed", "no-secret", "unsupported-authentication"),
    "post-quantum keys": ("ppk-differs", "ppk-not-used", "ppk-unknown"),
    "no configuration matches": ("no-configuration", "version-not-configured",
                                 "wrong-exchange-type", "bad-configuration"),
    "what the peer says": ("peer-refused",),
    "no answer": ("timeout", "peer-dead"),
    "the way to the peer": ("cannot-send", "no-address", "own-message"),
    "the IPsec stack": ("stack-gone",),
    "what this host computes": ("not-done",),
}  # fmt: skip
_INDENT = "    "
_ALIKE = ("exchange", "name", "peer", "remote", "initiator", "reason")


def topic(cause: str) -> str:
    """What a cause is about; proposals, identities, selectors and so on are told apart."""
    return next((name for name, causes in _TOPICS.items() if cause in causes), "the exchange")


def failures(
    outcomes: Sequence[Row],
    peer: str | None,
    connections: Sequence[Row] = (),
    exchanges: Sequence[Row] = (),
    sas: Sequence[Row] = (),
    peers: Sequence[Row] = (),
) -> list[dict[str, Any]]:
    """That there is no IPsec stack, what is left out of the configuration, what is up in part,
    attempts that are under way and refused or not answered so far, and the last that failed, the
    newest first, what failed alike in one row with the times it did, and since when it is up, where
    it is (what is under way is past then, too); of one peer, by its name or address, or of one
    connection, with what is of its peer as a whole."""
    is_of = selection(peer, connections, peers)
    no_stack = [row for row in connections if row.get("state") == NO_STACK]
    # Every connection has none, whoever is asked for: told once, of one of those.
    no_stack = sorted(no_stack, key=lambda row: not is_of(row))[:1]
    left_out = [row for row in connections if row.get("state") == LEFT_OUT]
    failed = _counted(row for row in outcomes if not row.get("ok") and not _is_expected(row))
    doubtful, past = list[Row](), list[Row](failed)
    for row in exchanges:
        if row.get("reason"):
            row = {**row, **_up(row, connections, sas)}
            (past if _is_past(row) else doubtful).append(row)
    of_peer = [
        row
        for rows in (
            left_out[::-1],
            _in_part(connections, failed),
            _not_begun(connections),
            doubtful,
            sorted(past, key=lambda row: _time(row) or 0.0),
        )
        for row in [row for row in rows if is_of(row)][: -SHOWN - 1 : -1]
    ]
    told = [*no_stack, *of_peer]
    return [{"topic": _topic(row), **row, **_up(row, connections, sas)} for row in told]


def _in_part(connections: Sequence[Row], failed: Sequence[Row]) -> list[Row]:
    """What has less than it is for, unless an attempt tells why."""
    told = [(row.get("name"), row.get("reason")) for row in failed]
    return [
        {"name": row["name"], "peer": row.get("peer"), "state": IN_PART, "reason": why,
         "initiator": "offered" in why}
        for row in connections if (why := row.get("less")) and (row["name"], why) not in told
    ]  # fmt: skip


def _not_begun(connections: Sequence[Row]) -> list[Row]:
    """What there is no way to begin: no exchange tells it."""
    return [
        {"name": row["name"], "peer": row.get("peer"), "state": NOT_BEGUN, "reason": why,
         "initiator": True}
        for row in connections if (why := row.get("reason")) and why["cause"] == "no-address"
    ]  # fmt: skip


def _up(row: Row, connections: Sequence[Row], sas: Sequence[Row]) -> Row:
    """Since when what an attempt was for is up now, with the same address: others may share its
    section."""
    up = {
        sa["name"] for sa in sas
        if (sa["phase"], sa["state"], sa["remote"]) == (2, "established", row.get("remote"))
    }  # fmt: skip
    since = [
        connection["up_since"] for connection in connections
        if connection["name"] in up and row["name"] in (connection["name"], connection["peer"])
        and connection.get("up_since")
    ]  # fmt: skip
    return {"up_since": max(since)} if since and _time(row) is not None else {}


def _is_past(row: Row) -> bool:
    """Whether what it was for has come up since."""
    return (row.get("up_since") or 0.0) > (_time(row) or 0.0)


def _time(row: Row) -> float | None:
    """When an attempt ended, or began where it has not; None of what is none."""
    when: float | None = row.get("when", row.get("began"))
    return when


def _counted(rows: Iterable[Row]) -> list[Row]:
    """The last of those that are alike, in the place of all of them."""
    found: dict[str, Row] = {}
    for row in rows:
        alike = str([row.get(name) for name in _ALIKE])
        before = found.pop(alike, {"times": 0})
        found[alike] = {**row, "times": (row.get("times") or 1) + before["times"]}
    return list(found.values())


def _is_expected(row: Row) -> bool:
    """Whether there is nothing to mend."""
    return (row.get("reason") or {}).get("cause") in EXPECTED


def _topic(row: Row) -> str:
    if row.get("state") == LEFT_OUT:
        return "the configuration"
    return topic((row.get("reason") or {}).get("cause", ""))


def selection(
    asked: str | None, connections: Sequence[Row], peers: Sequence[Row] = ()
) -> Callable[[Row], bool]:
    """Whether a row is of who is asked for. Of a connection are, too, phase 1 with its peer, and
    what is of none of the peer's connections; of both, who was turned away at the peer's address
    before there was a name for it."""
    theirs = {row.get("peer") for row in connections if row.get("name") == asked}
    addresses = {row.get("address") for row in peers if row.get("name") in {asked, *theirs}}

    def is_of(row: Row) -> bool:
        name, peer, remote = (row.get(field) for field in ("name", "peer", "remote"))
        if asked in (None, name, peer, remote):
            return True
        if not peer:
            return remote in addresses
        return peer in theirs and (row.get("phase") == 1 or name == peer)

    return is_of


def text(rows: Sequence[Row], peer: str | None, screen: Screen = PLAIN) -> str:
    """What failures() found, a paragraph each."""
    if not rows:
        whom = f" with {peer}" if peer else ""
        return f"no attempt{whom} has failed\n"
    return "\n".join(_paragraph(row, screen) for row in rows)


def _paragraph(row: Row, screen: Screen) -> str:
    reason, head = row.get("reason") or {}, _head(row)
    told = textwrap.wrap(
        f"{row['topic']}: {_clean(reason.get('detail'))}", screen.columns,
        initial_indent="  ", subsequent_indent=_INDENT,
    )  # fmt: skip
    lines = textwrap.wrap(printable(head, MAX_TEXT), screen.columns, subsequent_indent="  ")
    if row.get("up_since"):
        again = " again" if _is_past(row) else ""  # at once: it was never down
        lines.append(screen.paint(f"  it is up{again} since {moment(row['up_since'])}", Tone.GOOD))
    lines += [screen.paint(line, Tone.BAD) for line in told]
    lines += _beside(row, reason, screen)
    nearest, *others = reason.get("misses") or ("",)
    for label, value in (
        ("nearest miss", nearest),
        ("decided by", reason.get("line")),
        ("to mend", reason.get("mend")),
        ("its traffic", row.get("fate")),
        *(("tried too", other) for other in others),
    ):
        if value:
            lines += _wrapped(label, _clean(value), screen)
    for meaning in reason.get("means") or ():
        lines += _wrapped("", _clean(meaning), screen)
    return "\n".join(lines) + "\n"


def _head(row: Row) -> str:
    if row.get("state") == NO_STACK:
        return "now: nothing passes, of any connection"
    if row.get("state") == LEFT_OUT:
        what = "bypass" if row.get("bypass") else "connection"
        return f"the {what} {text_of(row.get('name'))} is left out for an error"
    if row.get("state") == IN_PART:
        return f"now: the connection {text_of(row.get('name'))} is up in part"
    if row.get("state") == NOT_BEGUN:
        return f"now: the connection {text_of(row.get('name'))} is not up"
    role = "we began" if row.get("initiator") else "the peer began"
    times = f", {row['times']} times" if (row.get("times") or 1) > 1 else ""
    if "when" in row:
        when = f"{moment(row['when'] or 0.0)} "
    else:
        when = f"{moment(row['began']) if _is_past(row) else 'now'}, and not ended yet:"
    return f"{when} {text_of(row.get('exchange'))} with {far_end(row)}, {role}{times}"


def _beside(row: Row, reason: Row, screen: Screen) -> list[str]:
    """The peer's side and ours, in two columns where they are compared part by part."""
    table = [(*map(_clean, cells), fits) for *cells, fits in reason.get("beside") or ()]
    refused_by_peer = reason.get("cause") == "peer-refused"
    theirs, ours = "the peer offered", "we accept"
    if refused_by_peer:
        theirs, ours = "the peer said", "we offered"
    elif row.get("initiator"):
        theirs, ours = "the peer answered", "we offered"
    if not table:
        asked = reason.get("acceptable") or reason.get("offered")
        pairs = ((theirs, reason.get("came")), (ours, asked))
        return [
            line for label, value in pairs if value
            for line in _wrapped(label, _clean(value), screen)
        ]  # fmt: skip
    return _columns([("", theirs, ours, True), *table], screen)


def _columns(rows: Sequence[tuple[Any, ...]], screen: Screen) -> list[str]:
    """What is compared, the peer's and ours; what does not fit has a star."""
    margin = len(_INDENT) + len("* ") + 2 * len(GAP)
    widest = [max(len(row[at]) for row in rows) for at in range(3)]
    widths = fit(widest, screen.columns - margin, MIN_COLUMN)
    lines = []
    for *cells, fits in rows:
        line = GAP.join(map(cell, cells, widths)).rstrip()
        tone = Tone.PLAIN if fits else Tone.WARNING
        lines.append(screen.paint(f"{_INDENT}{' ' if fits else '*'} {line}", tone))
    return lines


def _wrapped(label: str, value: str, screen: Screen) -> list[str]:
    head = f"{_INDENT}{label}: " if label else _INDENT
    return textwrap.wrap(
        value, screen.columns, initial_indent=head, subsequent_indent=_INDENT + "  "
    )


def _clean(value: object) -> str:
    """Whatever a peer may have written, printable and not without end."""
    return printable(str(value or "-"), MAX_TEXT)
