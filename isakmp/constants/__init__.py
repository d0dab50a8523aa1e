"""The numbers of the protocols: one IntEnum per IANA registry.

Member names are those of the registries and of isakmpd.conf(5). A name that starts with a
digit carries a leading underscore here (``_3DES_CBC``) and none where people read or write it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TypeVar

E = TypeVar("E", bound=IntEnum)

# What speaks: the names of dialects, as Key-exchange has them.
IKEV1, IKEV2 = "ikev1", "ikev2"
ISAKMP_PORT = 500
NAT_T_PORT = 4500
DOI_ISAKMP = 0
DOI_IPSEC = 1


def name_of(registry: type[IntEnum], value: int) -> str:
    """The name people read for ``value``; ``UNKNOWN(n)`` where the registry has none."""
    # Calling the registry and asking for the name run six functions of the library's, in Python.
    member = registry._value2member_map_.get(value)
    return f"UNKNOWN({value})" if member is None else member._name_.lstrip("_")


def value_of(registry: type[E], name: str) -> E:
    """The member people write as ``name``. KeyError where there is none."""
    for candidate in (name, "_" + name):
        if candidate in registry.__members__:
            return registry[candidate]
    raise KeyError(name)


def names(registry: type[IntEnum]) -> list[str]:
    """All names people may write for a member of ``registry``, aliases included."""
    return [name.lstrip("_") for name in registry.__members__]
