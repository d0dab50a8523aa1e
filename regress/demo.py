"""make demo: two isakmpd in two network namespaces bring up a tunnel and carry traffic.

West and east run conf/isakmpd.ini and conf/east.ini, joined by a veth pair, with ESP in user
space, by the daemons or by a key engine beside each. What is shown is what happened: the exchange
from west's own capture, the SA table from isakmpctl, the wire from a packet socket in between.
Ends with 0 only if all of it was right. Without root it runs in a user namespace. Nothing is left
behind.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CLONE_NEWNET = 0x40000000
ENDS = {
    "west": ("isakmpd.ini", "192.0.2.1/24", "10.1.0.1/16", "10.2.0.1"),
    "east": ("east.ini", "192.0.2.2/24", "10.2.0.1/16", "10.1.0.1"),
}
PINGS = 5
# The messages that each protocol needs at least.
MESSAGES = {
    "ikev1": {"ID_PROT": 6, "QUICK_MODE": 3},
    "ikev2": {"IKE_SA_INIT": 2, "IKE_AUTH": 2},
}
IKE_PORTS = (500, 4500)
MODULES = {"isakmpd": "isakmp", "isakmpctl": "fifo_ui.ctl", "isakmpd-engine": "isakmp.app.engine"}


def main() -> int:
    """Set the stage, play, and judge."""
    parser = argparse.ArgumentParser(prog="regress.demo", description="Two isakmpd and a tunnel.")
    parser.add_argument("--protocol", choices=list(MESSAGES), default="ikev2")
    text = "where the commands are installed; by default the checkout's run"
    parser.add_argument("--bin", type=Path, metavar="DIRECTORY", help=text)
    text = "each key engine in a process of its own, isakmpd-engine"
    parser.add_argument("--engine", action="store_true", help=text)
    options = parser.parse_args()
    if os.geteuid() != 0 and "ISAKMPD_DEMO" not in os.environ:
        return in_user_namespace(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isakmpd-demo.")))
        stage = Stage(stack, base, options)
        failures = play(stage)
    print(f"\n{'FAILED: ' + '; '.join(failures) if failures else 'All of it was right'} "
          f"({time.monotonic() - started:.1f} s)")  # fmt: skip
    return 1 if failures else 0


def in_user_namespace(arguments: list[str]) -> int:
    """The same as root of a user namespace of our own."""
    if shutil.which("unshare") is None:
        print("demo: needs root, or unshare(1) of util-linux", file=sys.stderr)
        return 1
    command = [
        "unshare", "--user", "--map-root-user", "--net", sys.executable, "-m", __spec__.name,
        *arguments,
    ]  # fmt: skip
    done = subprocess.run(command, env={**os.environ, "ISAKMPD_DEMO": "1"}, cwd=ROOT)
    if done.returncode > 1:
        print("demo: this host allows no user namespaces; run it as root", file=sys.stderr)
    return done.returncode


class Stage:
    """Two namespaces, a wire between them, an isakmpd in each."""

    def __init__(self, stack: ExitStack, base: Path, options: argparse.Namespace) -> None:
        self.base, self.protocol, self.installed = base, options.protocol, options.bin
        self.cwd = base if options.bin else ROOT
        self.holders = {name: stack.enter_context(namespace()) for name in ENDS}
        self.join()
        self.tap = stack.enter_context(socket_in(self.holders["west"]))
        # East first: a message to a port where nobody listens yet draws an ICMP error in clear.
        for name in reversed(ENDS):
            (base / name).mkdir()
            if options.engine:
                stack.enter_context(self.engine(name))
            stack.enter_context(self.daemon(name, options.engine))

    def command(self, name: str, *words: str) -> list[str]:
        """One of isakmpd's commands: what is installed, or the checkout's."""
        if self.installed:
            return [str(self.installed / name), *words]
        return [sys.executable, "-m", MODULES[name], *words]

    def join(self) -> None:
        """A veth pair between the namespaces, and the inner addresses."""
        from pyroute2 import IPRoute

        with inside(self.holders["west"]), IPRoute() as netlink:
            peer = {"ifname": "wire", "net_ns_fd": netns_path(self.holders["east"])}
            netlink.link("add", ifname="wire", kind="veth", peer=peer)
        for name, (_, outer, inner, _) in ENDS.items():
            with inside(self.holders[name]), IPRoute() as netlink:
                for link, address in (("lo", inner), ("wire", outer)):
                    index = netlink.link_lookup(ifname=link)[0]
                    text, _, prefix = address.partition("/")
                    netlink.addr("add", index=index, address=text, prefixlen=int(prefix))
                    netlink.link("set", index=index, state="up")

    def daemon(self, name: str, engine: bool) -> AbstractContextManager[None]:
        """isakmpd with its configuration, made private and given a run directory of its own."""
        directory = self.base / name
        text = (ROOT / "conf" / ENDS[name][0]).read_text()
        text = text.replace("Key-exchange= ikev2", f"Key-exchange= {self.protocol}")
        general = f"[General]\nRun-directory= {directory}"
        if engine:
            general += f"\nEngine-socket= {directory}/engine"
        conf = directory / "isakmpd.conf"
        conf.touch(0o600)
        conf.write_text(text.replace("[General]", general, 1))
        command = self.command("isakmpd", "-d", "-v", "-c", str(conf), "-L")
        return self.running(name, command, directory / "isakmpd.pid")

    def engine(self, name: str) -> AbstractContextManager[None]:
        """An end's key engine in a process of its own."""
        path = self.base / name / "engine"
        return self.running(name, self.command("isakmpd-engine", "--socket", str(path)), path)

    @contextmanager
    def running(self, name: str, command: list[str], made: Path) -> Iterator[None]:
        """A process at one end, from when it has made that file on."""
        with (self.base / name / "log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=self.cwd, stderr=log, preexec_fn=enter(self.holders[name])
            )
        try:
            wait_for(made.exists, 10.0)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def ctl(self, name: str, *words: str) -> Any:
        """What isakmpctl answers, as JSON."""
        return json.loads(self.text(name, *words, "--json") or "{}").get("result")

    def text(self, name: str, *words: str) -> str:
        """What isakmpctl prints for people."""
        command = self.command("isakmpctl", "--run-directory", str(self.base / name), *words)
        return subprocess.run(command, cwd=self.cwd, capture_output=True, text=True).stdout


def play(stage: Stage) -> list[str]:
    """Wait for the tunnel, use it, show it; what was not right."""
    print("Two isakmpd: west 192.0.2.1 for 10.1.0.0/16, east 192.0.2.2 for 10.2.0.0/16\n")
    if not wait_for(lambda: both_up(stage), 12.0):
        for name in ENDS:
            print(f"--- log of {name}\n{(stage.base / name / 'log').read_text()}")
        return ["the tunnel did not come up"]
    failures = []
    for name, (_, _, inner, there) in ENDS.items():
        here = inner.partition("/")[0]
        with inside(stage.holders[name]):
            answered = ping(here, there, PINGS)
        print(f"ping {here} -> {there} from {name}: {answered} of {PINGS} answered")
        if answered != PINGS:
            failures.append(f"{PINGS - answered} pings from {name} were lost")
    print("\nThe exchange, as west's own capture has it:")
    failures += ladder(stage.base / "west" / "isakmpd.pcap", MESSAGES[stage.protocol])
    print("\nisakmpctl sa, at west:\n" + stage.text("west", "sa"))
    failures += counters(stage)
    failures += wire(stage.tap)
    return failures


def both_up(stage: Stage) -> bool:
    """Whether both ends have their phase 2 SA."""
    if not all((stage.base / name / "isakmpd.pid").exists() for name in ENDS):
        return False
    return all(
        any(row["phase"] == 2 and row["state"] == "established" for row in rows(stage, name))
        for name in ENDS
    )


def rows(stage: Stage, name: str) -> list[dict[str, Any]]:
    """The SA table of one end."""
    answer = stage.ctl(name, "sa")
    return answer if isinstance(answer, list) else (answer or {}).get("sas", [])


def counters(stage: Stage) -> list[str]:
    """Both ends must have counted the same packets."""
    west, east = (carried(stage, name) for name in ENDS)
    pairs = [(west["out"], east["in"]), (east["out"], west["in"])]
    ok = all(sent == received >= 2 * PINGS for sent, received in pairs)
    return [] if ok else [f"the SA counters disagree: {pairs}"]


def carried(stage: Stage, name: str) -> Counter[str]:
    """The packets that one end's phase 2 SAs have carried, in and out."""
    packets: Counter[str] = Counter()
    for row in rows(stage, name):
        if row["phase"] == 2:
            packets += Counter({"in": row["packets_in"], "out": row["packets_out"]})
    return packets


def ladder(capture: Path, wanted: dict[str, int]) -> list[str]:
    """Draw the messages of a capture, with their payloads; which of the wanted ones are missing."""
    from isakmp.capture.pcap import Frame, open_capture, read_frames
    from isakmp.capture.reader import Datagram, read_datagrams
    from isakmp.constants import name_of
    from isakmp.message import Message
    from isakmp.payloads import family

    print(f"  {'west':<10}{'':54}{'east':>10}")
    first: int | None = None
    seen: Counter[str] = Counter()
    with open_capture(capture) as file:
        for datagram in read_datagrams(f for f in read_frames(file) if isinstance(f, Frame)):
            if not isinstance(datagram, Datagram):
                continue
            message = Message.parse(datagram.message)
            first = datagram.time_ns if first is None else first
            rules = family(message.header.major)
            assert rules is not None
            kind = name_of(rules.exchange, message.header.exchange_type)
            names = Counter(name_of(rules.payload, p.type) for p in message.payloads)
            more = "".join(f" +{names.pop(n)} {n}" for n in ("VENDOR", "NOTIFY") if n in names)
            seen[kind] += 1
            body = f" {kind}: {', '.join(names.elements())}{more} "
            from_west = str(datagram.source) == "192.0.2.1"
            arrow = f"|{body:-^60}>|" if from_west else f"|<{body:-^60}|"
            print(f"  {arrow}  {(datagram.time_ns - first) / 1e6:7.1f} ms")
    return [f"{k}: {seen[k]} messages, not {n}" for k, n in wanted.items() if seen[k] < n]


def wire(tap: socket.socket) -> list[str]:
    """Count what crossed the wire, by what an onlooker sees."""
    seen: Counter[str] = Counter()
    while True:
        try:
            frame = tap.recv(65535)
        except BlockingIOError:
            break
        seen[onlooker(frame)] += 1
    print("The wire saw: " + ", ".join(f"{count} {what}" for what, count in seen.most_common()))
    failures = [f"{seen[k]} packets in clear" for k in ("clear IPv4",) if seen[k]]
    if seen["ESP"] < 4 * PINGS:
        failures.append(f"only {seen['ESP']} ESP packets")
    return failures


def onlooker(frame: bytes) -> str:
    """ESP, IKE, clear IPv4, or what the link itself needs."""
    if frame[12:14] == b"\x86\xdd":
        return "IPv6 neighbour discovery" if frame[20] in (0, 58) else "clear IPv6"
    if frame[12:14] != b"\x08\x00":
        return "ARP"
    if frame[23] == 50:
        return "ESP"
    ports = struct.unpack_from(">HH", frame, 14 + 4 * (frame[14] & 15))
    if frame[23] == 17 and any(port in IKE_PORTS for port in ports):
        return "IKE"
    return "clear IPv4"


def ping(source: str, destination: str, count: int) -> int:
    """ICMP echo requests one after the other; how many were answered."""
    answered = 0
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.bind((source, 0))
        sock.settimeout(1.0)
        for sequence in range(count):
            head = struct.pack(">BBHHH", 8, 0, 0, os.getpid() & 0xFFFF, sequence)
            request = head[:2] + checksum(head).to_bytes(2, "big") + head[4:]
            sock.sendto(request, (destination, 0))
            answered += answer_to(sock, request[4:8])
    return answered


def answer_to(sock: socket.socket, wanted: bytes) -> bool:
    """Whether the echo reply with that identifier and sequence number comes in time."""
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        try:
            packet = sock.recv(2048)
        except TimeoutError:
            return False
        header = 4 * (packet[0] & 15)
        if packet[header] == 0 and packet[header + 4 : header + 8] == wanted:
            return True
    return False


def checksum(data: bytes) -> int:
    """RFC 1071, of an even number of octets."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


# --- namespaces ------------------------------------------------------------------------------

_libc = ctypes.CDLL(None, use_errno=True)


def netns_path(holder: subprocess.Popen[bytes]) -> str:
    """The namespace that a process lives in."""
    return f"/proc/{holder.pid}/ns/net"


@contextmanager
def namespace() -> Iterator[subprocess.Popen[bytes]]:
    """A network namespace that lives as long as a process which waits for us to end."""
    code = "import sys; print(flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        preexec_fn=lambda: _checked(_libc.unshare(CLONE_NEWNET)),
    )  # fmt: skip
    try:
        if holder.stdout:
            holder.stdout.readline()
        yield holder
    finally:
        if holder.stdin:
            holder.stdin.close()
        holder.wait()
        if holder.stdout:
            holder.stdout.close()


def _checked(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def enter(holder: subprocess.Popen[bytes]) -> Any:
    """For preexec_fn: the child goes into the holder's namespace."""
    path = netns_path(holder)

    def go() -> None:
        fd = os.open(path, os.O_RDONLY)
        _checked(_libc.setns(fd, CLONE_NEWNET))
        os.close(fd)

    return go


@contextmanager
def inside(holder: subprocess.Popen[bytes]) -> Iterator[None]:
    """This thread is in the holder's namespace for a while."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        enter(holder)()
        yield
    finally:
        _checked(_libc.setns(home, CLONE_NEWNET))
        os.close(home)


@contextmanager
def socket_in(holder: subprocess.Popen[bytes]) -> Iterator[socket.socket]:
    """A packet socket on the wire, at the holder's end."""
    with inside(holder):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        sock.bind(("wire", 0))
    sock.setblocking(False)
    with sock:
        yield sock


def wait_for(condition: Any, seconds: float) -> bool:
    """Whether it holds before the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


if __name__ == "__main__":
    sys.exit(main())
