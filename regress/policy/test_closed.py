"""Whatever is misspelt, the traffic that was protected stays closed: each tag and each name that it
is read from, at a reload, at a start and with --close-only; never a default in its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from ipaddress import ip_interface
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from isakmp.app.base import Action, Direction, PolicySpec
from isakmp.conf.check import judge, judge_file
from isakmp.conf.spelling import refuse_lost
from isakmp.conf.store import Conf
from isakmp.errors import ConfError
from isakmp.event.steps import at_once
from isakmp.event.timer import Timers
from isakmp.keeper import closing
from isakmp.log.log import Log
from isakmp.policy.catalog import Catalog
from isakmp.policy.identity import Interface
from isakmp.policy.spd import Selector, lies_in
from isakmp.policy.traffic import selectors_of
from regress.pair import WEST, Gateway, Host, Network, Recorder, network_id

IDS = WEST.text()
LISTS = IDS.replace("Local-ID= near\nRemote-ID= far", "Local-selectors= 10.1.0.0/16\n"
                    "Remote-selectors= 10.2.0.0/16")  # fmt: skip
HOSTS = IDS.replace("Local-ID= near\nRemote-ID= far", "")
ADDRESSES = (
    IDS[: IDS.index("[near]")] + network_id("near", "10.1.0.1") + network_id("far", "10.2.0.1")
    + IDS[IDS.index("[phase-1]") :]
)  # fmt: skip
TWO = LISTS.replace("Connections= west-east", "Connections= west-east, west-south") + (
    "[west-south]\nISAKMP-peer= east\nConfiguration= phase-2\nLocal-selectors= 10.1.0.0/16\n"
    "Remote-selectors= 10.3.0.0/16\n"
)
# With one that is not used.
MORE = IDS + TWO[TWO.index("[west-south]") :]
# Names that look alike, here and there.
ALIKE = re.sub(r"\bnear\b", "Net-west", re.sub(r"\bfar\b", "Net-east", IDS))
PEERS_ALIKE = re.sub(r"\beast\b", "gw-2", HOSTS.replace("west-east", "c")).replace(
    "Connections= c", "Connections= c, d"
) + (
    "[gw-1]\nLocal-address= 192.0.2.1\nAddress= 192.0.2.3\nConfiguration= phase-1\n"
    "Authentication= another secret\n[d]\nISAKMP-peer= gw-1\nConfiguration= phase-2\n"
)
# What is guessed of one connection may be the other's.
HUB = ALIKE.replace("Connections= west-east", "Connections= west-east, west-south") + (
    "[west-south]\nISAKMP-peer= east\nConfiguration= phase-2\nLocal-ID= Net-west\n"
    "Remote-ID= Net-south\n" + network_id("Net-south", "10.3.0.0/16")
)

NETS, SOUTH = ("10.1.0.0/16", "10.2.0.0/16"), ("10.1.0.0/16", "10.3.0.0/16")
PEERS = "192.0.2.1/32", "192.0.2.2/32"
FAR = "0.0.0.0/0", "10.2.0.0/16"
PAIR = "10.1.0.1/32", "10.2.0.1/32"


class Fate(Enum):
    """What becomes of a file, or of traffic, where it is not closed."""

    REFUSED = "the file is not used"
    OPEN = "it cannot be read, and is told"


class Row(NamedTuple):
    """A misspelling. fresh: what is closed at a start, or else becomes of it."""

    text: str
    right: str
    wrong: str
    fresh: set[tuple[str, str]] | Fate


def closed(text: str, right: str, wrong: str, *pairs: tuple[str, str]) -> Row:
    """A row of what is closed."""
    return Row(text, right, wrong, set(pairs))


ROWS = [
    closed(LISTS, "Local-selectors", "Local-eslectors", NETS),
    closed(LISTS, "Remote-selectors", "Remote-eslectors", NETS),
    closed(LISTS, "ISAKMP-peer= east", "ISKAMP-peer= east", NETS),
    closed(LISTS, "ISAKMP-peer= east", "ISAKMP-peer= eats", NETS),
    closed(LISTS, "Remote-selectors= 10.2.0.0/16", "Remote-selectors= 10.2.0.0/16\nMdoe= tunnel",
           NETS),
    closed(LISTS, "Local-selectors= 10.1.0.0/16", "Local-eslectors= 10.1.0.0/99", FAR),
    Row(LISTS, "Remote-selectors= 10.2.0.0/16", "Remote-eslectors= 10.2.0.0/99", Fate.OPEN),
    closed(IDS, "Local-ID= near", "Loacl-ID= near", NETS),
    closed(IDS, "Remote-ID= far", "Remtoe-ID= far", NETS),
    closed(IDS, "Local-ID= near", "Local-ID= naer", NETS),
    closed(IDS, "Remote-ID= far", "Remote-ID= fra", NETS),
    closed(IDS, "[near]", "[naer]", NETS),
    closed(IDS, "[far]", "[farr]", NETS),
    closed(IDS, "[near]\n", "", NETS),
    closed(IDS, "[far]\n", "", NETS),
    closed(IDS, "[east]\n", "[aest]\n", NETS),
    *(closed(IDS, text, text.replace(tag, wrong), NETS)
      for text in (network_id("near", WEST.local), network_id("far", WEST.remote))
      for tag, wrong in (("ID-type", "ID-tpye"), ("Network", "Netwrok"), ("Netmask", "Netmsak"),
                         ("_SUBNET", "_SUBENT"), ("ID-type", "Protocol= tpc\nID-type"),
                         ("ID-type", "Port= 80\nID-type"))),
    closed(ADDRESSES, "Address= 10.1.0.1", "Adress= 10.1.0.1", PAIR),
    closed(ADDRESSES, "Address= 10.2.0.1", "Adress= 10.2.0.1", PAIR),
    closed(HOSTS, "Local-address", "Local-adress", PEERS),
    closed(HOSTS, "\nAddress", "\nAdress", PEERS),
    closed(HOSTS, "ISAKMP-peer= east", "ISAKMP-peer= eats", PEERS),
    closed(HOSTS, "ISAKMP-peer= east", "ISKAMP-peer= east", PEERS),
    closed(HOSTS, "[east]\n", "[aest]\n", PEERS),
    closed(HOSTS, "[east]\n", "", PEERS),
    Row(HOSTS, "\nAddress= 192.0.2.2", "\nAdress= 192.0.2", Fate.OPEN),
    *(closed(IDS, "Connections= west-east", f"Connections= {name}", NETS)
      for name in ("westeast", "west_east", '"west-east"', "west-east;", "west-eats", "other")),
    *(closed(text, "Connections= west-east", f"{tag}= {name}", NETS)
      for text, names in ((IDS, ("east", "near", "far", "EAST")), (LISTS, ("east",)))
      for name in names for tag in ("Connections", "Passive-connections")),
    closed(HOSTS, "Connections= west-east", "Connections= east", PEERS),
    *(closed(text, "ISAKMP-peer= east", "ISAKMP-peer= west-east", NETS) for text in (IDS, LISTS)),
    closed(MORE, "ISAKMP-peer= east", "ISAKMP-peer= west-south", NETS),
    closed(HOSTS, "ISAKMP-peer= east", "ISAKMP-peer= west-east", PEERS),
    closed(IDS, "[west-east]", "[westeast]", NETS),
    *(closed(TWO, "west-east, west-south", names, NETS, SOUTH)
      for names in ("west-east west-south", "west-east; west-south", "west-eastwest-south",
                    "west-east/west-south", "westeast west_south")),
    closed(ALIKE, "[Net-west]\n", "", NETS),
    closed(ALIKE, "[Net-east]\n", "", NETS),
    closed(ALIKE, "[Net-east]", "# [Net-east]", NETS),
    closed(ALIKE, "= Net-west", "= Net-wets", NETS),
    closed(ALIKE, "= Net-east", "= Net-eats", NETS),
    *(closed(IDS, f"{tag}= {value}\n{after}", f"{tag}= {value}{between}{after}", NETS)
      for tag, value, after in (("Configuration", "phase-2", "Local-ID= near"),
                                ("Local-ID", "near", "Remote-ID= far"),
                                ("Network", "10.1.0.0", "Netmask= 255.255.0.0"),
                                ("ISAKMP-peer", "east", "Configuration= phase-2"))
      for between in ("", " ", "\t")),
    closed(IDS, "IPV4_ADDR_SUBNET", "IPVc_ADDR_SUBNET", NETS),
    closed(IDS, "ID-type= IPV4_ADDR_SUBNET\n", "", NETS),
    closed(ADDRESSES, "ID-type= IPV4_ADDR\n", "", PAIR),
    closed(ADDRESSES, "IPV4_ADDR", "IPVx_ADDR", PAIR),
    closed(MORE, "Connections= west-east", "Connections= weast", NETS),
    closed(MORE, "Connections= west-east", "Connections= other", NETS, SOUTH),
    *(Row(IDS, "[Phase 2]\n", header, Fate.REFUSED)
      for header in ("", "# [Phase 2]\n", "[Phase 1]\n", "[General]\n", "[Phsae 2]\n", "[any]\n")),
    *(Row(IDS, "[Phase 1]\n", header, Fate.REFUSED)
      for header in ("", "# [Phase 1]\n", "[Phase 2]\n", "[General]\n", "[Phsae 1]\n", "[any]\n")),
    Row(IDS, "Connections", "Conections", Fate.REFUSED),
    Row(IDS, "Connections", "C=onnections", Fate.REFUSED),
    Row(MORE, "Connections= west-east", "Connections= west-east\nP=assive-connections= west-south",
        Fate.REFUSED),
    *(closed(text, f"{tag}= {value}", f"{wrong}= {value}", NETS)
      for text, tag, value, wrong in (
          (IDS, "Local-ID", "near", "L=ocal-ID"), (IDS, "Local-ID", "near", "Local=-ID"),
          (IDS, "Local-ID", "near", "L = ocal-ID"), (IDS, "Local-ID", "near", "L=oacl-ID"),
          (IDS, "Remote-ID", "far", "R=emote-ID"), (IDS, "Remote-ID", "far", "Remote-I=D"),
          (LISTS, "Local-selectors", "10.1.0.0/16", "Local-=selectors"),
          (LISTS, "Remote-selectors", "10.2.0.0/16", "Remote=-selectors"),
          (LISTS, "ISAKMP-peer", "east", "I=SAKMP-peer"), (IDS, "Network", "10.1.0.0", "Net=work"),
          (IDS, "ID-type", "IPV4_ADDR_SUBNET", "I=D-type"),
          (IDS, "Netmask", "255.255.0.0", "N=etmask"))),
    closed(HOSTS, "Local-address", "Local-=address", PEERS),
    # A value that is written in another way.
    *(closed(IDS, f"Network= {value}\nNetmask= 255.255.0.0", wrong, NETS)
      for value in ("10.1.0.0", "10.2.0.0")
      for wrong in (f"Network= {value}/16\nNetmask= 255.255.0.0", f"Network= {value}/16",
                    f"Network= {value}/24\nNetmask= 255.255.0.0", f"Network= {value} 255.255.0.0",
                    f"Network= {value}/255.255.0.0", f"Network= {value}\nSubnet= 255.255.0.0",
                    f"Subnet= {value}/16", f"Address= {value}\nNetmask= 255.255.0.0",
                    f"Network= {value}\nNetmask= /16", f"Network= {value}.\nNetmask= 16")),
    closed(IDS, "Network= 10.2.0.0\nNetmask= 255.255.0.0",
           "Network= 10.2.0.0\nNetmask= 255.0.255.0", ("10.1.0.0/16", "10.0.0.0/8")),
    closed(IDS, "ID-type= IPV4_ADDR_SUBNET\nNetwork= 10.2.0.0\nNetmask= 255.255.0.0",
           "ID-type= IPV4_ADDR\nAddress= 10.2.0.0\nSubnet= 255.255.0.0", NETS),
    *(closed(IDS, "Local-ID= near\nRemote-ID= far", wrong, NETS)
      for wrong in ("Local= 10.1.0.0/16\nRemote= 10.2.0.0/16",
                    "Local-ID= 10.1.0.0/16\nRemote-ID= 10.2.0.0/16",
                    "Local-ID= near\nRemote-ID= 10.2.0.0/16",
                    "Local-subnet= 10.1.0.0/16\nRemote-subnet= 10.2.0.0/16",
                    "leftsubnet= 10.1.0.0/16\nrightsubnet= 10.2.0.0/16",
                    "Source= 10.1.0.0/16\nDestination= 10.2.0.0/16",
                    "Source= near\nDestination= far",
                    "Local-ID= near\nDestination= 10.2.0.0-10.2.255.255")),
    closed(IDS, "Local-ID= near\nRemote-ID= far",
           "rightsubnet= 10.2.0.0/16\nleft= 192.0.2.1\nright= 192.0.2.2\nleftsubnet= 10.1.0.0/16",
           NETS, PEERS, ("10.1.0.0/16", PEERS[1]), (PEERS[0], "10.2.0.0/16")),
    closed(IDS, "Local-ID= near", "Local-ID= near\nSuites= QM-ESP-AES-SHA-SUITE", NETS),
    closed(IDS, "Remote-ID= far", "Remote-ID= far\nRemote-IDs= far", NETS),
    closed(LISTS, "Remote-selectors= 10.2.0.0/16",
           "Remote-selectors= 10.2.0.0/16\nright= 10.9.0.0/16", NETS,
           ("10.1.0.0/16", "10.9.0.0/16")),
    *(closed(LISTS, f"{tag}= {net}", f"{wrong}= {net[:-3]}{mask}", NETS)
      for tag, net in (("Local-selectors", "10.1.0.0/16"), ("Remote-selectors", "10.2.0.0/16"))
      for mask in (" 255.255.0.0", ", 255.255.0.0", " /16", " 16", " mask 255.255.0.0",
                   "/16[tcp/22-20]", "/16[tpc/22]", "/16[tcp/shs]")
      for wrong in (tag, tag.replace("selectors", "subnet"), tag.replace("selectors", "ID"))),
    *(closed(IDS, "Network= 10.2.0.0\nNetmask= 255.255.0.0", f"Network= 10.2.0.0{mask}", NETS)
      for mask in (" /16", " 16", " mask 255.255.0.0", " 0.0.255.255")),
    # A network, or the name of one, in a tag of another kind of section.
    *(closed(IDS, f"{side}-ID= {name}", f"{tag}= {value}", NETS)
      for side, name, net in (("Local", "near", "10.1.0.0"), ("Remote", "far", "10.2.0.0"))
      for tag in ("Address", "Netmask", "Network", "Name", "ID", "Port")
      for value in (name, f"{net}/16", f"{net}/255.255.0.0")),
    # A side in the peer's section.
    *(closed(IDS, f"{side}-ID= {name}\n", f"\n[east]\n{tag}= {net}/16\n[west-east]\n", NETS)
      for side, name, net in (("Local", "near", "10.1.0.0"), ("Remote", "far", "10.2.0.0"))
      for tag in (f"{side}-subnet", "Network")),
    *(closed(IDS.replace(f"{side}-ID= {name}\n", ""), "\n[east]\n", f"\n[east]\n{said}\n", NETS)
      for side, name, said in (
          ("Local", "near", "Local-selectors= 10.1.0.0/16"), ("Local", "near", "Local-ID= near"),
          ("Local", "near", "Local-subnet= 10.1.0.0/16"), ("Local", "near", "Network= 10.1.0.0/16"),
          ("Remote", "far", "Remote-selectors= 10.2.0.0/16"),
          ("Remote", "far", "rightsubnet= 10.2.0.0/16"))),
    closed(IDS, "Local-ID= near", "Local-ID= east", NETS, FAR),
    # Sides that have no protocol in common.
    closed(IDS.replace("Netmask= 255.255.0.0\n[far]", "Netmask= 255.255.0.0\nProtocol= 6\n[far]"),
           "Netmask= 255.255.0.0\n[phase-1]",
           "Netmask= 255.255.0.0\nProtocol= 17\nPort= 53\n[phase-1]", NETS),
    closed(IDS, "Network= 10.2.0.0\n", "Network= 10.2.0.0\nPort= 53\n", NETS),
    *(closed(LISTS, "/16\nRemote-selectors= 10.2.0.0/16",
             f"/16[{ours}]\nRemote-selectors= 10.2.0.0/16 [{theirs}]", NETS)
      for ours, theirs in (("tcp/80", "udp/53"), ("icmp/8", "icmp/0"), ("tcp", "udp"))),
    closed(IDS.replace("Remote-ID= far", "Remote-selectors= 10.2.0.0/16[udp]"),
           "Network= 10.1.0.0\n", "Network= 10.1.0.0\nProtocol= 6\n", NETS),
    Row(IDS, "[west-east]\nPhase= 2\n", "", Fate.REFUSED),
    Row(TWO, "[west-south]\n", "", Fate.REFUSED),
]  # fmt: skip
every_row = pytest.mark.parametrize("row", ROWS, ids=[f"{r.right} -> {r.wrong}" for r in ROWS])


def resolve(name: str, version: int) -> Interface | None:
    """The default route's address, which nothing here is meant to have."""
    return ip_interface("192.0.2.77/24") if (name, version) == ("default", 4) else None


def written(path: Path, row: Row) -> Path:
    """The file, as it is wrong."""
    assert row.text.count(row.right) >= 1
    path.write_text(row.text.replace(row.right, row.wrong, 1))
    path.chmod(0o600)
    return path


def dropped(app: Recorder) -> set[tuple[str, str]]:
    """The networks of what goes out and is dropped; all that comes in is the same."""
    pairs = {way: set(map(_pair, _of(app, way))) for way in Direction}
    assert {(src, dst) for dst, src in pairs[Direction.IN]} == pairs[Direction.OUT]
    return pairs[Direction.OUT]


def _of(app: Recorder, way: Direction) -> list[PolicySpec]:
    return [p for p in app.policies if p.action is Action.DISCARD and p.direction is way]


def _pair(policy: PolicySpec) -> tuple[str, str]:
    return str(policy.selector.src), str(policy.selector.dst)


def host(path: Path) -> Host:
    """A daemon of that file, not started yet."""
    return Network().add(WEST.address, "", conf=Conf.load(path), resolve=resolve)


@every_row
def test_at_a_start(tmp_path: Path, row: Row) -> None:
    west = host(written(tmp_path / "conf", row))
    if row.fresh is Fate.REFUSED:
        with pytest.raises(ConfError, match="header missing|did you mean"):
            west.daemon.start()
        return
    west.daemon.start()
    if row.fresh is Fate.OPEN:
        assert "its traffic cannot be read, so it is not dropped" in west.said
        assert not dropped(west.app)
    else:
        assert dropped(west.app) == row.fresh
        assert "so it is not dropped" not in west.said
    (told,) = [one["fate"] for one in west.daemon.status()["connections"]
               if one["state"] == "left out"][:1]  # fmt: skip
    assert ("not" in told) is (row.fresh is Fate.OPEN)


@every_row
def test_at_a_reload(tmp_path: Path, row: Row) -> None:
    """All that was protected before, too."""
    path = tmp_path / "conf"
    west = host(written(path, row._replace(wrong=row.right)))
    west.daemon.start()
    before = set(map(_pair, (p for p in west.app.policies if p.direction is Direction.OUT)))
    policies = west.app.policies.copy()
    written(path, row)
    if row.fresh is Fate.REFUSED:
        with pytest.raises(ConfError, match="what was read before holds"):
            west.reload()
        assert west.app.policies == policies
        return
    for _ in ("a change", "the same again"):
        west.reload()
        assert before <= dropped(west.app)
        assert "so it is not dropped" not in west.said


@every_row
def test_with_close_only(tmp_path: Path, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says is what it has done."""
    conf = Conf.load(written(tmp_path / "conf", row))
    timers = Timers(lambda: 0.0)
    app = Recorder(timers, bytes)
    monkeypatch.setattr(closing, "make_barrier", lambda *_, **__: app)
    log = Log(lambda: 0.0, lambda line: None)
    if isinstance(row.fresh, Fate):
        with pytest.raises(ConfError, match="not closed|header missing|did you mean"):
            closing.close_network(conf, resolve, timers, log)
        assert not app.policies
        return
    done = closing.close_network(conf, resolve, timers, log)
    assert dropped(app) == row.fresh
    assert done.number == 1


@every_row
def test_the_check_says_so(tmp_path: Path, row: Row) -> None:
    judged = judge_file(written(tmp_path / "conf", row), resolve)
    assert judged.errors
    told = "\n".join(map(str, judged.errors))
    assert ("its traffic cannot be read, so it is not dropped" in told) is (row.fresh is Fate.OPEN)
    listed = re.search(r"Connections= (.*)", row.wrong)
    if listed and isinstance(row.fresh, set):
        what = "connection" if f"[{listed[1].lower()}]" in row.text else "section"
        assert f"for {listed[1]}, which is no {what}, that of west-east" in told


def test_a_name_like_one_that_is_listed_needs_nothing_more(tmp_path: Path) -> None:
    row = closed(IDS, "Connections= west-east", "Connections= west-east, west-east;")
    west = host(written(tmp_path / "conf", row))
    west.daemon.start()
    assert not dropped(west.app)
    assert list(west.daemon.connections.entries) == ["west-east"]


def test_a_peer_beside_a_connection_of_its_own_stands_for_the_others(tmp_path: Path) -> None:
    row = closed(TWO, "west-east, west-south", "east, west-east", SOUTH)
    west = host(written(tmp_path / "conf", row))
    west.daemon.start()
    assert dropped(west.app) == row.fresh
    assert "for east, which is no connection, that of west-south is dropped" in west.said


def test_of_several_names_that_are_none_the_first_has_all(tmp_path: Path) -> None:
    row = closed(TWO, "west-east, west-south", "x1, x2")
    path = written(tmp_path / "conf", row)
    west = host(path)
    west.daemon.start()
    assert dropped(west.app) == {NETS, SOUTH}
    assert "x2 is no section: what is dropped for others may be its" in west.said
    for listed, left in (("west-east, x2", {SOUTH}), ("west-east, west-south", set())):
        written(path, row._replace(wrong=listed))
        west.reload()
        assert dropped(west.app) >= left
    assert not dropped(west.app)


def slips(text: str) -> Iterator[str]:
    """The text with one slip of the pen each: in a header, a tag, a value, between them."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        for slip in _slips(line):
            yield "\n".join([*lines[:number], *slip, *lines[number + 1 :]])
        after = lines[number + 1 : number + 2]
        for joined in ([line + between + "".join(after)] for between in ("", " ")):
            yield "\n".join([*lines[:number], *joined, *lines[number + 2 :]])
        if re.match("(Local|Remote)-(ID|sel)", line):
            yield "\n".join([*lines[:number], *after, line, *lines[number + 2 :]])


def _slips(line: str) -> Iterator[list[str]]:
    if line.startswith("["):
        yield []
        yield ["#" + line]
        yield from ([f"[{name}]"] for name in _misspelt(line[1:-1]))
    elif line:
        tag, _, value = line.partition("= ")
        yield from ([f"{name}= {value}"] for name in _misspelt(tag))
        yield from ([f"{tag}= {name}"] for name in (*_misspelt(value), value.replace(",", "")))


def _misspelt(name: str) -> Iterator[str]:
    middle = len(name) // 2
    before, after = name[:middle], name[middle:]
    yield before + after[1:]
    yield before + "x" + after
    yield before[:-1] + after[:1] + before[-1:] + after[1:]


@pytest.mark.parametrize("text", [IDS, LISTS, HOSTS, TWO, MORE, ALIKE, HUB, PEERS_ALIKE])
def test_one_slip_leaves_nothing_open_that_is_not_told(text: str) -> None:
    """At a reload nothing at all; at a start what cannot be read, which is told."""
    good, _ = kept(text)
    for slip in slips(text):
        try:
            found, catalog = kept(slip)
            again, _ = kept(slip, kept(text)[1])
        except ConfError:
            continue  # no isakmpd starts with it, and a reload changes nothing
        assert not open_of(good, again), slip
        assert bool(open_of(good, found)) <= bool(catalog.unread), slip


def kept(text: str, before: Catalog | None = None) -> tuple[set[Selector], Catalog]:
    """What is protected or dropped. ConfError where the file is not used."""
    conf = Conf.from_text(text)
    refuse_lost(conf)
    catalog = Catalog(conf, resolve, faults=judge(conf, resolve).faults)
    at_once(catalog.loading(before or catalog))
    up = {each for one in catalog.connections.values() for each in selectors_of(one)}
    return up.union(*catalog.closed.values()), catalog


def open_of(wanted: set[Selector], found: set[Selector]) -> set[Selector]:
    """What of it is neither."""
    return {
        one for one in wanted
        if not any(lies_in(one.src, each.src) and lies_in(one.dst, each.dst) for each in found)
    }  # fmt: skip


EAST = network_id("Net-east", "10.2.0.0/16")
SPARE = HUB + network_id("Net-wood", "10.99.0.0/16")
GW_2 = PEERS_ALIKE[PEERS_ALIKE.index("[gw-2]") : PEERS_ALIKE.index("[c]")]


@pytest.mark.parametrize(
    ("text", "right", "wrong", "wanted", "unread"),
    [
        (HUB, "[Net-east]\n", "", {NETS}, False),
        (HUB, "[Net-west]\n", "", {NETS, SOUTH}, False),
        (HUB, "[Net-south]\n", "", {SOUTH}, False),
        (HUB, "= Net-west", "= Net-wets", {NETS, FAR}, False),
        (HUB, "= Net-east", "= Net-eats", {NETS}, False),
        (HUB, EAST, "", {SOUTH}, True),
        (HUB, EAST, EAST.replace("Net-east", "other"), {SOUTH}, True),
        (ALIKE, EAST, "", set[tuple[str, str]](), True),
        (ALIKE, EAST, EAST.replace("Net-east", "other"), {NETS}, True),
        (PEERS_ALIKE, "[gw-2]\n", "", {PEERS}, False),
        # Its key stands in the connection above, which is in error for that.
        (PEERS_ALIKE, "[gw-1]\n", "", {PEERS, ("192.0.2.1/32", "192.0.2.3/32")}, False),
        (PEERS_ALIKE, GW_2, "", {("192.0.2.1/32", "192.0.2.3/32")}, True),
        # What nothing names is like it, too, and what is meant is in use.
        (SPARE, "= Net-west", "= Net-ww", {("10.99.0.0/16", "10.2.0.0/16"), FAR}, False),
        (SPARE, "= Net-west", "= Net-wets", {NETS, FAR}, False),
        (LISTS, "10.2.0.0/16", "10.2.0.0/16, 10.3.0.0/61", {NETS}, True),
        (
            LISTS,
            "10.2.0.0/16",
            "10.2.0.0/16 10.7.0.0/16",
            {NETS, ("10.1.0.0/16", "10.7.0.0/16")},
            False,
        ),
        (LISTS, "10.1.0.0/16", "10.1.0.0/16, 10.5.0.0/61", {NETS, FAR}, False),
        # Nothing says the mask, an octet, or which side it is.
        (IDS, "10.1.0.0\nNetmask= 255.255.0.0", "10.1.0.0", {NETS, FAR}, False),
        (IDS, "10.2.0.0\nNetmask= 255.255.0.0", "10.2.0.0", {NETS}, True),
        (IDS, "Network= 10.2.0.0", "Network= 10.2.0", {NETS}, True),
        (IDS, "Remote-ID= far", "Remote-ID= far\nDestination= 10.3.0.0/16", {NETS}, True),
        (IDS, "Local-ID= near\nRemote-ID= far", "A= 10.1.0.0/16\nB= 10.2.0.0/16", {NETS}, True),
        (IDS, "Local-ID= near\nRemote-ID= far", "Network= 10.2.0.0\nNetmask= 16", {PEERS}, True),
    ],
)
def test_a_guess_that_is_not_certain_does_not_stand_alone(
    text: str, right: str, wrong: str, wanted: set[tuple[str, str]], unread: bool
) -> None:
    """All with the far side is dropped, too, or it is told; and what was before, at a reload. A
    network is not cut off from itself."""
    assert right in text
    good, before = kept(text)
    bad = text.replace(right, wrong, 1)
    _, found = kept(bad)
    dropped = {(str(one.src), str(one.dst)) for each in found.closed.values() for one in each}
    assert dropped == wanted
    assert bool(found.unread) is unread
    again, found = kept(bad, before)
    assert not open_of(good, again)
    assert not found.unread


# --- one reload after another ----------------------------------------------------------------

NORTH = MORE.replace("Local-selectors= 10.1.0.0/16", "Local-ID= near").replace(
    "Remote-selectors= 10.3.0.0/16", "Remote-ID= net-south"
).replace("Connections= west-east", "Connections= west-east, west-south") + network_id(
    "net-south", "10.3.0.0/16"
)  # fmt: skip
LISTED = "west-east, west-south", "west-east, west-suoth"
OTHERWISE = "west-east, west-south", "west-east, other"
HEADER = "[west-south]", "[west-suoth]"
WHERE = "Network= 10.3.0.0", "Network= 10.3.0.0.0"
NETMASK = "10.3.0.0\nNetmask= 255.255.0.0", "10.3.0.0\nNetmask= 255.255.0.0.0"
NAMED = "Remote-ID= net-south", "Remote-ID= other"
RENAMED = "west-south", "branch"
BYPASS = "Connections= west-east, west-south", "Bypass= west-south\nConnections= west-east"
Slip = tuple[str, str]


def with_slips(*slips: Slip) -> str:
    """The file with all of these."""
    text = NORTH
    for right, wrong in slips:
        assert right in text
        text = text.replace(right, wrong)
    return text


@pytest.mark.parametrize("ikev2", [False, True])
@pytest.mark.parametrize(
    "files",
    [
        [[LISTED], [WHERE]],
        [[LISTED], [NETMASK]],
        [[OTHERWISE], [WHERE], [LISTED, WHERE]],
        [[WHERE], [LISTED, WHERE], [WHERE]],
        [[WHERE], [OTHERWISE, WHERE], [LISTED, WHERE], [WHERE]],
        [[HEADER], [WHERE]],
        [[HEADER], [LISTED, HEADER, WHERE], [WHERE], [OTHERWISE, NETMASK]],
        [[HEADER, LISTED, WHERE], [OTHERWISE, WHERE], [NETMASK]],
        [[NAMED], [LISTED, NAMED], [NAMED], [WHERE]],
        [[RENAMED, WHERE], [RENAMED, NETMASK], [WHERE]],
        [[WHERE], [RENAMED, WHERE], [RENAMED, NETMASK], [LISTED, NETMASK]],
        [[("west-south", "West-South"), WHERE], [LISTED, WHERE], [WHERE]],
        [[BYPASS], [BYPASS, WHERE], [WHERE]],
    ],
    ids=lambda files: " ".join(f"{right}>{wrong}" for slips in files for right, wrong in slips),
)
def test_one_error_after_another_opens_nothing(
    files: list[list[Slip]], ikev2: bool, tmp_path: Path
) -> None:
    """Nor is that said anywhere. What is right again is protected, what is removed is in clear."""
    path = tmp_path / "isakmpd.conf"

    def write(text: str) -> None:
        if ikev2:
            text = text.replace("Configuration= phase-1", "Key-exchange= ikev2")
        path.write_text(text)
        path.chmod(0o600)

    write(NORTH)
    west = host(path)
    west.daemon.start()
    assert not dropped(west.app)
    for slips in files:
        write(with_slips(*slips))
        west.reload()
        assert SOUTH in dropped(west.app)
        fates = {row["fate"] for row in west.daemon.status()["connections"] if row.get("fate")}
        assert fates and not any(fate.startswith("not dropped") for fate in fates)
        assert "so it is not dropped" not in west.said
        west.reload()
        assert SOUTH in dropped(west.app)
    for text, protected in ((NORTH, True), (with_slips((LISTED[0], "west-east")), False)):
        write(text)
        west.reload()
        assert not dropped(west.app)
        assert (SOUTH in set(map(_pair, west.app.policies))) is protected


@pytest.mark.parametrize("text", [IDS, LISTS, HOSTS, TWO, MORE, ALIKE, HUB, PEERS_ALIKE, NORTH])
@pytest.mark.parametrize("seed", range(2))
def test_slips_in_any_order_open_nothing(text: str, seed: int) -> None:
    """What was protected or dropped goes on to be, by whatever name, while anything is in error;
    and it is not said to be in clear."""
    random, single = Random(seed), list(slips(text))
    listed = re.compile("Connections= .*").findall
    names = [one for one in single if listed(one) != listed(text)]
    for _ in range(25):
        good, before = kept(text)
        files = []
        for _ in range(3):
            file = random.choice(random.choice((names, single)))
            files.append(random.choice((file, *slips(file))) if random.random() < 0.4 else file)
            try:
                found, catalog = kept(files[-1], before)
            except ConfError:
                continue  # it is not used
            if not catalog.left_out:
                break  # it says otherwise
            assert not open_of(good, found), files
            assert not catalog.unread, files
            before = catalog


def test_everybody_is_dropped_for_no_other_name(tmp_path: Path) -> None:
    """That would cut this host off."""
    road = MORE.replace("10.3.0.0/16", "0.0.0.0/0").replace(
        "Connections= west-east", "Connections= west-east\nPassive-connections= west-south"
    )
    _, before = kept(road)
    gone = IDS.replace("Connections= west-east", "Connections= other")
    found, _ = kept(gone, before)
    assert {str(selector.dst) for selector in found} == {"10.2.0.0/16"}


FILE = LISTS.replace("10.1.0.0/16", "{near}").replace("10.2.0.0/16", "{far}")
OTHER = "0.0.0.0/0", "10.3.0.0/16"


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ([NETS, ("10.1.0.0/33", "10.3.0.0/16")], {NETS, OTHER}),
        ([NETS, ("10.1.0.0/16, 10.5.0.0/33", "10.2.0.0/16")], {NETS, FAR}),
        ([NETS, ("10.1.0.0/16", "10.3.0.0/33")], {NETS}),
        ([("10.1.0.0/33", "10.2.0.0/16"), ("10.1.0.0/33", "10.3.0.0/16")], {FAR, OTHER}),
        ([("10.1.0.0/33", "10.2.0.0/16"), ("10.1.0.0/33", "10.3.0.0/33")], {FAR}),
        ([NETS, ("10.1.0.0/33", "10.2.0.0/33"), ("10.1.0.0/33", "10.2.0.0/33")], {NETS}),
        ([("10.1.0.0/33", "10.2.0.0/16"), NETS], set[tuple[str, str]]()),
        ([("10.1.0.0/33", "10.2.0.0/16, 0.0.0.0/0")], {FAR}),
        ([("10.1.0.0/33", "0.0.0.1-255.255.255.255")], set[tuple[str, str]]()),
        ([("10.1.0.0/33", "0.0.0.0/1, 128.0.0.0/1")], set[tuple[str, str]]()),
    ],
)
def test_what_was_dropped_goes_on_to_be_until_the_connection_can_be_read(
    files: list[tuple[str, str]], wanted: set[tuple[str, str]], tmp_path: Path
) -> None:
    path = tmp_path / "isakmpd.conf"

    def write(near: str, far: str) -> None:
        path.write_text(FILE.format(near=near, far=far))
        path.chmod(0o600)

    write(*files[0])
    host = Network().add("192.0.2.1", "", conf=Conf.load(path))
    host.daemon.start()
    for each in files[1:]:
        write(*each)
        host.reload()
    assert dropped(host.app) == wanted


def test_of_more_networks_than_a_child_sa_may_have_all_are_dropped(tmp_path: Path) -> None:
    side = ", ".join(f"10.2.{number}.1-10.2.{number}.254" for number in range(30))
    path = tmp_path / "isakmpd.conf"
    for near, there in (("10.1.0.0/33", 30 * 14), ("10.1.0.1-10.1.0.9", 30 * 14 * 4)):
        path.write_text(FILE.format(near=near, far=side))
        path.chmod(0o600)
        host = Network().add("192.0.2.1", "", conf=Conf.load(path))
        host.daemon.start()
        assert len(dropped(host.app)) == there


# --- what is dropped is for no other peer ----------------------------------------------------

ROADS = """[Phase 1]
192.0.2.9= branch
Default= road
[Phase 2]
Passive-connections= roads, to-branch
[branch]
Local-address= 192.0.2.2
Address= 192.0.2.9
Configuration= phase-1
Authentication= other secret
[road]
Local-address= 192.0.2.2
Configuration= phase-1
Authentication= a secret of both
[roads]
ISAKMP-peer= road
Configuration= phase-2
Local-selectors= 172.16.0.0/16
Remote-selectors= 10.0.0.0/8
[to-branch]
ISAKMP-peer= branch
Configuration= phase-2
Local-selectors= 172.16.0.0/16
Remote-selectors= 10.2.0.0/16
[phase-1]
EXCHANGE_TYPE= ID_PROT
Transforms= AES-256-SHA2-256-GRP31
[phase-2]
EXCHANGE_TYPE= QUICK_MODE
Suites= QM-ESP-AES-128-SHA2-256-SUITE
"""
BRANCH = ROADS[ROADS.index("[to-branch]") : ROADS.index("[phase-1]")]


def roads(path: Path, *texts: str) -> Host:
    """A host of the first, for which the others are read, and then a road warrior has asked for a
    part of the branch's network."""
    network = Network()
    path.write_text(texts[0])
    path.chmod(0o600)
    hq = network.add("192.0.2.2", "", conf=Conf.load(path))
    warrior = network.host(
        Gateway("192.0.2.77", "192.0.2.2", "hq", "roads", "10.2.5.0/24", "172.16.0.0/16",
                passive=True)
    )  # fmt: skip
    network.start()
    for text in texts[1:]:
        path.write_text(text)
        hq.reload()
    warrior.daemon.connect("roads")
    network.run(20)
    return hq


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (BRANCH, ""),
        ("[to-branch]\n", "[of-branch]\n"),
        ("[roads]", "[roads]"),
        ("Remote-selectors= 10.2.0.0/16", "Remote-eslectors= 10.2.0.0/16"),
        ("Remote-selectors= 10.2.0.0/16", "Remote-eslectors= 10.3.0.0/16"),
        ("Remote-selectors= 10.2.0.0/16", "Remote-selectors= 10.2.0.0/99"),
        (BRANCH, BRANCH.replace("172.16.0.0/16", "172.16.0.0/99")),
        (BRANCH, BRANCH.replace("= branch", "= barnch")),
        ("[branch]\nLocal-address", "[branch]\nLcal-address"),
        ("roads, to-branch", "roads, nobody"),
    ],
)
def test_what_is_dropped_is_not_for_who_shares_a_section(
    right: str, wrong: str, tmp_path: Path
) -> None:
    assert right in ROADS
    bad = ROADS.replace(right, wrong)
    for texts in ([ROADS, bad], [ROADS, bad, bad + "[more]\nNetwork= 10.0.0.0\n"]):
        hq = roads(tmp_path / "conf", *texts)
        assert set(hq.reasons()) == {"traffic-of-another"}
        assert not hq.rows(2)


def test_nor_after_one_error_and_another(tmp_path: Path) -> None:
    listed = ROADS.replace("roads, to-branch", "roads, to-brnch")
    where = "Remote-selectors= 10.2.0.0/16", "Remote-selectors= 10.2.0.0/99"
    wrong, both = ROADS.replace(*where), listed.replace(*where)
    for texts in ([listed, wrong], [wrong, both, wrong]):
        hq = roads(tmp_path / "conf", ROADS, *texts)
        assert set(hq.reasons()) == {"traffic-of-another"}
        assert not hq.rows(2)


def test_what_may_have_been_renamed_is_told(tmp_path: Path) -> None:
    """Nothing is known of it, and what was another's is dropped."""
    path = tmp_path / "conf"
    path.write_text(NORTH)
    path.chmod(0o600)
    west = host(path)
    west.daemon.start()
    path.write_text(with_slips(RENAMED, WHERE))
    west.reload()
    told = (
        "its traffic cannot be read: that of west-south, which is listed no more, is dropped for it"
    )
    assert told in west.said
    (row,) = [row for row in west.daemon.status()["connections"] if row["state"] == "left out"]
    assert row["fate"] == "dropped as far as it can be read, and the rest not"


def test_a_guess_takes_nothing_from_a_connection_that_has_it(tmp_path: Path) -> None:
    """One that is not listed has the network of the road warriors."""
    other = BRANCH.replace("to-branch", "to-brunch").replace("10.2.0.0/16", "10.0.0.0/8")
    hq = roads(tmp_path / "conf", ROADS.replace(BRANCH, other))
    assert [row["state"] for row in hq.rows(2) if row["name"] == "roads"] == ["established"]
