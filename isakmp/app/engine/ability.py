"""What the key engine can do, said without an engine: nothing has to be started to ask."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address

from isakmp.app.base import SaSpec
from isakmp.app.engine.sad import LEAST_SPI
from isakmp.app.engine.transform import bind
from isakmp.constants import ipsec, isakmp
from isakmp.crypto.lengths import key_octets
from isakmp.errors import ApplicationError, CryptoError

_NOWHERE = ip_address("0.0.0.0")


def check_protocol(protocol: isakmp.Protocol) -> None:
    """ApplicationError where the engine has no such SAs."""
    if protocol != isakmp.Protocol.IPSEC_ESP:
        raise ApplicationError(f"the key engine has no {protocol.name}")


def lack(
    check: Callable[[SaSpec], object], protocol: isakmp.Protocol, mode: ipsec.Encapsulation,
    transform_id: int, key_bits: int, auth: ipsec.Auth | None, esn: bool,
) -> str:  # fmt: skip
    """Why ``check`` takes no such SA; empty where it does."""
    try:
        sizes = key_octets(protocol, transform_id, key_bits, auth)
        # No weak keys of DES, which are of two values each.
        enc_key, auth_key = (bytes(at & 255 for at in range(size)) for size in sizes)
        check(
            SaSpec(
                protocol, LEAST_SPI, _NOWHERE, _NOWHERE, mode, True, (), 0,
                transform_id, enc_key, auth, auth_key, esn=esn,
            )
        )  # fmt: skip
    except (ApplicationError, CryptoError) as error:
        return str(error)
    return ""


def _check(spec: SaSpec) -> None:
    check_protocol(spec.protocol)
    bind(spec, os.urandom)


supports = partial(lack, _check)
"""Application.supports() of an engine that is not there yet."""
