"""Every line that is always written has its severity by the one rule of isakmpd(8).

PROTO: what came over the network, or did not, is the cause; INTERNAL: this host is. ERR: something
was given up for it; WARN: we go on. INFO: as it should be. A new line of the log is entered here
where the rule puts it.
"""

from __future__ import annotations

import ast
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from fifo_ui.commands import Commands
from isakmp.causes import BOUNDS, EXPECTED, MENDS, OURS
from isakmp.errors import ApplicationError, ConfError, HostError, IsakmpError
from isakmp.log.log import Severity, severity_of_refusal
from isakmp.service import _signal
from regress.test_daemon import on_disk

ROOT = Path(__file__).resolve().parents[1]
SEVERITIES = ("info", "proto_err", "proto_warn", "internal_err", "internal_warn", "critical")

# The first characters of each text, by severity.
RULE = {
    "info": (  # as it should be
        "%d IPsec policies that another's stood in the way of are there now",
        "%d SAs of an earlier isakmpd were left; they are gone",
        "%d policies and routes of an earlier key engine are gone",
        "%d policies of an earlier isakmpd are gone",
        "%d policies of an earlier isakmpd hold until ours are there",
        "%s deleted by the peer",
        "%s with %s up: %s%s",
        "%s: peer moved from %s to %s",
        "%s: %s",  # what a change of the configuration did
        "connection %s rekeyed: %s",
        "connection %s is up in part: %s",
        "connection %s up: %s, %s",
        "connection %s: child SA %s deleted by the peer",
        "connection %s: child SA %s ends, as its peer knows of nothing before %s",
        "connection %s: child SA %s expired",
        "debugging is %s",
        "isakmpd runs, process %d",
        "report written to %s",
        "stopping: %s",
        "the kernel drops IPv%d traffic that passes %s by",
        "the kernel drops IPv6 that passes %s by again",
    ),
    "proto_err": (  # given up for what came, or did not
        "%s: child SA %s could not be rekeyed before its end; what should be up b",
        "bound met by %s: %s",
    ),
    "proto_warn": (  # came, and we go on
        "%s ends: its peer has never spoken under it, and keeps %s, which it was ",
        "child SA %s ends: its peer has never used it, and keeps %s, which it was",
        "%s",
        "%s: answer refused: %s",
        "%s: goes on without its confirmation",
        "%s: message refused: %s",
        "%s: message under it refused: %s",
        "%s: the commit bit of its answer may be forged",
        "%s: peer says %s",
        "%s: peer says %s, unauthenticated",
        "%s: the peer has lost child SA %s",
        "%s: the peer refuses message ID 0x%s: it is beyond its window",
        "%s: the peer says %s",
        "%s: the peer has another one of the same attempt",
        "%s: the peer seems to have lost it: another one is begun",
        "%s: the peer seems to have lost it: phase 1 is begun",
        "%s: rekeying waits: phase 1 has brought none with its peer",
        "replaced IKE SAs of %s end early: it has Max-SAs-per-identity",
    ),
    "internal_err": (  # given up for this host; what was open meanwhile counts
        "somebody took a route away that cannot be put back: %s; what it leads to",
        "somebody took IPsec policies of ours away, %d in all; they are there aga",
        "the kernel's IPsec policies cannot be read: %s",
        "%d lines of %s were lost: %s",
        "%d lines of this log were lost: %s",
        "%s",
        "%s; mend: %s",
        "%s %s is not guarded by the kernel: %s; what passes the key engine's dev",
        "application refused %s%s: %s",
        "bug: %s",
        "connection %s: application refused its policy: %s",
        "key log %s: %s",
        "no relay for ESP in UDP: %s",
        "somebody deleted %s, and it cannot be made anew: %s; what the key engine",
        "somebody deleted %s; it is there again. Who changes devices on this host",
        "somebody took %s away; it is there again. Who changes routes on this hos",
        "somebody took rules of nftables away that keep IPv6 back; they are there",
        "the FIFO is gone: %s",
        "the capture %s is off: %s; make room, then: capture on",
        "the kernel does not drop all IPv6 that passes %s by in clear: %s; this i",
        "the kernel's IPsec message is malformed: %s",
        "the kernel's SAs cannot be read: %s",
        "no worker: %s; isakmpd does its work",
        "worker, process %d, %s: %s its work from now on; start isakmpd again",
        "the privileged helper, process %d, has ended: HUP reads %s no more where",
    ),
    "internal_warn": (  # this host, and we go on
        "%s; mend: %s",
        "%s: after its end: %s",
        "FIFO: a line of %d octets has control characters",
        "FIFO: a line of %d octets is not UTF-8 at octet %d",
        "FIFO: a line of more than %d octets was dropped",
        "IPsec events were lost: %d SAs are gone, %d packets wait, %d policies we",
        "left out: %s: %s",
        "log file: %s; the old one is written on",
        "nobody waits for isakmpd to be ready: %s",
        "%s: %s",  # what goes in clear after a change of the configuration
        "the FIFO %s was taken away: it is made anew",
        "the IPsec stack has started again: its SAs are negotiated anew",
        "%s: the IPsec stack has started again meanwhile",
        "the kernel does not guard what the key engine protects in IPv%d: routes ",
        "the kernel had more IPsec events than room for them",
        "the service manager at %s was not told %s: %s (%d lost)",
    ),
    "critical": (  # isakmpd ends
        "cannot run: %s",
    ),
}
LONGEST = 72


def text_of(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    return "%s"


def written() -> Iterator[tuple[str, str]]:
    """Severity and text of each line that the code can write, but for those of a Reason."""
    for top in ("isakmp", "fifo_ui"):
        for path in sorted((ROOT / top).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    severity = node.func.attr
                    if severity in SEVERITIES and node.args and path.name != "log.py":
                        yield severity, text_of(node.args[0])[:LONGEST]


def test_each_line_has_its_severity() -> None:
    wanted = {(severity, text) for severity, texts in RULE.items() for text in texts}
    assert set(written()) == wanted


@pytest.mark.parametrize(
    ("error", "severity"),
    [
        # what an operator mistyped: nothing but the command is given up
        (IsakmpError("no connection x"), Severity.INTERNAL_WARN),
        (ConfError("no such tag"), Severity.INTERNAL_WARN),
        (HostError("cannot write"), Severity.INTERNAL_ERR),
        (ApplicationError("the IPsec stack is gone"), Severity.INTERNAL_ERR),
        (OSError("no space left"), Severity.INTERNAL_ERR),
    ],
    ids=repr,
)
def test_what_is_not_obeyed_is_the_hosts_fault_or_who_asked(
    error: Exception, severity: Severity
) -> None:
    assert severity_of_refusal(error) is severity


@pytest.mark.parametrize("said", ["R", "HUP"])
def test_a_broken_file_is_the_hosts_fault_whoever_asks(said: str, tmp_path: Path) -> None:
    """By the FIFO it was a warning, by the signal an error; what is mistyped is none."""
    _, west, _, path = on_disk(tmp_path)
    commands = Commands(west.daemon, lambda: 0.0)
    commands.line("c nowhere")
    assert "INTERNAL_WARN  FIFO: no connection nowhere" in west.lines[-1]
    path.write_text("[broken\n")
    if said == "R":
        commands.line("R")
    else:
        _signal(signal.SIGHUP, west.daemon, west.log)
    assert " INTERNAL_ERR   " in west.lines[-1] and "closing bracket" in west.lines[-1]
    assert "nothing has changed" in west.lines[-1]


@pytest.mark.parametrize("said", ["r", "USR1"])
def test_a_report_that_cannot_be_written_is_the_hosts_fault_whoever_asks(
    said: str, tmp_path: Path
) -> None:
    _, west, _, _ = on_disk(tmp_path)
    if said == "r":
        Commands(west.daemon, lambda: 0.0).line("r")
    else:
        _signal(signal.SIGUSR1, west.daemon, west.log)
    assert " INTERNAL_ERR   " in west.lines[-1]
    assert "cannot write /nonexistent/isakmpd.report" in west.lines[-1]


def test_a_reason_is_of_one_kind() -> None:
    """This host's, the network's or nobody's fault; a bound is what a peer has met."""
    assert not (EXPECTED & OURS) and not (EXPECTED | OURS) & BOUNDS


def test_nobody_is_at_fault_where_there_is_nothing_to_mend() -> None:
    """And only there: the log has it as information, and explain leaves it out."""
    nothing = {cause for cause, mend in MENDS.items() if mend.startswith("nothing")}
    assert nothing == EXPECTED
