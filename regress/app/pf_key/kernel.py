"""The back end on a Linux kernel: run as root in a network namespace of its own.

Kernels without PF_KEY have none of it; User-Mode Linux of Debian does.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar

from isakmp.app.base import Acquire, Expire, Limits, SpiRequest
from isakmp.app.pf_key.backend import PfKey
from isakmp.app.pf_key.constants import Ealg, Ext, SaType
from isakmp.app.pf_key.link import SocketLink, kernel_socket
from isakmp.constants import ipsec
from isakmp.event.job import Job
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.policy.spd import Selector
from regress.app.pf_key.fakes import (
    ESP,
    IN,
    IN_POLICY,
    OUT,
    OUT_POLICY,
    THEM,
    TUNNEL,
    US,
    Heard,
    name_of,
)

T = TypeVar("T")
NETWORK = """link set lo up
link add v0 type dummy
addr add 192.0.2.1/24 dev v0
addr add 10.1.0.1/32 dev v0
link set v0 up
route add 10.2.0.0/16 dev v0"""
CBC = {
    "encryption": ipsec.Esp.AES,
    "enc_key": bytes(range(16)),
    "auth": ipsec.Auth.HMAC_SHA2_256,
    "auth_key": bytes(range(32)),
}
A_IN, A_OUT = IN._replace(**CBC), OUT._replace(**CBC)  # type: ignore[arg-type]


class Kernel:
    """A back end on the kernel's socket."""

    def __init__(self) -> None:
        self.timers = Timers(time.monotonic)
        self.loop = Loop(self.timers)
        self.heard = Heard()
        link = SocketLink(kernel_socket, self.loop, self.timers)
        # REGISTER looks for every algorithm's module, which can take a while.
        self.app = PfKey(link, self.timers, wall=time.time, private=False, timeout_s=60.0)
        self.app.start(self.heard)

    def until(self, done: Callable[[], object], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, "it did not happen"
            self.loop.turn(0.5)

    def result(self, job: Job[T]) -> T | None:
        self.until(lambda: job.done)
        if job.error:
            raise job.error
        return job.result

    def refused(self, job: Job[T]) -> str:
        self.until(lambda: job.done)
        return str(job.error)


def main() -> None:
    """All requests and upcalls that a kernel can be made to show."""
    for line in NETWORK.splitlines():
        subprocess.run(["ip", *line.split()], check=True)
    kernel = Kernel()
    app, result, refused = kernel.app, kernel.result, kernel.refused
    spi = result(app.get_spi(SpiRequest(ESP, THEM, US, TUNNEL, 7))) or 0
    Path("/proc/sys/kernel/modprobe").write_text("")
    rows = app.supported[SaType.ESP, Ext.SUPPORTED_ENCRYPT]
    assert Ealg.X_AES_CBC in [row.number for row in rows]
    inbound = A_IN._replace(spi=spi)
    result(app.update_sa(inbound))
    first = result(app.add_policy(OUT_POLICY))
    result(app.add_policy(IN_POLICY))
    assert result(app.add_policy(OUT_POLICY)) == first
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("10.1.0.1", 0))
        sender.sendto(b"x", ("10.2.0.1", 9))
        kernel.until(lambda: kernel.heard.events)
        assert kernel.heard.events.pop(0) == Acquire(7, OUT_POLICY.selector, US, THEM)
        result(app.add_sa(A_OUT._replace(limits=Limits(2, 4))))
        sender.sendto(b"x", ("10.2.0.1", 9))
    usage = result(app.usage(name_of(OUT)))
    assert usage and usage.packets == 1 and usage.octets and usage.age_s < 5
    assert "EEXIST" in refused(app.add_sa(A_OUT))
    result(app.add_sa(A_OUT._replace(spi=0x9001, encap=(4500, 4500))))
    six = ip_address("fd00::1"), ip_address("fd00::2")
    result(app.add_sa(A_OUT._replace(spi=0x9002, src=six[0], dst=six[1])))
    networks = Selector.of("fd01::/64", "fd02::/64")
    result(app.add_policy(OUT_POLICY._replace(selector=networks, src=six[0], dst=six[1])))
    kernel.until(lambda: len(kernel.heard.events) == 2)
    assert kernel.heard.events == [Expire(name_of(OUT), False), Expire(name_of(OUT), True)]
    result(app.migrate(IN_POLICY, ip_address("192.0.2.99"), US))
    moved = name_of(inbound)._replace(src=ip_address("192.0.2.99"))
    result(app.delete_sa(moved))
    assert "ESRCH" in refused(app.delete_sa(moved))
    result(app.delete_policy(IN_POLICY))
    assert "ENOENT" in refused(app.delete_policy(IN_POLICY))
    assert not kernel.app.counters["malformed"]
    print("done")


if __name__ == "__main__":
    main()
