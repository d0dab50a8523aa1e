"""What begins at any step of a change of the configuration, of what that ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isakmp import reload
from isakmp.app.base import Acquire, Action, Direction
from isakmp.conf.store import Conf
from isakmp.policy.spd import Selector
from regress.configurations import many
from regress.pair import Gateway, Host, Network, both, connected
from regress.scripts.ikev2.pairs import gateways

LISTS, PEERS = many(2).split("\n[Phase 1]\n", 1)
BEFORE = LISTS.rpartition("= ")[2]
VERSIONS = [pytest.param(both(), id="ikev1"), pytest.param(gateways(), id="ikev2")]


class Site:
    """West, which is connected to east by the last of some connections, and reads its file."""

    def __init__(self, directory: Path, ends: tuple[Gateway, Gateway]) -> None:
        self.path = directory / "isakmpd.conf"
        own = ends[0].text().replace("\nConnections= ", f"\nConnections= {BEFORE},")
        named, peers = PEERS.split("[", 1)
        named = "".join(line for line in named.splitlines(True) if "192.0.2.2=" not in line)
        self.text = own.replace("[Phase 1]\n", f"[Phase 1]\n{named}") + f"[{peers}"
        self.write(self.text)
        self.net = Network()
        self.west = self.net.add(ends[0].address, "", conf=Conf.load(self.path))
        self.east = self.net.host(ends[1])
        self.net.start()
        self.net.run(5)

    def write(self, text: str) -> None:
        self.path.write_text(text)
        self.path.chmod(0o600)

    def steps(self) -> Iterator[int]:
        """Read the file; between two steps of what follows once it counts, their number."""
        job, number = self.west.daemon.reload(), 0
        while not job.done:
            if self.west.daemon.connections.meanwhile is not None:
                yield number
                number += 1
            self.west.timers.run()
        assert job.error is None


# --- what changes -----------------------------------------------------------------------------


def removed(text: str) -> str:
    """West has the connection no more."""
    return text.replace(",west-east\n", "\n")


def changed(text: str) -> str:
    """West wants of it what east does not take."""
    return text.replace("QM-ESP-AES-128-SHA2-256-SUITE", "QM-ESP-AES-256-SHA2-256-SUITE")


def locked_out(text: str) -> str:
    """East has another secret than it has to have."""
    return text.replace("Authentication= a secret of both", "Authentication= another one")


def forgotten(text: str) -> str:
    """West has neither the connection nor the peer."""
    text = removed(text).replace("192.0.2.2= east\n", "")
    return re.sub(r"(?s)\[east\].*?\n\[west-east\].*?\n\[", "[", text)


# --- what begins meanwhile --------------------------------------------------------------------


def child_replaced(site: Site, host: Host) -> None:
    for child in host.daemon.sas.of_connection(_own(site, host)):
        host.daemon.connections.rekey(child)


def sa_replaced(site: Site, host: Host) -> None:
    for sa in list(host.daemon.sas.isakmp.values()):
        host.daemon.keeper.rekey_sa(sa)


def proven_anew(site: Site, host: Host) -> None:
    for sa in list(host.daemon.sas.isakmp.values()):
        host.daemon.keeper.reauthenticate(sa)


def packet(site: Site, host: Host) -> None:
    """The child SA ends, and then there is traffic for it."""
    _ended(site, site.east)
    west = site.west
    for spec in [p for p in west.app.policies if _is_its(p.selector)][:1]:
        far = site.east.address
        west.daemon.connections.acquire(Acquire(spec.reqid, spec.selector, west.address, far))


def tried_again(site: Site, host: Host) -> None:
    """The child SA ends, and it is time for another one."""
    _ended(site, site.east)
    site.net.now += 3


def _ended(site: Site, host: Host) -> None:
    for child in host.daemon.sas.of_connection(_own(site, host)):
        host.daemon.keeper.children.delete_child(child)
    site.net.pump()


def _own(site: Site, host: Host) -> str:
    return "west-east" if host is site.west else "east-west"


def _is_its(selector: Selector) -> bool:
    return "10.2.0.0/16" in str(selector)


Change = Callable[[str], str]
Begun = Callable[[Site, Host], None]


OF_CHILD = (
    (child_replaced, "west"),
    (child_replaced, "east"),
    (packet, "west"),
    (tried_again, "west"),
)
OF_SA = (sa_replaced, "west"), (sa_replaced, "east"), (proven_anew, "west"), (proven_anew, "east")
CASES: list[tuple[Begun, str, Change]] = [
    *((*begun, change) for begun in OF_CHILD for change in (removed, changed, locked_out)),
    *((*begun, change) for begun in OF_SA for change in (locked_out, forgotten)),
]


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step in each turn."""
    monkeypatch.setattr(reload, "STEPS", 1)


@pytest.mark.parametrize("late", [False, True], ids=["soon", "late"])
@pytest.mark.parametrize(("begun", "who", "change"), CASES)
@pytest.mark.parametrize("ends", VERSIONS)
@pytest.mark.usefixtures("one_by_one")
def test_nothing_outlives_a_change_that_is_made_of_what_it_ends(
    tmp_path: Path, ends: tuple[Gateway, Gateway], begun: Begun, who: str, change: Change,
    late: bool,
) -> None:  # fmt: skip
    """late: what is sent meanwhile comes when the change is over."""
    turn, turns = 0, 1
    while turn < turns:
        site = Site(tmp_path, ends)
        assert connected(site.west)
        stays = change in (changed, locked_out)
        site.write(change(site.text))
        turns = 0
        for number in site.steps():
            turns += 1
            if number == turn:
                begun(site, getattr(site, who))
            if not late:
                site.net.pump()
            assert not stays or _covered(site.west), "in clear"
        site.net.pump()
        _nothing_left(site, change, f"step {turn} of {turns}")
        site.net.run(30)
        _nothing_left(site, change, f"30 s after step {turn} of {turns}")
        assert _covered(site.west) is stays
        turn += 1
    assert turns > 6


def _covered(host: Host) -> bool:
    kept = [p for p in host.app.policies if _is_its(p.selector) and p.action is not Action.BYPASS]
    return {policy.direction for policy in kept} == {Direction.OUT, Direction.IN}


def _nothing_left(site: Site, change: Change, when: str) -> None:
    for host in (site.west, site.east):
        live = [sa for sa in host.rows(2) if sa["state"] != "deleting"]
        assert not live, f"{host.address} {when}"
    if change in (locked_out, forgotten):
        live = [sa for sa in site.west.rows(1) if sa["name"] == "east"]
        assert not [sa for sa in live if sa["state"] != "deleting"], when
