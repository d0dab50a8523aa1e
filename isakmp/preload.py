"""All modules, read while they can be: who has become another user may not reach them any more."""

from __future__ import annotations

import pkgutil
from contextlib import suppress
from importlib import import_module

import isakmp
from isakmp.constants.ikev2 import KeyExchange
from isakmp.constants.isakmp import Encryption, Group
from isakmp.crypto.agreement import get_method
from isakmp.crypto.cipher import phase_1_cipher
from isakmp.errors import CryptoError


def preload() -> None:
    """Read our modules, and those that the library reads only when an algorithm is first used."""
    for found in pkgutil.walk_packages(isakmp.__path__, "isakmp."):
        if not found.name.endswith("__main__"):
            import_module(found.name)
    for cipher in Encryption:
        with suppress(CryptoError):
            phase_1_cipher(cipher)
    for number in (*Group, *KeyExchange):
        with suppress(CryptoError):
            get_method(number)
    get_method(Group.ECP_256).generate()
