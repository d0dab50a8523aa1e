"""OpenIKED as an end: IKEv2, the kernel's ESP over PF_KEY; commanded with ikectl."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from regress.interop.end import Child, End, Failure, eventually
from regress.interop.needs import IKECTL, IKED
from regress.interop.scenario import SHORT_LIFE_S, Act, Role, Scenario, Stack, Suite
from regress.interop.site import SECRET
from regress.interop.xfrm import esp_pairs

_CIPHER = {
    "3DES": "3des",
    "AES-128": "aes-128",
    "AES-192": "aes-192",
    "AES-256": "aes-256",
    "AESGCM-128": "aes-128-gcm",
    "AESGCM-256": "aes-256-gcm",
}
_HASH = {"": "", "MD5": "hmac-md5", "SHA": "hmac-sha1", "SHA2-256": "hmac-sha2-256",
         "SHA2-384": "hmac-sha2-384", "SHA2-512": "hmac-sha2-512"}  # fmt: skip
_GROUP = {None: "", 2: "modp1024", 5: "modp1536", 14: "modp2048", 15: "modp3072", 16: "modp4096",
          19: "ecp256", 20: "ecp384", 21: "ecp521", 31: "curve25519"}  # fmt: skip
# Compiled in are /etc/iked, /run and the user _iked, into whose home it changes its root.
_PRIVATE = (
    'mount --bind "$1/etc" /etc && mount --bind "$1/empty" /mnt && mount --bind "$1/run" /run '
    '&& shift && exec "$@"'
)
_ETC = ("passwd", "group", "nsswitch.conf", "ld.so.cache", "hosts", "services", "protocols")
_IKED_DIRS = ("ca", "certs", "crls", "private", "export", *(
    f"pubkeys/{kind}" for kind in ("ipv4", "ipv6", "fqdn", "ufqdn")
))  # fmt: skip
_MODPROBE = Path("/proc/sys/kernel/modprobe")
_SA = re.compile(r"^iked_sas: \S+ rspi 0x(\w+) ispi 0x(\w+) .*ESTABLISHED", re.M)


def transforms(suite: Suite) -> str:
    """A suite in iked's keywords."""
    words = [f"enc {_CIPHER[suite.cipher]}"]
    words += [f"auth {_HASH[suite.hash]}"] if suite.hash else []
    words += [f"group {_GROUP[suite.group]}"] if suite.group else []
    return " ".join(words)


class Iked(End):
    """One policy, ``peer``; an initiator begins by itself 2 s after it is told to be active."""

    kind = "iked"
    patience_s = 15.0
    _modprobe = ""

    @property
    def rekeys_within_s(self) -> float:  # type: ignore[override]
        return SHORT_LIFE_S + 4.0

    @classmethod
    def missing(cls, stack: Stack) -> str:
        if stack is not Stack.KERNEL:
            return "iked needs a kernel with PF_KEY"
        absent = [path for path in (str(IKED), "openssl") if not shutil.which(path)]
        return f"needs {', '.join(absent)}: run tools/setup-peers" if absent else ""

    @classmethod
    def lacks(cls, scenario: Scenario, acts: bool) -> str:
        if not scenario.plain:
            return "what one end has of its own is not written for iked"
        if scenario.version == 1:
            return "iked speaks IKEv2 alone"
        if scenario.esp.cipher.startswith("AESGCM"):
            return "PF_KEY has no GCM on Linux"
        if scenario.esp.hash == "SHA2-256":
            return "PF_KEY has a short HMAC-SHA2-256 on Linux"
        if scenario.ipcomp:
            return "what iked makes of IPComp carries nothing on Linux, with charon either"
        cannot = (Act.DELETE_CHILD, Act.DEAD_PEER, Act.BYTES_SOFT, Act.BYTES_HARD, Act.ACQUIRE)
        return (
            f"iked is not made to do {scenario.act.value}"
            if acts and scenario.act in cannot
            else ""
        )

    def _conf(self) -> str:
        site, row = self.site, self.scenario
        rekeys = row.act.rekeys if self.acts else ""
        lives = [f"ikelifetime {SHORT_LIFE_S}"] if rekeys == "ike" else []
        lives += [f"lifetime {SHORT_LIFE_S}"] if rekeys == "child" else []
        words = [
            f'ikev2 "peer" {"active" if self.role is Role.INITIATOR else "passive"}',
            "ipcomp" if row.ipcomp else "",
            "transport" if row.transport else "tunnel",
            f"esp from {site.network} to {site.remote_network}",
            f"local {site.address} peer {site.peer}",
            f"ikesa {transforms(row.ike)}",
            f"childsa {transforms(row.esp)}",
            f"srcid {site.identity} dstid {site.peer_identity}",
            *lives,
            f'psk "{SECRET}"',
        ]
        # It would begin by itself, before the other end is there.
        return "set passive\n" + " ".join(word for word in words if word) + "\n"

    def launch(self) -> None:
        folder, etc = self.folder, self.folder / "etc"
        for made in (folder / "run", folder / "empty", *(etc / "iked" / d for d in _IKED_DIRS)):
            made.mkdir(parents=True)
        (etc / "iked" / "private").chmod(0o700)
        for name in _ETC:
            shutil.copy(Path("/etc") / name, etc / name)
        if Path("/etc/ssl").is_dir():
            shutil.copytree("/etc/ssl", etc / "ssl", symlinks=True)
        with (etc / "passwd").open("a") as passwd, (etc / "group").open("a") as group:
            passwd.write("_iked:x:1990:1990::/mnt:/usr/sbin/nologin\n")
            group.write("_iked:x:1990:\n")
        conf = etc / "iked.conf"
        conf.touch(0o600)
        conf.write_text(self._conf())
        self._make_key(etc / "iked")
        # PF_KEY's REGISTER has the kernel look for a module of each algorithm that it lacks.
        self._modprobe = _MODPROBE.read_text()
        _MODPROBE.write_text("\n")
        shell = ["sh", "-c", _PRIVATE, "sh", str(folder)]
        self.spawn(["unshare", "-m", "--propagation", "private", *shell, str(IKED), "-dvv"])

    def _make_key(self, folder: Path) -> None:
        """iked does not start without a key pair, though it is not used here."""
        key = folder / "private" / "local.key"
        for command in (
            ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key)],
            ["openssl", "ec", "-in", str(key), "-pubout", "-out", str(folder / "local.pub")],
        ):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise Failure(f"{self}: openssl: {done.stderr}")
        key.chmod(0o600)

    def ready(self) -> None:
        def configured() -> bool:
            self.alive()
            # Its socket is there before the policies are; this is the last of them.
            text = (self.folder / "stdout").read_text(errors="replace")
            return re.search(r"config_getstatic: .*stickyaddress", text) is not None

        eventually(f"{self} has its configuration", configured, 20)
        self._probe_again()

    def _probe_again(self) -> None:
        if self._modprobe:
            _MODPROBE.write_text(self._modprobe)
            self._modprobe = ""

    def stop(self, timeout_s: float = 10) -> None:
        """Tell the peers, which it does not do at its end, and end."""
        if self.process:
            self.delete_ike()
        super().stop(timeout_s)

    def kill(self) -> None:
        self._probe_again()
        super().kill()

    def _ikectl(self, *arguments: str) -> str:
        self.alive()
        socket = str(self.folder / "run" / "iked.sock")
        done = self.namespace.run(str(IKECTL), "-s", socket, *arguments)
        if done.returncode:
            raise Failure(f"{self}: ikectl {' '.join(arguments)}: {done.stdout.strip()}")
        return done.stdout

    def initiate(self) -> None:
        self._ikectl("passive")
        self._ikectl("active")
        eventually(f"{self} has the SA pair", self.children, self.patience_s)

    def ike(self) -> set[str]:
        found = _SA.findall(self._ikectl("show", "sa"))
        return {f"{int(i, 16):016x}:{int(r, 16):016x}" for r, i in found}

    def children(self) -> list[Child]:
        return [
            Child(here.spi, there.spi, here.packets, there.packets)
            for here, there in esp_pairs(self.namespace, self.site.address)
        ]

    def rekey_child(self) -> None:
        """Nothing to do: the lifetime in the configuration is short."""

    def rekey_ike(self) -> None:
        """As rekey_child."""

    def delete_child(self) -> None:
        raise Failure(f"{self} has no command for it")

    def delete_ike(self) -> None:
        self._ikectl("reset", "sa")
