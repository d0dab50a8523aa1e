"""PF_KEYv2's numbers: RFC 2367 4, and the kernel's header where that is installed."""

from __future__ import annotations

import re
from enum import IntEnum
from pathlib import Path

import pytest

from isakmp.app.pf_key import constants
from isakmp.app.pf_key.constants import Aalg, Ealg, SaType, Type

HEADER = Path("/usr/include/linux/pfkeyv2.h")
ENUMS = [
    value for value in vars(constants).values()
    if isinstance(value, type) and issubclass(value, IntEnum) and value is not IntEnum
]  # fmt: skip


@pytest.mark.parametrize("kind", ENUMS, ids=lambda kind: kind.__name__)
def test_no_number_has_two_names(kind: type[IntEnum]) -> None:
    assert len(kind.__members__) == len(set(kind))


@pytest.mark.parametrize(
    ("member", "number"),
    [
        (Type.GETSPI, 1), (Type.UPDATE, 2), (Type.ADD, 3), (Type.DELETE, 4), (Type.GET, 5),
        (Type.ACQUIRE, 6), (Type.REGISTER, 7), (Type.EXPIRE, 8), (Type.FLUSH, 9), (Type.DUMP, 10),
        (SaType.AH, 2), (SaType.ESP, 3), (Aalg.MD5_HMAC, 2), (Aalg.SHA1_HMAC, 3),
        (Ealg.DES_CBC, 2), (Ealg._3DES_CBC, 3), (Ealg.NULL, 11),
    ],
)  # fmt: skip
def test_numbers_of_rfc_2367(member: IntEnum, number: int) -> None:
    assert member == number


@pytest.mark.skipif(not HEADER.exists(), reason="needs the kernel's headers")
@pytest.mark.parametrize(
    ("kind", "prefix"), [(SaType, "SADB_SATYPE_"), (Aalg, "SADB_AALG_"), (Ealg, "SADB_EALG_")]
)
def test_numbers_are_the_headers_where_it_has_the_name(kind: type[IntEnum], prefix: str) -> None:
    said = dict(re.findall(rf"#define\s+{prefix}(\w+)\s+(\d+)", HEADER.read_text()))
    names = {member.name.strip("_").replace("_", ""): member for member in kind}
    both = {name for name in said if name.replace("_", "") in names}
    assert len(both) > 2
    for name in both:
        assert names[name.replace("_", "")] == int(said[name]), name
