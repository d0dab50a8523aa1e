"""What was agreed on, as the log and the status show it."""

from __future__ import annotations

from isakmp.chosen import ChosenIkev2
from isakmp.constants import ikev2
from isakmp.constants.isakmp import Group
from isakmp.policy.spd import Transform

T = ikev2.Transform
PLAIN = ChosenIkev2(ikev2.Encr.AES_GCM_16, 256, ikev2.Prf.HMAC_SHA2_384, None, Group.CURVE25519)
MORE = PLAIN._replace(
    additional=(Transform(T.ADDKE1, ikev2.KeyExchange.ML_KEM_768), Transform(T.ADDKE3, 19))
)


def test_all_key_exchanges_are_shown() -> None:
    assert str(PLAIN) == "AES_GCM_16-256 PRF_HMAC_SHA2_384 CURVE25519"
    assert str(MORE) == "AES_GCM_16-256 PRF_HMAC_SHA2_384 CURVE25519 ML_KEM_768 ECP_256"
    assert PLAIN.row()["additional"] == []
    assert MORE.row()["additional"] == ["ML_KEM_768", "ECP_256"]
    assert MORE.methods == (36, 19)


def test_a_first_one_of_any_kind_has_its_name() -> None:
    first = PLAIN._replace(group=ikev2.KeyExchange.ML_KEM_1024)
    assert first.row()["group"] == "ML_KEM_1024"
    assert str(first).endswith("ML_KEM_1024")
