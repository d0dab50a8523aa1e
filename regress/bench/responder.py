"""A responder under test: a daemon in a namespace, and what /proc says of its process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path

from regress.interop.end import Failure, eventually
from regress.interop.namespace import Namespace
from regress.interop.needs import CHARON

ROOT = Path(__file__).resolve().parents[2]
SERVER = "192.168.77.2"
NETWORK = "10.99.0.0/16"
SECRET = "bench-secret"
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") / 1024
# Its /run is its own, as the path of its pid file is compiled in. The mount ends with it.
_PRIVATE_RUN = 'mount --bind "$1" /run && shift && exec "$@"'


class Process:
    """A process's account, as /proc keeps it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def cpu_s(self) -> float:
        """Processor time of all its threads so far, in user space and in the kernel."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK_S

    def memory_kb(self) -> float:
        """Resident memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE_KB

    def settled_cpu_s(self) -> float:
        """The same as cpu_s once it has nothing left to do."""
        last = self.cpu_s()
        for _ in range(20):
            time.sleep(0.3)
            now = self.cpu_s()
            if now - last < 0.02:
                return now
            last = now
        return last


class Responder(ABC):
    """One daemon that answers everybody. label: how the table calls it."""

    def __init__(
        self, label: str, version: int, group: int, esp: str, namespace: Namespace, folder: Path
    ) -> None:
        self.label, self.version, self.group, self.esp = label, version, group, esp
        self._namespace, self.folder = namespace, folder
        self._child: subprocess.Popen[bytes] | None = None
        (folder / "run").mkdir(parents=True)

    @abstractmethod
    def start(self) -> None:
        """Start it, and wait until it answers."""

    @property
    def process(self) -> Process:
        """Its account."""
        if self._child is None or self._child.poll() is not None:
            raise Failure(f"{self.label} does not run: {self.last_words()}")
        return Process(self._child.pid)

    def _spawn(self, arguments: list[str], **environment: str) -> None:
        with (self.folder / "stdout").open("wb") as output:
            self._child = subprocess.Popen(
                self._namespace.command(arguments), stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, cwd=ROOT, env=os.environ | environment,
            )  # fmt: skip

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def last_words(self) -> str:
        """The end of what it printed."""
        path = self.folder / "stdout"
        return path.read_text(errors="replace")[-600:] if path.exists() else ""

    def stop(self) -> None:
        """End it, at once: with thousands of peers there is no point in telling them."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None


_ISAKMPD_CONF = """
[General]
Listen-on= {server}
Run-directory= {folder}/run
Application= {application}
Max-half-open= 4096
Max-half-open-per-peer= 4096
Cookie-threshold= 4096
Max-identities= 100000
Max-SAs= 100000
Max-children-in-all= 100000

[Phase 1]
Default= anybody

[Phase 2]
Passive-connections= net

[anybody]
Phase= 1
Key-exchange= ikev{version}
Configuration= phase-1
Authentication= {secret}

[phase-1]
EXCHANGE_TYPE= ID_PROT
Transforms= AES-128-SHA2-256-GRP{group}

[net]
Phase= 2
ISAKMP-peer= anybody
Configuration= phase-2
Local-ID= here
Remote-ID= everywhere

[here]
ID-type= IPV4_ADDR_SUBNET
Network= 10.99.0.0
Netmask= 255.255.0.0

[everywhere]
ID-type= IPV4_ADDR_SUBNET
Network= 0.0.0.0
Netmask= 0.0.0.0

[phase-2]
EXCHANGE_TYPE= QUICK_MODE
Suites= {suite}
"""
_ISAKMPD_SUITES = {
    "aes-gcm": "QM-ESP-AESGCM-128-SUITE",
    "aes-sha2": "QM-ESP-AES-128-SHA2-256-SUITE",
}


class Isakmpd(Responder):
    """The daemon of this checkout; application ``none`` or ``engine``."""

    application = "none"
    interpreter = (sys.executable,)

    def start(self) -> None:
        conf = self._write("isakmpd.ini", _ISAKMPD_CONF.format(
            server=SERVER, folder=self.folder, application=self.application, secret=SECRET,
            version=self.version, group=self.group, suite=_ISAKMPD_SUITES[self.esp],
        ))  # fmt: skip
        run = self.folder / "run"
        self._spawn([
            *self.interpreter, "-m", "isakmp", "-d", "-S", "-c", str(conf),
            "-f", str(run / "isakmpd.fifo"), "-R", str(run / "isakmpd.report"),
        ])  # fmt: skip
        eventually(f"{self.label} runs", lambda: self.process and "runs" in self.last_words())


class IsakmpdEngine(Isakmpd):
    """With real SAs, in the key engine."""

    application = "engine"


_CHARON_CONF = """
charon {{
  load = {plugins}
  ikesa_table_size = 4096
  ikesa_table_segments = 16
  dos_protection = no
  half_open_timeout = 60
  filelog {{
    log {{
      path = {folder}/log
      default = 0
    }}
  }}
  plugins {{ vici {{ socket = unix://{folder}/run/charon.vici }} }}
}}
"""
_SWANCTL_CONF = """
connections {{
  anybody {{
    version = {version}
    local_addrs = {server}
    proposals = aes128-sha256-{group}
    local {{
      auth = psk
      id = {server}
    }}
    remote {{
      auth = psk
    }}
    children {{
      net {{
        local_ts = {network}
        remote_ts = 0.0.0.0/0
        esp_proposals = {esp}
      }}
    }}
  }}
}}
secrets {{
  ike-1 {{
    secret = "{secret}"
  }}
}}
"""
_CHARON_ESP = {"aes-gcm": "aes128gcm16", "aes-sha2": "aes128-sha256"}
_CHARON_GROUPS = {14: "modp2048", 31: "curve25519"}


class Charon(Responder):
    """strongSwan's, with ESP in user space."""

    plugins = (
        "random nonce openssl aes sha1 sha2 md5 hmac kdf gmp curve25519 gcm "
        "kernel-libipsec kernel-netlink socket-default vici"
    )

    def start(self) -> None:
        strongswan = self._write(
            "strongswan.conf", _CHARON_CONF.format(plugins=self.plugins, folder=self.folder)
        )
        swanctl = self._write("swanctl.conf", _SWANCTL_CONF.format(
            server=SERVER, network=NETWORK, secret=SECRET, version=self.version,
            group=_CHARON_GROUPS[self.group],
            esp=_CHARON_ESP[self.esp],
        ))  # fmt: skip
        run = self.folder / "run"
        self._spawn(
            ["unshare", "-m", "--propagation", "private",
             "sh", "-c", _PRIVATE_RUN, "sh", str(run), str(CHARON)],
            STRONGSWAN_CONF=str(strongswan),
        )  # fmt: skip
        eventually(f"{self.label} runs", lambda: self.process and (run / "charon.vici").exists())
        done = self._namespace.run(
            "swanctl", "--load-all", "--file", str(swanctl), "--uri", f"unix://{run}/charon.vici"
        )
        if done.returncode:
            raise Failure(f"{self.label}: {done.stdout.strip()}")
