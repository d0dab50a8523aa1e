"""Manual pages of docs/NAME.SECTION.md, in the man(7) macros: as much Markdown as they use.

    python -m tools.manpage docs/isakmpd.8.md | man -l -

A row of a table becomes a tagged paragraph: of a table of tags the tag with its value, and the
meaning; of up to three columns the longest is the text, what stands before that is the tag, what
stands behind it follows in brackets; of more each has a line with its heading.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

BOLD, ITALIC = r"\\fB\1\\fR", r"\\fI\1\\fR"
TAGS = ["tag", "value", "default", "meaning"]
INLINE = (
    (r"\*\*(.+?)\*\*", BOLD),
    (r"(?<!\w)\*([^* ][^*]*?)\*", ITALIC),
    (r"\[([^]]+)\]\([^)]+\)", r"\1"),
)


def roff(markdown: str, name: str, section: str, version: str) -> str:
    """A page. ValueError where the text has what is not known here."""
    head = f'.TH "{name.upper()}" "{section}" "" "isakmpd {version}" ""\n.nh\n.ad l\n'
    return head + "".join(f"{line}\n" for line in _lines(_blocks(markdown)))


def _blocks(markdown: str) -> Iterator[list[str]]:
    """Lines that belong together: a fenced block, a heading, or what stands between blank lines."""
    block: list[str] = []
    fenced = False
    for line in markdown.splitlines():
        fence = line.startswith("```")
        if not fenced and (fence or not line or line.startswith("#")):
            if block:
                yield block
            block = []
        if line or fenced:
            block.append(line)
        if not fenced and line.startswith("#") or fenced and fence:
            yield block
            block = []
        fenced = fenced != fence
    if fenced:
        raise ValueError("a fenced block has no end")
    if block:
        yield block


def _lines(blocks: Iterator[list[str]]) -> Iterator[str]:
    """The page's lines."""
    for block in blocks:
        first = block[0]
        if first.startswith("# "):
            continue  # the title, which .TH has
        if match := re.fullmatch(r"(##+) (.*)", first):
            yield f".{'SH' if len(match[1]) == 2 else 'SS'} {inline(match[2])}"
        elif first.startswith("```"):
            yield from (".PP", ".RS 4", ".nf", *map(plain, block[1:-1]), ".fi", ".RE")
        elif first.startswith("|"):
            yield from _table([_cells(row) for row in block])
        elif first.startswith("- "):
            yield from _items(block)
        elif len(block) > 1 and block[1].startswith(": "):
            yield from (".TP", inline(first), *_text([block[1][2:], *block[2:]]))
        else:
            yield from (".PP", *_text(block))


def _items(block: list[str]) -> Iterator[str]:
    for item in re.split(r"(?m)^- ", "\n".join(block))[1:]:
        yield r".IP \(bu 2"
        yield from _text([line.strip() for line in item.splitlines()])


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    headers, body = rows[0], rows[2:]
    longest = max(range(1, len(headers)), key=lambda i: sum(len(row[i]) for row in body))
    kind = ""
    for row in body:
        kind = row[0] or kind  # an empty cell repeats the one above
        yield ".TP"
        if headers == TAGS:
            yield from _tag(row)
        elif len(headers) > 3:
            yield _bold(kind)
            lines = [_named(*pair) for pair in zip(headers[1:], row[1:], strict=True) if pair[1]]
            yield from "\n.br\n".join(lines).split("\n")
        else:
            yield from _pair(headers, [kind, *row[1:]], longest)


def _tag(row: Sequence[str]) -> Iterator[str]:
    """A tag with its value, and what it means."""
    name, dagger = row[0].removesuffix(" †"), " †" if row[0].endswith("†") else ""
    default = f" (default: {inline(row[2])})" if row[2] else ""
    yield f"{_bold(name)}= {inline(row[1] + dagger)}{default}"
    yield from _text([row[3]])


def _pair(headers: Sequence[str], row: Sequence[str], longest: int) -> Iterator[str]:
    before = [_named(headers[i], row[i]) for i in range(1, longest) if row[i]]
    behind = [_named(headers[i], row[i]) for i in range(longest + 1, len(row)) if row[i]]
    yield ", ".join([_bold(row[0]), *before])
    yield from _text([row[longest]]) if row[longest] else ["\\&"]
    yield from (f"({'; '.join(behind)})" for _ in behind[:1])


def _bold(cell: str) -> str:
    return f"\\fB{inline(cell.replace('**', ''))}\\fR"


def _named(header: str, cell: str) -> str:
    return f"{header}: {inline(cell)}" if header else inline(cell)


def _text(lines: Sequence[str]) -> list[str]:
    """Running text; what is between backquotes may go over the end of a line."""
    return [_guarded(line) for line in inline("\n".join(lines)).split("\n")]


def _breakable(code: str) -> str:
    """A word longer than a line may be broken behind its commas and braces."""
    return re.sub(r"\S{60,}", lambda word: re.sub(r"([,}])", r"\1\\:", word[0]), code)


def inline(text: str) -> str:
    """Code, emphasis and links of running text."""
    parts = re.split(r"`([^`]+)`", text)
    for i in range(0, len(parts), 2):
        part = _escaped(parts[i])
        for pattern, shape in INLINE:
            part = re.sub(pattern, shape, part, flags=re.DOTALL)
        parts[i] = part
    for i in range(1, len(parts), 2):
        parts[i] = f"\\fB{_breakable(_escaped(parts[i]))}\\fR"
    return "".join(parts)


def plain(text: str) -> str:
    """A line as it stands."""
    return _guarded(_escaped(text))


def _escaped(text: str) -> str:
    """Text without a meaning to roff: a backslash, what must stay a minus, and beyond ASCII."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return re.sub(r"[^\x00-\x7f]", lambda found: f"\\[u{ord(found[0]):04X}]", text)


def _guarded(line: str) -> str:
    """A line that is no request."""
    return f"\\&{line}" if line[:1] in (".", "'") else line


def page(path: Path, version: str) -> tuple[str, str]:
    """The file's name and text of the page that ``docs/NAME.SECTION.md`` describes."""
    name, section = path.stem.rsplit(".", 1)
    return path.stem, roff(path.read_text(encoding="utf-8"), name, section, version)


if __name__ == "__main__":
    sys.stdout.write(page(Path(sys.argv[1]), "")[1])
