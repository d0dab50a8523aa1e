"""The daemon's commands, and what reading its configuration again changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fifo_ui.commands import run
from isakmp.app.base import Action
from isakmp.capture import Datagram, read_datagrams, read_frames
from isakmp.conf.store import Conf
from isakmp.errors import ConfError, IsakmpError, Refused
from isakmp.event.job import Job
from regress.pair import EAST, WEST, Gateway, Host, Network, Packet, agree, both, connected, up
from regress.scripts.ikev2.pairs import pair


def on_disk(
    tmp_path: Path, gateway: Gateway = WEST, seconds: float = 5, other: Gateway = EAST
) -> tuple[Network, Host, Host, Path]:
    """West reads its configuration from a file; it has had so much time to come up."""
    path = tmp_path / "isakmpd.conf"
    path.write_text(gateway.text())
    path.chmod(0o600)
    net = Network()
    west = net.add(gateway.address, "", conf=Conf.load(path))
    east = net.host(other)
    net.start()
    if seconds:
        net.run(seconds)
    return net, west, east, path


def test_an_unchanged_file_touches_nothing(tmp_path: Path) -> None:
    net, west, east, _ = on_disk(tmp_path)
    before = west.app.sas.copy(), west.rows(1)[0]["cookies"], len(net.history)
    assert west.reload() == []
    net.run(5)
    assert (west.app.sas, west.rows(1)[0]["cookies"], len(net.history)) == before
    assert "nothing changed" in west.said
    agree(west, east)


def without(section: str, text: str) -> str:
    """Neither that section nor, in the list of connections, its name."""
    text = re.sub(rf"\[{section}\].*?(?=^\[)", "", text, flags=re.S | re.M)
    return text.replace(f"Connections= {section}\n", "")


CHANGES: dict[str, Callable[[str], str]] = {
    "suites": lambda text: text.replace("QM-ESP-AES-128-SHA2-256-SUITE", "QM-ESP-3DES-SHA-SUITE"),
    "traffic": lambda text: text.replace("10.2.0.0", "10.4.0.0"),
    "removed": lambda text: without("west-east", text),
}


@pytest.mark.parametrize("what", sorted(CHANGES))
def test_a_changed_connection_loses_its_sas_and_keeps_its_isakmp_sa(
    tmp_path: Path, what: str
) -> None:
    net, west, east, path = on_disk(tmp_path)
    cookies = west.rows(1)[0]["cookies"]
    path.write_text(CHANGES[what](path.read_text()))
    done = west.reload()
    assert any(line.startswith("west-east: ") for line in done)
    net.run(3)
    assert not east.app.sas
    assert west.rows(1)[0]["cookies"] == cookies
    assert bool(west.app.policies) is (what != "removed")


def test_a_changed_connection_is_never_without_a_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, west, _, path = on_disk(tmp_path)
    told: list[str] = []

    def record(verb: str) -> Callable[[object], Job[int]]:
        def recorded(_: object) -> Job[int]:
            told.append(verb)
            return Job.of(1)

        return recorded

    for verb in ("add_policy", "delete_policy"):
        monkeypatch.setattr(west.app, verb, record(verb))
    path.write_text(CHANGES["traffic"](path.read_text()))
    west.reload()
    assert told == ["add_policy", "add_policy", "delete_policy", "delete_policy"]


@pytest.mark.parametrize("version", ["ikev1", "ikev2"])
@pytest.mark.parametrize("what", ["changed", "removed"])
def test_a_changed_peer_loses_everything(tmp_path: Path, version: str, what: str) -> None:
    """And hears of it, of its child SAs first, before it asks again."""
    tags = f"Key-exchange= {version}"
    one, other = replace(WEST, peer_tags=tags), replace(EAST, peer_tags=tags)
    net, west, east, path = on_disk(tmp_path, one, other=other)
    cookies = west.rows(1)[0]["cookies"]
    text = path.read_text()
    new = text.replace("a secret of both", "a new secret")
    if what == "removed":
        new = without("east", without("west-east", text)).replace("192.0.2.2= east\n", "")
    path.write_text(new)
    assert any("peer changed" in line for line in west.reload())
    net.run(2)
    assert cookies not in {row["cookies"] for row in west.rows(1) + east.rows(1)}
    assert not east.rows(2)
    path.write_text(text)
    west.reload()
    net.until(lambda: connected(west) and connected(east), 100)
    agree(west, east)


def test_a_new_connection_is_started(tmp_path: Path) -> None:
    net, west, east, path = on_disk(tmp_path, replace(WEST, connection_tags="Flags="))
    text = path.read_text()
    path.write_text(without("west-east", text))
    west.reload()
    net.run(2)
    assert not west.app.sas
    path.write_text(text)
    west.reload()
    net.run(5)
    assert connected(west)
    agree(west, east)


# How far it has come: messages of main and quick mode, or of the two exchanges of IKEv2.
UNDER_WAY = [*(("ikev1", n) for n in (1, 3, 5, 7)), *(("ikev2", n) for n in (1, 2, 3))]


def under_way(
    tmp_path: Path, version: str, messages: int
) -> tuple[Network, Host, Host, Path]:  # fmt: skip
    """After so many messages, the next one on its way."""
    tags = f"Key-exchange= {version}"
    west, east = replace(WEST, peer_tags=tags), replace(EAST, peer_tags=tags)
    net, one, other, path = on_disk(tmp_path, west, 0, east)
    for _ in range(messages):
        net.deliver(net.flying.popleft())
    return net, one, other, path


@pytest.mark.parametrize(("version", "messages"), UNDER_WAY)
@pytest.mark.parametrize(
    ("old", "new"),
    [("Authentication= a secret", "Authentication= another"), ("Address= 192.0.2.2", "Port= 501")],
)
def test_what_is_negotiated_with_a_changed_peer_does_not_come_up(
    tmp_path: Path, version: str, messages: int, old: str, new: str
) -> None:
    net, west, east, path = under_way(tmp_path, version, messages)
    path.write_text(path.read_text().replace(old, new))
    net.lose = lambda packet: packet.src == west.address and packet.dport == 501
    west.reload()
    net.run(3)
    assert not west.rows(1)
    assert not west.rows(2)
    assert west.reasons()[0] in ("reloaded", "sa-gone")
    assert not east.app.sas
    assert version == "ikev1" or not east.rows(1)


@pytest.mark.parametrize(("version", "messages"), UNDER_WAY)
@pytest.mark.parametrize("how", ["down", "removed", "traffic"])
def test_what_is_negotiated_for_a_connection_that_ends_does_not_come_up(
    tmp_path: Path, version: str, messages: int, how: str
) -> None:
    net, west, east, path = under_way(tmp_path, version, messages)
    if how == "down":
        west.daemon.teardown("west-east", 2)
    else:
        path.write_text(CHANGES[how](path.read_text()))
        west.reload()
    net.run(3)
    assert not west.app.sas and not west.app.larval and not west.rows(2)
    assert not east.rows(2)
    assert version == "ikev1" or len(west.rows(1)) == (how == "traffic")


def test_what_waits_for_an_answer_that_is_not_wanted_begins_anew(tmp_path: Path) -> None:
    """The peer that has lost what it would answer to is not waited for."""
    net, west, east, path = under_way(tmp_path, "ikev2", 2)
    text = path.read_text()
    net.lose = lambda packet: packet.header.message_id == 1 and packet.src == east.address
    net.run(0.5)
    for changed in (CHANGES["traffic"](text), text):
        path.write_text(changed)
        west.reload()
    net.lose = lambda packet: False
    net.run(0.1)
    assert connected(west)
    net.run(9)
    assert connected(west)
    agree(west, east)


@pytest.mark.parametrize("how", ["down", "removed"])
def test_a_connection_that_waits_for_its_turn_does_not_begin(tmp_path: Path, how: str) -> None:
    """One request at a time goes out under an IKE SA."""
    net, west, east, path = under_way(tmp_path, "ikev2", 0)
    net.run(5)
    west.daemon.teardown("west-east", 2)
    net.run(1)
    sa = next(iter(west.daemon.sas.isakmp.values()))
    west.daemon.engine.dialects["ikev2"].probe(west.daemon.engine, sa, 1)
    west.daemon.connect("west-east")
    assert [x.name for x in sa.waiting] == ["west-east"]
    if how == "down":
        west.daemon.teardown("west-east", 2)
    else:
        path.write_text(CHANGES[how](path.read_text()))
        west.reload()
    net.run(5)
    assert not west.app.sas and not west.app.larval
    assert not east.app.sas


def test_a_connection_that_is_removed_while_it_is_negotiated_does_not_come_up(
    tmp_path: Path,
) -> None:
    net, west, east, path = on_disk(tmp_path, WEST, 0)
    for _ in range(7):
        net.deliver(net.flying.popleft())
    assert [x.name for x in west.daemon.engine.exchanges.values()] == ["west-east"]
    path.write_text(CHANGES["removed"](path.read_text()))
    west.reload()
    net.run(3)
    assert west.rows(1)
    assert not west.app.sas
    assert not west.app.larval
    assert not west.app.policies


@pytest.mark.parametrize("broken", ["[General\n", "no tag here\n", "\x00\x01\n[x\n"])
def test_a_broken_file_changes_nothing(tmp_path: Path, broken: str) -> None:
    net, west, east, path = on_disk(tmp_path)
    path.write_text(broken)
    with pytest.raises(ConfError):
        west.reload()
    net.run(5)
    assert connected(west)
    agree(west, east)
    path.unlink()
    with pytest.raises(ConfError):
        west.reload()
    assert connected(west)


SECOND = (
    "[Phase 1]\n192.0.2.3= other\n[other]\nAddress= 192.0.2.3\nLocal-address= 192.0.2.1\n"
    "Configuration= phase-1\nAuthentication= 9f2c7be1d04a86b35c7e\n"
    "[second]\nISAKMP-peer= other\nConfiguration= phase-2\nLocal-ID= near\nRemote-ID= far-2\n"
    "[far-2]\nID-type= IPV4_ADDR_SUBNET\nNetwork= 10.7.0.0\nNetmask= 255.255.0.0\n"
)
FAULTS = {
    "a value of the connection": ("[second]\n", "[second]\nPackets= many\n"),
    "a misspelt tag": ("[second]\n", "[second]\nRemote-IDs= far-2\n"),
    "its peer": ("[other]\n", "[other]\nPort= no-such\n"),
    "no secret": ("Authentication= 9f2c7be1d04a86b35c7e\n", ""),
    "what the library lacks": ("[other]\nAddress", "[other]\nIKE-proposals= aes128\nAddress"),
    "an identity": ("Network= 10.7.0.0\n", "Network= 10.7.0.300\n"),
    "no such section": ("Remote-ID= far-2", "Remote-ID= far-3"),
    "a tag that is never used": ("[second]\n", "[second]\nConfiguration= nowhere\n"),
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
@pytest.mark.parametrize("later", [False, True], ids=["start", "reload"])
def test_a_section_in_error_is_left_out_alone_and_its_traffic_dropped(
    tmp_path: Path, fault: str, later: bool
) -> None:
    text = WEST.text().replace("Connections= west-east", "Connections= second, west-east")
    old, new = FAULTS[fault]
    assert old in SECOND
    bad = text + SECOND.replace(old, new)
    path = tmp_path / "isakmpd.conf"
    path.write_text(text + SECOND if later else bad)
    path.chmod(0o600)
    net = Network()
    west, east = net.add(WEST.address, "", conf=Conf.load(path)), net.host(EAST)
    net.start()
    net.run(5)
    sas = west.app.sas.copy()
    assert connected(west)
    if later:
        assert "second" in west.daemon.connections.entries
        path.write_text(bad)
        done = west.reload()
        assert any(line.startswith("left out: second: ") for line in done)
        assert "second: left out, its SAs are deleted" in done
    assert set(west.daemon.connections.entries) == {"west-east"}
    assert west.app.sas == sas
    dropped = [p for p in west.app.policies if p.action is Action.DISCARD]
    known = later or fault != "an identity"
    certain = known and (later or fault != "no such section")  # it is like a section in use, too
    (line,) = [line for line in west.said.splitlines() if "left out: second: " in line]
    assert ("its traffic cannot be read, so it is not dropped" in line) is not certain
    assert any("10.7.0.0" in str(p.selector) for p in dropped) is known
    agree(west, east)


@pytest.mark.parametrize(
    "misspelt", ["[Phase2]\nConnections= west-east", "[Phase 2]\nConections= west-east"]
)
def test_what_would_be_lost_without_a_trace_is_refused_whole(tmp_path: Path, misspelt: str) -> None:
    """No connection would be left out: there would be none, and nothing to drop."""
    net, west, east, path = on_disk(tmp_path)
    path.write_text(path.read_text().replace("[Phase 2]\nConnections= west-east", misspelt))
    with pytest.raises(
        ConfError, match="Phase 2.*; nothing has changed: what was read before holds"
    ):
        west.reload()
    net.run(1)
    agree(west, east)
    with pytest.raises(ConfError, match="Phase 2"):
        Network().add(WEST.address, "", conf=Conf.load(path)).daemon.start()


@pytest.mark.parametrize(
    "line",
    [
        "User= 9bad!", "User= no-such-one", "Listen-on= 1.2.3.400", "Application= nonesuch",
        "Run-directory= run", "Run-directory=", "Run-dirctory= /run/west", "Username= nobody",
    ],
)  # fmt: skip
def test_a_file_that_no_start_goes_on_with_is_refused_whole(tmp_path: Path, line: str) -> None:
    net, west, east, path = on_disk(tmp_path)
    path.write_text(path.read_text().replace("[General]\n", f"[General]\n{line}\n"))
    tag = line.partition("=")[0]
    told = rf":2 \[General\]:{tag}: .*; nothing has changed: what was read before holds"
    with pytest.raises(ConfError, match=told):
        west.reload()
    net.run(1)
    agree(west, east)
    assert not west.daemon.conf.is_written("General", tag)


@pytest.mark.parametrize("lost", ["Default-phase-2-suites= # ", "Default-phase-2-suite= "])
def test_suites_that_are_lost_leave_their_connection_out(tmp_path: Path, lost: str) -> None:
    """The peer would take 3DES, too."""
    suite = "QM-ESP-AES-128-SHA2-256-SUITE"
    ours = replace(WEST, general=f"Default-phase-2-suites= {suite}")
    theirs = replace(EAST, suites=f"{suite}, QM-ESP-3DES-SHA-PFS-SUITE")
    net, west, east, path = on_disk(tmp_path, ours, other=theirs)
    right = path.read_text().replace("Configuration= phase-2\n", "")
    path.write_text(right)
    west.reload()
    net.run(30)
    assert len(west.rows(2)) == len(east.rows(2)) == 1
    path.write_text(right.replace("Default-phase-2-suites= ", lost))
    (line,) = [text for text in west.reload() if text.startswith("left out: west-east: ")]
    assert "[General]:Default-phase-2-suite" in line
    net.run(30)
    assert west.rows(2) == east.rows(2) == []
    assert west.daemon.catalog.closed.keys() == {"west-east"}


def test_what_counts_at_a_start_alone_is_told(tmp_path: Path) -> None:
    _, west, _, path = on_disk(tmp_path)
    lost = "[General]:Listen-on counts at a start alone: write it in the file for the next one"
    assert west.done(run(west.daemon, "C set [General]:Listen-on=192.0.2.1")).value == [lost]
    line = "[General]:Listen-on counts from the next start on"
    assert west.reload() == []
    path.write_text(path.read_text().replace("[General]\n", "[General]\nListen-on= 192.0.2.1\n"))
    assert west.reload() == [line]
    assert f"configuration reloaded: {line}" in west.said


def test_what_a_reload_takes_up_is_told(tmp_path: Path) -> None:
    """A connection that is mended, or new, is a change as one that is left out is."""
    _, west, _, path = on_disk(tmp_path)
    right = path.read_text()
    path.write_text(right.replace("Remote-ID= ", "Remote-ID= no-"))
    west.reload()
    path.write_text(right)
    assert west.reload() == ["west-east: taken up"]
    path.write_text(right.replace("[General]\n", "[General]\nDPD-timeout= 20\n"))
    assert west.reload() == []
    assert "configuration reloaded: no connection changed" in west.said
    assert "nothing changed" not in west.said


def test_what_is_refused_says_what_holds_behind_its_hint(tmp_path: Path) -> None:
    _, west, _, path = on_disk(tmp_path)
    told = "is already set (force replaces it, --force of isakmpctl); nothing has changed: "
    with pytest.raises(ConfError) as refused:
        west.done(run(west.daemon, "C set [Phase 2]:Connections=other"))
    assert told in str(refused.value)
    path.write_text(path.read_text().replace("[Phase 2]", "[Phase 2"))
    with pytest.raises(ConfError, match=r"\(\[section\]\); nothing has changed: "):
        west.reload()


def test_errors_and_warnings_are_told_once(tmp_path: Path) -> None:
    _, west, _, path = on_disk(tmp_path)
    path.write_text(
        path.read_text().replace("[General]\n", "[General]\nRetransmits= many\nRainbow= 7\n")
    )
    west.reload()
    west.reload()
    for text in (
        "no tag Rainbow in [General], and is ignored",
        "'many' is not a number from 0 to 100: 3 counts",
    ):
        assert west.said.count(text) == 1


def test_a_reload_answers_with_the_warnings_too(tmp_path: Path) -> None:
    """Whoever mistypes a tag looks at isakmpctl, not at the log; and the next time again."""
    _, west, _, path = on_disk(tmp_path)
    path.write_text(path.read_text().replace("[General]\n", "[General]\nRekey-fuzz= 3\n"))
    (line,) = west.reload()
    assert re.search(r":2 \[General\]:Rekey-fuzz: no tag Rekey-fuzz .*, and is ignored$", line)
    assert west.reload() == [line]


def test_settings_are_taken_up(tmp_path: Path) -> None:
    _, west, _, path = on_disk(tmp_path)
    path.write_text(path.read_text().replace(
        "[General]\n", "[General]\nRetransmits= 7\nExchange-max-time= 33\nMax-half-open= 12\n"
        "DPD-check-interval= 44\nCheck-interval= 9\n",
    ))  # fmt: skip
    west.reload()
    settings = west.daemon.engine.settings
    assert (settings.retransmits, settings.exchange_max_s, settings.half_open_max) == (7, 33.0, 12)
    assert west.daemon.keeper.liveness.interval_s == 44
    assert west.daemon.connections.settings.check_interval_s == 9


def test_questions_to_the_dead_begin_and_end_with_a_reload(tmp_path: Path) -> None:
    net, west, east, path = on_disk(tmp_path)
    text = path.read_text()

    def asked(general: str, seconds: float) -> int:
        path.write_text(text.replace("[General]\n", f"[General]\n{general}\n"))
        west.reload()
        net.run(30)
        before = len(net.history)
        net.run(seconds)
        return sum(p.header.exchange_type == 5 for p in net.history[before:])

    assert not asked("", 60)
    assert asked("DPD-check-interval= 10", 60), "the SA was there before"
    net.lose = lambda packet: packet.dst == west.address
    (sa,) = west.daemon.sas.isakmp.values()
    net.until(lambda: sa.dpd_waiting, 60)
    net.lose = lambda packet: False
    assert not asked("", 60)
    assert connected(west) and connected(east)


def test_numbers_that_are_none_fall_back() -> None:
    _, west, _ = up(replace(WEST, general="Retransmits= many"), EAST)
    assert west.daemon.engine.settings.retransmits == 3
    assert connected(west)


def test_a_key_log_that_cannot_be_had_stops_no_reload(tmp_path: Path) -> None:
    _, west, _, path = on_disk(tmp_path)
    text = path.read_text().replace("[General]", f"[General]\nKey-log= {path}/below")
    path.write_text(CHANGES["removed"](text))
    assert any(line.startswith("west-east: removed") for line in west.reload())
    assert not west.app.sas
    assert "no directory for the key log" in west.said


def test_renegotiate_on_hup(tmp_path: Path) -> None:
    net, west, east, _ = on_disk(tmp_path, replace(WEST, general="Renegotiate-on-HUP= yes"))
    old = west.rows(2)[0]["message_id"]
    west.reload()
    net.run(70)
    assert west.rows(2)[0]["message_id"] != old
    agree(west, east)


@pytest.mark.parametrize(
    "change",
    ["C rmv [Phase 2]:Connections=west-east", "C rm [phase 2]:connections", "C rms [Phase 2]"],
)
def test_connections_set_by_command_are_taken_up_after_a_while(change: str) -> None:
    net, west, east = up(replace(WEST, connection_tags="Flags="), EAST)
    west.done(run(west.daemon, change))
    net.run(4)
    assert west.app.sas
    net.run(3)
    assert not west.app.sas
    assert "connections: west-east: removed" in west.said
    assert not east.app.sas


# --- commands --------------------------------------------------------------------------------


def test_teardown_by_phase_and_by_name_or_address() -> None:
    for name in ("east", "192.0.2.2", "west-east"):
        net, west, east = up()
        west.daemon.teardown(name, 1)
        net.run(3)
        for host in (west, east):
            assert not host.daemon.status()["sas"]
            assert not host.app.sas
    for name, phase in (("nobody", 1), ("nobody", 2), ("east", 2)):
        if (name, phase) != ("east", 2):
            with pytest.raises(IsakmpError, match="nobody"):
                west.daemon.teardown(name, phase)


NAMES = {
    "a connection": lambda first, child: child["name"],
    "a peer": lambda first, child: first["name"],
    "an address": lambda first, child: first["remote"],
    "an SPI": lambda first, child: child["spi_in"],
    "a bare SPI": lambda first, child: child["spi_out"].removeprefix("0x"),
    "cookies": lambda first, child: first["cookies"],
    "cookies alone": lambda first, child: first["cookies"].replace(":", ""),
    "a cookie": lambda first, child: first["cookies"][:16],
}


@pytest.mark.parametrize("form", NAMES)
def test_commands_take_all_that_names_an_sa(form: str) -> None:
    """As sa shows it: whether phase 1 or 2 is meant is said by the verb."""
    for ask, phase in (("quick", 2), ("main", 1), (2, 2), (1, 1)):
        net, west, _ = up()
        name = NAMES[form](west.rows(1)[0], west.rows(2)[0])
        key = "cookies" if phase == 1 else "spi_in"
        before = {row[key] for row in west.rows(phase)}
        if isinstance(ask, str):
            west.daemon.rekey(name, ask)
            net.run(5)
            assert {row[key] for row in west.rows(phase)} - before, ask
        else:
            west.daemon.teardown(name, ask)
            net.run(3)
            assert not west.rows(phase), ask


@pytest.mark.parametrize("form", ["a connection", "a peer", "an address"])
def test_what_is_taken_down_is_started_by_the_same_name(form: str) -> None:
    net, west, _ = up()
    name = NAMES[form](west.rows(1)[0], west.rows(2)[0])
    west.daemon.teardown(name, 2)
    net.run(3)
    west.daemon.teardown(name, 2)  # it is down already, and stays so
    assert not west.app.sas
    west.daemon.connect(name)
    net.run(3)
    assert connected(west)


@pytest.mark.parametrize("name", ["0x00000001", "00" * 16, "192.0.2.77", "None"])
def test_a_name_of_nothing(name: str) -> None:
    _, west, _ = up()
    for command in ("connect", "teardown", "rekey"):
        ask = {"connect": (), "teardown": (2,), "rekey": ("main",)}[command]
        with pytest.raises(IsakmpError, match=f"no connection {name}"):
            getattr(west.daemon, command)(name, *ask)


def test_a_child_sa_is_deleted_by_its_spi() -> None:
    net, west, east = up()
    west.daemon.set_active(False)
    east.daemon.set_active(False)
    west.daemon.delete_sa(bytes.fromhex(west.rows(2)[0]["spi_out"][2:]), None)
    net.run(3)
    assert not west.app.sas and not east.app.sas and west.rows(1)
    with pytest.raises(IsakmpError, match="no such SA"):
        west.daemon.delete_sa(bytes(4), None)


def test_teardown_all_leaves_the_isakmp_sa() -> None:
    net, west, east = up()
    west.daemon.teardown_all()
    net.run(3)
    assert not west.app.sas
    assert not east.app.sas
    assert west.rows(1)


def test_delete_one_sa() -> None:
    net, west, east = up()
    row = west.rows(2)[0]
    cookies = bytes.fromhex(row["cookies"].replace(":", ""))
    for bad in ((bytes(16), None), (cookies[8:] + cookies[:8], None), (cookies, 1)):
        with pytest.raises(IsakmpError, match="no such SA"):
            west.daemon.delete_sa(*bad)
    assert connected(west)
    east.daemon.set_active(False)
    west.daemon.set_active(False)
    west.daemon.delete_sa(cookies, int(row["message_id"], 16))
    net.run(1)
    assert not east.app.sas
    west.daemon.delete_sa(cookies, None)
    net.run(1)
    assert not east.rows(1)


def test_stop_tells_the_peer_and_gives_everything_back() -> None:
    net, west, east = up()
    west.daemon.stop()
    net.run(2)
    assert not east.daemon.status()["sas"]
    assert west.app.closed
    assert not west.app.policies
    assert not west.app.sas
    assert not west.daemon.engine.exchanges


@pytest.mark.parametrize(
    ("line", "blocked"),
    [
        ("", False), ("Block-when-stopped= no", False), ("Block-when-stopped= yes", True),
        ("Block-when-stopped= yess", True), ("Block-when-stopped=", True),
        ("Block-when-stoped= yes", True),
    ],
)  # fmt: skip
def test_an_end_opens_only_what_is_said_to_be_open(line: str, blocked: bool) -> None:
    net = Network()
    west = net.add(WEST.address, WEST.text().replace("[General]\n", f"[General]\n{line}\n"))
    net.start()
    net.run(1)
    assert bool(west.daemon.stop()) is blocked


def test_quit_leaves_the_loop() -> None:
    left: list[int] = []
    net = Network()
    host = net.host(WEST, on_quit=lambda: left.append(1))
    host.daemon.quit()
    assert left == [1]


def test_the_status_has_what_the_stack_threw_away(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Network()
    west = net.host(WEST)
    assert west.daemon.status()["drops"] == {}
    monkeypatch.setattr(west.app, "drops", lambda: Job.of({"replay": 3}))
    west.daemon.count()
    assert west.daemon.status()["drops"] == {"replay": 3}


def test_capture_writes_messages_in_clear(tmp_path: Path) -> None:
    net = Network()
    west, _ = net.host(WEST), net.host(EAST)
    path = tmp_path / "isakmpd.pcap"
    west.daemon.capture(path)
    net.start()
    net.run(2)
    west.daemon.capture(None)
    size = path.stat().st_size
    octets = path.read_bytes()
    assert b"\x0a\x01\x00\x00\xff\xff\x00\x00" in octets, "the identities of quick mode"
    assert path.stat().st_mode & 0o077 == 0
    west.daemon.teardown_all()
    net.run(2)
    assert path.stat().st_size == size
    with pytest.raises(IsakmpError):
        west.daemon.capture(tmp_path / "nowhere" / "file")


@pytest.mark.parametrize("version", ["ikev1", "ikev2"])
def test_a_capture_keeps_the_flags_of_headers(version: str, tmp_path: Path) -> None:
    net = Network()
    sides = [replace(side, peer_tags=f"Key-exchange= {version}") for side in (WEST, EAST)]
    west, _ = (net.host(side) for side in sides)
    path = tmp_path / "isakmpd.pcap"
    west.daemon.capture(path)
    net.start()
    net.run(2)
    west.daemon.capture(None)
    with path.open("rb") as file:
        found = [one for one in read_datagrams(read_frames(file)) if isinstance(one, Datagram)]
    flags = {str(one.source): one.message[19] for one in found}
    assert flags == ({"192.0.2.1": 8, "192.0.2.2": 32} if version == "ikev2" else
                     {"192.0.2.1": 0, "192.0.2.2": 0})  # fmt: skip


@pytest.mark.parametrize("version", ["ikev1", "ikev2"])
def test_the_ike_sa_of_a_connection_that_is_down_is_taken_down(version: str) -> None:
    net, west, _ = up(WEST, EAST) if version == "ikev1" else pair()
    west.daemon.teardown("west-east", 2)
    net.run(3)
    assert west.rows(1) and not west.rows(2)
    west.daemon.teardown("west-east", 1)
    assert not [row for row in west.rows(1) if row["state"] == "established"]


def test_those_of_other_peers_of_its_section_are_not() -> None:
    """Where several have it, none is the connection's own."""
    net, west, _ = up(WEST, EAST)
    west.daemon.teardown("west-east", 2)
    net.run(3)
    object.__setattr__(west.daemon.connections.entries["west-east"].remote, "shared", True)
    with pytest.raises(IsakmpError, match="^no ISAKMP SA with west-east$"):
        west.daemon.teardown("west-east", 1)
    assert [row["state"] for row in west.rows(1)] == ["established"]


def test_a_bad_address_is_told_once() -> None:
    """That its connection is left out, and that the traffic of it cannot be known for that."""
    east = f"Address= {EAST.address}\n"
    assert east in WEST.text()
    net = Network()
    text = WEST.text().replace(east, "Address= 192.0.2.300\n")
    west = net.add("192.0.2.1", re.sub("Remote-ID= .*\n", "", text))
    net.start()
    (line,) = [line for line in west.said.splitlines() if "192.0.2.300" in line]
    assert "left out: west-east: " in line
    assert line.count("'192.0.2.300' is not an address") == 1
    assert "its traffic cannot be read, so it is not dropped (mend it, and send HUP)" in line


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("c west-eas", "no connection west-eas (did you mean west-east?)"),
        ("t west-eas", "no connection west-eas (did you mean west-east?)"),
        ("k west-eas", "no connection west-eas (did you mean west-east?)"),
        ("t main est", "no connection est (did you mean east?)"),
        ("k main est", "no connection est (did you mean east?)"),
        ("c nosuch", "no connection nosuch"),
        ("c General", "no connection General"),
        ("k None", "no connection None"),
        ("t nosuch", "no connection nosuch"),
        ("k nosuch", "no connection nosuch"),
        ("t main east", "no ISAKMP SA with east"),
        ("t main 192.0.2.2", "no ISAKMP SA with 192.0.2.2"),
        ("k main 192.0.2.2", "no SA of 192.0.2.2"),
        ("k west-east", "no SA of west-east"),
    ],
)
def test_a_name_that_is_none_is_told_in_the_same_words_by_all_commands(
    line: str, said: str
) -> None:
    net = Network()
    west = net.host(WEST)
    net.start()
    with pytest.raises(IsakmpError) as caught:
        west.done(run(west.daemon, line))
    assert str(caught.value) == said


@pytest.mark.parametrize("letter", ["c", "t", "k"])
def test_of_a_connection_that_is_left_out_the_error_is_told(letter: str) -> None:
    net = Network()
    west = net.host(replace(WEST, connection_tags="ESP-proposals= sha3"))
    net.start()
    with pytest.raises(Refused, match=r"\[west-east\]:ESP-proposals"):
        west.done(run(west.daemon, f"{letter} west-east"))


def test_a_bad_connection_is_left_out_alone() -> None:
    text = WEST.text().replace("Connections= west-east", "Connections= ghost, west-east")
    net = Network()
    west, east = net.add("192.0.2.1", text), net.host(EAST)
    net.start()
    net.run(3)
    assert "left out: " in west.said
    assert "ghost" in west.said
    assert connected(west)
    agree(west, east)


def test_esp_in_udp_goes_to_the_application() -> None:
    got: list[object] = []
    net = Network()
    west = net.host(WEST, esp_in=lambda *args, **more: got.append((args, more)))
    other = net.host(EAST)
    net.start()
    packet = Packet(other.address, 4500, west.address, 4500, b"\x12\x34\x56\x78" + bytes(20))
    net.deliver(packet)
    net.deliver(packet._replace(data=b"\xff"))
    net.deliver(packet._replace(dst=other.address, src=west.address))
    assert got == [((packet.data, other.address, west.address), {"encap": (4500, 4500)})]


@pytest.mark.parametrize("verb", ["connect", "teardown", "rekey"])
def test_of_a_connection_that_is_left_out_a_command_says_so_and_what_mends_it(verb: str) -> None:
    """As often as it is asked: what is kept of the error is what was there before."""
    near, _ = both(connection_tags="Local-ID= nowhere\nPackets= many\n")
    host = Network().host(near)
    host.daemon.start()
    name, asks = "west-east", {"connect": (), "teardown": (2,), "rekey": ("quick",)}[verb]
    kept = [error for other, error in host.daemon.catalog.left_out if other == name]
    for _ in range(3):
        with pytest.raises(Refused) as caught:
            getattr(host.daemon, verb)(name, *asks)
        reason = caught.value.reason
        assert reason.cause == "bad-configuration" and reason.line and reason.mend
        assert "west-east is left out: " in reason.detail
    assert kept and all(error.__traceback__ is None for error in kept)
