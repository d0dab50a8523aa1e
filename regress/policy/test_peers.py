"""Which peer's section somebody is who says an identity."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from isakmp.constants import IKEV1, IKEV2, ikev2, ipsec, isakmp
from isakmp.errors import Refused
from isakmp.policy.match import MISSES_MAX
from isakmp.policy.peers import AGGRESSIVE_MODE, IKE_SA_INIT, MAIN_MODE, Opening, identify
from isakmp.policy.spd import Caller, Identity, Remote
from regress.policy.test_roaming import Plain

HERE, THERE = ip_address("192.0.2.1"), ip_address("192.0.2.99")


def fqdn(name: str) -> Identity:
    return Identity(ipsec.Id.FQDN, name.encode(), line=f"f:7 [{name}]")


def remote(
    name: str, remote_id: str = "", address: str = "", local_id: str = "",
    speaks: tuple[str, ...] = (IKEV2,), exchange: isakmp.Exchange = isakmp.Exchange.AGGRESSIVE,
) -> Remote:  # fmt: skip
    return Remote(
        name, ip_address(address) if address else None, 500, exchange, (), line=f"f:1 [{name}]",
        remote_id=fqdn(remote_id) if remote_id else None, key_exchange=speaks,
        local_id=fqdn(local_id) if local_id else None,
    )  # fmt: skip


def caller(came: str, wanted: str = "") -> Caller:
    return Caller(fqdn(came), fqdn(wanted) if wanted else None, HERE)


def refused(begun: Remote, others: list[Remote], who: Caller) -> Refused:
    with pytest.raises(Refused) as caught:
        identify(begun, Plain(others), who, IKE_SA_INIT)
    return caught.value


@pytest.mark.parametrize(
    ("opening", "speaks", "exchange", "misfit"),
    [
        (MAIN_MODE, IKEV1, isakmp.Exchange.ID_PROT, ""),
        (MAIN_MODE, IKEV2, isakmp.Exchange.ID_PROT, "Key-exchange has no ikev1"),
        (MAIN_MODE, IKEV1, isakmp.Exchange.AGGRESSIVE, "EXCHANGE_TYPE is AGGRESSIVE"),
        (AGGRESSIVE_MODE, IKEV1, isakmp.Exchange.AGGRESSIVE, ""),
        (IKE_SA_INIT, IKEV2, isakmp.Exchange.ID_PROT, ""),
        (IKE_SA_INIT, IKEV1, isakmp.Exchange.ID_PROT, "Key-exchange has no ikev2"),
    ],
)
def test_how_a_caller_begins_must_be_spoken(
    opening: Opening, speaks: str, exchange: isakmp.Exchange, misfit: str
) -> None:
    assert opening.misfit(remote("a", speaks=(speaks,), exchange=exchange)) == misfit


def test_the_section_that_was_found_by_the_address_goes_first() -> None:
    begun, twin = remote("begun", "x"), remote("twin", "x", str(HERE))
    assert identify(begun, Plain([twin]), caller("x"), IKE_SA_INIT) is begun


def test_an_identity_that_is_written_says_more_than_an_address() -> None:
    begun = remote("begun")
    anywhere, here = remote("anywhere", "x"), remote("here", "x", str(HERE))
    for others in ([anywhere, here], [here, anywhere], [begun, anywhere, here]):
        assert identify(begun, Plain(others), caller("x"), IKE_SA_INIT) is here
    assert identify(begun, Plain([anywhere]), caller("x"), IKE_SA_INIT) is anywhere
    assert identify(begun, Plain([here, anywhere]), caller("y"), IKE_SA_INIT) is begun


@pytest.mark.parametrize(
    ("other", "miss"),
    [
        (remote("other", "x", str(THERE)), "other: Address is 192.0.2.99"),
        (remote("other", "y"), "other: Remote-ID is FQDN y"),
        (remote("other"), "other: has no Remote-ID, and is not who [Phase 1] names"),
        (remote("other", "x", speaks=(IKEV1,)), "other: Key-exchange has no ikev2"),
        (remote("other", "x", local_id="me"), "other: ID is FQDN me, the peer asks for FQDN you"),
    ],
)
def test_what_kept_a_section_from_being_taken(other: Remote, miss: str) -> None:
    error = refused(remote("begun", "z"), [other], caller("x", "you"))
    assert error.notify == ikev2.Notify.AUTHENTICATION_FAILED
    reason = error.reason
    assert reason.cause == "wrong-identity" and reason.came == "FQDN x for FQDN you"
    assert reason.misses[0] == "begun: Remote-ID is FQDN z"
    assert reason.misses[1].startswith(miss)
    assert reason.line == "f:7 [z]", "the identity that decided"


def test_a_peer_that_asks_for_another_of_us_is_told_of_our_identity() -> None:
    """RFC 7296 3.5: IDr of the initiator."""
    reason = refused(remote("begun", "x", local_id="me"), [], caller("x", "you")).reason
    assert "asks for another identity than ours" in reason.detail
    assert reason.line == "f:7 [me]"


def test_what_is_told_of_sections_is_bounded() -> None:
    others = [remote(f"n{n}", "y") for n in range(MISSES_MAX + 5)]
    assert len(refused(remote("begun", "z"), others, caller("x")).reason.misses) == MISSES_MAX
