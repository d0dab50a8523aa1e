"""The exception tree, and Reason: what is told, whole and briefly, and that it is bounded."""

from __future__ import annotations

import pytest

from isakmp import errors
from isakmp.causes import MENDS
from isakmp.errors import (
    BRIEF_PART,
    PART_MAX,
    ApplicationError,
    ConfError,
    CryptoError,
    HostError,
    IsakmpError,
    MalformedPayload,
    Reason,
    Refused,
    WorkError,
)


def test_there_is_one_tree() -> None:
    found = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert len(found) >= 7 and all(issubclass(each, IsakmpError) for each in found)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (HostError("x"), True), (ApplicationError("x"), True), (CryptoError("x"), False),
        (WorkError("x"), True),
        (ConfError("x"), False), (MalformedPayload("SA", 0, "x"), False),
    ],
)  # fmt: skip
def test_whose_fault_it_is(error: IsakmpError, fault: bool) -> None:
    assert error.host_at_fault is fault


def test_a_reason_says_all_that_it_knows_in_one_order() -> None:
    reason = Reason("a-cause", "detail", came="c", acceptable="a", line="f:1", misses=("m", "n"),
                    mend="do", offered="o")  # fmt: skip
    assert str(reason) == (
        "a-cause: detail; came: c; acceptable: a; we offered: o; line: f:1; mend: do; "
        "tried: m; tried: n"
    )
    assert str(Reason("a-cause", "detail")) == "a-cause: detail"
    assert Reason("a-cause", "detail").to_dict() == {"cause": "a-cause", "detail": "detail"}


def test_one_without_a_mend_has_that_of_its_cause() -> None:
    cause = min(MENDS)
    assert Reason(cause, "detail").mend == MENDS[cause]
    assert Reason(cause, "detail", mend="another").mend == "another"


def test_a_peer_cannot_make_a_reason_grow() -> None:
    long = "x" * 60_000
    reason = Reason("a-cause", long, came=long, acceptable=long, offered=long, misses=(long, "m"))
    for text in (reason.detail, reason.came, reason.acceptable, reason.offered, reason.misses[0]):
        assert len(text) == PART_MAX and text.endswith("...")
    assert reason.misses[1] == "m"


def test_what_anybody_can_provoke_is_one_short_line() -> None:
    long = "x" * 1000
    text = Reason("a-cause", long, came=long, misses=(long, long, long)).brief()
    assert "\n" not in text and len(text) < 4 * BRIEF_PART
    assert text.count("tried: ") == 1 and text.endswith("(2 more in outcomes)")
    assert Reason("a-cause", "short", misses=("m",)).brief() == "a-cause: short; tried: m"


def test_a_malformed_payload_says_where_and_by_what() -> None:
    error = MalformedPayload("SA.proposal[0]", 40, "is cut", "RFC 2408 3.5")
    assert str(error) == "SA.proposal[0] at octet 40: is cut (RFC 2408 3.5)"
    assert str(MalformedPayload("HDR", 0, "is cut")) == "HDR at octet 0: is cut"


def test_a_configurations_error_has_its_place_and_a_hint() -> None:
    error = ConfError("is bad", file="f", line=3, section="a", tag="b", hint="write c")
    assert str(error) == "f:3 [a]:b: is bad (write c)"
    error.holds = "d counts"
    assert str(error) == "f:3 [a]:b: is bad (write c); d counts"
    assert (
        str(ConfError("is bad")) == "is bad" and str(ConfError("is bad", file="f")) == "f: is bad"
    )
    reason = error.as_reason("mend it")
    assert (reason.cause, reason.line, reason.mend) == ("bad-configuration", "f:3 [a]:b", "mend it")
    assert ConfError("is bad", mend="mine").as_reason("other").mend == "mine"


def test_the_stacks_refusal_and_a_steps() -> None:
    assert str(ApplicationError("is full")) == "is full"
    assert str(ApplicationError("is full", "wait")) == "is full; mend: wait"
    refused = Refused(Reason("a-cause", "detail"), 14, b"secret?")
    assert str(refused) == "a-cause: detail" and "secret?" not in repr(refused)
