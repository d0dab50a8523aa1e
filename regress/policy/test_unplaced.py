"""Tags of [Phase 1] that are no address: whom they name could come from anywhere."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from isakmp.conf.store import Conf
from isakmp.event.steps import at_once
from isakmp.policy.unplaced import HINT, Unplaced, no_address, unplaced

HERE, ELSEWHERE = ip_address("192.0.2.1"), ip_address("198.51.100.1")
SECTIONS = (
    "[at]\nAddress= 192.0.2.1\n[named]\nRemote-ID= far\n[bare]\nPhase= 1\n"
    "[wrong]\nAddress= nowhere\n"
)


def found(*lines: str) -> Unplaced:
    text = "[Phase 1]\n" + "".join(f"{x}\n" for x in lines) + SECTIONS
    return at_once(unplaced(Conf.from_text(text)))


def test_addresses_and_the_default_peer_are_placed() -> None:
    assert found("192.0.2.1= at", "2001:db8::1= at", "Default= bare") == Unplaced(
        [], {}, None, None
    )


@pytest.mark.parametrize(
    ("section", "here", "elsewhere", "said"),
    [
        ("at", True, False, False),  # its Address tells it from others
        ("named", True, True, False),  # its identity does, once it is said
        ("bare", True, True, True),
        ("wrong", True, True, True),
        ("missing", True, True, True),
    ],
)
def test_who_may_be_one_of_these_is_not_the_default_peer(
    section: str, here: bool, elsewhere: bool, said: bool
) -> None:
    one = found(f"gate.example= {section}")
    assert one.sections == [section]
    assert (one.error(HERE, False) is not None) is here
    assert (one.error(ELSEWHERE, False) is not None) is elsewhere
    assert (one.error(ELSEWHERE, True) is not None) is said


def test_the_first_of_each_kind_is_told() -> None:
    one = found("a.example= named", "b.example= named", "c.example= bare", "d.example= bare")
    assert one.sections == ["named", "named", "bare", "bare"]
    assert one.said is not None and "a.example" in str(one.said)
    assert one.anybody is not None and "c.example" in str(one.anybody)
    assert one.error(HERE, False) is one.anybody, "it may be anybody, whatever is said"


def test_what_is_wrong_with_such_a_tag_and_what_to_write() -> None:
    conf = Conf.from_text("[Phase 1]\ngate.example= at\nDefalt= bare\n" + SECTIONS, "f")
    error = no_address(conf, "gate.example")
    assert (error.file, error.line) == ("f", 2) and HINT in str(error)
    assert "Default" in str(no_address(conf, "Defalt")) and HINT not in str(
        no_address(conf, "Defalt")
    )


def test_what_to_write_lets_in_whom_it_says() -> None:
    text = "[Phase 1]\ngate.example= at\n" + SECTIONS
    hint = no_address(Conf.from_text(text, "f"), "gate.example").hint
    assert "Default= at: every address may call then, so give [at] a Remote-ID" in hint
    text = text.replace("[at]", "Default= bare\n[at]")
    hint = no_address(Conf.from_text(text, "f"), "gate.example").hint
    assert "or leave it out, and give [at] a Remote-ID" in hint and "every" not in hint
