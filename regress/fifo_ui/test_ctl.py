"""isakmpctl, against a recording daemon behind a real FIFO."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import fifo_ui
from fifo_ui import ctl
from fifo_ui.ctl import VERBS, make_client, perform
from fifo_ui.flags import make_parser
from isakmp import run_directory
from isakmp.policy.silence import silence
from regress.fifo_ui.fake import (
    COOKIES,
    FAILURE,
    PHASE_1,
    PHASE_2,
    Running,
    call,
    client_of,
    failing,
)
from regress.parsers import verbs_of


@pytest.mark.parametrize(
    ("words", "calls"),
    [
        (["up", "a-b"], [("connect", "a-b")]),
        (["down", "a-b"], [("teardown", "a-b", 2)]),
        (["down", "peer-b", "--phase", "1"], [("teardown", "peer-b", 1)]),
        (["delete", "0x0102030a"], [("delete_sa", bytes.fromhex("0102030a"), None)]),
        (["down", "--all"], [("teardown_all",)]),
        (["rekey", "a-b"], [("rekey", "a-b", "quick")]),
        (["rekey", "a-b", "--ike"], [("rekey", "a-b", "main")]),
        (["rekey", "--reauthenticate", "peer-b"], [("rekey", "peer-b", "auth")]),
        (["active"], [("set_active", True)]),
        (["passive"], [("set_active", False)]),
        (["reload"], [("reload",)]),
        (["quit"], [("quit",)]),
        (["capture", "off"], [("capture", None)]),
        (["capture", "on", "/tmp/x.pcap"], [("capture", Path("/tmp/x.pcap"))]),
        (
            ["delete", COOKIES, "0102030a"],
            [("delete_sa", bytes.fromhex(COOKIES.replace(":", "")), 0x0102030A)],
        ),
        (["delete", COOKIES], [("delete_sa", bytes.fromhex(COOKIES.replace(":", "")), None)]),
        (["conf", "add", "Phase 2", "Connections", "a-d"], [("alter", False)]),
    ],
)
def test_verb_is_carried_out(
    running: Running, words: list[str], calls: list[tuple[Any, ...]]
) -> None:
    status, out, err = call(running, *words)
    assert (status, err) == (0, "")
    assert out.endswith("\n")
    assert running.daemon.calls == calls
    assert not list(running.daemon.run_directory.glob("*reply*"))


@pytest.mark.parametrize(
    "words",
    [
        ["sa"], ["sa", "a-b"], ["connections"], ["exchanges"], ["outcomes"], ["up", "a-b"],
        ["up", "a-b", "--wait", "1"], ["down", "--all"], ["report"], ["reload"], ["quit"],
        ["active"], ["passive"], ["capture", "on"], ["capture", "off"], ["debug", "7", "10"],
        ["debug", "toggle"], ["conf", "get", "Phase 2", "Connections"],
        ["conf", "set", "x", "y", "z"], ["conf", "rms", "peer-b"],
        ["conf", "rm", "Phase 2", "Connections"], ["conf", "rmv", "Phase 2", "Connections", "a-b"],
        ["delete", COOKIES],
    ],
)  # fmt: skip
def test_json_has_one_form(running: Running, words: list[str]) -> None:
    for line in (["--json", *words], [*words, "--json"]):
        status, out, err = call(running, *line)
        answer = json.loads(out)
        if status == 0:
            assert set(answer) == {"ok", "error", "result"}
        assert (answer["ok"], err) == (status == 0, "")
    first = json.loads(call(running, "--json", "sa")[1])
    assert [row["phase"] for row in first["result"]] == [1, 2]


def test_tables(running: Running) -> None:
    assert "198.51.100.22:4500" in call(running, "sa")[1]
    assert call(running, "sa")[1].endswith("\nDropped packets: replay 2\n")
    only = call(running, "sa", "a-b")[1]
    assert "0x12345678" in only
    assert "gw.example.org" in only, "the IKE SA that it uses"
    assert "peer-b" in call(running, "connections")[1]
    assert call(running, "exchanges")[1] == "none\n"
    running.daemon.state["outcomes"] = [FAILURE]
    assert "mend: add 3DES-SHA-GRP2" in call(running, "outcomes")[1]


@pytest.mark.parametrize("verb", ["sa", "explain"])
def test_a_name_that_nothing_has_is_refused(running: Running, verb: str) -> None:
    status, out, err = call(running, verb, "a-bb")
    assert (status, out, err) == (
        1, "", "isakmpctl: no connection or peer a-bb (did you mean a-b?)\n"
    )  # fmt: skip
    assert call(running, verb, "198.51.100.9")[0] == 0, "anybody may have tried"


def test_of_a_connection_that_is_down_the_ike_sas_with_its_peer_are_shown(
    running: Running,
) -> None:
    running.daemon.state["sas"] = [PHASE_1]
    assert "gw.example.org" in call(running, "sa", "a-b")[1]


def test_a_report_has_each_heading_once(running: Running) -> None:
    _, out, _ = call(running, "report")
    assert "\nDropped packets\n===============\nreplay 2\n" in out
    assert out.count("Dropped packets") == 1


def test_report_is_printed(running: Running) -> None:
    status, out, _ = call(running, "report")
    assert status == 0
    assert out == running.daemon.report_path.read_text()


def test_conf_values(running: Running) -> None:
    assert call(running, "conf", "get", "Phase 2", "Connections")[1] == "a-b,a-c\n"
    status, _, err = call(running, "conf", "set", "Phase 2", "Connections", "z")
    assert status == 1
    assert "already set" in err
    assert call(running, "conf", "set", "Phase 2", "Connections", "z", "--force")[0] == 0
    assert running.daemon.conf.get("Phase 2", "Connections") == "z"
    assert call(running, "conf", "rm", "Phase 2", "Connections")[0] == 0
    assert call(running, "conf", "rms", "General")[0] == 0
    assert "General" not in running.daemon.conf.sections()


@pytest.mark.parametrize("value", ["CN=Jane Doe, O=Long Road", "a ; rms [General]", '"q" #', "\\"])
def test_a_value_is_one_whatever_is_in_it(running: Running, value: str) -> None:
    assert call(running, "conf", "set", "a", "b", value)[0] == 0
    assert running.daemon.conf.get("a", "b") == value
    assert running.daemon.conf.has_section("General")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (
            ["conf", "set", "a]:b=c ; rms [General", "x", "y"],
            "is not a section's name: it is given without",
        ),
        (
            ["conf", "get", "[a]", "b"],
            "'[a]' is not a section's name: it is given without brackets",
        ),
        (["conf", "set", "a", "b=c", "y"], "'b=c' is not a tag"),
        (["delete", "123"], "'123' is not the cookies of an SA: 32 hexadecimal digits, as sa"),
        (["delete", "a-b"], "SAs are taken down, with down"),
        (["delete", COOKIES, "7"], "'7' is not a message id: 8 hexadecimal digits, as sa shows it"),
        (["up", ""], "'' is not a name"),
        (["down", " "], "' ' is not a name"),
        (["rekey", ""], "'' is not a name"),
    ],
)
def test_an_argument_that_is_none_is_told_in_isakmpctls_own_words(
    running: Running, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    """Not in those of the FIFO, which nobody has written."""
    with pytest.raises(SystemExit) as caught:
        call(running, *words)
    assert caught.value.code == 2
    assert why in capsys.readouterr().err
    assert running.daemon.calls == []


def test_a_change_on_standard_input_is_named_by_its_line(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('set [a]:b="c d"\nset [a]:d=e f\n'))
    status, _, err = call(running, "conf", "apply", "-")
    assert status == 1
    assert "standard input:2: expected: set [section]" in err
    assert running.daemon.calls == []


def test_what_is_told_of_a_change_is_printed(running: Running) -> None:
    running.daemon.told = ["this secret can be guessed"]
    said = "[a]:b is changed\nthis secret can be guessed\n"
    assert call(running, "conf", "set", "a", "b", "c")[:2] == (0, said)


def test_several_changes_are_applied_together(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "changes"
    path.write_text("set [a]:b=c\nset [a]:d=e\n")
    assert call(running, "conf", "apply", str(path))[:2] == (0, "the configuration is changed\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("# more\nC rm [a]:b\nset [f]:g=h force\n"))
    assert call(running, "conf", "apply", "-")[0] == 0
    assert running.daemon.calls == [("alter", True), ("alter", True)]
    assert running.daemon.conf.tags("a") == ["d"]
    assert running.daemon.conf.get("f", "g") == "h"
    monkeypatch.setattr("sys.stdin", io.StringIO("# nothing\n"))
    status, _, err = call(running, "conf", "apply", "-")
    assert status == 1
    assert "no change on standard input" in err


@pytest.mark.parametrize("count", [1, 2])
def test_what_is_applied_is_a_transaction_from_wherever(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Be it one change: a manual that calls both the same must be right."""
    text, path = "".join(f"set [a]:b{number}=c\n" for number in range(count)), tmp_path / "changes"
    path.write_text(text)
    monkeypatch.setattr("sys.stdin", io.StringIO(text.replace("=c", "=c force")))
    for whence in (str(path), "-"):
        assert call(running, "conf", "apply", whence)[0] == 0
    assert running.daemon.calls == [("alter", True)] * 2


def test_a_reload_tells_a_line_each(running: Running) -> None:
    said = "the configuration is read again\nGeneral\npeer-b\n"
    assert call(running, "reload")[:2] == (0, said)


def test_debug_prints_the_levels(running: Running) -> None:
    out = call(running, "debug", "Exchange", "99")[1]
    assert "Exchange    99\n" in out
    status, _, err = call(running, "debug", "Exchange")
    assert status == 1
    assert "level is missing" in err


def test_refusal_says_cause(running: Running) -> None:
    running.daemon.error = failing("no connection a-x; did you mean a-b?")
    status, out, err = call(running, "up", "a-x")
    assert (status, out) == (1, "")
    assert err == "isakmpctl: no connection a-x; did you mean a-b?\n"
    answer = json.loads(call(running, "--json", "up", "a-x")[1])
    assert answer == {"ok": False, "error": "no connection a-x; did you mean a-b?", "result": None}


# --- what is in the way ----------------------------------------------------------------------


# --- the command line ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "fifo", "directory"),
    [
        ([], "/var/run/isakmpd.fifo", "/var/run"),
        (["--fifo", "/x/f"], "/x/f", "/x"),
        (["--run-directory", "/r"], "/r/isakmpd.fifo", "/r"),
        (["--fifo", "/x/f", "--run-directory", "/r"], "/x/f", "/r"),
    ],
)
def test_fifo_and_run_directory_find_each_other(
    words: list[str], fifo: str, directory: str
) -> None:
    for line in ([*words, "sa"], ["sa", *words]):
        client = make_client(make_parser().parse_args(line))
        assert (str(client.fifo), str(client.run_directory)) == (fifo, directory)


def test_a_services_fifo_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_directory, "SERVICE", tmp_path / "isakmpd")
    assert make_client(make_parser().parse_args(["sa"])).fifo == Path("/var/run/isakmpd.fifo")
    tmp_path.joinpath("isakmpd").mkdir()
    client = make_client(make_parser().parse_args(["sa"]))
    assert client.run_directory == tmp_path / "isakmpd"
    assert client.fifo == tmp_path / "isakmpd" / "isakmpd.fifo"
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/other")
    assert make_client(make_parser().parse_args(["sa"])).run_directory == Path("/run/other")


def on_terminal(
    running: Running, columns: int, *words: str, environ: dict[str, str] | None = None
) -> str:
    """What a verb writes on a terminal of so many columns."""
    near, far = pty.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with open(far, "w", encoding="utf-8") as terminal:
        args = make_parser().parse_args(words)
        with pytest.MonkeyPatch.context() as patch:
            for name in ("COLUMNS", "NO_COLOR"):
                patch.delenv(name, raising=False)
            for name, value in ({"TERM": "xterm"} | (environ or {})).items():
                patch.setenv(name, value)
            patch.setattr(sys, "__stdout__", terminal)
            perform(client_of(running), args, terminal, terminal)
        terminal.flush()
        text = os.read(near, 65536).decode()
    os.close(near)
    return text


def test_explain_tells_of_what_nobody_has_answered_yet(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else who asks in the first half minute hears that nothing has failed, and no more."""
    row = {"exchange": "main mode", "name": "peer-b", "peer": "peer-b", "initiator": True}
    row |= {"retries": 2, "remote": "198.51.100.22"}
    row["reason"] = silence("main mode", 1, "198.51.100.22", 500, repeated=2).to_dict()
    answered = {**row, "name": "other", "retries": 0, "reason": None}
    running.daemon.state["exchanges"] = [row, answered]
    perform(client_of(running), make_parser().parse_args(["explain"]), sys.stdout, sys.stdout)
    first, *rest = told = capsys.readouterr().out.splitlines()
    assert first == "now, and not ended yet: main mode with 198.51.100.22 (peer-b), we began"
    plain = " ".join(" ".join(rest).split())
    assert plain.startswith(
        "no answer: no answer yet to message 1 of main mode from 198.51.100.22 port 500, "
        "repeated 2 times to mend: is the peer reachable"
    )
    running.daemon.state["outcomes"] = [FAILURE]
    perform(client_of(running), make_parser().parse_args(["explain"]), sys.stdout, sys.stdout)
    again = capsys.readouterr().out.splitlines()
    assert again[: len(told)] == told and not again[len(told)]
    assert "main mode with 198.51.100.22 (peer-b)" in again[len(told) + 1]


LONG = "n" * 70
WIDE = {
    "sa": {"sas": [{**PHASE_2, "name": LONG}]},
    "connections": {"connections": [{"name": LONG, "peer": "peer-b", "state": "up"}]},
    "outcomes": {"outcomes": [{**FAILURE, "name": LONG}]},
    "explain": {"outcomes": [{**FAILURE, "reason": {
        "cause": "ts-unacceptable", "detail": "none " * 30, "mend": "word " * 30,
        "beside": [[f"{LONG} local", "10.0.0.0/8", "10.1.0.0/16", False]]}}]},
}  # fmt: skip


@pytest.mark.parametrize("verb", WIDE)
@pytest.mark.parametrize("columns", [70, 100, 180])
def test_the_terminals_width_is_used(running: Running, columns: int, verb: str) -> None:
    """A name is whole where there is room for it, and no line is longer than the terminal."""
    running.daemon.state |= WIDE[verb]
    coloured = on_terminal(running, columns, verb)
    lines = re.sub(r"\x1b\[\d+m", "", coloured).splitlines()
    assert max(map(len, lines)) <= columns
    if columns == 180:
        assert any(LONG in line for line in lines)
        assert verb != "explain" or max(map(len, lines)) > 100


RED, GREEN, YELLOW = "\x1b[31m", "\x1b[32m", "\x1b[33m"
COLOURS = [
    (["sa"], {"sas": [PHASE_1, PHASE_2]}, f"{GREEN}established"),
    (["connections"], {"connections": [{"name": "a-b", "state": "up"}]}, f"{GREEN}up"),
    (["connections"], {"connections": [{"name": "a-b", "state": "wanted"}]}, f"{YELLOW}wanted"),
    (["outcomes"], {"outcomes": [FAILURE]}, f"{RED}no"),
    (["outcomes"], {"outcomes": [FAILURE]}, f"{RED}    no-proposal-chosen"),
    (["outcomes"], {"outcomes": [{**FAILURE, "ok": True}]}, f"{GREEN}yes"),
    (["explain"], WIDE["explain"], f"{YELLOW}    * nnn"),
    (["explain"], WIDE["explain"], f"{RED}  selectors: none"),
    (["up", "a-b", "--wait", "5"], {}, f"{GREEN}a-b is up"),
    (
        ["up", "a-b", "--wait", "5"],
        {"connections": [{"name": "a-b", "state": "up", "less": FAILURE["reason"]}]},
        f"{YELLOW}a-b is up in part: ",
    ),
    (["conf", "get", "x", "y"], {}, f"{RED}isakmpctl: "),
]


@pytest.mark.parametrize(("words", "state", "wanted"), COLOURS)
def test_colours_say_what_is_up_and_what_has_failed(
    running: Running, words: list[str], state: dict[str, Any], wanted: str
) -> None:
    running.daemon.state |= state
    coloured = on_terminal(running, 100, *words)
    assert wanted in coloured
    for quiet in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        plain = on_terminal(running, 100, *words, environ=quiet)
        assert "\x1b" not in plain
        assert plain == re.sub(r"\x1b\[\d+m", "", coloured)
    assert "\x1b" not in "".join(map(str, call(running, *words)))


def test_an_empty_no_color_counts_for_nothing(running: Running) -> None:
    assert "\x1b" in on_terminal(running, 100, "sa", environ={"NO_COLOR": ""})


def test_token_is_new_each_time() -> None:
    client = make_client(make_parser().parse_args(["sa"]))
    assert len({client.token() for _ in range(10)}) == 10
    assert all(len(client.token()) == 16 for _ in range(10))


def test_every_verb_is_carried_out_by_a_function() -> None:
    assert {*VERBS, "dump"} == set(verbs_of(make_parser()))


def test_a_missing_argument_is_called_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ctl.main(["capture"])
    assert "the following arguments are required: on|off" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["frob"], ["up"], ["down"], ["conf"], ["capture", "maybe"]])
def test_wrong_usage_is_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        ctl.main(words)
    assert caught.value.code == 2
    assert "usage: isakmpctl" in capsys.readouterr().err


def test_dump_is_dispatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """dump has arguments of its own and needs no daemon."""
    dump = ModuleType("fifo_ui.dump")
    dump.run = lambda args: len(args.file) + 100 * args.json  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fifo_ui.dump", dump)
    monkeypatch.setattr(fifo_ui, "dump", dump, raising=False)
    assert ctl.main(["dump", "x.pcap"]) == 6
    assert ctl.main(["--json", "dump", "x.pcap"]) == 106
    assert ctl.main(["dump", "x.pcap", "--json"]) == 106


def test_dump_is_not_imported_for_other_verbs() -> None:
    code = "import sys; from fifo_ui import ctl; sys.exit('fifo_ui.dump' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_reader_of_the_output_may_go(tmp_path: Path) -> None:
    """``isakmpctl ... | head``: no complaint on standard error."""
    there, here = os.pipe()
    os.close(there)
    run = subprocess.run(
        [sys.executable, "-m", "fifo_ui.ctl", "--json", "--run-directory", str(tmp_path), "sa"],
        stdout=here,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(here)
    assert (run.returncode, run.stderr) == (0, "")


def test_two_processes(running: Running) -> None:
    """The program itself, with its own clock and token, and the daemon in this process."""
    words = ["--run-directory", str(running.daemon.run_directory), "sa", "a-b"]
    with subprocess.Popen(
        [sys.executable, "-m", "fifo_ui.ctl", *words], stdout=subprocess.PIPE, text=True
    ) as program:
        while program.poll() is None:
            running.loop.turn(0.05)
        assert program.stdout is not None
        assert "0x12345678" in program.stdout.read()
    assert program.returncode == 0


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("sa", 5),
        ("reload", 60),
        ("conf rm somewhere Address", 60),
        ("up net", 60),
        ("--timeout 3 reload", 3),
        ("reload --timeout 0", 0),
    ],
)
def test_what_waits_for_the_configuration_has_the_time_that_reading_takes(
    line: str, seconds: float
) -> None:
    assert make_client(make_parser().parse_args(line.split())).timeout_s == seconds
