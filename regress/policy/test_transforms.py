"""Transforms, suites and lifetimes out of their sections."""

from __future__ import annotations

import pytest

from isakmp.conf.store import Conf
from isakmp.constants import ipsec, isakmp
from isakmp.errors import ConfError
from isakmp.policy.spd import Range
from isakmp.policy.transforms import (
    MAX_PROTOCOLS,
    read_ike_transform,
    read_life,
    read_life_section,
    read_names,
    read_suite,
)

IKE = """[t]
ENCRYPTION_ALGORITHM= AES_CBC
KEY_LENGTH= 128,128:256
HASH_ALGORITHM= SHA2_256
AUTHENTICATION_METHOD= PRE_SHARED
GROUP_DESCRIPTION= MODP_2048
Life= hour
[hour]
LIFE_TYPE= SECONDS
LIFE_DURATION= 3600,60:7200
"""
SUITE = """[s]
Protocols= p
[p]
PROTOCOL_ID= IPSEC_ESP
Transforms= x
ReplayWindow= 32
[x]
TRANSFORM_ID= AES
KEY_LENGTH= 128
ENCAPSULATION_MODE= TUNNEL
AUTHENTICATION_ALGORITHM= HMAC_SHA2_256
GROUP_DESCRIPTION= MODP_2048
Life= ANY
"""


def conf(text: str, old: str = "", new: str = "") -> Conf:
    assert old in text
    return Conf.from_text(text.replace(old, new) if old else text, "f")


def test_a_phase_1_transform() -> None:
    found = read_ike_transform(conf(IKE), "t", "f:9")
    assert (found.name, found.line) == ("t", "f:9")
    assert (found.encryption, found.key_bits) == (isakmp.Encryption.AES_CBC, Range(128, 128, 256))
    assert (found.hash, found.group) == (isakmp.Hash.SHA2_256, isakmp.Group.MODP_2048)
    assert found.life.seconds == Range(3600, 60, 7200) and found.life.kilobytes is None


@pytest.mark.parametrize(
    "tag", ["ENCRYPTION_ALGORITHM", "HASH_ALGORITHM", "GROUP_DESCRIPTION"]
)  # fmt: skip
def test_what_a_transform_must_say(tag: str) -> None:
    with pytest.raises(ConfError, match=f"has no {tag}"):
        read_ike_transform(conf(IKE, tag, f"#{tag}"), "t", "")


def test_a_suite_has_its_protocols_and_their_transforms() -> None:
    found = read_suite(conf(SUITE), "s", "f:99")
    (protocol,) = found.protocols
    (transform,) = protocol.transforms
    assert (protocol.protocol, protocol.replay_window) == (isakmp.Protocol.IPSEC_ESP, 32)
    assert (transform.transform_id, transform.auth) == (ipsec.Esp.AES, ipsec.Auth.HMAC_SHA2_256)
    assert transform.encapsulation is ipsec.Encapsulation.TUNNEL
    assert (found.line, protocol.line, transform.line) == ("f:99", "f:3 [p]", "f:7 [x]")


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("Protocols= p", "Protocols= p,p,p,p", f"4 values, {MAX_PROTOCOLS} are possible"),
        ("Protocols= p", "", "has no Protocols"),
        ("Protocols= p", "Protocols= q", "no section"),
        ("PROTOCOL_ID= IPSEC_ESP", "", "has no PROTOCOL_ID"),
        ("TRANSFORM_ID= AES", "", "has no TRANSFORM_ID"),
        ("TRANSFORM_ID= AES", "TRANSFORM_ID= MD5", "'MD5' is not known"),
        ("TRANSFORM_ID= AES", "TRANSFORM-ID= AES", "TRANSFORM_ID"),
    ],
)
def test_what_is_no_suite(old: str, new: str, error: str) -> None:
    with pytest.raises(ConfError, match=error) as caught:
        read_suite(conf(SUITE, old, new), "s", "")
    assert caught.value.line > 0


def test_a_number_is_of_its_protocols_own_registry() -> None:
    """RFC 2407 4.4.3 and 4.4.4: MD5 is AH's, AES is ESP's."""
    text = SUITE.replace("IPSEC_ESP", "IPSEC_AH").replace("= AES", "= MD5")
    (protocol,) = read_suite(conf(text), "s", "").protocols
    assert protocol.transforms[0].transform_id is ipsec.Ah.MD5
    with pytest.raises(ConfError, match="is not known"):
        read_suite(conf(SUITE, "IPSEC_ESP", "IPSEC_AH"), "s", "")
    with pytest.raises(ConfError, match="AH without AUTHENTICATION_ALGORITHM"):
        read_suite(conf(text, "AUTHENTICATION_ALGORITHM= HMAC_SHA2_256", ""), "s", "")


LIVES = """[t]
Life= {}
[hour]
LIFE_TYPE= SECONDS
LIFE_DURATION= 3600
[day]
LIFE_TYPE= SECONDS
LIFE_DURATION= 86400
[much]
LIFE_TYPE= KILOBYTES
LIFE_DURATION= 1000,500:2000
"""


@pytest.mark.parametrize(
    ("listed", "seconds", "kilobytes"),
    [
        ("hour", 3600, None), ("hour, day", 3600, None), ("day, much, hour", 86400, 1000),
        ("much", None, 1000), ("ANY", None, None), ("any, hour", 3600, None),
    ],
)  # fmt: skip
def test_of_two_lifetimes_of_a_kind_the_first_counts(
    listed: str, seconds: int | None, kilobytes: int | None
) -> None:
    life = read_life(conf(LIVES.format(listed)), "t", "day")
    assert (life.seconds.offer if life.seconds else None) == seconds
    assert (life.kilobytes.offer if life.kilobytes else None) == kilobytes


def test_without_a_life_the_default_counts() -> None:
    life = read_life(conf(LIVES, "Life= {}", ""), "t", "day")
    assert life.seconds and life.seconds.offer == 86400


def test_where_a_lifetime_is_said_goes_with_it() -> None:
    """Each of them with its own; one that is built in is where its default would be said."""
    life = read_life(conf(LIVES.format("much, hour")), "t", "day")
    assert life.seconds_said == ("hour", "LIFE_DURATION", "f:5 [hour]:LIFE_DURATION")
    assert life.kilobytes_said == ("much", "LIFE_DURATION", "f:11 [much]:LIFE_DURATION")
    for general, place in (("", "built-in default"), ("[General]\n{}= 600,60:700\n", "f:2")):
        tag = "Default-phase-2-lifetime"
        life = read_life(conf(general.format(tag)), "t", "LIFE_QUICK_MODE")
        assert life.seconds_said == ("General", tag, f"{place} [General]:{tag}")


def test_a_life_of_more_seconds_than_are_counted() -> None:
    most = 2**31 - 1
    text = LIVES.format("hour")
    with pytest.raises(ConfError, match="more than .* seconds"):
        read_life_section(conf(text, "= 3600", f"= {2 * most + 2}"), "hour")
    kind, duration = read_life_section(conf(text), "much")
    assert (kind, duration) == (isakmp.LifeType.KILOBYTES, Range(1000, 500, 2000))


def test_lists_are_bounded() -> None:
    found = conf("[s]\nNames= a, b, c\n")
    assert read_names(found, "s", "Names", 3) == ["a", "b", "c"]
    with pytest.raises(ConfError, match="3 values, 2 are possible"):
        read_names(found, "s", "Names", 2)
    with pytest.raises(ConfError, match="has no Other"):
        read_names(found, "s", "Other", 2)
