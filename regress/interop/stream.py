"""Pings at a steady rate while something else happens."""

from __future__ import annotations

import re
import signal
import subprocess
from types import TracebackType

from regress.interop.end import End, Failure


class Stream:
    """Pings from an end's network to the other's, from now on, ``octets`` of data each."""

    def __init__(self, end: End, interval_s: float = 0.05, octets: int = 56) -> None:
        self._end = end
        self._process = subprocess.Popen(
            end.namespace.command([
                "ping", "-i", str(interval_s), "-s", str(octets), "-W", "2",
                "-I", end.site.host, end.site.remote_host,
            ]),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def end(self, may_lose: int = 0) -> int:
        """End it; how many had no answer, Failure where more than ``may_lose``."""
        self._process.send_signal(signal.SIGINT)
        text, _ = self._process.communicate(timeout=20)
        match = re.search(r"(\d+) packets transmitted, (\d+) received", text)
        sent, received = (int(number) for number in match.groups()) if match else (0, 0)
        # The last one may be on its way as ping is told to end.
        lost = missing_of(text, sent - 1)
        if sent < 2 or len(lost) > may_lose:
            raise Failure(f"{sent - received} of {sent} pings from {self._end} are lost: {lost}")
        return len(lost)


def missing_of(text: str, sent: int) -> list[int]:
    """The numbers of those without an answer, the first twenty."""
    seen = {int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", text)}
    return [number for number in range(1, sent + 1) if number not in seen][:20]
