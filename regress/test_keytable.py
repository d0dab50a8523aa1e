"""Wireshark's key tables are read by the shape of their lines, and refused by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.constants.ikev2 import Encr, Integ
from isakmp.errors import ConfError
from isakmp.keytable import KeyTable

SPIS = "0102030405060708,1112131415161718"
CCM = f'{SPIS},{"ab" * 19},{"cd" * 19},"AES-CCM-128 with 12 octet ICV [RFC5282]",,,"NONE [RFC4306]"'


def read(text: str) -> KeyTable:
    table = KeyTable()
    table.add_text(text, "keys")
    return table


def test_both_kinds_of_line_in_one_file() -> None:
    table = read(f"# keys\n\n0011223344556677,{'42' * 24}\n{CCM}\n")
    assert table.ikev1 == {bytes.fromhex("0011223344556677"): b"\x42" * 24}
    (keys,) = table.ikev2[bytes(range(1, 9)), bytes(range(0x11, 0x19))]
    assert (keys.cipher.transform, keys.cipher.icv_size) == (Encr.AES_CCM_12, 12)
    assert keys.cipher.salt_size == 3
    assert keys.integrity.transform is Integ.NONE
    assert (keys.sk_ei, keys.sk_er, keys.sk_ai) == (b"\xab" * 19, b"\xcd" * 19, b"")


def test_names_are_found_without_reference_quotes_and_case() -> None:
    bare = read(f"{SPIS},0x{'01' * 24},{'02' * 24},3des,{'03' * 20},{'04' * 20},hmac_sha1_96")
    ((keys,),) = bare.ikev2.values()
    assert keys.cipher.transform is Encr._3DES
    assert keys.integrity.transform is Integ.HMAC_SHA1_96
    assert keys.integrity.icv_size == 12


def test_an_icv_may_go_unchecked() -> None:
    name = "ANY 96-bits of Authentication [No Checking]"
    ((keys,),) = read(f'{SPIS},{"01" * 20},{"02" * 20},"AES-CTR-128",,,"{name}"').ikev2.values()
    assert keys.integrity.transform is None
    assert keys.integrity.icv_size == 12


def test_every_line_of_an_ike_sa_counts_the_last_one_first() -> None:
    """RFC 9370 2.2.2: it has had other keys while it was made."""
    lines = [CCM.replace("ab", f"{nth:02x}") for nth in (1, 2, 3, 3)]
    (found,) = read("\n".join(lines)).ikev2.values()
    assert [keys.sk_ei[0] for keys in found] == [3, 2, 1]
    many = "\n".join(CCM.replace("ab", f"{nth:02x}") for nth in range(20))
    (found,) = read(many).ikev2.values()
    assert [keys.sk_ei[0] for keys in found] == list(range(19, 11, -1))


def test_the_last_line_of_an_sa_counts() -> None:
    table = read("0011223344556677,01\n0011223344556677,02\n")
    assert table.ikev1[bytes.fromhex("0011223344556677")] == b"\x02"


def test_esp_keys_are_passed_over() -> None:
    line = '"IPv4","10.0.0.1","10.0.0.2","0x1","AES-CBC [RFC3602]","0x00","NULL",""'
    table = read(line)
    assert not table.ikev1
    assert not table.ikev2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("001122,00", "the initiator cookie has 8 octets, not 3"),
        ("0011223344556677,xyz", "key is not hexadecimal"),
        ("one", "1 fields; IKEv1 keys have 2, IKEv2 keys 8"),
        (CCM.replace("CCM", "CCN"), "the algorithm 'AES-CCN-128 with 12 octet ICV [RFC5282]'"),
        (CCM.replace("NONE", "SOME"), "the algorithm 'SOME [RFC4306]' is not known"),
        (CCM.replace("ab", "", 1), "sk_ei of AES-CCM-128 with 12 octet ICV has 19 octets, not 18"),
    ],
)
def test_what_is_no_key_is_refused(line: str, reason: str) -> None:
    with pytest.raises(ConfError) as caught:
        read(f"# comment\n{line}\n")
    assert reason in str(caught.value)
    assert str(caught.value).startswith("keys:2: ")


def test_keys_are_in_no_repr_and_no_error() -> None:
    ((keys,),) = read(CCM).ikev2.values()
    assert "abab" not in repr(keys)
    assert (b"\xab" * 4).hex() not in repr(keys)
    with pytest.raises(ConfError) as caught:
        read("0011223344556677,5ec4e7zz")
    assert "5ec4e7" not in str(caught.value)


def test_a_file_that_is_missing_or_huge(tmp_path: Path) -> None:
    with pytest.raises(ConfError, match="no key file"):
        KeyTable.load([tmp_path / "none"])
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(16 * 1024 * 1024 + 1)
    with pytest.raises(ConfError, match="more than"):
        KeyTable.load([tmp_path / "huge"])


def test_a_directory_stands_for_the_tables_in_it(tmp_path: Path) -> None:
    with pytest.raises(ConfError, match="no ikev1_decryption_table and no ikev2"):
        KeyTable.load([tmp_path])
    (tmp_path / "ikev1_decryption_table").write_text("0011223344556677,01\n")
    (tmp_path / "esp_sa").write_text("not read")
    assert len(KeyTable.load([tmp_path]).ikev1) == 1
    (tmp_path / "ikev2_decryption_table").write_text(CCM)
    assert len(KeyTable.load([tmp_path]).ikev2) == 1


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='0123456789abcdef,"# \n\0é', max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read(text)
    except ConfError as error:
        assert error.line


def test_the_tables_of_the_captures(shared: Path) -> None:
    folder = shared / "vectors" / "keys"
    table = KeyTable.load(
        folder / name for name in ("ikev1_decryption_table", "ikev2_decryption_table", "esp_sa")
    )
    assert list(table.ikev1) == [bytes.fromhex("29f6006212625def")]
    names = sorted(keys.cipher.name for (keys,) in table.ikev2.values())
    assert names == [
        "3DES",
        "AES-CBC-256",
        "AES-CCM-128 with 12 octet ICV",
        "AES-CTR-128",
        "AES-GCM-256 with 16 octet ICV",
    ]
