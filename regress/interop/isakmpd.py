"""isakmpd as an end: configured by a file, commanded as isakmpctl does."""

from __future__ import annotations

import secrets
import signal
import time
from argparse import Namespace as Arguments
from functools import partial
from pathlib import Path
from typing import Any

from fifo_ui import ctl
from fifo_ui.client import Client, ControlError
from fifo_ui.flags import TIMEOUT_S
from isakmp.__main__ import main
from regress.interop.end import Child, End, Failure, eventually
from regress.interop.forked import Forked
from regress.interop.isakmpd_conf import KEYS, configuration
from regress.interop.scenario import SHORT_LIFE_S


class Isakmpd(End):
    """The daemon of this checkout, with its key engine or the kernel's IPsec."""

    kind = "isakmpd"
    begins_again = True

    @property
    def children_live_on(self) -> bool:  # type: ignore[override]
        return self.scenario.version == 1

    @property
    def key_log(self) -> Path:
        """The folder of Wireshark's key tables, as the daemon writes them."""
        return self.folder / KEYS

    @property
    def rekeys_within_s(self) -> float:  # type: ignore[override]
        return SHORT_LIFE_S + 4.0

    def launch(self) -> None:
        (self.folder / "run").mkdir(exist_ok=True)
        self.key_log.mkdir(mode=0o700, exist_ok=True)
        conf = self.folder / "isakmpd.ini"
        conf.write_text(configuration(self.scenario, self.role, self.site, self.folder, self.stack))
        conf.chmod(0o600)
        arguments = [
            *("-d", "-D", "A=50", "-c", str(conf), "-f", str(self._fifo)),
            *("-R", str(self.folder / "run" / "isakmpd.report")),
        ]
        self.process = Forked(partial(main, arguments), self.namespace, self.folder / "stdout")

    @property
    def _fifo(self) -> Path:
        return self.folder / "run" / "isakmpd.fifo"

    @property
    def _client(self) -> Client:
        """What isakmpctl has; here in the same process, as it starts slowly in the guest."""
        return Client(
            fifo=self._fifo, run_directory=self._fifo.parent, timeout_s=TIMEOUT_S,
            clock=time.monotonic, sleep=time.sleep, token=lambda: secrets.token_hex(8),
        )  # fmt: skip

    def ready(self) -> None:
        def listening() -> bool:
            self.alive()
            try:
                return self._fifo.is_fifo() and bool(self._client.ask("S"))
            except ControlError:
                return False

        eventually(f"{self} answers commands", listening, 20)

    def _do(self, verb: ctl.Verb, **arguments: Any) -> Any:
        """What a verb of isakmpctl answers; Failure where it says no."""
        self.alive()
        try:
            return verb(self._client, Arguments(**arguments)).value
        except ControlError as error:
            raise Failure(f"{self}: {verb.__name__}: {error} {error.reason or ''}") from None

    def _sas(self, phase: int) -> list[dict[str, Any]]:
        return [row for row in self._do(ctl.show_sas, name=None) if row["phase"] == phase]

    def initiate(self) -> None:
        self._do(ctl.bring_up, name="net", wait=self.patience_s, say=lambda _: None)

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

    def complaints(self) -> str:
        """All that it says of what has failed."""
        return str(self._do(ctl.explain_failures, peer=None))

    def rekey_child(self) -> None:
        """Nothing to do: the lifetime in the configuration is short."""

    def rekey_ike(self) -> None:
        """As rekey_child."""

    def delete_child(self) -> None:
        self._do(ctl.down, name="net", phase=2, all=False)

    def delete_ike(self) -> None:
        self._do(ctl.down, name="peer", phase=1, all=False)

    def reload(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGHUP)
