"""libreswan's pluto as an end, with the kernel's ESP; commanded with whack."""

from __future__ import annotations

import re
import shutil
import subprocess

from regress.interop.end import Child, End, Failure, eventually
from regress.interop.needs import PLUTO, WHACK
from regress.interop.scenario import SHORT_LIFE_S, Act, Role, Scenario, Stack, Suite
from regress.interop.site import SECRET
from regress.interop.xfrm import esp_pairs

_CIPHER = {
    "3DES": "3des",
    "AES-128": "aes128",
    "AES-192": "aes192",
    "AES-256": "aes256",
    "AESGCM-128": "aes_gcm128",
    "AESGCM-256": "aes_gcm256",
}
_HASH = {"": "", "MD5": "md5", "SHA": "sha1", "SHA2-256": "sha2_256", "SHA2-384": "sha2_384",
         "SHA2-512": "sha2_512"}  # fmt: skip
# Compiled into it are /usr/libexec/ipsec, for the programs it starts, and /run/pluto.
_PRIVATE = 'mount --bind "$1" /usr/libexec && mount --bind "$2" /run && shift 2 && exec "$@"'
_BYTES = (Act.BYTES_SOFT, Act.BYTES_HARD)
_MODP = (None, 2, 5, 14, 15, 16)
_ANSWERS = (Role.RESPONDER, False)
_STATE = re.compile(r"^000 #(\d+): .* (STATE_\w+) \((.*?)\);", re.M)


def proposal(suite: Suite) -> str:
    """A suite in libreswan's keywords."""
    algorithms = "-".join(part for part in (_CIPHER[suite.cipher], _HASH[suite.hash]) if part)
    return algorithms + (f";dh{suite.group}" if suite.group else "")


class Pluto(End):
    """One connection, ``peer``; its SAs are states with numbers."""

    kind = "pluto"
    names_cookies = False
    says_initial_contact = False
    loses_by_haste = 2

    @property
    def keeps_parents(self) -> bool:  # type: ignore[override]
        return self.scenario.version == 2

    @property
    def rekeys_within_s(self) -> float:  # type: ignore[override]
        return SHORT_LIFE_S + 4.0 if self.scenario.version == 1 else 0.0

    @classmethod
    def missing(cls, stack: Stack) -> str:
        if stack is not Stack.KERNEL:
            return "pluto needs a kernel with ESP"
        absent = [path for path in (str(PLUTO), "certutil") if not shutil.which(path)]
        return f"needs {', '.join(absent)}: run tools/setup-peers" if absent else ""

    @classmethod
    def lacks(cls, scenario: Scenario, acts: bool) -> str:
        if not scenario.plain:
            return "what one end has of its own is not written for pluto"
        if scenario.version == 1:
            return _lacks_in_ikev1(scenario, acts)
        return "pluto is given no limits in octets" if acts and scenario.act in _BYTES else ""

    def _ipsec_conf(self) -> str:
        site, row = self.site, self.scenario
        subnets = f"leftsubnet={site.network}\n    rightsubnet={site.remote_network}"
        watch = "dpddelay=1s\n    dpdtimeout=3s\n    dpdaction=clear\n    retransmit-timeout=5s"
        traps = row.act is Act.ACQUIRE and self.role is Role.INITIATOR
        return f"""
config setup
    protostack=xfrm
    ikev1-policy=accept
conn peer
    authby=secret
    ikev2={"yes" if row.version == 2 else "no"}
    aggressive={"yes" if row.version == 1 and row.mode == "aggressive" else "no"}
    type={"transport" if row.transport else "tunnel"}
    compress={"yes" if row.ipcomp else "no"}
    left={site.address}
    leftid={_identity(site.identity)}
    right={site.peer}
    rightid={_identity(site.peer_identity)}
    {"" if row.transport else subnets}
    ike={proposal(row.ike)}
    esp={proposal(row.esp)}
    pfs={"yes" if row.esp.group else "no"}
    {self._lives()}
    {watch if row.act.watches else ""}
    leftupdown=/bin/true
    auto={"ondemand" if traps else "add"}
"""

    def _lives(self) -> str:
        """IKEv1's lifetimes: by them it rekeys, or offers them to a responder that rekeys."""
        rekeys = self.scenario.act.rekeys
        if not rekeys or self.scenario.version == 2 or (self.role, self.acts) == _ANSWERS:
            return ""
        name = {"ike": "ikelifetime", "child": "salifetime"}[rekeys]
        how = "rekeymargin=3s\n    rekeyfuzz=0%" if self.acts else "rekey=no"
        return f"{name}={SHORT_LIFE_S}s\n    {how}"

    def launch(self) -> None:
        site, folder = self.site, self.folder
        # What is left of one that was killed.
        shutil.rmtree(folder / "run", ignore_errors=True)
        shutil.rmtree(folder / "nss", ignore_errors=True)
        if (folder / "log").exists():
            (folder / "log").replace(folder / "log.before")
        for made in (folder / "run" / "pluto", folder / "nss"):
            made.mkdir(parents=True)
        # pluto closes all lines with a comment sign in them, empty ones it takes for an end.
        lines = [line for line in self._ipsec_conf().splitlines() if line.strip()]
        (folder / "ipsec.conf").write_text("\n".join(lines) + "\n")
        ids = f"{_identity(site.identity)} {_identity(site.peer_identity)}"
        (folder / "ipsec.secrets").write_text(f'{ids} : PSK "{SECRET}"\n')
        made_db = subprocess.run(
            ["certutil", "-N", "-d", f"sql:{folder}/nss", "--empty-password"],
            capture_output=True, text=True,
        )  # fmt: skip
        if made_db.returncode:
            raise Failure(f"{self}: certutil: {made_db.stderr}")
        shell = ["sh", "-c", _PRIVATE, "sh", str(PLUTO.parents[1]), str(folder / "run")]
        self.spawn(
            [
                *("unshare", "-m", "--propagation", "private", *shell),
                *("/usr/libexec/ipsec/pluto", "--nofork", "--no-dnssec", "--use-xfrm"),
                *("--config", f"{folder}/ipsec.conf", "--secretsfile", f"{folder}/ipsec.secrets"),
                *("--nssdir", f"{folder}/nss", "--ipsecdir", str(folder)),
                *("--logfile", f"{folder}/log"),
            ]
        )

    def ready(self) -> None:
        def configured() -> bool:
            self.alive()
            log = self.folder / "log"
            text = log.read_text(errors="replace") if log.exists() else ""
            if failed := re.search("failed to add connection.*", text):
                raise Failure(f"{self}: {failed[0]}")
            return "listening for IKE messages" in text and "loading secrets from" in text

        eventually(f"{self} listens", configured, 20)
        # It would bring up again at once what a peer has deleted.
        self._whack("--impair", "revival")
        if self.scenario.act is Act.ACQUIRE and self.role is Role.INITIATOR:
            eventually(
                f"{self} waits for traffic", lambda: "prospective" in self._whack("--status")
            )

    def _whack(self, *arguments: str) -> str:
        self.alive()
        socket = str(self.folder / "run" / "pluto" / "pluto.ctl")
        try:
            done = self.namespace.run(
                str(WHACK), "--ctlsocket", socket, *arguments, timeout_s=self.patience_s
            )
        except subprocess.TimeoutExpired as late:
            raise Failure(f"{self}: whack {' '.join(arguments)} goes on: {late.output}") from None
        return done.stdout

    def _states(self, *words: str) -> dict[int, str]:
        """Numbers and descriptions of the states whose descriptions have one of the words."""
        found = _STATE.findall(self._whack("--showstates"))
        return {int(n): text for n, _, text in found if any(word in text for word in words)}

    def initiate(self) -> None:
        said = self._whack("--name", "peer", "--initiate")
        if not self._states("IPsec SA established", "established Child SA"):
            raise Failure(f"{self}: whack --initiate: {said.strip()}")

    def ike(self) -> set[str]:
        names = ("IKE SA established", "established IKE SA")
        return {f"#{number}" for number in self._states(*names)}

    def children(self) -> list[Child]:
        return [
            Child(here.spi, there.spi, here.packets, there.packets)
            for here, there in esp_pairs(self.namespace, self.site.address)
        ]

    def rekey_child(self) -> None:
        """In IKEv1 there is nothing to do, as the lifetime in the configuration is short."""
        if self.scenario.version == 2:
            self._whack("--name", "peer", "--rekey-ipsec")

    def rekey_ike(self) -> None:
        """As rekey_child."""
        if self.scenario.version == 2:
            self._whack("--name", "peer", "--rekey-ike")

    def delete_child(self) -> None:
        for number in self._states("IPsec SA established", "established Child SA"):
            self._whack("--deletestate", str(number))

    def delete_ike(self) -> None:
        self._whack("--name", "peer", "--terminate")


def _lacks_in_ikev1(row: Scenario, acts: bool) -> str:
    if acts and row.act in _BYTES:
        return "pluto is given no limits in octets"
    if row.esp.group not in _MODP:
        return "pluto has no such group for ESP in IKEv1"
    if not acts and row.act in (Act.DELETE_CHILD, Act.DELETE_IKE) and row.by is Role.RESPONDER:
        return "an initiating pluto begins anew what its peer deletes"
    return ""


def _identity(text: str) -> str:
    return f"@{text}" if "example" in text else text
