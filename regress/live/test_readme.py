"""The first tunnel of the README: its files and its commands as they stand, in two namespaces."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from regress.interop.namespace import Namespace, SetupFailure, tun_device

ROOT = Path(__file__).resolve().parents[2]
ADDRESSES = {"west": "192.0.2.1", "east": "192.0.2.2"}
COMMANDS = {"isakmpd": "isakmp.__main__", "isakmpctl": "fifo_ui.ctl"}
CIPHERS = {"aes256": ("AES_CBC", 256), "aes256gcm16": ("AES_GCM_16", 256)}
HASHES = {"sha256": ("HMAC_SHA2_256_128", "HMAC_SHA2_256")}  # for integrity, as prf
GROUPS = {"x25519": "CURVE25519"}
STOP = "kill $(cat /var/run/isakmpd.pid) && while [ -e /var/run/isakmpd.pid ]; do sleep 0.1; done"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not tun_device(), reason="needs /dev/net/tun"),
]


def blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    part = text.partition("\n## A first tunnel")[2].partition("\n## What a refusal")[0]
    found = re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", part)
    return [block for kind, block in found if kind == language]


class Host:
    """One end: a network and a file system of its own, as far as isakmpd writes to one."""

    def __init__(self, name: str, folder: Path, configuration: str) -> None:
        self.name, self.namespace = name, Namespace()
        self.folder = folder / name
        (self.folder / "etc" / "isakmpd").mkdir(parents=True)
        (self.folder / "run").mkdir()
        (self.folder / "etc" / "isakmpd" / "isakmpd.conf").write_text(configuration)
        for file in ("passwd", "group", "hosts", "protocols"):
            if (path := Path("/etc") / file).exists():
                (self.folder / "etc" / file).write_bytes(path.read_bytes())

    def run(self, line: str) -> str:
        """What a line of the README prints; it has to succeed."""
        binds = f"mount --bind {self.folder}/etc /etc && mount --bind {self.folder}/run /var/run"
        script = f"{binds} && cd {self.folder.parent} && {line}"
        done = self.namespace.run("unshare", "--mount", "sh", "-c", script, timeout_s=60)
        assert done.returncode == 0, f"{self.name}: {line}\n{done.stdout}"
        return done.stdout

    def close(self) -> None:
        pid_file = self.folder / "run" / "isakmpd.pid"
        if pid_file.exists():
            self.run(STOP)
        self.namespace.close()


def write_commands(folder: Path) -> None:
    """.venv/bin/isakmpd and isakmpctl, as tools/setup-venv makes them."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name, module in COMMANDS.items():
        path = folder / ".venv" / "bin" / name
        path.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path[0] = {str(ROOT)!r}\n"
            f"from {module} import main\nsys.exit(main())\n"
        )
        path.chmod(0o755)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[dict[str, Host]]:
    write_commands(tmp_path)
    made: dict[str, Host] = {}
    try:
        try:
            for name, text in zip(ADDRESSES, blocks("ini"), strict=True):
                made[name] = Host(name, tmp_path, text)
            join(made["west"], made["east"])
        except SetupFailure as error:
            pytest.skip(str(error))
        yield made
    finally:
        for host in made.values():
            host.close()


def join(west: Host, east: Host) -> None:
    pid = east.namespace.pid
    west.namespace.shell(f"ip link add wire type veth peer name wire netns {pid}")
    for host in (west, east):
        address = f"ip addr add {ADDRESSES[host.name]}/24 dev wire"
        host.namespace.shell(f"ip link set lo up; {address}; ip link set wire up")


def lines(number: int) -> list[str]:
    return [line for line in blocks("sh")[number].splitlines() if line]


def looks(text: str) -> str:
    """A table without what is another each time: numbers of one run, and how wide they are."""
    text = re.sub(r"\d+[smh][\dsm]*(/\d+[smh][\dsm]*)+", "AGES", text)
    text = re.sub(r"\d+ \d+B", "COUNT", text)
    return re.sub(r"[ \t]+", " ", text)


def test_the_first_tunnel(hosts: dict[str, Host]) -> None:
    for name in ("east", "west"):
        for line in lines(0):
            told = hosts[name].run(line)
            if "--check" in line:
                peer = {"west": "east", "east": "west"}[name]
                assert told == blocks("text")[0].replace("[east]", f"[{peer}]")
            else:
                assert told == ""
    up, ping, sa = lines(1)
    assert hosts["west"].run(up).startswith("to-east is up\n")
    assert "3 received" in hosts["west"].run(ping)
    shown = looks(hosts["west"].run(sa)).splitlines()
    for block in blocks(""):
        if block.startswith("$ isakmpctl sa"):
            printed = [line for line in looks(block).splitlines()[1:] if line.strip() != "..."]
            assert [line for line in printed if line not in shown] == []
            break
    else:
        pytest.fail("the README does not show the SAs")


def test_what_is_written_is_what_is_negotiated(hosts: dict[str, Host]) -> None:
    for name in ("east", "west"):
        for line in lines(0):
            hosts[name].run(line)
    hosts["west"].run(lines(1)[0])
    answer = json.loads(hosts["west"].run(f"{lines(1)[2]} --json"))["result"]
    ike, esp = (next(row for row in answer if row["phase"] == phase) for phase in (1, 2))
    ini = blocks("ini")[0]
    cipher, digest, group = re.findall(r"IKE-proposals= (\S+)", ini)[0].split("-")
    assert (ike["encryption"], ike["key_bits"]) == CIPHERS[cipher]
    assert (ike["hash"], ike["prf"]) == HASHES[digest]
    assert ike["group"] == GROUPS[group]
    cipher, _ = re.findall(r"ESP-proposals= (\S+)", ini)[0].split("-")
    assert (esp["encryption"], esp["key_bits"]) == CIPHERS[cipher]
