"""What a command line's parser has, for tests that go through all of it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator


def verbs_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of its verbs."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found.update(action.choices)
    return found


def arguments_of(
    parser: argparse.ArgumentParser, path: str = ""
) -> Iterator[tuple[str, argparse.Action]]:
    """Every argument, its verbs' too, with the words that lead to it."""
    name = f"{path} {parser.prog.split()[-1]}".strip()
    for action in parser._actions:
        yield f"{name} {'/'.join(action.option_strings) or action.dest}", action
    for verb in verbs_of(parser).values():
        yield from arguments_of(verb, name)
