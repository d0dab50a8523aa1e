"""Every module has a test of its own name, in the place that mirrors its own."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Those that are tested in files of other names. Who gives one a test of its name takes it out;
# nothing comes in.
ALLOWED = {
    "isakmp/app/engine/base.py",
    "isakmp/app/engine/flags.py",
    "isakmp/app/nft/link.py",
    "isakmp/app/nft/messages.py",
    "isakmp/app/pf_key/link.py",
    "isakmp/app/xfrm/backend.py",
    "isakmp/auth/base.py",
    "isakmp/conf/values.py",
    "isakmp/constants/ikev2.py",
    "isakmp/decode/fragments.py",
    "isakmp/exchange/host.py",
    "isakmp/exchange/walk.py",
    "isakmp/payloads/base.py",
    "isakmp/payloads/ikev2/sa.py",
    "isakmp/payloads/ikev2/shapes.py",
    "isakmp/payloads/ikev2/sk.py",
    "isakmp/policy/ppk.py",
    "isakmp/policy/spd.py",
    "isakmp/scripts/ikev2/informational.py",
    "isakmp/scripts/ikev2/keys.py",
    "isakmp/scripts/ikev2/rekey.py",
    "isakmp/transport/base.py",
}


def modules() -> set[str]:
    """Those of the packages, by their places."""
    files = [file for package in ("isakmp", "fifo_ui") for file in (ROOT / package).rglob("*.py")]
    places = (str(file.relative_to(ROOT)) for file in files if file.name != "__init__.py")
    return set(places)


def place_of_test(module: str) -> Path:
    """Where its tests are: isakmp/a/b.py has regress/a/test_b.py."""
    place = Path(module.removeprefix("isakmp/"))
    return ROOT / "regress" / place.with_name(f"test_{place.name}")


def test_every_module_has_a_test_of_its_name() -> None:
    without = {module for module in modules() if not place_of_test(module).is_file()}
    assert without - ALLOWED == set(), "each module has a test of its own name"
    assert ALLOWED - without == set(), "take out what has a test, or is gone"
