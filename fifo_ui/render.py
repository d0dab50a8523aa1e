"""Tables and the report for people, out of the daemon's status(), as wide as their screen.

A row is what status() says of one thing: the fields people look for first become columns, what
does not fit beside them follows below, indented. Whatever a peer may have written (identities,
names, reasons) is made printable.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from fifo_ui.screen import PLAIN, Screen, Tone, cell, fit
from isakmp.causes import EXPECTED
from isakmp.conf.tags import SECRET_TAGS
from isakmp.errors import LABELS
from isakmp.log.log import LogClass, printable, stamp_of

GAP = "  "
NONE = "-"
MAX_CELL = 60
MIN_COLUMN = 4
MAX_TEXT = 4000
EPOCH = 1e8  # a time above it is counted from 1970, one below it from some start
# By column and what it says: how it stands.
_TONES = {
    ("STATE", "established"): Tone.GOOD,
    ("STATE", "up"): Tone.GOOD,
    ("STATE", "wanted"): Tone.WARNING,
    ("STATE", "dead"): Tone.BAD,
    ("STATE", "left out"): Tone.BAD,
    ("STATE", "no stack"): Tone.BAD,
    ("OK", "yes"): Tone.GOOD,
    ("OK", "no"): Tone.BAD,
}
NOTED = (
    "agreed",
    "less",
    "not_replaced",
    "silent_s",
    "up_since",
)  # fields of a connection that are told in words, or not
REASONS = ("so_far", "reason")  # what is in the way now, and what was
_HIDDEN = (*SECRET_TAGS, "passphrase", "password", "secret")

Row = Mapping[str, Any]


class Conf(Protocol):
    """What the report reads of the configuration."""

    def get(self, section: str, tag: str, default: str | None = None, /) -> str | None: ...

    def sections(self) -> list[str]: ...

    def tags(self, section: str, /) -> list[str]: ...


class Line(NamedTuple):
    """One thing of a table: its cells, texts that go below them, and why it is not as it should
    be."""

    cells: Sequence[str]
    below: Sequence[str] = ()
    reason: Sequence[str] = ()


def duration(seconds: float | None) -> str:
    """``45s``, ``12m05s``, ``3h02m``, ``2d04h``; ``-`` where there is none."""
    if seconds is None:
        return NONE
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def amount(octets: float) -> str:
    """Octets in three digits: ``812``, ``1.2k``, ``45M``."""
    for unit in ("", "k", "M", "G", "T"):
        if octets < 999.5:
            return f"{octets:.1f}{unit}" if unit and octets < 9.95 else f"{octets:.0f}{unit}"
        octets /= 1000
    return f"{octets:.0f}P"


def moment(when: float) -> str:
    """A time: a stamp where it counts from 1970, seconds otherwise."""
    return stamp_of(when) if when >= EPOCH else f"{when:.3f}s"


def text_of(value: object) -> str:
    """Any field as people read it."""
    if value is None or value == "":
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text_of(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(text_of(item) for item in value) or NONE
    return printable(str(value), MAX_TEXT)


def far_end(row: Row) -> str:
    """With whom an exchange is: the address, and the name where it has one."""
    remote, name = text_of(row.get("remote")), text_of(row.get("name"))
    return remote if name == remote else f"{remote} ({name})"


def table(headers: Sequence[str], lines: Iterable[Line], screen: Screen = PLAIN) -> str:
    """Columns that fit the screen: the widest give way first. ``none`` where it is empty."""
    width = screen.columns
    rows = [
        line._replace(cells=[printable(text, max(width, MAX_CELL)) for text in line.cells])
        for line in lines
    ]
    if not rows:
        return "none\n"
    widths = [
        max(map(len, column)) for column in zip(headers, *(r.cells for r in rows), strict=True)
    ]
    widths = fit(widths, width - len(GAP) * (len(widths) - 1), MIN_COLUMN)
    out = [GAP.join(map(cell, headers, widths)).rstrip()]
    for row in rows:
        out.append(_columns(headers, row.cells, widths, screen))
        for text in row.below:
            out.extend(_wrapped(text, width))
        for number, text in enumerate(row.reason):
            tone = Tone.PLAIN if number else Tone.BAD
            out.extend(screen.paint(line, tone) for line in _wrapped(text, width))
    return "\n".join(out) + "\n"


def _columns(
    headers: Sequence[str], cells: Sequence[str], widths: Sequence[int], screen: Screen
) -> str:
    texts = [cell(*one) for one in zip(cells, widths, strict=True)]
    tones = [_TONES.get(one, Tone.PLAIN) for one in zip(headers, cells, strict=True)]
    return GAP.join(map(screen.paint, texts, tones)).rstrip()


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        printable(text, MAX_TEXT), width, initial_indent="    ", subsequent_indent="      "
    )


def sas(rows: Sequence[Row], screen: Screen = PLAIN) -> str:
    """Both phases' SAs."""
    first = [row for row in rows if row.get("phase") == 1]
    second = [row for row in rows if row.get("phase") == 2]
    return f"Phase 1\n{phase_1(first, screen)}\nPhase 2\n{phase_2(second, screen)}"


def phase_1(rows: Sequence[Row], screen: Screen = PLAIN) -> str:
    """ISAKMP SAs."""
    headers = ("NAME", "STATE", "ROLE", "EXCHANGE", "PEER", "AGE/REKEY/END")
    return table(headers, map(_phase_1_line, rows), screen)


def _phase_1_line(row: Row) -> Line:
    prf = f"PRF_{row['prf']}" if row.get("prf") else None
    suite = _join(_cipher(row), row.get("hash"), prf, row.get("group"), _more(row), row.get("auth"))
    cells = _texts(row, "name", "state") + [_role(row)] + _texts(row, "exchange", "remote")
    below = [
        suite,
        f"{text_of(row.get('local'))} as {text_of(row.get('local_id'))},"
        f" peer as {text_of(row.get('remote_id'))}"
        + (f", NAT-T {text_of(row['nat_t'])}" if row.get("nat_t") else ""),
        f"cookies {text_of(row.get('cookies'))}",
        *_ppk(row.get("ppk")),
    ]
    return Line([*cells, _ages(row)], below, _reason(row.get("reason")))


def _ppk(told: Row | None) -> list[str]:
    """What became of a post-quantum pre-shared key, where the peer has one."""
    if not told:
        return []
    what = "required" if told.get("required") else "optional"
    used = "used" if told.get("used") else f"not used: {text_of(told.get('why'))}"
    return [f"PPK {text_of(told.get('id'))} ({what}) {used}"]


def _more(row: Row) -> str | None:
    """The key exchanges after the first one."""
    return " ".join(map(text_of, row.get("additional") or ())) or None


def phase_2(rows: Sequence[Row], screen: Screen = PLAIN) -> str:
    """IPsec SAs, in pairs."""
    headers = ("NAME", "STATE", "ROLE", "PROTOCOL", "IN", "OUT", "AGE/REKEY/END")
    return table(headers, map(_phase_2_line, rows), screen)


def _phase_2_line(row: Row) -> Line:
    pfs = f"PFS {row['pfs']}" if row.get("pfs") else None
    suite = _join(_cipher(row), row.get("auth"), pfs, _more(row))
    carried = [
        f"{row.get('packets_' + way, 0)} {amount(row.get('bytes_' + way) or 0)}B"
        for way in ("in", "out")
    ]
    encap = " in UDP" if row.get("encap") else ""
    below = [
        " -> ".join(_texts(row, "local_selectors", "remote_selectors")),
        suite,
        f"{text_of(row.get('local'))} - {text_of(row.get('remote'))}{encap},"
        f" SPI in {text_of(row.get('spi_in'))} out {text_of(row.get('spi_out'))}",
        f"cookies {text_of(row.get('cookies'))} message id {text_of(row.get('message_id'))}",
    ]
    cells = _texts(row, "name", "state") + [_role(row), _join(row.get("protocol"), row.get("mode"))]
    return Line([*cells, *carried, _ages(row)], below, _reason(row.get("reason")))


def outcomes(rows: Sequence[Row], screen: Screen = PLAIN) -> str:
    """How attempts ended, the last one last, each failure with its reason whole."""
    headers = ("WHEN", "ID", "EXCHANGE", "NAME", "PEER", "OK", "TOOK")
    lines = [
        Line(
            [
                moment(row.get("when") or 0.0),
                *_texts(row, "id", "exchange", "name", "remote", "ok"),
                f"{row.get('took_s') or 0.0:.3f}s",
            ],
            reason=_reason(row.get("reason")),
        )
        for row in rows
    ]
    return table(headers, lines, screen)


def connections(rows: Sequence[Row], screen: Screen = PLAIN) -> str:
    """What should be up; of what is, a note where all is not well."""
    return things([_noted(row) for row in rows], screen)


def _noted(row: Row) -> Row:
    """With what there is to note in words."""
    rest = {name: value for name, value in row.items() if name not in NOTED}
    now, before = row.get("so_far"), row.get("reason") or {}
    if now and (before == now or before.get("cause") in EXPECTED):
        rest["reason"] = None  # told already, or what mends itself, which this has not: not so far
    notes = [told] if (told := in_part(row)) else []
    if row.get("silent_s") is not None:
        silent = duration(row["silent_s"])
        notes.append(f"the peer has been silent for {silent}, and is asked if it lives")
    if refused := row.get("not_replaced"):
        reason, when = refused["reason"], moment(refused["when"])
        notes.append(
            f"its SA was to be replaced at {when} and was not: {reason['cause']}: "
            f"{reason['detail']}: isakmpctl explain {row['name']}"
        )
    return {**rest, "note": "; ".join(notes)} if notes else rest


def in_part(row: Row) -> str:
    """With what a connection is up in part, and why; empty where it is not."""
    had, why = row.get("agreed"), row.get("less")
    return "; ".join(
        [f"no more is agreed on than {text_of(had)}"] * bool(had)
        + ([f"{why['cause']}: {why['detail']}: isakmpctl explain {row['name']}"] if why else [])
    )


def things(rows: Sequence[Row], screen: Screen = PLAIN) -> str:
    """Any rows: their fields as columns in order, those without room below, reasons whole."""
    fields = [field for field in dict.fromkeys(f for row in rows for f in row)
              if field not in REASONS]  # fmt: skip
    columns = _that_fit(rows, fields, screen.columns)
    rest = fields[len(columns) :]
    lines = []
    for row in rows:
        more = ", ".join(f"{field} {_field(row, field)}" for field in rest if row.get(field))
        cells = [_field(row, field) for field in columns]
        reasons = [line for field in REASONS for line in _reason(row.get(field))]
        lines.append(Line(cells, [more] if more else [], reasons))
    return table([field.upper() for field in columns], lines, screen)


def _that_fit(rows: Sequence[Row], fields: Sequence[str], width: int) -> list[str]:
    """The first fields, as many as have room beside each other; at least one."""
    room = width + len(GAP)
    for count, field in enumerate(fields):
        needed = max(len(field), *(len(_field(row, field)) for row in rows))
        room -= needed + len(GAP)
        if count and (room < 0 or needed > MAX_CELL):
            return list(fields[:count])
    return list(fields)


def drops(counts: Mapping[str, int]) -> str:
    """A line of what the IPsec stack has thrown away, by cause; empty where nothing was."""
    return f"Dropped packets: {_dropped(counts)}\n" if counts else ""


def _dropped(counts: Mapping[str, int]) -> str:
    texts = (f"{printable(name, MAX_TEXT)} {count}" for name, count in sorted(counts.items()))
    return ", ".join(texts) or "none"


def report(status: Mapping[str, Any], levels: Mapping[LogClass, int], conf: Conf) -> str:
    """Everything: SAs, connections, peers, exchanges, outcomes, ways, timers, configuration."""
    parts = [
        ("Security associations", sas(status.get("sas", ()))),
        ("Connections", connections(status.get("connections", ()))),
        ("Peers", things(status.get("peers", ()))),
        ("Exchanges", things(status.get("exchanges", ()))),
        ("Outcomes", outcomes(status.get("outcomes", ()))),
        ("Dropped packets", _dropped(status.get("drops", {})) + "\n"),
        ("Transports", things(status.get("transports", ()))),
        ("Timers", things(status.get("timers", ()))),
        ("Debug levels", _levels(levels)),
        ("Configuration", configuration(conf)),
    ]
    return "\n".join(f"{title}\n{'=' * len(title)}\n{text}" for title, text in parts)


def configuration(conf: Conf) -> str:
    """The configuration as it is in force, secrets left out."""
    out = []
    for section in conf.sections():
        out.append(f"[{printable(section, MAX_TEXT)}]")
        for tag in conf.tags(section):
            value = conf.get(section, tag) or ""
            shown = "(secret)" if tag.lower() in _HIDDEN else printable(value, MAX_TEXT)
            out.append(f"{printable(tag, MAX_TEXT)}= {shown}")
        out.append("")
    return "\n".join(out) or "none\n"


def _levels(levels: Mapping[LogClass, int]) -> str:
    return (
        "\n".join(f"{cls.value:>2} {cls.label:<11} {level:>2}" for cls, level in levels.items())
        + "\n"
    )


def _field(row: Row, field: str) -> str:
    value = row.get(field)
    if field.endswith("_s") and isinstance(value, (int, float)) and not isinstance(value, bool):
        return duration(value)
    return text_of(value)


def _texts(row: Row, *fields: str) -> list[str]:
    return [text_of(row.get(field)) for field in fields]


def _join(*parts: object) -> str:
    return " ".join(text_of(part) for part in parts if part) or NONE


def _cipher(row: Row) -> str:
    bits = f"-{row['key_bits']}" if row.get("key_bits") else ""
    return f"{text_of(row.get('encryption'))}{bits}"


def _role(row: Row) -> str:
    return "initiator" if row.get("initiator") else "responder"


def _ages(row: Row) -> str:
    limits = (row.get("soft_s") or None, row.get("hard_s") or None)
    return "/".join(duration(value) for value in (row.get("age_s"), *limits))


def _reason(reason: object) -> list[str]:
    """A reason as lines: its sentence first, then what it was made from."""
    if not reason:
        return []
    if not isinstance(reason, Mapping):
        return [text_of(reason)]
    head = ": ".join(text_of(reason[key]) for key in ("cause", "detail") if reason.get(key))
    lines = [head] if head else []
    for key, label in LABELS.items():
        if reason.get(key):
            lines.append(f"{label}: {text_of(reason[key])}")
    lines.extend(f"tried: {text_of(miss)}" for miss in reason.get("misses", ()))
    return lines
