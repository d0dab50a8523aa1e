"""isakmpd against strongSwan: every row of the table, in both roles."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from regress.interop.acts import Play
from regress.interop.namespace import SetupFailure
from regress.interop.needs import missing
from regress.interop.play import play
from regress.interop.rows import SCENARIOS
from regress.interop.scenario import Role, Scenario
from regress.interop.wireshark import available, decrypts

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "-")


def _play(row: Scenario, pair: str, extra: Callable[[Play], None] | None = None) -> None:
    try:
        play(row, pair, extra)
    except SetupFailure as failure:
        pytest.skip(str(failure))


@pytest.mark.parametrize("role", [role.value for role in Role])
@pytest.mark.parametrize("row", SCENARIOS, ids=lambda row: row.name)
def test_strongswan(row: Scenario, role: str) -> None:
    _play(row, role)


@pytest.mark.skipif(not available(), reason="needs tshark: run tools/setup-peers")
@pytest.mark.parametrize("role", [role.value for role in Role])
@pytest.mark.parametrize(
    "name", ["main-aes-128-sha-group14-pfs", "aggressive-aes-256-sha2-256-group14-no-pfs"]
)
def test_wireshark_decrypts_with_the_key_log(name: str, role: str) -> None:
    row = next(row for row in SCENARIOS if row.name == name)
    _play(row, role, decrypts)
