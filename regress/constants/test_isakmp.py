"""ISAKMP's and IKEv1's numbers: RFC 2408, RFC 2409 appendix A, RFC 2407, RFC 3947, RFC 3706."""

from __future__ import annotations

from enum import IntEnum

import pytest

from isakmp.constants import isakmp, name_of, names, value_of
from isakmp.constants.isakmp import (
    Authentication,
    Encryption,
    Exchange,
    Flag,
    Group,
    Hash,
    Notify,
    Payload,
)

ENUMS = [
    value for value in vars(isakmp).values()
    if isinstance(value, type) and issubclass(value, IntEnum) and value is not IntEnum
]  # fmt: skip


@pytest.mark.parametrize(
    ("member", "number"),
    [
        (Payload.SA, 1), (Payload.HASH, 8), (Payload.NOTIFY, 11), (Payload.VENDOR, 13),
        (Payload.NAT_D, 20), (Payload.NAT_OA, 21),
        (Exchange.ID_PROT, 2), (Exchange.AGGRESSIVE, 4), (Exchange.INFO, 5),
        (Exchange.QUICK_MODE, 32),
        (Flag.ENCRYPTION, 1), (Flag.COMMIT, 2),
        (Encryption.DES_CBC, 1), (Encryption._3DES_CBC, 5), (Encryption.AES_CBC, 7),
        (Hash.MD5, 1), (Hash.SHA, 2), (Hash.SHA2_256, 4),
        (Authentication.PRE_SHARED, 1), (Authentication.RSA_SIG, 3),
        (Group.MODP_1024, 2), (Group.MODP_2048, 14), (Group.ECP_256, 19), (Group.CURVE25519, 31),
        (Notify.NO_PROPOSAL_CHOSEN, 14), (Notify.INITIAL_CONTACT, 24578),
        (Notify.RESPONDER_LIFETIME, 24576), (Notify.R_U_THERE, 36136),
    ],
    ids=str,
)  # fmt: skip
def test_numbers_of_the_rfcs(member: int, number: int) -> None:
    assert member == number


@pytest.mark.parametrize("registry", ENUMS, ids=lambda registry: registry.__name__)
def test_names_are_read_as_they_are_written(registry: type[IntEnum]) -> None:
    for member in registry:
        name = name_of(registry, member)
        assert not name.startswith("_") and value_of(registry, name) is member
        assert name in names(registry)
    with pytest.raises(KeyError):
        value_of(registry, "NO_SUCH_NAME")
    assert name_of(registry, 64_000) == "UNKNOWN(64000)"
