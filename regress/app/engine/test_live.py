"""Two key engines on real sockets and TUN devices, in network namespaces of their own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
OUTER = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
INNER = {4: ("10.91.0.1", "10.92.0.1"), 6: ("fd91::1", "fd92::1")}
CROSSED = {4: ("10.93.0.1", "10.94.0.1"), 6: ("fd93::1", "fd94::1")}

# Outer ends, what ping goes between, mode.
PATHS = [
    (OUTER[4], INNER[4], "tunnel"),
    (OUTER[6], INNER[6], "tunnel"),
    (OUTER[6], CROSSED[4], "tunnel"),
    (OUTER[4], CROSSED[6], "tunnel"),
    (OUTER[4], OUTER[4], "transport"),
    (OUTER[6], OUTER[6], "transport"),
]


def run(*command: str) -> str:
    """Run a command to its end; its output."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def namespaces() -> Iterator[tuple[str, str]]:
    """Two hosts with a cable between them; skipped where they cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for network namespaces and raw sockets")
    missing = [tool for tool in ("ip", "ping") if not shutil.which(tool)]
    if missing or not Path("/dev/net/tun").exists():
        pytest.skip(f"needs {', '.join(missing) or '/dev/net/tun'}")
    names = tuple(f"esp{os.getpid()}{side}" for side in "ab")
    try:
        try:
            for name in names:
                run("ip", "netns", "add", name)
        except AssertionError as error:
            pytest.skip(f"network namespaces cannot be made: {error}")
        first, second = names
        run("ip", "-n", first, "link", "add", "v0", "type", "veth", "peer", "v0", "netns", second)
        for side, name in enumerate(names):
            set_up(name, side)
        yield first, second
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def set_up(name: str, side: int) -> None:
    """Addresses of one host."""
    run("ip", "-n", name, "link", "set", "lo", "up")
    run("ip", "-n", name, "link", "set", "v0", "up")
    for family, size in ((4, 24), (6, 64)):
        run(
            "ip", "-n", name, "addr", "add", f"{OUTER[family][side]}/{size}", "dev", "v0",
            *(["nodad"] if family == 6 else []),
        )  # fmt: skip
        for ends in (INNER, CROSSED):
            run("ip", "-n", name, "addr", "add", ends[family][side], "dev", "lo")


@contextlib.contextmanager
def engine(name: str, side: int) -> Iterator[list[dict[str, object]]]:
    """A host's key engine; when it has ended, the list holds its last words."""
    ends = [
        [outer[side], outer[1 - side], inner[side], inner[1 - side], mode]
        for outer, inner, mode in PATHS
    ]
    module = "regress.app.engine.live_host"
    process = subprocess.Popen(
        ["ip", "netns", "exec", name, sys.executable, "-m", module, json.dumps(ends)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    words: list[dict[str, object]] = []
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield words
    finally:
        process.terminate()
        out, _ = process.communicate(timeout=20)
        words.extend(json.loads(line) for line in out.splitlines())


def test_packets_pass_in_every_mode_and_family(namespaces: tuple[str, str]) -> None:
    first, second = namespaces
    with engine(first, 0) as near, engine(second, 1) as far:
        for _, inner, _ in PATHS:
            run("ip", "netns", "exec", first, "ping", "-c2", "-i0.1", "-W3", inner[1])
        for target in (INNER[4][1], CROSSED[6][1]):  # in fragments
            run("ip", "netns", "exec", first, "ping", "-c1", "-W3", "-s3000", target)
    for words in (near, far):
        (report,) = words
        packets = report["packets"]
        assert isinstance(packets, list)
        assert all(count >= 2 for count in packets), report
    for name in namespaces:
        for family in ("-4", "-6"):
            assert "fwmark" not in run("ip", "-n", name, family, "rule")
        assert "isakmp" not in run("ip", "-n", name, "link")


@pytest.mark.parametrize("family", [4, 6])
def test_a_narrow_path_is_learnt_and_told(namespaces: tuple[str, str], family: int) -> None:
    first, second = namespaces
    target = INNER[family][1]
    with engine(first, 0) as near, engine(second, 1):
        run(*ping(first, target, 1300))
        for name in namespaces:
            run("ip", "-n", name, "link", "set", "v0", "mtu", "1340")
        for _ in range(2):  # the first is lost; what it teaches, the second is told
            done = subprocess.run(ping(first, target, 1300), capture_output=True, text=True)
        assert done.returncode == 1
        assert "mtu" in (done.stdout + done.stderr).lower()
        run(*ping(first, target, 1200))
    (report,) = near
    drops = report["drops"]
    assert isinstance(drops, dict)
    assert drops["too-big"] >= 1


def ping(name: str, target: str, size: int) -> tuple[str, ...]:
    """A ping that must not be fragmented."""
    tail = ("-c1", "-W2", "-Mdo", f"-s{size}", target)
    return ("ip", "netns", "exec", name, "ping", *tail)
