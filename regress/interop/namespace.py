"""Network namespaces that die with the process that made them, and the wire between two.

A namespace is held by a sleeping process, which the kernel kills with its parent: nothing is
left behind, however a test run ends.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

# Run by the kernel's hand even where the harness is killed.
LEASH = ["setpriv", "--pdeathsig", "KILL"]


T = TypeVar("T")


class SetupFailure(Exception):
    """The machine cannot build what a scenario needs."""


class Namespace:
    """One network namespace."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            [*LEASH, "unshare", "--net", "sh", "-c", "echo; exec sleep infinity"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout
        if self._holder.stdout.readline() != b"\n":
            self.close()
            raise SetupFailure("no network namespace can be made here")

    @property
    def pid(self) -> int:
        """A process inside."""
        return self._holder.pid

    def command(self, arguments: Sequence[str]) -> list[str]:
        """What runs ``arguments`` inside."""
        return [*LEASH, "nsenter", "-t", str(self.pid), "--net", *arguments]

    def run(self, *arguments: str, timeout_s: float = 20) -> subprocess.CompletedProcess[str]:
        """Run inside; the output is text, errors with it."""
        return subprocess.run(
            self.command(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
        )

    def shell(self, script: str) -> None:
        """Run shell lines inside; SetupFailure with what the first bad one said."""
        done = self.run("sh", "-ec", script)
        if done.returncode:
            raise SetupFailure(f"{script.strip().splitlines()[0]} ..: {done.stdout.strip()}")

    def packet_socket(self, interface: str) -> socket.socket:
        """An AF_PACKET socket on an interface of the namespace."""

        def make() -> socket.socket:
            tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            tap.bind((interface, 0))
            return tap

        return self.within(make)

    def udp_socket(self, address: str, port: int = 0) -> socket.socket:
        """A UDP socket of the namespace, bound to that address."""

        def make() -> socket.socket:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_DGRAM)
            sock.bind((address, port))
            return sock

        return self.within(make)

    def within(self, make: Callable[[], T]) -> T:
        """What ``make`` opens inside, and answers. SetupFailure where it cannot."""
        made: list[T] = []
        errors: list[OSError] = []

        def inside() -> None:  # a namespace belongs to a thread; this one ends with it
            libc = ctypes.CDLL(None, use_errno=True)
            handle = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
            entered = libc.setns(handle, 0)
            os.close(handle)
            try:
                if entered == 0:
                    made.append(make())
            except OSError as error:
                errors.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if not made:
            raise SetupFailure(f"nothing to be had in a namespace: {errors}")
        return made[0]

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()
        if self._holder.stdout:
            self._holder.stdout.close()


# Few programs: in the guest each costs 0.1 s and more.
_BASE = """
ip link set lo up
sysctl -qw net.ipv4.conf.all.forwarding=1 net.ipv6.conf.all.forwarding=1 \\
    net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \\
    net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0 \\
    net.ipv6.conf.default.router_solicitations=0
"""


def _end(namespace: Namespace, number: int, subnet: int, gateway: str = "") -> None:
    """Addresses of one end. What no tunnel takes goes to a router that is not there: in clear,
    nothing arrives."""
    namespace.shell(
        _BASE
        + f"""
ip -batch - <<END
addr add 192.168.{subnet}.{number}/24 dev veth0
addr add fd77::{number}/64 dev veth0 nodad
addr add 10.10.{number}.1/32 dev lo
addr add 10.11.{number}.1/32 dev lo
addr add fd10:{number}::1/128 dev lo
link set veth0 up
route add 10.0.0.0/8 via 192.168.{subnet}.253
route add fd10::/16 via fd77::fd
{f"route add default via {gateway}" if gateway else ""}
END
"""
    )


_RULE = "-t nat -A POSTROUTING -o outside -p udp -j MASQUERADE --to-ports"
# One of them works: kernels differ in what they have of nftables. With the ports behind it.
_MASQUERADES = (
    ("iptables -t nat -F", f"iptables {_RULE} %s"),
    ("iptables-legacy -t nat -F", f"iptables-legacy {_RULE} %s"),
    ("nft delete table ip nat",
     "nft 'add table ip nat; "
     "add chain ip nat post { type nat hook postrouting priority 100; }; "
     "add rule ip nat post oifname outside meta l4proto udp masquerade to :%s'"),
)  # fmt: skip


def _masquerade(router: Namespace) -> None:
    """Hide what is behind the router's ``inside``, with other source ports."""
    router.shell(
        _BASE
        + """
ip addr add 192.168.77.254/24 dev inside
ip addr add 192.168.78.254/24 dev outside
ip link set inside up
ip link set outside up
"""
    )
    _map(router, "20000-29999")


def _map(router: Namespace, ports: str) -> None:
    said = ""
    for clear, command in _MASQUERADES:
        router.run("sh", "-c", clear)
        done = router.run("sh", "-c", command % ports)
        if done.returncode == 0:
            return
        said += done.stdout
    raise SetupFailure(f"no NAT can be made with iptables or nft: {said.strip()}")


def restart_nat(router: Namespace) -> None:
    """What it has mapped is forgotten, as its address goes away, and is mapped elsewhere now."""
    address = "192.168.78.254/24 dev outside"
    router.shell(f"ip addr del {address}")
    _map(router, "30000-39999")
    router.shell(f"ip addr add {address}")


@contextmanager
def wire(nat: bool) -> Iterator[tuple[Namespace, Namespace]]:
    """Namespaces a and b, joined by ``veth0``; with ``nat`` a masquerading router in between."""
    with network(nat) as made:
        yield made[0], made[1]


@contextmanager
def network(nat: bool) -> Iterator[list[Namespace]]:
    """The same, and the router, where there is one."""
    made: list[Namespace] = []
    try:
        made = [Namespace() for _ in range(3 if nat else 2)]
        a, b = made[:2]
        if nat:
            router = made[2]
            _join(router, "inside", a)
            _join(router, "outside", b)
            _masquerade(router)
            _end(a, 1, 77, "192.168.77.254")
            _end(b, 2, 78)
        else:
            _join(a, "veth0", b)
            _end(a, 1, 77)
            _end(b, 2, 77)
        yield made
    finally:
        for namespace in made:
            namespace.close()


def _join(one: Namespace, interface: str, other: Namespace) -> None:
    one.shell(f"ip link add {interface} type veth peer name veth0 netns {other.pid}")


def tun_device() -> bool:
    """Whether this machine has TUN, which ESP in user space needs."""
    return Path("/dev/net/tun").exists()
