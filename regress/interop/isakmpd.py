"""isakmpd as an end: configured by a file, commanded with isakmpctl."""

from __future__ import annotations

import json
import sys
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from regress.interop.end import Child, End, Failure, eventually
from regress.interop.scenario import Act, Role, Suite
from regress.interop.site import SECRET

_ROOT = Path(__file__).resolve().parents[2]
# Short enough to see a rekeying, long enough to be up before.
_SHORT_LIFE_S = 8


def suite_name(suite: Suite) -> str:
    """A quick mode suite by the name that isakmpd generates it under."""
    pfs = f"PFS-GRP{suite.group}" if suite.group else ""
    return "-".join(part for part in ("QM-ESP", suite.cipher, suite.hash, pfs, "SUITE") if part)


def transform_name(suite: Suite) -> str:
    """A main mode transform by the name that isakmpd generates it under."""
    return f"{suite.cipher}-{suite.hash}-GRP{suite.group}"


def _identity(section: str, value: str) -> str:
    if "example" in value:
        return f"[{section}]\nID-type= FQDN\nName= {value}\n"
    kind = "IPV6_ADDR" if ":" in value else "IPV4_ADDR"
    return f"[{section}]\nID-type= {kind}\nAddress= {value}\n"


def _network(section: str, net: IPv4Network | IPv6Network) -> str:
    return (
        f"[{section}]\nID-type= IPV{net.version}_ADDR_SUBNET\n"
        f"Network= {net.network_address}\nNetmask= {net.netmask}\n"
    )


class Isakmpd(End):
    """The daemon of this checkout, with its key engine."""

    kind = "isakmpd"

    @property
    def key_log(self) -> Path:
        """The folder of Wireshark's key tables, as the daemon writes them."""
        return self.folder / "keys"

    @property
    def _rekeys(self) -> bool:
        return self.acts and self.scenario.act in (Act.REKEY_CHILD, Act.REKEY_IKE)

    @property
    def rekeys_within_s(self) -> float:  # type: ignore[override]
        return _SHORT_LIFE_S + 4.0

    def _conf(self) -> str:
        row, site = self.scenario, self.site
        main_life = _SHORT_LIFE_S if self._rekeys and row.act is Act.REKEY_IKE else 3600
        quick_life = _SHORT_LIFE_S if self._rekeys and row.act is Act.REKEY_CHILD else 1200
        # What rekeys itself must be wanted up; all else is started by command.
        active = self._rekeys and self.role is Role.INITIATOR
        watch = "DPD-check-interval= 1\n" if row.act is Act.DEAD_PEER else ""
        return f"""
[General]
Listen-on= {site.address}
Run-directory= {self.folder}/run
Application= engine
Use-Keynote= no
Key-log= {self.key_log}
Default-phase-1-lifetime= {main_life},5:86400
Default-phase-2-lifetime= {quick_life},5:86400
{watch}
[Phase 1]
{site.peer}= peer

[Phase 2]
{"Connections" if active else "Passive-connections"}= net

[peer]
Phase= 1
Local-address= {site.address}
Address= {site.peer}
ID= local-identity
Remote-ID= remote-identity
Configuration= phase-1
Authentication= {SECRET}

{_identity("local-identity", site.identity)}
{_identity("remote-identity", site.peer_identity)}
[phase-1]
DOI= IPSEC
EXCHANGE_TYPE= {"AGGRESSIVE" if row.mode == "aggressive" else "ID_PROT"}
Transforms= {transform_name(row.ike)}

[net]
Phase= 2
ISAKMP-peer= peer
Configuration= phase-2
Local-ID= local-network
Remote-ID= remote-network

{_network("local-network", site.network)}
{_network("remote-network", site.remote_network)}
[phase-2]
DOI= IPSEC
EXCHANGE_TYPE= QUICK_MODE
Suites= {suite_name(row.esp)}
"""

    def launch(self) -> None:
        (self.folder / "run").mkdir()
        self.key_log.mkdir(mode=0o700)
        conf = self.folder / "isakmpd.ini"
        conf.write_text(self._conf())
        conf.chmod(0o600)
        self.spawn(
            [
                *(sys.executable, "-m", "isakmp", "-d", "-D", "A=50"),
                *("-c", str(conf), "-f", str(self.folder / "run" / "isakmpd.fifo")),
                *("-R", str(self.folder / "run" / "isakmpd.report")),
            ],
            cwd=_ROOT,
        )

    def ready(self) -> None:
        def listening() -> bool:
            self.alive()
            fifo = self.folder / "run" / "isakmpd.fifo"
            return fifo.is_fifo() and self._ctl("sa").returncode == 0

        eventually(f"{self} answers isakmpctl", listening)

    def _ctl(self, *arguments: str) -> Any:
        command = [sys.executable, "-m", "fifo_ui.ctl", "--run-directory", f"{self.folder}/run"]
        return self.namespace.run("env", f"PYTHONPATH={_ROOT}", *command, *arguments, "--json")

    def _answer(self, *arguments: str) -> Any:
        """What an isakmpctl command prints; Failure with it where it says no."""
        self.alive()
        done = self._ctl(*arguments)
        if done.returncode:
            raise Failure(f"{self}: isakmpctl {' '.join(arguments)}: {done.stdout.strip()}")
        try:
            return json.loads(done.stdout) if done.stdout.strip() else None
        except ValueError:
            raise Failure(f"{self}: isakmpctl {arguments[0]}: no JSON: {done.stdout}") from None

    def _sas(self, phase: int) -> list[dict[str, Any]]:
        answer = self._answer("sa")
        rows = answer["sas"] if isinstance(answer, dict) else answer
        return [row for row in rows if row["phase"] == phase]

    def initiate(self) -> None:
        self._answer("up", "net", "--wait", str(self.patience_s))

    def ike(self) -> set[str]:
        return {row["cookies"] for row in self._sas(1) if row["state"] == "established"}

    def children(self) -> list[Child]:
        return [
            Child(
                int(str(row["spi_in"]), 0),
                int(str(row["spi_out"]), 0),
                row["packets_in"],
                row["packets_out"],
            )
            for row in self._sas(2)
            if row["state"] == "established"
        ]

    def rekey_child(self) -> None:
        """Nothing to do: the lifetime in the configuration is short."""

    def rekey_ike(self) -> None:
        """As rekey_child."""

    def delete_child(self) -> None:
        self._answer("down", "net")

    def delete_ike(self) -> None:
        self._answer("down", "peer", "--phase", "1")
