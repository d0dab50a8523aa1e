"""strongSwan's charon as an end; its ESP in user space is always in UDP (kernel-libipsec)."""

from __future__ import annotations

import os
import re
from socket import AF_UNIX, socket
from typing import Any

from regress.interop.end import Child, End, Failure, eventually
from regress.interop.namespace import SetupFailure
from regress.interop.needs import CHARON
from regress.interop.scenario import SHORT_LIFE_S, Act, Role, Side, Stack, Suite
from regress.interop.site import SECRET

_CIPHER = {
    "3DES": "3des",
    "AES-128": "aes128",
    "AES-192": "aes192",
    "AES-256": "aes256",
    "AESGCM-128": "aes128gcm16",
    "AESGCM-256": "aes256gcm16",
}
_HASH = {
    "": "",
    "MD5": "md5",
    "SHA": "sha1",
    "SHA2-256": "sha256",
    "SHA2-384": "sha384",
    "SHA2-512": "sha512",
}
_GROUP = {
    None: "",
    2: "modp1024",
    5: "modp1536",
    14: "modp2048",
    15: "modp3072",
    16: "modp4096",
    19: "ecp256",
    20: "ecp384",
    21: "ecp521",
    31: "curve25519",
}
# Childless IKE SAs: whether they are begun and taken.
_CHILDLESS = {"yes": "allow", "no": "never", "force": "force"}
_PLUGINS = (
    "random nonce openssl aes sha1 sha2 md5 hmac kdf gmp curve25519 gcm ccm ctr chapoly xcbc cmac "
    "{stack} socket-default vici"
)
# kernel-libipsec before kernel-netlink, which then only handles addresses and routes.
_STACK = {
    Stack.USER: "kernel-libipsec kernel-netlink",
    Stack.KERNEL: "kernel-netlink",
}
# Its /run is its own, as the path of its pid file is compiled in. The mounts end with it.
_PRIVATE_RUN = 'mount --bind "$1" /run && shift && exec "$@"'


def proposal(suite: Suite) -> str:
    """A suite in strongSwan's keywords."""
    parts = (_CIPHER[suite.cipher], _HASH[suite.hash], _GROUP[suite.group])
    return "-".join(part for part in parts if part)


def parse_raw(text: str) -> dict[str, Any]:
    """What ``swanctl --raw`` prints: nested sections of key=value, lists in brackets."""
    tokens = iter(re.findall(r"[\w.:/-]+(?:=(?=\[)|=[^\s{}\[\]]*)?|[{}\[\]]", text))

    def section() -> dict[str, Any]:
        found: dict[str, Any] = {}
        name = ""
        for token in tokens:
            if token == "}":
                break
            if token == "{":
                found[name] = section()
            elif token == "[":
                found[name.rstrip("=")] = list(iter(lambda: next(tokens), "]"))
            elif "=" in token and not token.endswith("=["):
                name, _, value = token.partition("=")
                found[name] = value
            else:
                name = token
        return found

    return section()


def _ppk(side: Side) -> str:
    name, _ = side.ppk
    required = "yes" if side.ppk_required else "no"
    return f'ppk_id = "{name}"\n    ppk_required = {required}' if name else ""


class Charon(End):
    """Configured with swanctl; every command is one."""

    kind = "charon"

    def _program(self) -> list[str]:
        """The daemon itself, in a mount namespace of its own."""
        return [str(CHARON)]

    def _environment(self) -> dict[str, str]:
        return {"STRONGSWAN_CONF": str(self.folder / "strongswan.conf")}

    def _strongswan_conf(self) -> str:
        # IKEv2 gives up a peer when it has sent often enough: after 12 s, not three minutes.
        dead = self.scenario.act.watches
        impatient = "retransmit_timeout = 1\n  retransmit_tries = 3" if dead else ""
        risky = "yes" if self.scenario.mode == "aggressive" else "no"
        side = self.scenario.side(self.role)
        fragment = f"fragment_size = {side.fragment}" if side.fragment else ""
        return f"""
charon {{
  load = {_PLUGINS.format(stack=_STACK[self.stack])}
  i_dont_care_about_security_and_use_aggressive_mode_psk = {risky}
  filelog {{
    log {{
      path = {self.folder}/log
      time_format = %b %e %T
      ike_name = yes
      default = 1
      ike = 2
      cfg = 2
      flush_line = yes
    }}
  }}
  {impatient}
  {fragment}
  cookie_threshold = {1 if side.cookies else 0}
  make_before_break = yes
  plugins {{ vici {{ socket = unix://{self.folder}/run/charon.vici }} }}
}}
"""

    def _lives(self) -> tuple[str, str]:
        """Lifetimes of phase 1 and 2, as an initiator offers them to a responder that rekeys.

        charon itself would rekey phase 1 at the very end, phase 2 never. IKEv2 offers none.
        """
        rekeys = self.scenario.act.rekeys
        waits = (self.role, self.acts, self.scenario.version) == (Role.INITIATOR, False, 1)
        main = f"rekey_time = {SHORT_LIFE_S}s\n    over_time = 0s\n    rand_time = 0s"
        quick = f"rekey_time = 0s\n        life_time = {SHORT_LIFE_S}s"
        return (
            main if waits and rekeys == "ike" else "",
            quick if waits and rekeys == "child" else "",
        )

    def _swanctl_conf(self) -> str:
        site, row = self.site, self.scenario
        main_life, quick_life = self._lives()
        traps = row.act is Act.ACQUIRE and self.role is Role.INITIATOR
        watch = "dpd_delay = 1s\n    dpd_timeout = 3s" if row.act.watches else ""
        side = row.side(self.role)
        # It misses an answer that comes before it has put its new IKE SA away, and asks again 4 s
        # later: the old one has to live on until then.
        reauth = f"reauth_time = {SHORT_LIFE_S}s\n    over_time = 30s\n    rand_time = 0s"
        anew = reauth if row.act is Act.REAUTH and self.acts else ""
        peer = "%any" if side.anyone else f'"{site.peer_identity}"'
        return f"""
connections {{
  peer {{
    version = {row.version}
    aggressive = {"yes" if row.mode == "aggressive" else "no"}
    local_addrs = {site.address}
    remote_addrs = {site.peer}
    proposals = {side.ike or proposal(row.ike)}
    encap = {"yes" if side.encap else "no"}
    childless = {_CHILDLESS[side.childless]}
    {_ppk(side)}
    {anew}
    {watch}
    {main_life}
    local {{
      auth = psk
      id = "{site.identity}"
    }}
    remote {{
      auth = psk
      id = {peer}
    }}
    children {{
      net {{
        local_ts = {side.local or site.network}
        remote_ts = {side.remote or site.remote_network}
        esp_proposals = {side.esp or proposal(row.esp)}
        mode = {"transport" if row.transport else "tunnel"}
        ipcomp = {"yes" if row.ipcomp else "no"}
        start_action = {"trap" if traps else "none"}
        dpd_action = clear
        {quick_life}
      }}
    }}
  }}
}}
include {self.folder}/secrets.conf
"""

    def launch(self) -> None:
        acquires = self.scenario.act is Act.ACQUIRE and self.role is Role.INITIATOR
        if acquires and self.stack is Stack.USER:
            raise SetupFailure("charon hears of no traffic that asks for a tunnel in user space")
        (self.folder / "run").mkdir(exist_ok=True)
        # What a killed one has left there would count as a sign that this one is ready.
        (self.folder / "run" / "charon.vici").unlink(missing_ok=True)
        (self.folder / "strongswan.conf").write_text(self._strongswan_conf())
        (self.folder / "swanctl.conf").write_text(self._swanctl_conf())
        side = self.scenario.side(self.role)
        whose = f'id = "{self.site.peer_identity}"' if side.anyone else ""
        secret = side.secret or SECRET
        lines = f'secrets {{\n  ike-1 {{\n    secret = "{secret}"\n    {whose}\n  }}\n'
        name, key = side.ppk
        lines += f'  ppk-1 {{\n    secret = "{key}"\n    id = "{name}"\n  }}\n' if key else ""
        lines += "}\n"
        (self.folder / "secrets.conf").write_text(lines)
        shell = ["sh", "-c", _PRIVATE_RUN, "sh", str(self.folder / "run"), *self._program()]
        self.spawn(
            ["unshare", "-m", "--propagation", "private", *shell],
            env=os.environ | self._environment(),
        )

    def ready(self) -> None:
        def listening() -> bool:
            self.alive()
            # The socket is there a moment before charon listens.
            with socket(AF_UNIX) as probe:
                return probe.connect_ex(str(self.folder / "run" / "charon.vici")) == 0

        eventually(f"{self} listens", listening)
        self._swanctl("--load-all", "--file", str(self.folder / "swanctl.conf"))

    def _swanctl(self, *arguments: str) -> str:
        uri = f"unix://{self.folder}/run/charon.vici"
        done = self.namespace.run("swanctl", *arguments, "--uri", uri)
        if done.returncode:
            raise Failure(f"{self}: swanctl {' '.join(arguments)}: {done.stdout.strip()}")
        return done.stdout

    def initiate(self) -> None:
        self._swanctl("--initiate", "--child", "net", "--timeout", f"{self.patience_s:.0f}")

    def _sas(self) -> list[dict[str, Any]]:
        text = self._swanctl("--list-sas", "--raw")
        return [parse_raw(line)["event"]["peer"] for line in text.splitlines() if "{peer" in line]

    def ike(self) -> set[str]:
        rows = [sa for sa in self._sas() if sa["state"] == "ESTABLISHED"]
        return {f"{sa['initiator-spi']}:{sa['responder-spi']}" for sa in rows}

    def children(self) -> list[Child]:
        rows = [child for sa in self._sas() for child in sa["child-sas"].values()]
        return [
            Child(
                int(row["spi-in"], 16),
                int(row["spi-out"], 16),
                int(row["packets-in"]),
                int(row["packets-out"]),
            )
            for row in rows
            if row["state"] == "INSTALLED"
        ]

    def rekey_child(self) -> None:
        self._swanctl("--rekey", "--child", "net")

    def rekey_ike(self) -> None:
        self._swanctl("--rekey", "--ike", "peer")

    def delete_child(self) -> None:
        self._swanctl("--terminate", "--child", "net", "--timeout", "5")

    def delete_ike(self) -> None:
        self._swanctl("--terminate", "--ike", "peer", "--timeout", "5")
