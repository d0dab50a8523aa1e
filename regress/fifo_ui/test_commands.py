"""Every command of the FIFO, and every way to get one wrong."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fifo_ui.change import MAX_STRING
from fifo_ui.commands import COMMANDS, Commands, run, write_report
from fifo_ui.files import write_whole
from fifo_ui.render import configuration
from isakmp.conf.store import Conf
from isakmp.errors import IsakmpError, Reason, Refused
from isakmp.event.job import Job
from isakmp.log.log import LogClass
from regress.fifo_ui.fake import PHASE_1, FakeDaemon, failing

TOKEN = "0123456789abcdef"
COOKIES = "29f6006212625defc26a81baec6070d2"


def line(daemon: FakeDaemon, text: str) -> None:
    Commands(daemon, lambda: daemon.now).line(text)


def reply(daemon: FakeDaemon) -> Any:
    return json.loads((daemon.run_directory / f"isakmpd.reply.{TOKEN}").read_text())


def result(daemon: FakeDaemon) -> str:
    return (daemon.run_directory / "isakmpd.result").read_text()


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("c a-b", ("connect", "a-b")),
        ("t a-b", ("teardown", "a-b", 2)),
        ("t quick a-b", ("teardown", "a-b", 2)),
        ("t main peer-b", ("teardown", "peer-b", 1)),
        ("t main 192.0.2.1", ("teardown", "192.0.2.1", 1)),
        ("t main", ("teardown", "main", 2)),
        ("T", ("teardown_all",)),
        ("k a-b", ("rekey", "a-b", "quick")),
        ("k quick a-b", ("rekey", "a-b", "quick")),
        ("k main 192.0.2.1", ("rekey", "192.0.2.1", "main")),
        ("k auth peer-b", ("rekey", "peer-b", "auth")),
        ("k auth", ("rekey", "auth", "quick")),
        ("M active", ("set_active", True)),
        ("M passive", ("set_active", False)),
        ("p off", ("capture", None)),
        ("p on=/tmp/x.pcap", ("capture", Path("/tmp/x.pcap"))),
        ("Q", ("quit",)),
        ("R", ("reload",)),
        ("d 0x0102030a", ("delete_sa", bytes.fromhex("0102030a"), None)),
        ("d 0102030A", ("delete_sa", bytes.fromhex("0102030a"), None)),
        (f"d {COOKIES} -", ("delete_sa", bytes.fromhex(COOKIES), None)),
        (f"d {COOKIES} 0102030a", ("delete_sa", bytes.fromhex(COOKIES), 0x0102030A)),
        (
            f"d {COOKIES[:16]}:{COOKIES[16:]} ffffffff",
            ("delete_sa", bytes.fromhex(COOKIES), 0xFFFFFFFF),
        ),
    ],
)
def test_command_calls_the_daemon(daemon: FakeDaemon, text: str, call: tuple[Any, ...]) -> None:
    line(daemon, text)
    assert daemon.calls == [call]
    assert daemon.lines == []


def test_capture_has_a_file_of_its_own(daemon: FakeDaemon) -> None:
    line(daemon, "p on")
    assert daemon.calls == [("capture", daemon.run_directory / "isakmpd.pcap")]


@pytest.mark.parametrize(
    "text",
    [
        "c", "t", "t  ", "k", "k  ",
        "M", "M idle", "p", "p maybe", "p on=", "p off=x", "Q now", "R x", "r x",
        "S x", "T all", "D", "D 7", "D 7 100", "D 11 1", "D A", "D T 1", "D X 1", "d", "d x -",
        f"d {COOKIES}", f"d {COOKIES} x", f"d {COOKIES} 01020304 5", f"d {COOKIES[1:]} -",
        "C", "C frob [x]:y", "C get", "C get x:y", "C get [x]", "C set [x]:y", "C set [x]y=z",
        "C add [x]:y=z force now", "C rm [x]", "C rms x", "C rms [x]:y",
        "C set [x]:y=a b c", "x", "quit", "cc name", "J", "J x T", f"J {TOKEN.upper()} T",
        "c " + "x" * (MAX_STRING + 1), "C rms [" + "x" * (MAX_STRING + 1) + "]",
        "C set [x]:y=" + "z" * (MAX_STRING + 1), "p on=/" + "x" * MAX_STRING,
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_clear_line(daemon: FakeDaemon, text: str) -> None:
    line(daemon, text)
    assert daemon.calls == []
    assert len(daemon.lines) == 1
    assert "FIFO: " in daemon.lines[0]
    assert list(daemon.run_directory.iterdir()) == []


def test_longest_argument(daemon: FakeDaemon) -> None:
    line(daemon, "c " + "x" * MAX_STRING)
    assert daemon.calls == [("connect", "x" * MAX_STRING)]


@given(st.text(max_size=80), st.sampled_from([*COMMANDS, "J " + TOKEN, "C set", "C get", "d", ""]))
@settings(max_examples=200, deadline=None)
def test_any_text_raises_nothing(
    tmp_path_factory: pytest.TempPathFactory, text: str, letter: str
) -> None:
    daemon = FakeDaemon(tmp_path_factory.getbasetemp())
    line(daemon, f"{letter} {text}")


def test_refusal_of_the_daemon_is_logged_whole(daemon: FakeDaemon) -> None:
    daemon.error = failing("no connection a-x; did you mean a-b?")
    line(daemon, "c a-x")
    assert daemon.lines == ["INTERNAL_WARN  FIFO: no connection a-x; did you mean a-b?"]


# --- configuration ---------------------------------------------------------------------------


def test_set_then_force(daemon: FakeDaemon) -> None:
    line(daemon, "C set [General]:Retransmits=5")
    assert daemon.conf.get("General", "Retransmits") == "5"
    line(daemon, "C set [General]:Retransmits=6")
    assert daemon.conf.get("General", "Retransmits") == "5"
    assert "already set" in daemon.lines[0]
    line(daemon, "C set [General]:Retransmits=6 force")
    assert daemon.conf.get("General", "Retransmits") == "6"


def test_what_ipsecctl_writes(daemon: FakeDaemon) -> None:
    line(daemon, "C set [peer-x]:Address=192.0.2.9 force")
    line(daemon, "C add [General]:Listen-on=192.0.2.7 force")
    line(daemon, "C rmv [General]:Listen-on=192.0.2.1 force")
    line(daemon, "C SET [peer-x]:Port= 501 force")
    assert daemon.lines == []
    assert daemon.conf.get("peer-x", "Address") == "192.0.2.9"
    assert daemon.conf.get("peer-x", "Port") == "501"
    assert daemon.conf.get_list("General", "Listen-on") == ["192.0.2.7"]


def test_a_value_with_blanks(daemon: FakeDaemon) -> None:
    line(daemon, 'C set [id]:Name="/C=CH/O=Long Road ; Ltd/CN=Jane Doe" ; set [id]:ID-type=DN')
    assert daemon.lines == []
    assert daemon.conf.get("id", "Name") == "/C=CH/O=Long Road ; Ltd/CN=Jane Doe"
    assert daemon.conf.get("id", "ID-type") == "DN"
    line(daemon, "C set [id]:Name=/C=CH/O=Long Road force")
    assert daemon.conf.get("id", "Name") == "/C=CH/O=Long Road ; Ltd/CN=Jane Doe"
    assert 'stands in "quotes"' in daemon.lines[0]


def test_add_and_rmv_change_a_list(daemon: FakeDaemon) -> None:
    line(daemon, "C add [General]:Listen-on=192.0.2.7")
    line(daemon, "C add [General]:Listen-on=192.0.2.7")
    assert daemon.conf.get_list("General", "Listen-on") == ["192.0.2.1", "192.0.2.7"]
    line(daemon, "C rmv [General]:Listen-on=192.0.2.1")
    line(daemon, "C rmv [General]:Listen-on=192.0.2.7")
    assert not daemon.conf.is_written("General", "Listen-on")


def test_rm_and_rms(daemon: FakeDaemon) -> None:
    line(daemon, "C rm [General]:Listen-on")
    assert not daemon.conf.is_written("General", "Listen-on")
    line(daemon, "C rms [peer-b]")
    assert "peer-b" not in daemon.conf.sections()
    line(daemon, "C rms [peer-b]")
    assert len(daemon.lines) == 1


def test_get_goes_to_the_result_file(daemon: FakeDaemon) -> None:
    line(daemon, "C get [Phase 2]:Connections")
    assert result(daemon) == "a-b,a-c\n"
    line(daemon, "C get [Phase 2]:Nonsense")
    assert "[Phase 2]:Nonsense is not set" in daemon.lines[0]


@pytest.mark.parametrize(
    ("text", "together"),
    [
        ("C set [a]:b=c", False),
        ("C set [a]:b=c ; add [a]:d=e force ; rms [peer-b]", True),
        ("C set [a]:b=c ; add [a]:d=e;f", True),
    ],
)
def test_several_changes_are_one(daemon: FakeDaemon, text: str, together: bool) -> None:
    line(daemon, text)
    assert daemon.calls == [("alter", together)]
    assert daemon.conf.get("a", "b") == "c"
    assert daemon.conf.get("a", "d") == (None if not together else "e" if "rms" in text else "e;f")
    assert daemon.conf.has_section("peer-b") is ("rms" not in text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("C set [a]:b=c ; set [General]:Listen-on=x", "already set"),
        ("C set [a]:b=c ; frob [a]:b", "change 2: expected"),
        ("C set [a]:b=c ;", "change 2: expected"),
        ("C set [a]:b=c ; get [a]:b", "change 2: expected"),
        ("C set [a]:b=c ; rms [nobody]", "no such section"),
    ],
)
def test_one_that_is_wrong_undoes_all(daemon: FakeDaemon, text: str, why: str) -> None:
    line(daemon, text)
    assert why in daemon.lines[0]
    assert not daemon.conf.has_section("a")


def test_a_file_has_a_change_a_line(daemon: FakeDaemon, tmp_path: Path) -> None:
    path = tmp_path / "changes"
    path.write_text("# what ipsecctl -nv prints\n\nC set [a]:b=c force\nrms [peer-b]\n")
    line(daemon, f"C file {path}")
    assert daemon.calls == [("alter", True)]
    assert daemon.conf.get("a", "b") == "c"
    assert not daemon.conf.has_section("peer-b")
    path.write_text("set [a]:b=d")
    line(daemon, f"C file {path}")
    assert daemon.conf.get("a", "b") == "c"
    assert "already set" in daemon.lines[0]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("set [a]:b=c\nput [a]:d=e\n", ":2: expected: one of the verbs set, add, rmv, rm, rms"),
        ("set [a]:b=c\n\nset [a]:d=e f\n", ":3: expected: set [section]:tag=value"),
        ("# one\nset [a]:b=c\nset [a]:b=d\n", ":3: set at run time, {}:2 [a]:b: is already set"),
        ("set [a]:b=c\nrms [nobody]\n", ":2: [nobody]: no such section"),
        ('set [a]:b=c\nset [a]:d=""\n', ":2: no value"),
        ("set [a]:b=c\nset [a]:d=" + "e" * (MAX_STRING + 1), ":2: an argument of 201"),
    ],
)
def test_the_line_of_a_file_that_is_wrong_is_named(
    daemon: FakeDaemon, tmp_path: Path, lines: str, why: str
) -> None:
    path = tmp_path / "changes"
    path.write_text(lines)
    line(daemon, f"C file {path}")
    assert f"{path}{why.format(path)}" in daemon.lines[0]
    assert not daemon.conf.has_section("a")


@pytest.mark.parametrize("text", ["C file", "C file changes", "C file ./changes"])
def test_a_file_is_named_from_the_root_on(daemon: FakeDaemon, text: str) -> None:
    """isakmpd stands in another directory than who writes the line."""
    line(daemon, text)
    assert "expected: C file PATH, a path from / on" in daemon.lines[0]


def test_a_file_that_cannot_be_taken(daemon: FakeDaemon, tmp_path: Path) -> None:
    secret, fifo, octets = (tmp_path / name for name in ("secret", "fifo", "octets"))
    secret.write_text("set [a]:Authentication=hush")
    secret.chmod(0o644)
    os.mkfifo(fifo)
    octets.write_bytes(b"set [a]:b=c\nset [a]:b=\xff\n")
    for path, why in (
        (secret, "chmod 600"), (fifo, "not a regular file"), (octets, "octets:2 is not UTF-8"),
        (tmp_path, "Is a directory"), (tmp_path / "none", "No such file"),
    ):  # fmt: skip
        line(daemon, f"C file {path}")
        assert why in daemon.lines[-1]
    secret.chmod(0o600)
    line(daemon, f"C file {secret}")
    assert daemon.conf.get("a", "Authentication") == "hush"
    assert not any("hush" in text for text in daemon.lines)


@pytest.mark.parametrize("tag", ["PPK", "ppk ", "Authentication"])
def test_no_secret_is_taken_from_a_file_that_others_can_read(
    daemon: FakeDaemon, tmp_path: Path, tag: str
) -> None:
    path = tmp_path / "changes"
    path.write_text(f"set [a]:{tag}=hush")
    path.chmod(0o644)
    line(daemon, f"C file {path}")
    assert "chmod 600" in daemon.lines[-1]
    assert daemon.conf.get("a", tag) is None


def test_what_is_told_of_a_change_is_in_its_answer(daemon: FakeDaemon) -> None:
    daemon.told = ["this secret can be guessed"]
    line(daemon, f"J {TOKEN} C set [a]:b=c")
    assert reply(daemon)["result"] == ["this secret can be guessed"]


def test_values_stay_out_of_the_log(daemon: FakeDaemon) -> None:
    daemon.log.set_level(None, 98)
    line(daemon, "C set [peer-b]:Authentication=hushhush force")
    line(daemon, "C set [peer-b]:Authentication=hushhush")
    line(daemon, "C set [peer-b]:Authentication=hush hush hush")
    assert len(daemon.lines) == 5
    assert not any("hush" in text for text in daemon.lines)


# --- debug levels ----------------------------------------------------------------------------


def test_debug_levels(daemon: FakeDaemon) -> None:
    line(daemon, "D 7 99")
    line(daemon, "D policy 20")
    levels = daemon.log.levels()
    assert (levels[LogClass.EXCHANGE], levels[LogClass.POLICY]) == (99, 20)
    assert levels[LogClass.MISC] == 0
    line(daemon, "D A 10")
    assert set(daemon.log.levels().values()) == {10}
    line(daemon, "D T")
    assert set(daemon.log.levels().values()) == {0}
    line(daemon, "D T")
    assert set(daemon.log.levels().values()) == {10}


# --- what is written -------------------------------------------------------------------------


def test_all_sas_go_to_the_result_file(daemon: FakeDaemon) -> None:
    line(daemon, "S")
    assert "peer-b" in result(daemon)
    assert "0x12345678" in result(daemon)
    assert stat.S_IMODE((daemon.run_directory / "isakmpd.result").stat().st_mode) == 0o600


def test_report_is_private_and_without_secrets(daemon: FakeDaemon) -> None:
    line(daemon, "r")
    text = daemon.report_path.read_text()
    assert "mekmitasdigoat" not in text
    assert "Authentication= (secret)" in text
    assert "Connections= a-b,a-c" in text
    assert stat.S_IMODE(daemon.report_path.stat().st_mode) == 0o600
    assert [path.name for path in daemon.run_directory.iterdir()] == ["isakmpd.report"]


def test_every_tag_that_is_a_secret_is_left_out_of_the_report() -> None:
    conf = Conf.from_text("[a]\nAuthentication= hush\nPPK= hush\nPPK-ID= told\n")
    text = configuration(conf)
    assert "hush" not in text
    assert "PPK= (secret)" in text
    assert "PPK-ID= told" in text


def test_report_that_cannot_be_written(daemon: FakeDaemon) -> None:
    daemon.report_path = daemon.run_directory / "missing" / "isakmpd.report"
    with pytest.raises(IsakmpError, match="cannot write"):
        write_report(daemon)
    line(daemon, "r")
    assert "cannot write" in daemon.lines[0]


def test_result_replaces_a_link_and_spares_its_target(daemon: FakeDaemon) -> None:
    target = daemon.run_directory / "target"
    target.write_text("precious")
    (daemon.run_directory / "isakmpd.result").symlink_to(target)
    line(daemon, "S")
    assert target.read_text() == "precious"
    assert "peer-b" in result(daemon)


def test_file_that_cannot_take_its_place_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "isakmpd.result").mkdir()
    with pytest.raises(OSError):
        write_whole(tmp_path / "isakmpd.result", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["isakmpd.result"]


# --- replies ---------------------------------------------------------------------------------


def test_reply_of_a_command(daemon: FakeDaemon) -> None:
    line(daemon, f"J {TOKEN} c a-b")
    assert daemon.calls == [("connect", "a-b")]
    assert reply(daemon) == {"ok": True, "error": None, "result": None}
    path = daemon.run_directory / f"isakmpd.reply.{TOKEN}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_reply_takes_the_place_of_the_result_file(daemon: FakeDaemon) -> None:
    line(daemon, f"J {TOKEN} C get [Phase 2]:Connections")
    assert reply(daemon)["result"] == "a-b,a-c"
    line(daemon, f"J {TOKEN} S")
    assert reply(daemon)["result"]["sas"][0] == PHASE_1
    assert not (daemon.run_directory / "isakmpd.result").exists()


def test_who_starts_a_connection_waits_for_the_file_that_is_read(daemon: FakeDaemon) -> None:
    daemon.changing = Job()
    line(daemon, f"J {TOKEN} c a-b")
    line(daemon, "t a-b")
    assert daemon.calls == [("teardown", "a-b", 2)] and not answers(daemon)
    daemon.changing.finish([])
    assert daemon.calls[-1] == ("connect", "a-b")
    assert reply(daemon)["ok"] is True


def test_who_waits_for_what_is_given_up_is_told(daemon: FakeDaemon) -> None:
    daemon.changing = Job()
    line(daemon, f"J {TOKEN} c a-b")
    daemon.changing.fail(IsakmpError("isakmpd ends"))
    assert reply(daemon) == {"ok": False, "error": "isakmpd ends", "result": None}
    assert daemon.calls == []


def answers(daemon: FakeDaemon) -> list[Path]:
    return list(daemon.run_directory.glob("isakmpd.reply.*"))


def test_reply_of_reload_and_debug_and_report(daemon: FakeDaemon) -> None:
    line(daemon, f"J {TOKEN} R")
    assert reply(daemon)["result"] == ["General", "peer-b"]
    line(daemon, f"J {TOKEN} D 7 99")
    assert reply(daemon)["result"]["Exchange"] == 99
    line(daemon, f"J {TOKEN} r")
    assert reply(daemon)["result"] == {"path": str(daemon.report_path)}
    line(daemon, f"J {TOKEN} p on")
    assert reply(daemon)["result"]["path"].endswith("isakmpd.pcap")


@pytest.mark.parametrize("command", ["", "x", f"J {TOKEN} T", "c", "D 7 100"])
def test_reply_of_what_is_wrong(daemon: FakeDaemon, command: str) -> None:
    line(daemon, f"J {TOKEN} {command}")
    answer = reply(daemon)
    assert answer["ok"] is False
    assert answer["error"] in daemon.lines[0]


def test_reply_of_a_refusal_has_its_reason(daemon: FakeDaemon) -> None:
    daemon.error = Refused(Reason("no-key", "no key for peer-b", mend="set Authentication"))
    line(daemon, f"J {TOKEN} c a-b")
    assert reply(daemon)["reason"]["mend"] == "set Authentication"


def test_operating_system_s_refusal_is_an_error_too(daemon: FakeDaemon) -> None:
    daemon.error = PermissionError(13, "Permission denied")
    line(daemon, f"J {TOKEN} p on")
    assert "Permission denied" in reply(daemon)["error"]
    line(daemon, "p on")
    assert "Permission denied" in daemon.lines[-1]


def test_stale_replies_are_removed(daemon: FakeDaemon) -> None:
    old, fresh = (daemon.run_directory / f"isakmpd.reply.{name}" for name in ("0" * 16, "1" * 16))
    other = daemon.run_directory / "other"
    for path, age in ((old, 61), (fresh, 59), (other, 1000)):
        path.touch()
        os.utime(path, (daemon.now - age, daemon.now - age))
    commands = Commands(daemon, lambda: daemon.now)
    assert (old.exists(), fresh.exists(), other.exists()) == (False, True, True)
    daemon.now += 2
    commands.line(f"J {TOKEN} T")
    assert not fresh.exists()


def test_commands_without_a_run_directory(tmp_path: Path) -> None:
    daemon = FakeDaemon(tmp_path / "missing")
    line(daemon, "S")
    line(daemon, f"J {TOKEN} S")
    assert all("cannot write" in text for text in daemon.lines)


def test_every_command_says_what_it_is(daemon: FakeDaemon) -> None:
    for letter, command in COMMANDS.items():
        assert f"``{letter}" in (command.__doc__ or "")
    assert "c C d D k M p Q R r S T t J" in str(run(daemon, "z").error)
