"""Key exchange methods by number: the Diffie-Hellman groups and what came after them.

One registry of IANA's, RFC 7296 3.3.2 transform type 4 and RFC 9370 types 6 to 12, in two enums:
IKEv1 has the groups alone.
"""

from __future__ import annotations

from isakmp.constants import name_of
from isakmp.constants.ikev2 import KeyExchange, Transform
from isakmp.constants.isakmp import Group

Method = Group | KeyExchange

# The types of additional key exchanges, in the order in which they are done.
ADDITIONAL = tuple(map(Transform, range(Transform.ADDKE1, Transform.ADDKE7 + 1)))
KEY_EXCHANGES = (Transform.KE, *ADDITIONAL)


def _registry(number: int) -> type[Group] | type[KeyExchange]:
    return KeyExchange if number >= min(KeyExchange) else Group


def method_of(number: int) -> Method:
    """The method of that number. ValueError where there is none."""
    return _registry(number)(number)


def method_name(number: int) -> str:
    """What people read for it."""
    return "NONE" if number == 0 else name_of(_registry(number), number)
