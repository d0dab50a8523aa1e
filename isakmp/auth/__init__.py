"""Ways to prove an identity in IKEv2, one file each; what a method's number stands for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from isakmp.auth.base import Method
from isakmp.auth.psk import PSK
from isakmp.constants import ikev2, name_of
from isakmp.errors import Reason, Refused

METHODS: Mapping[int, Method] = MappingProxyType({int(m.number): m for m in (PSK,)})


def method(number: int) -> Method:
    """The method of that number. Refused with AUTHENTICATION_FAILED where it is not spoken."""
    found = METHODS.get(number)
    if found is None:
        raise Refused(
            Reason("unsupported-authentication", "this method is not spoken here",
                   came=name_of(ikev2.Auth, number),
                   acceptable=", ".join(m.number.name for m in METHODS.values())),
            ikev2.Notify.AUTHENTICATION_FAILED,
        )  # fmt: skip
    return found
