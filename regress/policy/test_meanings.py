"""What a peer's error notifies stand for: every one of both registries says what to do."""

from __future__ import annotations

import pytest

from isakmp.constants import ikev2, isakmp
from isakmp.policy.meanings import AGREED, find, meaning, refusal

ERRORS = sorted(
    {one.name for one in ikev2.Notify if one < ikev2.Notify.INITIAL_CONTACT}
    | {one.name for one in isakmp.Notify if one < isakmp.Notify.CONNECTED}
)


@pytest.mark.parametrize("notify", ERRORS)
@pytest.mark.parametrize(
    "exchange", ["IKE_SA_INIT", "IKE_AUTH", "main mode", AGREED, "quick mode", ""]
)
def test_every_error_has_a_meaning_and_a_mend(exchange: str, notify: str) -> None:
    found = find(exchange, notify)
    assert found.can and found.mend
    reason = refusal(exchange, notify, "the peer refused", "what we asked for", "conf:1")
    assert (reason.mend, reason.offered, reason.acceptable) == (
        found.mend, "what we asked for", ""
    )  # fmt: skip
    assert "we offered: what we asked for" in str(reason)


def test_a_pool_of_addresses_is_named() -> None:
    for notify in ("FAILED_CP_REQUIRED", "INTERNAL_ADDRESS_FAILURE"):
        assert "pool of addresses" in find("IKE_AUTH", notify).mend
        assert any("address" in line for line in meaning("IKE_AUTH", notify))


def test_what_has_no_name_has_no_meaning_and_still_a_mend() -> None:
    assert find("IKE_AUTH", "UNKNOWN(8191)").mend == "the peer's log names the reason"
    assert meaning("IKE_AUTH", "UNKNOWN(8191)") == ()
