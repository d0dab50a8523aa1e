"""Key exchange methods by number: the Diffie-Hellman groups and what came after them.

One registry of IANA's, RFC 7296 3.3.2 transform type 4 and RFC 9370 types 6 to 12, in two enums:
IKEv1 has the groups alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from isakmp.constants import name_of
from isakmp.constants.ikev2 import KeyExchange, Transform
from isakmp.constants.isakmp import Group

Method = Group | KeyExchange

# The types of additional key exchanges, in the order in which they are done.
ADDITIONAL = tuple(map(Transform, range(Transform.ADDKE1, Transform.ADDKE7 + 1)))
KEY_EXCHANGES = (Transform.KE, *ADDITIONAL)


_FIRST_NEW = int(min(KeyExchange))
_METHODS: Mapping[int, Method] = {int(each): each for each in (*Group, *KeyExchange)}


def is_new(number: int) -> bool:
    """Whether it is in the registry of those that IKEv1 has not."""
    return number >= _FIRST_NEW


def _registry(number: int) -> type[Group] | type[KeyExchange]:
    return KeyExchange if is_new(number) else Group


def method_of(number: int) -> Method:
    """The method of that number. ValueError where there is none."""
    return _METHODS.get(number) or _registry(number)(number)


def method_name(number: int) -> str:
    """What people read for it."""
    return "NONE" if number == 0 else name_of(_registry(number), number)
