"""isakmpd against strongSwan: every row of IKEv1 in both roles, some of IKEv2's.

make interop plays all of them, and has tshark read what went over the wire.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from regress.interop.acts import Play
from regress.interop.ikev1_rows import IKEV1
from regress.interop.namespace import SetupFailure
from regress.interop.needs import missing
from regress.interop.play import play
from regress.interop.rows import PAIRS_6, SCENARIOS, WITH_6
from regress.interop.scan import scan
from regress.interop.scenario import Role, Scenario
from regress.interop.wireshark import available, decrypts

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "-")


def _play(row: Scenario, pair: str, extra: Callable[[Play], None] | None = None) -> None:
    try:
        play(row, pair, extra)
    except SetupFailure as failure:
        pytest.skip(str(failure))


@pytest.mark.parametrize("role", [role.value for role in Role])
@pytest.mark.parametrize("row", IKEV1, ids=lambda row: row.name)
def test_strongswan(row: Scenario, role: str) -> None:
    _play(row, role)


INI, RES = (role.value for role in Role)
# Rows of IKEv2 in which nobody waits for a lifetime to end.
SOME = (
    ("aes256-sha384", RES), ("aes128-aesxcbc", INI), ("camellia128-sha256", RES),
    ("chacha20poly1305", INI), ("ike-aes128-sha256-prfaescmac", RES), ("group20", INI),
    ("several-proposals", RES), ("cookie-and-invalid-ke", INI), ("cookie-and-invalid-ke", RES),
    ("childless-both", INI), ("ports", RES), ("initiator-wider", INI), ("id-dn", INI),
    ("secret-by-identity", RES), ("refused-secret", RES), ("refused-esp-proposal", INI),
    ("refused-selectors", RES), ("ipv6", RES), ("rekey-child-invalid-ke-by-responder", INI),
    ("delete-child-by-initiator", RES), ("delete-ike-by-initiator", INI),
    ("restarted-peer-by-initiator", INI), ("restarted-peer-by-responder", RES),
    ("restarted-peer-by-initiator", RES), ("restarted-peer-by-responder", INI),
)  # fmt: skip
# Of these tshark reads every message.
READ = (
    ("aes128gcm16", INI), ("aes128ccm16", RES), ("fragments", INI), ("fragments", RES),
    ("nat-rekey-ike", RES),
)  # fmt: skip


def _named(name: str) -> Scenario:
    return next(row for row in SCENARIOS if row.name == name)


@pytest.mark.parametrize(("name", "role"), SOME)
def test_ikev2(name: str, role: str) -> None:
    _play(_named(f"v2-{name}"), role)


@pytest.mark.parametrize("role", PAIRS_6)
@pytest.mark.parametrize("row", WITH_6, ids=lambda row: row.name)
def test_strongswan_6(row: Scenario, role: str) -> None:
    """RFC 9370 2.2.2 and 2.2.4, RFC 9242 3.3.2."""
    _play(row, PAIRS_6[role])


def test_ike_scan_finds_it() -> None:
    try:
        scan()
    except SetupFailure as failure:
        pytest.skip(str(failure))


def test_windows_with_itself() -> None:
    _play(_named("v2-windows"), "isakmpd-isakmpd")


@pytest.mark.skipif(not available(), reason="needs tshark: run tools/setup-peers")
@pytest.mark.parametrize(("name", "role"), READ)
def test_wireshark_decrypts_ikev2(name: str, role: str) -> None:
    _play(_named(f"v2-{name}"), role, decrypts)


@pytest.mark.skipif(not available(), reason="needs tshark: run tools/setup-peers")
@pytest.mark.parametrize("role", [role.value for role in Role])
@pytest.mark.parametrize(
    "name", ["main-aes-128-sha-group14-pfs", "aggressive-aes-256-sha2-256-group14-no-pfs"]
)
def test_wireshark_decrypts_with_the_key_log(name: str, role: str) -> None:
    _play(_named(name), role, decrypts)
