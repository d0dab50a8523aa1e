"""All modules are read while they can be."""

from __future__ import annotations

from pathlib import Path

import pytest

import isakmp
from isakmp.constants.isakmp import Group
from isakmp.errors import CryptoError
from isakmp.preload import preload

PACKAGE = Path(isakmp.__file__).parent


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modules that preload() asks for, which are not read again here."""
    names: list[str] = []
    monkeypatch.setattr("isakmp.preload.import_module", names.append)
    return names


def test_every_module_is_read_but_those_that_run_by_it(read: list[str]) -> None:
    preload()
    files = (file.relative_to(PACKAGE.parent).with_suffix("") for file in PACKAGE.rglob("*.py"))
    names = {".".join(file.parts).removesuffix(".__init__") for file in files}
    names = {name for name in names if not name.endswith("__main__")}
    assert set(read) == names - {"isakmp"} and len(names) > 250


def test_so_is_what_each_algorithm_needs(
    read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    asked: list[int] = []

    class Method:
        def generate(self) -> None:
            asked.append(-1)

    def method(number: int) -> Method:
        asked.append(number)
        if number not in (Group.ECP_256, Group.CURVE25519):
            raise CryptoError("the library lacks it")
        return Method()

    monkeypatch.setattr("isakmp.preload.get_method", method)
    preload()
    assert set(Group) <= set(asked), "one that is lacking does not end it"
    assert asked[-2:] == [Group.ECP_256, -1], "a key is made, which reads the rest"
