"""Rows of figures as a table in plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# Heading, key of the row, format.
Column = tuple[str, str, str]

HANDSHAKES: tuple[Column, ...] = (
    ("responder", "responder", ""),
    ("IKEv", "version", ""),
    ("group", "group", ""),
    ("/s", "rate_per_s", ".0f"),
    ("CPU ms", "cpu_ms", ".2f"),
    ("median ms", "latency_ms", ".1f"),
    ("p99 ms", "latency_p99_ms", ".1f"),
    ("kB/SA", "memory_kb_per_sa", ".1f"),
    ("SAs", "sas", ""),
    ("/s then", "rate_many_per_s", ".0f"),
    ("CPU ms then", "cpu_many_ms", ".2f"),
    ("failed", "failed", ""),
)

TUNNELS: tuple[Column, ...] = (
    ("two gateways", "gateways", ""),
    ("octets", "size", ""),
    ("packets/s", "packets_per_s", ".0f"),
    ("Mbit/s", "mbit_per_s", ".0f"),
    ("seal us", "seal_us", ".1f"),
    ("open us", "open_us", ".1f"),
    ("lost", "lost", ""),
)

BESIDE: tuple[Column, ...] = (
    ("case", "case", ""),
    ("here us", "here_us", ".1f"),
    ("there us", "there_us", ".1f"),
    ("ratio", "ratio", ".3f"),
    ("lowest", "low", ".3f"),
    ("highest", "high", ".3f"),
)


def show(columns: Sequence[Column], rows: Sequence[dict[str, Any]]) -> str:
    """The first column to the left, figures to the right, ``-`` for what was not measured."""
    lines = [[heading for heading, _, _ in columns]]
    for row in rows:
        lines.append([_cell(row.get(key), form) for _, key, form in columns])
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _cell(value: Any, form: str) -> str:
    return "-" if value is None else format(value, form)
