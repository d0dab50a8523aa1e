"""Why something was not sent, and what can be done about each cause."""

from __future__ import annotations

import errno
import os
from ipaddress import ip_address

import pytest

from isakmp.errors import Reason
from isakmp.path import Path
from isakmp.transport import unsent as module
from isakmp.transport.unsent import Unsent, cannot_send

LOCALHOST, AWAY = ip_address("127.0.0.1"), ip_address("192.0.2.77")
WHY = Reason("cannot-send", "for a test", mend="none")


def path(port: int = 500, encap: bool = False) -> Path:
    return Path(LOCALHOST, port, AWAY, port, encap)


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENETUNREACH, "no route leads there: add one"),
        (errno.EHOSTUNREACH, "no route leads there: add one"),
        (errno.ENETDOWN, "bring up the interface"),
        (errno.EPERM, "a packet filter or an IPsec policy of this host forbids it"),
        (errno.EACCES, "a route of this host prohibits it"),
        (errno.EINVAL, "ip route get 192.0.2.77 from 127.0.0.1 shows"),
    ],
)
def test_an_error_is_told_with_its_mend(number: int, mend: str) -> None:
    reason = cannot_send(path(), OSError(number, os.strerror(number)))
    told = f"cannot send from 127.0.0.1 to 192.0.2.77: {os.strerror(number)}"
    assert (reason.cause, reason.detail) == ("cannot-send", told)
    assert reason.mend.startswith(mend)


def test_where_there_is_no_socket_it_is_what_is_listened_on() -> None:
    reason = cannot_send(path(), OSError("no socket for 127.0.0.1 port 500"))
    assert reason.detail.endswith(": no socket for 127.0.0.1 port 500")
    assert reason.mend.startswith("Listen-on or the options -4 and -6 leave it out")


def test_an_address_that_this_host_has_not_is_the_cause_whatever_the_error() -> None:
    reason = cannot_send(Path(AWAY, 500, LOCALHOST, 500), OSError(errno.EINVAL, "Invalid argument"))
    assert reason.detail.endswith(": no interface of this host has 192.0.2.77")
    assert reason.mend == "give it to one, or mend Local-address"


def test_the_last_one_of_each_way_counts() -> None:
    unsent = Unsent()
    unsent.note(path(), None)
    assert unsent.get(path()) is None
    unsent.note(path(), WHY)
    unsent.note(path(4500, True), None)
    assert (unsent.get(path()), unsent.get(path(4500, True))) == (WHY, None)
    unsent.note(path(), None)
    assert unsent.get(path()) is None


def test_they_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names an address that nothing leads to costs one; the newest stay."""
    monkeypatch.setattr(module, "UNSENT_MAX", 10)
    unsent = Unsent()
    for port in range(1, 101):
        unsent.note(path(port), WHY)
    assert [port for port in range(1, 101) if unsent.get(path(port))] == list(range(91, 101))


def test_an_address_of_another_ip_version_is_named() -> None:
    reason = cannot_send(Path(LOCALHOST, 500, ip_address("2001:db8::2"), 500), OSError("no socket"))
    assert reason.detail.endswith("2001:db8::2: they are of different IP versions")
    assert reason.mend.startswith("make Address and Local-address of one")
