"""Dialect: the engine asks a protocol for what is written there, and for nothing else."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

from isakmp.exchange import dialect
from isakmp.exchange.dialect import Dialect
from regress.toy.dialect import Toy

FOLDER = Path(dialect.__file__).parent


def members(protocol: type) -> set[str]:
    """What a protocol's class asks for, without what it has from its bases."""
    named = {name for name in vars(protocol) if not name.startswith("_")}
    return named | set(inspect.get_annotations(protocol))


def asked_for() -> set[str]:
    """What the engine reads of a dialect, anywhere."""
    found = set()
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute):
                of = node.value
                name = of.attr if isinstance(of, ast.Attribute) else getattr(of, "id", "")
                if name == "dialect":
                    found.add(node.attr)
    return found


def test_the_engine_asks_for_all_that_a_dialect_has_and_no_more() -> None:
    assert asked_for() == members(Dialect)


def test_a_protocol_without_sas_is_enough_for_the_engine() -> None:
    for name in members(Dialect):
        assert hasattr(Toy, name), name


def test_each_method_says_what_it_is_for() -> None:
    for name, member in vars(Dialect).items():
        if inspect.isfunction(member) and not name.startswith("_"):
            assert member.__doc__, name
