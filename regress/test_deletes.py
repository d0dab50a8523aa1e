"""What a Delete names that nobody has, told in short; and who hears of the end of a child SA."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from isakmp.deletes import HEARERS_MAX, SHOWN_MAX, hearers, shown
from isakmp.sa import ChildSa
from isakmp.sa_database import SaDatabase
from regress.keeper.test_places import client
from regress.keeper.test_places import server as server_of
from regress.pair import Host, Nat, Network

LIVES = "Default-phase-1-lifetime= 86400,60:86400\nDefault-phase-2-lifetime= 86400,60:86400\n"
PRIVATE = "[phone]\nID-type= IPV4_ADDR\nAddress= 192.168.1.5\n"


class Counted(list[int | bytes]):
    """SPIs, of which it says how many were looked at."""

    looked = 0

    def __getitem__(self, at: object) -> list[int | bytes]:  # type: ignore[override]
        assert isinstance(at, slice)
        found = super().__getitem__(at)
        self.looked += len(found)
        return found


def test_of_thousands_the_first_are_told() -> None:
    assert shown([1, b"\xab\xcd"]) == "00000001 abcd"
    many = Counted(range(16_000))
    assert shown(many).endswith(f"0000000f and {16_000 - SHOWN_MAX} more")
    assert many.looked == SHOWN_MAX


def _outside(number: int) -> str:
    return f"203.0.113.{number}"


def _devices(count: int, unique: str, identity: str = "") -> Host:
    """A server, and so many devices behind NATs of their own, one after the other. identity: of
    all, where it is not that of a phone; the server takes any."""
    net = Network()
    text = server_of("main", unique, general=LIVES)
    server = net.add("192.0.2.2", text.replace("Remote-ID= phone\n", "") if identity else text)
    server.daemon.start()
    for number in range(1, count + 1):
        inside = f"198.18.{number}.1"
        net.nats.append(Nat(inside, _outside(number)))
        tags = "Address= 192.0.2.2\nUnique-ids= no"
        one = client("main", inside, f"10.{number}.0.0/16", tags, general=LIVES)
        device = net.host(replace(one, remote="172.16.0.0/16", more=identity or one.more))
        device.daemon.start()
        net.run(2)
    assert len(server.rows(1)) == len(server.rows(2)) == count
    return server


def _left(server: Host, number: int) -> ChildSa:
    """The child SA of a device, whose ISAKMP SA has ended."""
    sas = server.daemon.sas
    (child,) = (c for c in sas.all_children() if str(c.path.remote) == _outside(number))
    (sa,) = (sa for sa in sas.isakmp.values() if sa.place == child.place)
    sas.remove(sa)
    return child


def test_an_end_is_told_at_few_places_to_which_its_peer_may_have_gone() -> None:
    """Those that were there before its child SA are other devices."""
    count = HEARERS_MAX + 3
    server = _devices(count, "never")
    for gone, heard in ((1, HEARERS_MAX), (count - 1, 1), (count, 0)):
        newest = [ip_address(_outside(count - at)) for at in range(heard)]
        found = hearers(server.daemon.sas, _left(server, gone))
        assert [sa.path.remote for sa in found] == newest


def test_the_same_private_address_elsewhere_in_a_section_for_many_is_somebody_else() -> None:
    server = _devices(2, "replace", PRIVATE)
    assert hearers(server.daemon.sas, _left(server, 1)) == []


def test_nobody_looks_through_a_section_for_who_is_known_by_a_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Thousands may have it."""
    server = _devices(1, "replace")
    child = _left(server, 1)
    monkeypatch.delattr(SaDatabase, "current_of_remote")
    assert hearers(server.daemon.sas, child) == []
