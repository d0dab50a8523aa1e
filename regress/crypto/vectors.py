"""Reads the published figures: blocks of ``name = value`` under ``[headings]``, ``#`` comments."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "vectors"


def read_blocks(text: str) -> list[dict[str, str]]:
    """The blocks; a heading ``[name = value]`` counts for all blocks after it, another one for
    the next block as its ``title``."""
    running: dict[str, str] = {}
    block: dict[str, str] = {}
    blocks = [block]
    for line in text.replace("\r", "").split("\n"):
        if not line.strip():
            block = {}
            blocks.append(block)
        elif line.startswith("["):
            name, _, value = line.strip("[]").partition(" = ")
            if value:
                running[name] = value
            else:
                running["title"] = name
        elif not line.startswith("#"):
            name, _, value = line.partition("=")
            block.setdefault("title", running.get("title", ""))
            block[name.strip()] = value.strip()
    return [running | block for block in blocks if block]


def published(name: str) -> list[dict[str, str]]:
    """The blocks of a file of ``regress/vectors``."""
    return read_blocks((FOLDER / name).read_text())


def label(block: dict[str, str]) -> str:
    """The name of a test case."""
    return block.get("title", "")


@cache
def upstream(shared: Path) -> dict[str, list[dict[str, Any]]]:
    """The vectors collected from strongSwan's test plugin."""
    text = (shared / "vectors" / "crypto" / "strongswan_a.json").read_text()
    vectors: dict[str, list[dict[str, Any]]] = json.loads(text)["vectors"]
    return vectors
