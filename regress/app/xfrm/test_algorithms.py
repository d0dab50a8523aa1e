"""RFC 2407 algorithm numbers as the kernel's crypto API names them."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from isakmp.app.base import SaSpec
from isakmp.app.xfrm import messages as m
from isakmp.app.xfrm import values
from isakmp.app.xfrm.algorithms import AEADS, CIPHERS
from isakmp.app.xfrm.constants import Attr
from isakmp.constants import ipsec, isakmp
from isakmp.policy.spd import Selector

ESP, AH, IPCOMP = (
    isakmp.Protocol.IPSEC_ESP, isakmp.Protocol.IPSEC_AH, isakmp.Protocol.IPCOMP,
)  # fmt: skip
TUNNEL, TRANSPORT = ipsec.Encapsulation.TUNNEL, ipsec.Encapsulation.TRANSPORT
A, B = ip_address("10.1.0.1"), ip_address("10.1.0.2")
TRAFFIC = Selector.of("10.2.0.0/16", "10.3.0.0/24")
GCM = SaSpec(ESP, 0x1000, A, B, TUNNEL, True, (TRAFFIC,), 7, ipsec.Esp.AES_GCM_16, bytes(range(20)))


def attributes(spec: SaSpec) -> dict[int, bytes]:
    return m.read(m.SA_INFO, values.sa(spec))[1]


def info(spec: SaSpec) -> dict[str, object]:
    return m.SA_INFO.unpack(values.sa(spec))


def test_an_aead_has_one_attribute_with_its_icv() -> None:
    found = attributes(GCM)
    assert set(found) == {Attr.ALG_AEAD, Attr.REPLAY_ESN_VAL}
    head = m.ALG_AEAD.unpack(found[Attr.ALG_AEAD])
    assert head == {"alg_name": "rfc4106(gcm(aes))", "alg_key_len": 160, "alg_icv_len": 128}
    assert found[Attr.ALG_AEAD].endswith(bytes(range(20)))


def test_a_cipher_has_its_authentication_beside_it_truncated_as_the_rfcs_say() -> None:
    spec = GCM._replace(encryption=ipsec.Esp.AES, enc_key=bytes(16), replay_window=32,
                   auth=ipsec.Auth.HMAC_SHA2_384, auth_key=bytes(48))  # fmt: skip
    found = attributes(spec)
    assert set(found) == {Attr.ALG_CRYPT, Attr.ALG_AUTH_TRUNC}
    assert m.ALG_AUTH.unpack(found[Attr.ALG_AUTH_TRUNC])["alg_trunc_len"] == 192
    assert info(spec)["replay_window"] == 32


def test_ah_has_no_cipher_and_ipcomp_no_key_and_no_window() -> None:
    ah = GCM._replace(protocol=AH, encryption=ipsec.Ah.SHA, enc_key=b"",
                 auth=ipsec.Auth.HMAC_SHA, auth_key=bytes(20), replay_window=8)  # fmt: skip
    assert set(attributes(ah)) == {Attr.ALG_AUTH_TRUNC}
    comp = GCM._replace(protocol=IPCOMP, encryption=ipsec.Ipcomp.DEFLATE, enc_key=b"")
    assert set(attributes(comp)) == {Attr.ALG_COMP}
    assert info(comp)["replay_window"] == 0


@pytest.mark.parametrize("encryption", [*AEADS, *CIPHERS])
def test_every_algorithm_is_named(encryption: ipsec.Esp) -> None:
    assert attributes(GCM._replace(encryption=encryption))


@pytest.mark.parametrize(("auth", "name"), [
    (ipsec.Auth.AES_CMAC, "cmac(aes)"), (ipsec.Auth.AES_XCBC_MAC, "xcbc(aes)"),
])  # fmt: skip
def test_macs_of_aes_have_96_bits(auth: ipsec.Auth, name: str) -> None:
    spec = GCM._replace(encryption=ipsec.Esp.AES, enc_key=bytes(16), auth=auth, auth_key=bytes(16))
    head = m.ALG_AUTH.unpack(attributes(spec)[Attr.ALG_AUTH_TRUNC])
    assert (head["alg_name"], head["alg_key_len"], head["alg_trunc_len"]) == (name, 128, 96)
