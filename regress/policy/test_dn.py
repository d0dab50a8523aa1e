"""Distinguished names in DER, out of text and into it: RFC 5280 4.1.2.4."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isakmp.constants import ipsec
from isakmp.errors import ConfError
from isakmp.policy import dn
from isakmp.policy.sameness import same_identity
from isakmp.policy.spd import Identity
from regress.policy.sections import peer


class TestDistinguishedNames:
    GATEWAY = (
        "3030310b3009060355040613024445"
        "3110300e060355040a0c074578616d706c65"
        "310f300d06035504030c0667772c206133"
    )

    def test_out_of_text(self) -> None:
        assert dn.encode(r"C=DE, O=Example, CN=gw\, a3").hex() == self.GATEWAY
        assert dn.text(bytes.fromhex(self.GATEWAY)) == r"C=DE, O=Example, CN=gw\, a3"

    def test_as_an_identity(self) -> None:
        name = "[gw]\nID-type= DER_ASN1_DN\nName= C=DE, O=Example, CN=gw"
        remote = peer("Remote-ID= gw", name)
        assert remote.remote_id is not None
        assert remote.remote_id.type is ipsec.Id.DER_ASN1_DN
        assert str(remote.remote_id) == "C=DE, O=Example, CN=gw"

    def test_a_long_one(self) -> None:
        text = ", ".join(f"OU={'x' * 60}{n}" for n in range(10))
        assert dn.text(dn.encode(text)) == text

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "is not NAME=value"),
            ("CN=", "is not NAME=value"),
            ("gateway", "is not NAME=value"),
            ("XX=gateway", "is none of CN"),
            ("C=\u00dc", "codec"),
            (", ".join(["CN=x"] * 33), "1 to 32 parts"),
        ],
    )
    def test_what_is_no_name(self, text: str, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            dn.encode(text)
        with pytest.raises(ConfError, match="is no name|no value"):
            peer("Remote-ID= gw", f"[gw]\nID-type= DER_ASN1_DN\nName= {text}")

    @given(st.binary(max_size=60))
    def test_strangers_octets(self, data: bytes) -> None:
        identity = Identity(ipsec.Id.DER_ASN1_DN, data)
        assert str(identity).isprintable()
        try:
            assert dn.decode(data) is not None
        except ValueError:
            assert str(identity) == f"0x{data.hex()}"

    @given(st.integers(0, 49), st.integers(0, 255))
    def test_a_name_that_was_changed_is_another_or_none(self, at: int, octet: int) -> None:
        good = bytes.fromhex(self.GATEWAY)
        changed = good[:at] + bytes((octet,)) + good[at + 1 :]
        one, other = (Identity(ipsec.Id.DER_ASN1_DN, data) for data in (good, changed))
        # The string type and nothing else may differ.
        same = same_identity(one, other)
        assert same is (dn_of(good) == dn_of(changed) or good == changed)


def dn_of(data: bytes) -> object:
    try:
        return dn.folded(data)
    except ValueError:
        return data


values = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zs"]), min_size=1)
parts = st.tuples(st.sampled_from(["CN", "O", "OU", "L", "ST", "T", "UID"]), values.map(str.strip))


@given(st.lists(parts.filter(lambda part: bool(part[1])), min_size=1, max_size=dn.MAX_PARTS))
def test_there_and_back(names: list[tuple[str, str]]) -> None:
    def escaped(value: str) -> str:
        return value.replace("\\", "\\\\").replace(",", "\\,")

    text = ", ".join(f"{name}={escaped(value)}" for name, value in names)
    assert dn.text(dn.encode(text)) == text


def test_what_folds_together_and_what_does_not() -> None:
    """RFC 5280 7.1."""
    folded = dn.folded(dn.encode("C=DE, O=Example Ltd"))
    assert folded == dn.folded(dn.encode("C=de, O=EXAMPLE   ltd"))
    assert folded != dn.folded(dn.encode("O=Example Ltd, C=DE"))
    assert folded != dn.folded(dn.encode("C=DE, O=ExampleLtd"))
    assert dn.folded(dn.encode("E=a@b")) == dn.folded(dn.encode("EMAILADDRESS=a@b"))


def test_parts_of_one_relative_name_in_any_order() -> None:
    """RFC 5280 4.1.2.4: a SET OF; what is shown has the order of the octets."""
    cn, ou = "300806035504030c0161", "3008060355040b0c0162"
    one, other = (bytes.fromhex("30163114" + pair) for pair in (cn + ou, ou + cn))
    assert (dn.text(one), dn.text(other)) == ("CN=a+OU=b", "OU=b+CN=a")
    assert dn.folded(one) == dn.folded(other)


def test_types_and_strings_that_are_not_known_are_shown_as_octets() -> None:
    assert dn.text(bytes.fromhex("300d310b3009060355047f0c026777")) == "55047f=gw"
    assert dn.text(bytes.fromhex("300d310b30090603550403" + "04026777")) == "CN=#6777"


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        ("", "not enough|lengths|unpack"),
        ("3000" * 2, "unpack"),
        ("31023000", "0x31 instead of 0x30"),
        ("30023000", "0x30 instead of 0x31"),
        ("30023100", "a relative name of nothing"),
        ("3005", "lengths that do not fit"),
        ("30", "lengths that do not fit"),
        ("3083000000", "lengths that do not fit"),
        ("3080", "lengths that do not fit"),
        ("300d310b300906035504030c02ff77", "codec"),
    ],
)
def test_what_is_no_name_in_der(octets: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        dn.decode(bytes.fromhex(octets))


def test_a_stranger_cannot_have_more_parts_than_we_write() -> None:
    part = bytes.fromhex("310a300806035504030c0161")
    most = b"\x30\x82" + (len(part) * dn.MAX_PARTS).to_bytes(2, "big") + part * dn.MAX_PARTS
    assert len(dn.decode(most)) == dn.MAX_PARTS
    more = b"\x30\x82" + (len(part) * 33).to_bytes(2, "big") + part * 33
    with pytest.raises(ValueError, match="lengths that do not fit"):
        dn.decode(more)
