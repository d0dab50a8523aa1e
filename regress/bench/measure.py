"""What is measured of one responder, and the two namespaces it is measured in."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from regress.bench.responder import NETWORK, ROOT, SECRET, SERVER, Responder
from regress.interop.end import Failure
from regress.interop.namespace import Namespace

FEW = 100
AT_ONCE = 32


@dataclass(frozen=True)
class Sizes:
    """How many handshakes: one after the other, per sample of the rate, SAs in all."""

    alone: int = 300
    sample: int = 1000
    many: int = 10000


@contextmanager
def namespaces() -> Iterator[tuple[Namespace, Namespace]]:
    """The generator's, with a million addresses, and the responder's."""
    made: list[Namespace] = []
    try:
        made = [Namespace(), Namespace()]
        peers, server = made
        peers.shell(f"""
ip link set lo up
ip link add veth0 type veth peer name veth0 netns {server.pid}
ip addr add 192.168.77.1/24 dev veth0
ip link set veth0 up
ip route add local 10.128.0.0/12 dev lo
""")
        server.shell(f"""
ip link set lo up
sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
ip addr add {SERVER}/24 dev veth0
ip addr add 10.99.0.1/32 dev lo
ip link set veth0 up
ip route add default via 192.168.77.1
""")
        yield peers, server
    finally:
        for namespace in made:
            namespace.close()


class Generator:
    """The load generator's process."""

    def __init__(self, namespace: Namespace, responder: Responder) -> None:
        options = json.dumps({
            "server": SERVER, "network": NETWORK, "secret": SECRET, "group": responder.group,
            "esp": responder.esp, "version": responder.version,
        })  # fmt: skip
        self._child = subprocess.Popen(
            namespace.command([sys.executable, "-m", "regress.bench.load", options]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        self.failed = 0

    def run(self, count: int, at_once: int) -> dict[str, Any]:
        """What load.Load.run reports. Failure where hardly anything succeeds."""
        assert self._child.stdin and self._child.stdout
        self._child.stdin.write(json.dumps({"count": count, "at_once": at_once}) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise Failure("the load generator has ended")
        report: dict[str, Any] = json.loads(line)
        self.failed += report["failed"]
        if report["failed"] > report["done"]:
            raise Failure(f"handshakes fail: {report['first_failure']}")
        return report

    def close(self) -> None:
        """End it."""
        self._child.kill()
        self._child.communicate()


def handshakes(responder: Responder, peers: Namespace, sizes: Sizes) -> dict[str, Any]:
    """One responder's row."""
    responder.start()
    generator = Generator(peers, responder)
    try:
        return _row(responder, generator, sizes)
    finally:
        generator.close()
        responder.stop()


def _row(responder: Responder, generator: Generator, sizes: Sizes) -> dict[str, Any]:
    process = responder.process
    generator.run(FEW, AT_ONCE)
    few = _sample(responder, generator, sizes.sample)
    alone = generator.run(sizes.alone, 1)["latencies_s"]
    memory_kb, so_far = process.memory_kb(), FEW + sizes.sample + sizes.alone
    rest = sizes.many - so_far
    if rest > 0:
        generator.run(rest, AT_ONCE)
        process.settled_cpu_s()
    grown_kb = process.memory_kb() - memory_kb
    many = _sample(responder, generator, sizes.sample)
    return {
        "responder": responder.label,
        "version": responder.version,
        "group": responder.group,
        "esp": responder.esp,
        "rate_per_s": few["rate_per_s"],
        "cpu_ms": few["cpu_ms"],
        "latency_ms": 1000 * statistics.median(alone),
        "latency_p99_ms": 1000 * statistics.quantiles(alone, n=100)[98],
        "memory_kb_per_sa": grown_kb / rest if rest > 0 else None,
        "sas": max(so_far, sizes.many),
        "rate_many_per_s": many["rate_per_s"],
        "cpu_many_ms": many["cpu_ms"],
        "failed": generator.failed,
    }


def _sample(responder: Responder, generator: Generator, count: int) -> dict[str, float]:
    """The rate, and processor time a handshake of the responder."""
    before = responder.process.settled_cpu_s()
    report = generator.run(count, AT_ONCE)
    used = responder.process.settled_cpu_s() - before
    return {
        "rate_per_s": report["done"] / report["seconds"],
        "cpu_ms": 1000 * used / report["done"],
    }
