"""Listening: addresses as they are written, or an interface's."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from isakmp.conf.store import Conf
from isakmp.errors import ConfError
from isakmp.listening import listen_on


def on(text: str, *families: int) -> list[str]:
    conf = Conf.from_text(f"[General]\nListen-on= {text}\n")
    return [str(address) for address in listen_on(conf, families)]


def test_addresses_are_taken_as_they_are_written_of_the_families_wanted() -> None:
    both = "192.0.2.1, 2001:db8::1"
    assert on(both, 4, 6) == ["192.0.2.1", "2001:db8::1"]
    assert (on(both, 4), on(both, 6)) == (["192.0.2.1"], ["2001:db8::1"])


def test_an_interface_is_its_address() -> None:
    (found,) = on("lo", 4)
    assert ip_address(found).is_loopback


def test_what_is_neither_is_an_error_at_its_line() -> None:
    with pytest.raises(ConfError, match="nosuch0 is no address, and no interface") as caught:
        on("nosuch0", 4, 6)
    assert (caught.value.section, caught.value.tag, caught.value.line) == (
        "General",
        "Listen-on",
        2,
    )


@pytest.mark.parametrize(("text", "family"), [("2001:db8::1", 4), ("192.0.2.1, 192.0.2.2", 6)])
def test_nothing_that_is_left_of_a_list_is_not_everything(text: str, family: int) -> None:
    with pytest.raises(ConfError, match=f"has no address of IPv{family}, and -{family} leaves out"):
        on(text, family)
    assert listen_on(Conf.from_text(""), (family,)) == []
