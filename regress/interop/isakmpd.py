"""isakmpd as an end: configured by a file, commanded with isakmpctl."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from regress.interop.end import Child, End, Failure, eventually
from regress.interop.isakmpd_conf import KEYS, configuration
from regress.interop.scenario import SHORT_LIFE_S

_ROOT = Path(__file__).resolve().parents[2]


class Isakmpd(End):
    """The daemon of this checkout, with its key engine."""

    kind = "isakmpd"
    children_live_on = True

    @property
    def key_log(self) -> Path:
        """The folder of Wireshark's key tables, as the daemon writes them."""
        return self.folder / KEYS

    @property
    def rekeys_within_s(self) -> float:  # type: ignore[override]
        return SHORT_LIFE_S + 4.0

    def launch(self) -> None:
        (self.folder / "run").mkdir()
        self.key_log.mkdir(mode=0o700)
        conf = self.folder / "isakmpd.ini"
        conf.write_text(configuration(self.scenario, self.role, self.site, self.folder))
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
            return json.loads(done.stdout)["result"]
        except (ValueError, KeyError):
            raise Failure(f"{self}: isakmpctl {arguments[0]} answers: {done.stdout}") from None

    def _sas(self, phase: int) -> list[dict[str, Any]]:
        return [row for row in self._answer("sa") if row["phase"] == phase]

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
