"""Groups: published exchanges, the two sides agree, and what a peer must not send."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.constants import isakmp
from isakmp.crypto import groups
from isakmp.crypto.groups import Group, get_group
from isakmp.crypto.primes import modp_prime
from isakmp.errors import CryptoError
from regress.crypto.vectors import label, published, upstream

MODP = (1, 2, 5, 14, 15, 16, 17, 18)
CURVES = (19, 20, 21, 25, 26, 28, 29, 30, 31, 32)
QUICK = (1, 2, 5, 14, 19, 20, 21, 25, 26, 28, 31, 32)


def supported(number: int) -> Group:
    try:
        return get_group(number)
    except CryptoError as error:
        assert "lacks" in str(error)
        pytest.skip(str(error))


def stream(seed: int) -> groups.Random:
    """A source of octets that depends on the seed alone."""
    return random.Random(seed).randbytes


@pytest.mark.parametrize("block", published("ecdh.txt"), ids=label)
def test_published_exchanges(block: dict[str, str]) -> None:
    """RFC 5114, 5903, 6954, 6932 and 8031."""
    group = supported(int(block["group"]))
    mine, other = (group.from_private(bytes.fromhex(block[f"private_{side}"])) for side in "ir")
    assert mine.public.hex() == block["public_i"]
    assert other.public.hex() == block["public_r"]
    assert mine.shared(other.public).hex() == other.shared(mine.public).hex() == block["shared"]


METHODS = {
    **{f"MODP_{n}_BIT": f"MODP_{n}" for n in (768, 1024, 2048, 4096, 6144)},
    **{f"ECP_{n}_BIT": f"ECP_{n}" for n in (192, 224, 384)},
    **{f"ECP_{n}_BP": f"BRAINPOOL_{n}" for n in (256, 512)},
    "CURVE_25519": "CURVE25519",
    "CURVE_448": "CURVE448",
}


@pytest.mark.parametrize("method", METHODS)
def test_collected_exchanges(shared: Path, method: str) -> None:
    vectors = upstream(shared)
    kinds = ("modp", "ecp", "ecpbp", "curve25519", "curve448")
    found = [v for kind in kinds for v in vectors[kind] if v["method"] == method]
    assert found
    group = supported(isakmp.Group[METHODS[method]])
    for vector in found:
        seed = bytes.fromhex(vector["seed"])
        half = len(seed) // 2
        mine, other = group.from_private(seed[:half]), group.from_private(seed[half:])
        assert (mine.public.hex(), other.public.hex()) == (vector["pub_i"], vector["pub_r"])
        assert mine.shared(other.public).hex() == vector["shared"]
        assert other.shared(mine.public).hex() == vector["shared"]


@pytest.mark.parametrize("number", MODP + CURVES)
def test_both_sides_agree(number: int) -> None:
    group = supported(number)
    mine, other = group.generate(), group.generate()
    assert len(mine.public) == group.public_size
    assert mine.public != other.public
    secret = mine.shared(other.public)
    assert secret == other.shared(mine.public)
    size = group.public_size // 2 if 19 <= number <= 30 else group.public_size
    assert len(secret) == size


@pytest.mark.parametrize(
    ("number", "strength"),
    [(2, 80), (5, 90), (14, 112), (15, 130), (16, 150), (17, 170), (18, 190)],
)
def test_exponents_are_of_twice_the_strength_at_least(number: int, strength: int) -> None:
    """RFC 7919 5.2, with the estimates of RFC 3526 8; the highest bit is set."""
    secret = get_group(number).secret(bytes)
    assert int.from_bytes(secret, "big").bit_length() >= 2 * strength


@pytest.mark.parametrize("number", QUICK)
def test_what_a_private_value_makes_needs_no_key_pair(number: int) -> None:
    group, random = supported(number), stream(3)
    secret, other = group.secret(random), group.generate()
    assert group.shared(secret, other.public) == group.from_private(secret).shared(other.public)


@pytest.mark.parametrize("number", QUICK)
def test_a_given_random_decides_the_key(number: int) -> None:
    group = supported(number)
    first, again, other = (group.generate(stream(seed)) for seed in (1, 1, 2))
    assert first.public == again.public != other.public
    library = group.generate()
    assert first.shared(library.public) == library.shared(first.public)
    for constant in (0, 255):
        assert len(group.generate(bytes((constant,)).__mul__).public) == group.public_size


@pytest.mark.parametrize("number", QUICK)
def test_wrong_lengths_are_refused(number: int) -> None:
    group = supported(number)
    pair = group.generate()
    for public in (b"", b"\2", pair.public[1:], pair.public + b"\0", b"\0" + pair.public):
        with pytest.raises(CryptoError, match="octets where"):
            pair.shared(public)


@pytest.mark.parametrize("number", MODP)
def test_modp_values_outside_the_group_are_refused(number: int) -> None:
    """RFC 6989."""
    group = get_group(number)
    prime, pair = modp_prime(isakmp.Group(number)), group.generate()
    for value in (0, 1, prime - 1, prime, prime + 1, (1 << 8 * group.public_size) - 1):
        with pytest.raises(CryptoError, match=f"not in group {group.name}"):
            pair.shared(value.to_bytes(group.public_size, "big"))
    assert pair.shared((2).to_bytes(group.public_size, "big")) == pair.public


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([1, 2, 5, 14]), st.data())
def test_modp_equals_arithmetic(number: int, data: st.DataObject) -> None:
    group, prime = get_group(number), modp_prime(isakmp.Group(number))
    x = data.draw(st.integers(1, 2**128))
    y = data.draw(st.integers(2, prime - 2))
    pair = group.from_private(x.to_bytes(17, "big"))
    assert pair.public == pow(2, x, prime).to_bytes(group.public_size, "big")
    expected = pow(y, x, prime).to_bytes(group.public_size, "big")
    assert pair.shared(y.to_bytes(group.public_size, "big")) == expected


def test_a_secret_is_padded_to_the_prime() -> None:
    """RFC 2409 6.1 and 6.2, RFC 3526.

    g^xy with leading zeros keeps the prime's length (RFC 2409 5)."""
    group, prime = get_group(14), modp_prime(isakmp.Group.MODP_2048)
    x = next(x for x in range(2048, 4096) if pow(2, x, prime) >> 2040 == 0)
    pair = group.from_private(x.to_bytes(2, "big"))
    assert pair.public[0] == 0
    assert pair.shared((2).to_bytes(256, "big")) == pair.public


@pytest.mark.parametrize("number", [19, 20, 21, 25, 26, 28, 29, 30])
def test_points_off_the_curve_are_refused(number: int) -> None:
    group = supported(number)
    pair = group.generate()
    off = pair.public[:-1] + bytes((pair.public[-1] ^ 1,))
    for public in (off, bytes(group.public_size), b"\xff" * group.public_size):
        with pytest.raises(CryptoError, match=f"not in group {group.name}"):
            pair.shared(public)


def test_low_order_points_of_curve25519_are_refused() -> None:
    pair = get_group(31).generate()
    one = (1).to_bytes(32, "little")
    order_8 = bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")
    for public in (bytes(32), one, order_8):
        with pytest.raises(CryptoError, match="not in group CURVE25519"):
            pair.shared(public)


@pytest.mark.parametrize("number", QUICK)
def test_impossible_private_values_are_refused(number: int) -> None:
    group = supported(number)
    impossible = b"\1" * 7 if number in (31, 32) else bytes(8)
    with pytest.raises(CryptoError, match="private value"):
        group.from_private(impossible)
    if number < 19:
        order = modp_prime(isakmp.Group(number)) >> 1
        with pytest.raises(CryptoError, match="private value"):
            group.from_private(order.to_bytes(group.public_size, "big"))
    if number < 31:
        with pytest.raises(CryptoError, match="private value"):
            group.from_private(b"\xff" * group.public_size)


def test_unknown_groups_are_named() -> None:
    with pytest.raises(CryptoError, match=r"BRAINPOOL_224 \(27\)"):
        get_group(27)
    with pytest.raises(CryptoError, match=r"EC2N_155 \(3\)"):
        get_group(3)
    with pytest.raises(CryptoError, match=r"UNKNOWN\(4711\) \(4711\)"):
        get_group(4711)


def test_legacy_groups_are_marked() -> None:
    """RFC 8247."""
    assert [n for n in QUICK if supported(n).legacy] == [1, 2]


def test_a_curve_that_the_library_lost_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ec, "SECP192R1")
    with pytest.raises(CryptoError, match=r"the library lacks .* ECP_192 \(25\)"):
        get_group.__wrapped__(25)


@pytest.fixture
def forgotten_finite_field() -> Iterator[None]:
    """What has been found out about the library's finite-field module does not count."""
    groups._finite_field.cache_clear()
    yield
    groups._finite_field.cache_clear()


DECREPIT = "cryptography.hazmat.decrepit.asymmetric"


@pytest.mark.usefixtures("forgotten_finite_field")
def test_finite_fields_are_found_in_the_decrepit_corner(monkeypatch: pytest.MonkeyPatch) -> None:
    library = groups._finite_field()
    groups._finite_field.cache_clear()
    moved = ModuleType(DECREPIT + ".dh")
    moved.__dict__.update(
        DHParameterNumbers=library.parameters,
        DHPublicNumbers=library.public,
        DHPrivateNumbers=library.private,
    )
    monkeypatch.setitem(sys.modules, DECREPIT, ModuleType(DECREPIT))
    monkeypatch.setitem(sys.modules, DECREPIT + ".dh", moved)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.dh", None)
    group, pair = get_group.__wrapped__(14), get_group(14).generate()
    assert group.generate().shared(pair.public)


@pytest.mark.usefixtures("forgotten_finite_field")
def test_finite_fields_that_are_gone_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (DECREPIT + ".dh", "cryptography.hazmat.primitives.asymmetric.dh"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(CryptoError, match=r"the library lacks .* MODP_2048 \(14\)"):
        get_group.__wrapped__(14)


def test_repr_shows_no_secret() -> None:
    pair = get_group(14).from_private(b"\x12\x34\x56")
    assert "123456" not in repr(pair)
    assert str(0x123456) not in repr(pair)


def test_no_warning_comes_out_and_libraries_load_when_asked() -> None:
    """In a fresh process, with warnings as errors: nothing of the library before get_group."""
    program = """
import sys
from isakmp.crypto.groups import get_group
part = 'cryptography.hazmat.primitives.asymmetric.'
assert part + 'dh' not in sys.modules and part + 'x448' not in sys.modules
for number in (2, 14, 19, 31):
    group = get_group(number)
    a, b = group.generate(), group.generate(lambda n: bytes(range(n)))
    assert a.shared(b.public) == b.shared(a.public)
"""
    root = Path(__file__).resolve().parents[2]
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=root, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "")


def wycheproof(shared: Path, name: str) -> list[dict[str, object]]:
    path = shared / "vectors" / "crypto" / "wycheproof" / f"{name}.json.gz"
    groups = json.loads(gzip.decompress(path.read_bytes()))["testGroups"]
    return [group | test for group in groups for test in group["tests"]]


def test_x25519_project_wycheproof(shared: Path) -> None:
    group = get_group(31)
    cases = wycheproof(shared, "x25519_test")
    assert len(cases) > 500
    for case in cases:
        pair = group.from_private(bytes.fromhex(str(case["private"])))
        public = bytes.fromhex(str(case["public"]))
        if set(str(case["shared"])) == {"0"}:
            with pytest.raises(CryptoError):
                pair.shared(public)
        else:
            assert pair.shared(public).hex() == case["shared"], case["tcId"]


def test_ecp_256_project_wycheproof(shared: Path) -> None:
    group, valid = get_group(19), 0
    for case in wycheproof(shared, "ecdh_secp256r1_ecpoint_test"):
        public = bytes.fromhex(str(case["public"]))
        if public[:1] != b"\4":
            continue
        pair = group.from_private(bytes.fromhex(str(case["private"])))
        if case["result"] == "valid":
            assert pair.shared(public[1:]).hex() == case["shared"], case["tcId"]
            valid += 1
        elif case["result"] == "invalid":
            with pytest.raises(CryptoError):
                pair.shared(public[1:])
    assert valid > 200
