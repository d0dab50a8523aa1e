"""Bounds on who has a secret: each is filled and refused with its reason; nobody else is harmed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

import pytest

from isakmp.constants import ikev2, ipsec, isakmp
from isakmp.exchange.bounds import MINUTE_S, WORK_A_NEGOTIATION, WORK_ORDINARY, Limits
from isakmp.policy.boxes import SELECTORS_MAX, Work
from isakmp.policy.identity import MAX_NAME_BYTES, identity_of
from isakmp.policy.spd import Connection, Identity
from isakmp.policy.traffic import PAIRS_MAX, of_selector
from isakmp.sa import IsakmpSa, State
from isakmp.scripts.ikev1 import informational, phase_1
from isakmp.scripts.ikev1.informational import delete_payload
from isakmp.scripts.ikev2 import common, ike_auth
from isakmp.scripts.ikev2.informational import tell as tell_v2
from regress.pair import Gateway, Network, connected, network_id

HUB = "192.0.2.2"
VERSIONS = pytest.mark.parametrize("version", [1, 2])


def hub_text(version: int, general: str = "", pool: str = "") -> str:
    """A hub for one site with a section of its own, and for all who have the group's key."""
    return (
        f"[General]\n{general}\n"
        "[Phase 1]\n192.0.2.1= site\nDefault= any\n"
        "[Phase 2]\nPassive-connections= site-net, pool\n"
        f"[site]\nPhase= 1\nKey-exchange= ikev{version}\nLocal-address= {HUB}\n"
        "Address= 192.0.2.1\nConfiguration= phase-1\nAuthentication= the secret of the site\n"
        "Window-size= 8\n"
        f"[any]\nPhase= 1\nKey-exchange= ikev{version}\nLocal-address= {HUB}\n"
        "Configuration= phase-1\nAuthentication= the key of a group\nWindow-size= 8\n"
        "[site-net]\nPhase= 2\nISAKMP-peer= site\nConfiguration= phase-2\n"
        "Local-ID= near\nRemote-ID= site-far\n"
        "[pool]\nPhase= 2\nISAKMP-peer= any\nConfiguration= phase-2\n"
        f"Local-ID= near\nRemote-ID= pool-far\n{pool}\n"
        f"{network_id('near', '10.2.0.0/16')}{network_id('site-far', '10.1.0.0/16')}"
        f"{network_id('pool-far', '10.9.0.0/16')}"
        "[phase-1]\nEXCHANGE_TYPE= ID_PROT\nTransforms= AES-256-SHA2-256-GRP31\n"
        "[phase-2]\nEXCHANGE_TYPE= QUICK_MODE\nSuites= QM-ESP-AES-128-SHA2-256-SUITE\n"
    )


def caller(
    version: int, address: str, local: str, name: str = "", secret: str = "the key of a group"
) -> Gateway:
    """Somebody who calls the hub under that name; without one, under its address."""
    return Gateway(
        address, HUB, "hub", "home", local, "10.2.0.0/16", secret=secret,
        peer_tags=f"Key-exchange= ikev{version}\nWindow-size= 8\n" + "ID= me\n" * bool(name),
        more=f"[me]\nID-type= FQDN\nName= {name}\n" if name else "",
    )  # fmt: skip


def site(version: int, local: str = "10.1.0.0/16") -> Gateway:
    return caller(version, "192.0.2.1", local, secret="the secret of the site")


def member(version: int, number: int, local: str = "") -> Gateway:
    where = local or f"10.9.{number}.0/24"
    return caller(version, f"192.0.2.{number}", where, f"host{number}.example")


class Scene:
    """A hub, and somebody with a secret who asks for more and more."""

    def __init__(self, version: int, who: Gateway, general: str = "") -> None:
        self.version, self.net = version, Network()
        self.hub = self.net.add(HUB, hub_text(version, general))
        self.evil = self.net.host(who)
        self.net.start()
        self.net.run(3)
        assert connected(self.evil)

    @property
    def sas(self) -> Any:
        return self.hub.daemon.sas

    def sa(self) -> IsakmpSa:
        found = self.evil.daemon.sas.current_of_remote("hub")
        assert found is not None
        return found

    def home(self) -> Connection:
        return self.evil.daemon.catalog.connection("home")


Step = Callable[[Scene, int], None]


def be_somebody_else(scene: Scene, number: int) -> None:
    """Another identity each time; what came of it is forgotten at once."""
    daemon = scene.evil.daemon
    remote = daemon.catalog.remote("hub")
    path = daemon.connections.beginnings.path_to(remote)
    assert path is not None
    other = replace(remote, local_id=Identity(ipsec.Id.FQDN, b"other%d" % number))
    daemon.engine.dialects[f"ikev{scene.version}"].begin_sa(daemon.engine, other, path, None)
    scene.net.pump()
    scene.net.now += 0.01
    for sa in [sa for sa in daemon.sas.isakmp.values() if sa.local_id == other.local_id]:
        daemon.sas.remove(sa)


def be_elsewhere(scene: Scene, number: int) -> None:
    """The same identity from another address each time."""
    daemon = scene.evil.daemon
    remote = daemon.catalog.remote("hub")
    path = daemon.connections.beginnings.path_to(remote)
    assert path is not None
    there = ip_address(0xC6336400 + number)
    scene.net.hosts[there] = scene.evil
    dialect = daemon.engine.dialects[f"ikev{scene.version}"]
    dialect.begin_sa(daemon.engine, remote, path._replace(local=there), None)
    scene.net.pump()
    for sa in list(daemon.sas.isakmp.values())[:-1]:
        daemon.sas.remove(sa)


def begin_again(scene: Scene, number: int) -> None:
    """Another SA as the same one; nothing is deleted."""
    daemon = scene.evil.daemon
    remote = daemon.catalog.remote("hub")
    path = daemon.connections.beginnings.path_to(remote)
    assert path is not None
    daemon.engine.dialects[f"ikev{scene.version}"].begin_sa(daemon.engine, remote, path, None)
    scene.net.pump()
    for sa in list(daemon.sas.isakmp.values())[:-1]:
        daemon.sas.remove(sa)


def ask_for_child(scene: Scene, number: int) -> None:
    """A child SA for another address each time."""
    host = ip_network(f"10.9.50.{number % 256}/32")
    selector = scene.home().selector._replace(src=host)
    wanted = replace(
        scene.home(), selector=selector, local_id=identity_of(host), traffic=of_selector(selector)
    )
    engine = scene.evil.daemon.engine
    engine.dialects[f"ikev{scene.version}"].begin_child(engine, scene.sa(), wanted, None)
    scene.net.pump()


def ask_for_the_same(scene: Scene, number: int) -> None:
    """The same child SA again; what is replaced is left."""
    engine = scene.evil.daemon.engine
    engine.dialects[f"ikev{scene.version}"].begin_child(engine, scene.sa(), scene.home(), None)
    scene.net.pump()
    for child in scene.evil.daemon.sas.all_children():
        scene.evil.daemon.sas.remove_child(child)


def leave_unfinished(scene: Scene, number: int) -> None:
    """The hub's stack is slow: what is begun stays under way."""
    if scene.hub.app.held is None:
        scene.hub.app.held = []
    ask_for_child(scene, number)


class Bound(NamedTuple):
    """One row of the table. most: what count() may say at most; versions: where it can be met."""

    general: str
    step: Step
    cause: str
    count: Callable[[Scene], int]
    most: int
    versions: tuple[int, ...] = (1, 2)
    who: Callable[[int], Gateway] = lambda version: member(version, 50)


def running(scene: Scene) -> int:
    return sum(len(sa.running) for sa in scene.sas.isakmp.values())


BOUNDS = {
    "Max-identities": Bound("Max-identities= 10", be_somebody_else, "too-many-identities",
                            lambda s: len(s.sas.isakmp), 10),
    "Max-SAs": Bound("Max-SAs= 10", be_somebody_else, "too-many-sas",
                     lambda s: len(s.sas.isakmp), 10),
    "identities of a section for one": Bound(
        "Max-SAs-per-identity= 4", be_somebody_else, "too-many-identities",
        lambda s: len(s.sas.isakmp), 4, who=site),
    "Max-SAs-per-identity, in many places": Bound(
        "Max-SAs-per-identity= 10\nUnique-ids= never", be_elsewhere, "too-many-sas",
        lambda s: len(s.sas.isakmp), 10),
    "Max-SAs-per-identity": Bound("Max-SAs-per-identity= 4\nMax-negotiations= 30", begin_again,
                                  "too-many-negotiations", lambda s: len(s.sas.isakmp), 4),
    "Max-children": Bound("Max-children= 10", ask_for_child, "too-many-children",
                          lambda s: s.sas.count, 10),
    "Max-children, replaced": Bound("Max-children= 10", ask_for_the_same, "too-many-children",
                                    lambda s: s.sas.count, 20),
    "Max-children-in-all": Bound("Max-children-in-all= 10", ask_for_child, "too-many-children",
                                 lambda s: s.sas.count, 10),
    "Max-selectors": Bound("Max-selectors= 10", ask_for_child, "too-many-selectors",
                           lambda s: sum(len(c.selectors) for c in s.sas.all_children()), 10),
    "Max-negotiations": Bound("Max-negotiations= 10", ask_for_child, "too-many-negotiations",
                              lambda s: s.sas.count, 10),
    "Max-exchanges": Bound("Max-exchanges= 3", leave_unfinished, "too-many-exchanges", running, 3),
}  # fmt: skip
TABLE = [
    pytest.param(version, bound, id=f"{name}-IKEv{version}")
    for name, bound in BOUNDS.items()
    for version in bound.versions
]
MET = 40


def filled(version: int, bound: Bound) -> Scene:
    scene = Scene(version, bound.who(version), bound.general)
    for number in range(MET):
        bound.step(scene, number)
    return scene


@pytest.mark.parametrize(("version", "bound"), TABLE)
def test_a_bound_holds_and_says_so(version: int, bound: Bound) -> None:
    scene = filled(version, bound)
    assert bound.count(scene) <= bound.most
    met = [line for line in scene.hub.lines if "bound met by" in line and bound.cause in line]
    assert len(met) == 1, "once, not for each message"
    assert "mend: " in met[0]
    tag = bound.general.split("=")[0] if bound.cause != "too-many-negotiations" else "Max-n"
    assert f"[General]:{tag}" in met[0], "the line that decides is cited"
    scene.net.run(25)
    more = [line for line in scene.hub.lines if "bound met by" in line and "(repeated" in line]
    assert more, "how often is told once the period is over"


@pytest.mark.parametrize(("version", "bound"), TABLE)
def test_who_asks_for_too_much_harms_nobody_else(version: int, bound: Bound) -> None:
    """A site that is up stays up; others come up as long as there is any room."""
    general = bound.general.replace("= 10", "= 20").replace("Max-SAs= 20", "Max-SAs= 1000")
    scene = Scene(version, bound.who(version), general)
    other = member(version, 60) if bound.who is site else site(version)
    honest = scene.net.host(other)
    honest.daemon.start()
    for number in range(MET):
        bound.step(scene, number)
    scene.hub.app.release()
    scene.hub.app.held = None
    scene.net.until(lambda: connected(honest), 30)
    honest.daemon.rekey("home", "quick")
    scene.net.run(10)
    assert connected(honest) and not honest.reasons()


def test_what_nothing_is_configured_for_has_the_manuals_default() -> None:
    hub = Scene(2, member(2, 50)).hub
    assert hub.daemon.engine.bounds.limits == Limits()
    (default,) = (f.default for f in fields(Connection) if f.name == "pairs_max")
    found = {connection.pairs_max for connection in hub.daemon.catalog.connections.values()}
    assert found == {default} == {PAIRS_MAX}
    assert Limits().side == SELECTORS_MAX


@pytest.mark.parametrize(
    ("count", "general", "most", "cause"),
    [
        (12, "Max-selectors-per-child= 6", 6, "of more than 6 pairs of networks"),
        (12, "Max-selectors-per-side= 3", 9, "of 12 selectors of one side the first 3 count"),
        (20, "Max-selectors-per-child= 512", 400, ""),
    ],
)
def test_a_child_sa_carries_as_much_as_is_configured(
    count: int, general: str, most: int, cause: str
) -> None:
    local = ", ".join(f"10.9.50.{n * 2}" for n in range(count))
    remote = ", ".join(f"10.2.{n * 2}.0/24" for n in range(count))
    tags = f"Local-selectors= {local}\nRemote-selectors= {remote}\n"
    who = replace(member(2, 50), connection_tags=tags, general="Max-selectors-per-child= 512")
    scene = Scene(2, who, general)
    (child,) = scene.sas.all_children()
    (theirs,) = scene.evil.daemon.sas.all_children()
    assert len(child.selectors) == len(theirs.selectors) == most
    met = [line for line in scene.hub.lines if "bound met by" in line]
    assert bool(met) == bool(cause)
    for line in met:
        assert cause in line and f"[General]:{general.split('=')[0]}" in line and "mend: " in line


def test_what_is_much_work_to_compare_counts_as_many_negotiations() -> None:
    scene = Scene(2, member(2, 50), "Max-negotiations= 30")
    bounds, who = scene.hub.daemon.engine.bounds, scene.sa().who
    work = bounds.work()
    work.done = WORK_ORDINARY + WORK_A_NEGOTIATION - 1
    for _ in range(20):
        bounds.worked(who, work)
    assert bounds.compares(who) is None, "an ordinary request counts once, when it is asked for"
    work.done = WORK_ORDINARY + 20 * WORK_A_NEGOTIATION
    for _ in range(2):
        bounds.worked(who, work)
    assert bounds.compares(who) is not None
    scene.net.now += 20
    assert bounds.compares(who) is not None, "what is owed has to be worked off"
    scene.net.now += 20
    assert bounds.compares(who) is None


def in_debt(scene: Scene) -> None:
    """Whoever the hub has an SA with owes it more than can be worked off in an hour."""
    bounds = scene.hub.daemon.engine.bounds
    work = bounds.work()
    work.done = 100 * work.most
    for sa in list(scene.sas.isakmp.values()):
        for _ in range(10):
            bounds.worked(sa.who, work)


def test_what_is_owed_is_a_minutes_worth_at_most() -> None:
    scene = Scene(2, member(2, 50), "Max-negotiations= 30")
    bounds, (sa,) = scene.hub.daemon.engine.bounds, scene.sas.isakmp.values()
    in_debt(scene)
    scene.net.now += MINUTE_S
    assert bounds.compares(sa.who) is not None
    scene.net.now += 3
    assert bounds.compares(sa.who) is None


def test_what_is_owed_for_comparing_keeps_nobody_from_an_ike_sa() -> None:
    """Its child SA waits until that is worked off."""
    scene = Scene(2, site(2), "Max-negotiations= 30")
    in_debt(scene)
    evil = scene.evil.daemon
    evil.keeper.delete_sa(scene.sa())
    scene.net.run(1)
    assert not scene.sas.isakmp
    evil.connections.connect("home")
    scene.net.run(3)
    assert [sa.state for sa in scene.sas.isakmp.values()] == [State.ESTABLISHED]
    assert not scene.sas.count
    assert "comparing the selectors of one identity" in scene.hub.said
    scene.net.run(3 * MINUTE_S)
    assert scene.sas.count == 1
    assert connected(scene.evil)


def spoke(
    me: str, other: str, connections: str, sides: Sequence[tuple[str, str]], general: str
) -> str:
    """One end of so many connections, from the near selectors of each and the far ones."""
    names = [f"c{n}" for n in range(len(sides))]
    sections = (
        f"[{name}]\nISAKMP-peer= other\nLocal-selectors= {near}\nRemote-selectors= {far}\n"
        "ESP-proposals= aes256gcm16\n"
        for name, (near, far) in zip(names, sides, strict=True)
    )
    return (
        f"[General]\n{general}\n[Phase 1]\n{other}= other\n[Phase 2]\n"
        f"{connections}= {', '.join(names)}\n"
        f"[other]\nKey-exchange= ikev2\nAddress= {other}\nLocal-address= {me}\n"
        "Authentication= a secret of both of them, long\nIKE-proposals= aes256-sha256-x25519\n"
        + "".join(sections)
    )


def nets(pattern: str, count: int = 8) -> str:
    return ", ".join(pattern.format(n) for n in range(count))


def many(count: int) -> str:
    return nets("20.{{0}}.{}.0/25", count)


@pytest.mark.parametrize(
    ("count", "near", "asked", "far", "general"),
    [
        (80, nets("10.1.{}.0/24"), many(8), many(8), "Max-negotiations= 100"),
        (5, "10.1.0.0/16", many(128), many(128),
         "Max-selectors-per-side= 128\nMax-negotiations= 6"),
        (20, "10.1.0.0/16", "20.{0}.0.7", "20.{0}.0.0/24", "Max-selectors-per-side= 1"),
    ],
)  # fmt: skip
def test_a_peer_has_all_that_is_configured_for_it_at_once(
    count: int, near: str, asked: str, far: str, general: str
) -> None:
    """Each request was charged for comparing it with all of the peer's connections, and for what
    was asked just as it is configured; where a side may have few selectors, a part of the last
    connections was not found. asked, far: the far side at both ends, by the connection's number.
    """
    net, west, east = Network(), "192.0.2.1", "192.0.2.2"
    ours = [(near, asked.format(n)) for n in range(count)]
    theirs = [(far.format(n), near) for n in range(count)]
    one = net.add(west, spoke(west, east, "Connections", ours, general))
    hub = net.add(east, spoke(east, west, "Passive-connections", theirs, general))
    net.start()
    net.run(3)
    assert one.daemon.sas.count == count
    assert not one.reasons() + hub.reasons()


@pytest.mark.parametrize(("local", "up"), [("10.9.50.0/24", True), ("10.8.50.0/24", False)])
def test_the_bound_on_comparing_is_named(
    monkeypatch: pytest.MonkeyPatch, local: str, up: bool
) -> None:
    """Whether what comes first is found before it is met, or nothing."""

    def none() -> Work:
        work = Work()
        work.most = -1000
        return work

    net = Network()
    hub = net.add(HUB, hub_text(2))
    tags = f"Local-selectors= {local}, 10.9.60.0/24\nRemote-selectors= 10.2.0.0/16\n"
    net.host(replace(member(2, 50), connection_tags=tags))
    net.start()
    monkeypatch.setattr(hub.daemon.engine.bounds, "work", none)
    net.run(3)
    assert bool(hub.daemon.sas.count) is up
    met = [line for line in hub.lines if "comparisons have come to" in line]
    assert len(met) == 1 and "[General]:Max-selectors-per-side" in met[0]
    assert "mend: raise Max-selectors-per-side" in met[0]
    assert "too-many-selectors" in hub.reasons()


def kept(scene: Scene) -> dict[str, int]:
    """How much there is of everything that an attempt makes."""
    engine, app = scene.hub.daemon.engine, scene.hub.app
    return {
        "IKE SAs": len(scene.sas.isakmp),
        "child SAs": scene.sas.count,
        "networks": len(scene.sas.held),
        "exchanges": len(engine.exchanges),
        "half-open": len(engine.half_open),
        "timers": len(scene.hub.timers.pending()),
        "SPIs": len(app.larval),
        "SAs of the stack": len(app.sas),
        "policies": len(app.policies),
    }


@pytest.mark.parametrize(("version", "bound"), TABLE)
def test_what_is_refused_is_not_kept(version: int, bound: Bound) -> None:
    """The same again for as long as one likes, and there is no more of anything."""
    scene = filled(version, bound)
    outcomes = len(scene.hub.daemon.engine.outcomes.own)
    found = kept(scene)
    for number in range(MET, 3 * MET):
        bound.step(scene, number)
    after = kept(scene)
    assert {name: (found[name], n) for name, n in after.items() if n > found[name] + 4} == {}
    assert len(scene.hub.daemon.engine.outcomes.own) <= outcomes + 4, "nor are others pushed out"


@pytest.mark.parametrize(
    ("version", "mode"), [(1, "ID_PROT"), (1, "AGGRESSIVE"), (2, "ID_PROT")]
)  # fmt: skip
def test_an_identity_is_no_longer_than_one_of_ours(
    version: int, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each SA keeps one; who shares a section could make thousands of 60 kB."""
    net = Network()
    hub = net.add(HUB, hub_text(version).replace("ID_PROT", mode))
    who = replace(member(version, 7), exchange=mode)
    said = Identity(ipsec.Id.KEY_ID, bytes(MAX_NAME_BYTES + 1))
    for module in (phase_1, ike_auth):
        ours = module.local_id_of
        monkeypatch.setattr(
            module, "local_id_of",
            lambda remote, path, ours=ours: ours(remote, path) if str(path.local) == HUB else said,
        )  # fmt: skip
    host = net.host(who)
    net.start()
    net.run(5)
    assert not hub.daemon.sas.isakmp and not connected(host)
    assert set(hub.reasons()) == {"invalid-id-information" if version == 1 else "invalid-identity"}
    assert "1024 at most" in hub.said


@VERSIONS
def test_who_says_again_and_again_that_it_has_lost_a_child_sa_makes_us_begin_no_more_often(
    version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(version, site(version), "Max-negotiations= 10")
    scene.net.run(10)
    asked: list[Any] = []
    monkeypatch.setattr(scene.hub.daemon.connections, "rekey", asked.append)
    engine, sa = scene.evil.daemon.engine, scene.sa()
    (child,) = scene.evil.daemon.sas.all_children()
    for _ in range(MET):
        if version == 1:
            spi = child.protocols[0].spi_out.to_bytes(4, "big")
            said = [delete_payload(isakmp.Protocol.IPSEC_ESP, [spi])]
            informational.tell(engine, engine.dialects["ikev1"], sa, said)
        else:
            spi = child.protocols[0].spi_in.to_bytes(4, "big")
            lost = common.notify_value(ikev2.Notify.INVALID_SPI, spi)
            tell_v2(engine, engine.dialects["ikev2"], sa, [(ikev2.Payload.NOTIFY, lost)])
        scene.net.pump()
    assert 0 < len(asked) <= 10
    (line, *_) = [line for line in scene.hub.lines if "bound met by site" in line]
    assert "PROTO_ERR" in line and "too-many-negotiations" in line


@VERSIONS
@pytest.mark.parametrize("general", ["Max-SAs= 4", "Max-children-in-all= 4"])
def test_who_has_a_section_is_kept_out_by_nothing_that_others_have(
    version: int, general: str
) -> None:
    """Who shares one fills what is for all together."""
    scene = Scene(version, member(version, 50), general)
    for number in range(MET):
        (be_somebody_else if general.startswith("Max-SAs") else ask_for_child)(scene, number)
    assert "bound met by any" in scene.hub.said
    home = scene.net.host(site(version))
    home.daemon.start()
    scene.net.run(5)
    assert connected(home)
