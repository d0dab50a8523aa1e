"""The kernel's numbers, as its own headers have them where these are installed."""

from __future__ import annotations

import re
from enum import IntEnum
from pathlib import Path

import pytest

from isakmp.app.xfrm import constants
from isakmp.app.xfrm.constants import Attr, Dir, Mode, Msg

HEADER = Path("/usr/include/linux/xfrm.h")
ENUMS = [
    value for value in vars(constants).values()
    if isinstance(value, type) and issubclass(value, IntEnum) and value is not IntEnum
]  # fmt: skip


def members(start: str) -> dict[str, int]:
    """The names that one enum of the header has, counted as C does."""
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)
    text = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    (body,) = (b for b in re.findall(r"enum[^{;]*\{([^}]*)\}", text) if re.search(rf"\b{start}", b))
    found: dict[str, int] = {}
    count = -1
    for item in (item.strip() for item in body.split(",")):
        name, _, value = (part.strip() for part in item.partition("="))
        if not name:
            continue
        count = int(value, 0) if value[:1].isdigit() else found.get(value, count + 1)
        found[name] = count
    return found


@pytest.mark.parametrize("kind", ENUMS, ids=lambda kind: kind.__name__)
def test_no_number_has_two_names(kind: type[IntEnum]) -> None:
    assert len(kind.__members__) == len(set(kind))


@pytest.mark.skipif(not HEADER.exists(), reason="needs the kernel's headers")
@pytest.mark.parametrize(
    ("kind", "start", "prefix"),
    [(Msg, "XFRM_MSG_BASE", "XFRM_MSG_"), (Attr, "XFRMA_UNSPEC", "XFRMA_"),
     (Dir, "XFRM_POLICY_IN", "XFRM_POLICY_")],
)  # fmt: skip
def test_numbers_are_the_headers(kind: type[IntEnum], start: str, prefix: str) -> None:
    known = members(start)
    both = [member for member in kind if f"{prefix}{member.name}" in known]  # it may be older
    assert len(both) > 2
    for member in both:
        assert known[f"{prefix}{member.name}"] == member, member


@pytest.mark.skipif(not HEADER.exists(), reason="needs the kernel's headers")
def test_modes_are_the_headers() -> None:
    text = HEADER.read_text()
    for mode in Mode:
        assert re.search(rf"XFRM_MODE_{mode.name}\s+{int(mode)}\b", text), mode
