"""Listening: addresses as they are written, or an interface's."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from isakmp.conf.check import check
from isakmp.conf.store import Conf
from isakmp.errors import ConfError
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.listening import listen_on
from isakmp.log.log import Log
from isakmp.transport.udp import Udp
from regress.transport.test_udp import free_port


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


@pytest.mark.parametrize(
    ("text", "listened"),
    [
        ("192.0.2.1, 192.0.2.1", ["192.0.2.1"]),
        ("2001:db8::1, 2001:DB8:0:0::1", ["2001:db8::1"]),
        ("0.0.0.0, 192.0.2.1", ["0.0.0.0"]),
        ("192.0.2.1, 0.0.0.0, 2001:db8::1", ["0.0.0.0", "2001:db8::1"]),
        ("192.0.2.1, 2001:db8::1, ::", ["192.0.2.1", "::"]),
        ("::, 0.0.0.0, ::", ["::", "0.0.0.0"]),
    ],
)
def test_an_address_is_listened_on_once(text: str, listened: list[str]) -> None:
    assert on(text, 4, 6) == listened


@pytest.mark.parametrize("text", ["lo, lo", "lo, 127.0.0.1", "127.0.0.1, lo", "0.0.0.0, lo"])
def test_so_is_that_of_an_interface(text: str) -> None:
    assert on(text, 4) == ["0.0.0.0" if "0.0.0.0" in text else "127.0.0.1"]


@pytest.mark.parametrize("text", ["127.0.0.1, 127.0.0.1", "0.0.0.0, 127.0.0.1", "lo, 0.0.0.0"])
def test_its_sockets_are_had(text: str) -> None:
    """Of two with one address and port the second is refused."""
    log, loop = Log(lambda: 0.0, print), Loop(Timers(lambda: 0.0), print)
    listen = listen_on(Conf.from_text(f"[General]\nListen-on= {text}\n"), (4,))
    Udp(loop, log, listen=listen, port=free_port(), nat_t_port=0).close()


@pytest.mark.parametrize("tag", ["[General]\nListen-on", "[a]\nAddress", "[a]\nLocal-address"])
def test_an_address_of_ipv4_in_the_form_of_ipv6_is_an_error(tag: str) -> None:
    """No socket of either is bound to it, nor sends there."""
    peer = "[Phase 1]\n192.0.2.2= a\n[a]\nAuthentication= Aeb7oo3ahtho9uNgai5iu0\n"
    conf = Conf.from_text(f"{peer}{tag}= ::ffff:192.0.2.1\n", "f")
    (error,) = [error for error in check(conf) if "IPv6" in error.reason]
    assert str(error).endswith("is 192.0.2.1 in the form of IPv6 (write 192.0.2.1)")
