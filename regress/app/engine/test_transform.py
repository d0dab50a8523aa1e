"""ESP packets of others are opened, and our own unless they were changed."""

from __future__ import annotations

import json
import random as pseudo
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.app.base import SaSpec
from isakmp.app.engine import transform
from isakmp.app.engine.drop import Drop, Dropped
from isakmp.app.engine.esp import Opener, Sealer
from isakmp.app.engine.replay import Replay
from isakmp.app.engine.transform import bind, supported
from isakmp.constants import ipsec
from isakmp.errors import ApplicationError
from regress.app.engine.pair import ALGORITHMS, make_spec
from regress.crypto.vectors import published

RANDOM = pseudo.Random(5).randbytes

LINUX = {
    "3DES": ipsec.Esp._3DES,
    "AES-CBC": ipsec.Esp.AES,
    "AES-GCM": ipsec.Esp.AES_GCM_16,
    "AES-CCM": ipsec.Esp.AES_CCM_8,
}
MACS = {None: None, "HMAC-SHA1-96": ipsec.Auth.HMAC_SHA}


def spec_of(spi: int, encryption: int, key: str, auth: ipsec.Auth | None, auth_key: str) -> SaSpec:
    return make_spec(inbound=True)._replace(
        spi=spi,
        encryption=encryption,
        enc_key=bytes.fromhex(key),
        auth=auth,
        auth_key=bytes.fromhex(auth_key),
    )


def open_packet(spec: SaSpec, packet: bytes) -> tuple[bytes, int]:
    opener = Opener(bind(spec, RANDOM), Replay(64))
    return opener(packet, int.from_bytes(packet[4:8], "big"))


@pytest.mark.parametrize("vector", published("esp.txt"), ids=lambda v: v["title"])
def test_published_packets(vector: dict[str, str]) -> None:
    packet = bytes.fromhex(vector["packet"])
    encryption = ipsec.Esp[vector["transform"]]
    spec = spec_of(int.from_bytes(packet[:4], "big"), encryption, vector["key"], None, "")
    payload, next_header = open_packet(spec, packet)
    assert payload.hex() == vector["payload"]
    assert next_header == int(vector["next_header"], 16)


MACS_OF_AES = [v for v in published("aes_mac.txt") if len(v["key"]) == 32]


@pytest.mark.parametrize("vector", MACS_OF_AES, ids=lambda v: v["title"])
def test_icvs_made_of_aes_are_the_first_12_octets(vector: dict[str, str]) -> None:
    """RFC 3566, 4493 and 4494: RFC 3566 4.2, RFC 4494 2."""
    auth = {"xcbc": ipsec.Auth.AES_XCBC_MAC, "cmac": ipsec.Auth.AES_CMAC}[vector["mac"]]
    mac = transform._mac(spec_of(0x1000, ipsec.Esp.AES, "00" * 16, auth, vector["key"]))
    assert mac is not None and mac.size == 12
    assert mac(bytes.fromhex(vector["data"])).hex() == vector["result"][:24]


def test_chacha20_packet_is_sealed_as_rfc_7634_prints_it() -> None:
    """RFC 7634.

    With a counter as IV the example's own IV cannot come up, but its nonce layout can."""
    (vector,) = [v for v in published("esp.txt") if v["title"].startswith("RFC 7634")]
    spec = spec_of(0x01020304, ipsec.Esp.CHACHA20_POLY1305, vector["key"], None, "")
    seal = Sealer(bind(spec, RANDOM), esn=False)
    seal.sequence = 4
    packet = seal(bytes.fromhex(vector["payload"]), 4)
    assert packet[:16].hex() == "01020304" + "00000005" + "0000000000000005"
    assert len(packet) == len(bytes.fromhex(vector["packet"]))
    assert open_packet(spec, packet) == (bytes.fromhex(vector["payload"]), 4)


def test_packets_of_a_linux_kernel(shared: Path) -> None:
    vectors = json.loads((shared / "vectors/esp/linux_xfrm_a.json").read_text())
    assert len(vectors) >= 4
    for vector in vectors:
        spi, sequence = int(vector["spi"], 16), vector["seq"]
        encryption = LINUX[vector["crypt_algo"]]
        spec = spec_of(spi, encryption, vector["crypt_key"], None, "")
        header = spi.to_bytes(4, "big") + sequence.to_bytes(4, "big")
        payload, next_header = open_packet(spec, header + bytes.fromhex(vector["esp_data"]))
        assert next_header == vector["expected_next_header"]
        whole = vector["expected_plaintext_with_trailer"]
        assert payload.hex() == whole[: -2 * (vector["expected_pad_length"] + 2)]


def test_other_collected_packets(shared: Path) -> None:
    vectors = json.loads((shared / "vectors/esp/rfc3602_a.json").read_text())
    assert len(vectors) >= 3
    for vector in vectors:
        packet = bytes.fromhex(vector["esp_packet"])
        spi, auth = int.from_bytes(packet[:4], "big"), MACS[vector["integ"]]
        key, auth_key = vector["encr_key"], vector["integ_key"] or ""
        payload, next_header = open_packet(spec_of(spi, ipsec.Esp.AES, key, auth, auth_key), packet)
        assert payload.hex() == vector["payload"].lower()
        assert next_header == vector["next_header"]


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: f"{a[0]}-{a[1]}-{a[2]}")
@pytest.mark.parametrize("esn", [False, True], ids=["32", "64"])
def test_round_trip_and_any_change_is_noticed(
    algorithm: tuple[int, int, ipsec.Auth | None, int], esn: bool
) -> None:
    spec = make_spec(inbound=True, algorithm=algorithm, esn=esn)
    transform = bind(spec, RANDOM)
    seal = Sealer(transform, esn)
    opener = Opener(bind(spec, RANDOM), Replay(64, esn))

    @settings(max_examples=12, deadline=None)
    @given(st.binary(max_size=100), st.integers(0, 255), st.data())
    def check(payload: bytes, next_header: int, data: st.DataObject) -> None:
        packet = seal(payload, next_header)
        low = int.from_bytes(packet[4:8], "big")
        assert (len(packet) - transform.overhead) % max(4, transform.block) == 0
        assert len(payload) <= seal.room(len(packet))
        if transform.authentic:
            at = data.draw(st.integers(0, len(packet) - 1))
            changed = bytearray(packet)
            changed[at] ^= data.draw(st.integers(1, 255))
            if at >= 4:  # the SPI chose the SA
                with pytest.raises(Dropped) as caught:
                    opener(bytes(changed), int.from_bytes(changed[4:8], "big"))
                seen = opener.replay.refuses(int.from_bytes(changed[4:8], "big"))
                assert caught.value.kind is (Drop.REPLAY if seen else Drop.ICV)
            with pytest.raises(Dropped):
                opener(packet[: data.draw(st.integers(8, len(packet) - 1))], low)
        assert opener(packet, low) == (payload, next_header)
        if transform.authentic:
            with pytest.raises(Dropped) as caught:
                opener(packet, low)
            assert caught.value.kind is Drop.REPLAY

    check()


@pytest.mark.parametrize("algorithm", ALGORITHMS[:1] + ALGORITHMS[11:12])
def test_esn_high_bits_are_authenticated(
    algorithm: tuple[int, int, ipsec.Auth | None, int],
) -> None:
    """RFC 4304."""
    spec = make_spec(inbound=True, algorithm=algorithm, esn=True)
    seal = Sealer(bind(spec, RANDOM), esn=True)
    seal.sequence = (1 << 32) + 100
    packet = seal(b"payload", 17)
    fresh = Opener(bind(spec, RANDOM), Replay(64, True))
    with pytest.raises(Dropped):
        fresh(packet, 101)
    near = Opener(bind(spec, RANDOM), Replay(64, True))
    near.replay.accept((1 << 32) - 5)
    assert near(packet, 101) == (b"payload", 17)


@pytest.mark.parametrize(
    ("encryption", "size", "auth", "auth_size"),
    [
        (ipsec.Esp.AES_GCM_16, 16, None, 0),
        (ipsec.Esp.AES_GCM_16, 20, ipsec.Auth.HMAC_SHA, 20),
        (ipsec.Esp.CHACHA20_POLY1305, 20, None, 0),
        (ipsec.Esp.AES, 17, ipsec.Auth.HMAC_SHA, 20),
        (ipsec.Esp.AES, 16, ipsec.Auth.HMAC_SHA, 19),
        (ipsec.Esp.AES, 16, ipsec.Auth.KPDK, 20),
        (ipsec.Esp.AES_CTR, 20, None, 0),
        (ipsec.Esp.AES_CTR, 3, ipsec.Auth.HMAC_SHA, 20),
        (ipsec.Esp.NULL, 0, None, 0),
        (ipsec.Esp.NULL, 1, ipsec.Auth.HMAC_SHA, 20),
        (ipsec.Esp.RC5, 16, ipsec.Auth.HMAC_SHA, 20),
        (99, 16, None, 0),
    ],
)
def test_what_does_not_fit_is_refused(
    encryption: int, size: int, auth: ipsec.Auth | None, auth_size: int
) -> None:
    """RFC 2410."""
    spec = make_spec(inbound=True, algorithm=(encryption, size, auth, auth_size))
    with pytest.raises(ApplicationError):
        bind(spec, RANDOM)


def test_supported_names_what_binds() -> None:
    encryptions, macs = supported()
    for encryption, size, auth, auth_size in ALGORITHMS:
        assert encryption in encryptions
        assert auth is None or auth in macs
        bind(make_spec(inbound=True, algorithm=(encryption, size, auth, auth_size)), RANDOM)
    assert encryptions == {row[0] for row in ALGORITHMS}
