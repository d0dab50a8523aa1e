"""Why attempts failed, for people: what the peer offered and what is accepted side by side, what
came nearest, which line of the configuration decided, and what to change.

It reads the outcomes of status(), so that what it tells is what the log and the report tell.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from fifo_ui.render import MAX_TEXT, WIDTH, moment, text_of
from isakmp.log import printable

Row = Mapping[str, Any]

SHOWN = 5
_TOPICS = {
    "proposals": ("no-proposal-chosen", "bad-choice", "invalid-ke-payload", "nothing-to-offer",
                  "invalid-key-information", "invalid-key-exchange"),
    "identities": ("wrong-identity", "invalid-identity"),
    "selectors": ("ts-unacceptable", "no-connection", "transport-mode-refused",
                  "invalid-id-information", "too-many-children"),
    "authentication": ("authentication-failed", "no-secret", "unsupported-authentication"),
    "no configuration matches": ("no-configuration", "version-not-configured",
                                 "wrong-exchange-type", "bad-configuration"),
    "what the peer says": ("peer-refused",),
    "no answer": ("timeout", "no-address"),
}  # fmt: skip
_INDENT = "    "


def topic(cause: str) -> str:
    """What a cause is about; proposals, identities, selectors and so on are told apart."""
    return next((name for name, causes in _TOPICS.items() if cause in causes), "the exchange")


def failures(outcomes: Sequence[Row], peer: str | None) -> list[dict[str, Any]]:
    """The last failed attempts, the newest first; of one peer, by its name, address or
    connection."""
    found = [
        {"topic": topic((row.get("reason") or {}).get("cause", "")), **row}
        for row in outcomes
        if not row.get("ok") and peer in (None, row.get("name"), row.get("peer"), row.get("remote"))
    ]
    return found[::-1][:SHOWN]


def text(rows: Sequence[Row], peer: str | None) -> str:
    """What failures() found, a paragraph each."""
    if not rows:
        whom = f" with {peer}" if peer else ""
        return f"no attempt{whom} has failed\n"
    return "\n".join(_paragraph(row) for row in rows)


def _paragraph(row: Row) -> str:
    reason = row.get("reason") or {}
    role = "we began" if row.get("initiator") else "the peer began"
    times = f", {row['times']} times" if (row.get("times") or 1) > 1 else ""
    head = (
        f"{moment(row.get('when') or 0.0)}  {text_of(row.get('exchange'))} with "
        f"{text_of(row.get('remote'))} ({text_of(row.get('name'))}), {role}{times}"
    )
    lines = [printable(head, MAX_TEXT), f"  {row['topic']}: {_clean(reason.get('detail'))}"]
    lines += _beside(row, reason)
    nearest = (reason.get("misses") or ("",))[0]
    for label, value in (
        ("nearest miss", nearest),
        ("decided by", reason.get("line")),
        ("to mend", reason.get("mend")),
    ):
        if value:
            lines += _wrapped(label, _clean(value))
    for meaning in reason.get("means") or ():
        lines += _wrapped("", _clean(meaning))
    return "\n".join(lines) + "\n"


def _beside(row: Row, reason: Row) -> list[str]:
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
        return [line for label, value in pairs if value for line in _wrapped(label, _clean(value))]
    rows = [("", theirs, ours, True), *table]
    widths = [min(38, max(len(one[at]) for one in rows)) for at in range(3)]
    lines = []
    for one in rows:
        cells = (cell[:width].ljust(width) for cell, width in zip(one, widths, strict=False))
        lines.append(f"{_INDENT}{' ' if one[-1] else '*'} " + "  ".join(cells).rstrip())
    return lines


def _wrapped(label: str, value: str) -> list[str]:
    head = f"{_INDENT}{label}: " if label else _INDENT
    return textwrap.wrap(value, WIDTH, initial_indent=head, subsequent_indent=_INDENT + "  ")


def _clean(value: object) -> str:
    """Whatever a peer may have written, printable and not without end."""
    return printable(str(value or "-"), MAX_TEXT)
