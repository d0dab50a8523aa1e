"""The TUN device, which somebody else may delete: it is made anew, with what leads to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a network namespace"),
    pytest.mark.skipif(not Path("/dev/net/tun").exists(), reason="needs /dev/net/tun"),
]

# In a network namespace of its own: a device with a route, deleted under a loop that reads it.
SCRIPT = """
import json, subprocess, sys, time
from ipaddress import ip_network
from isakmp.app.engine import netif
from isakmp.log.log import Log
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers

clock, lines, reads, packets = [0.0], [], [0], []
loop = Loop(Timers(lambda: clock[0]))
tun = netif.Tun(Log(time.time, lines.append), "place")
tun.guard_with(loop)
receive = tun.receive
def counted(handler):
    reads[0] += 1
    receive(handler)
tun.receive = counted
loop.reader(tun.fds()[0], lambda: tun.receive(packets.append))
for fd, look in tun.watch().items():
    loop.reader(fd, look)
tun.route(ip_network("10.9.0.0/16"), None)
for _ in range(20):
    loop.turn(0.01)
if sys.argv[1] == "refused":
    make, claims = tun._claim, []
    def claim(name):
        claims.append(name)
        if len(claims) == 1:
            raise PermissionError(1, "Operation not permitted")
        return make(name)
    tun._claim = claim
subprocess.run(["ip", "link", "del", tun.name], check=True)
reads[0] = 0
for _ in range(200):
    loop.turn(0.001)
spun, told = reads[0], list(lines)
clock[0] += netif.RENEW_S
for _ in range(20):
    loop.turn(0.01)
packets.clear()
# Its first packets may be lost: the kernel takes a device up by and by.
subprocess.run(["ping", "-c5", "-i0.3", "-W1", "-I", "10.8.0.1", "10.9.0.1"], capture_output=True)
for _ in range(20):
    loop.turn(0.01)
exempt = open(f"/proc/sys/net/ipv4/conf/{tun.name}/disable_xfrm").read().strip()
seen = any(packet[16:20] == bytes([10, 9, 0, 1]) for packet in packets)
print(json.dumps({"spun": spun, "told": told, "lines": lines, "seen": seen, "exempt": exempt}))
tun.close()
"""


DOWN = """
import json, subprocess, sys
from ipaddress import ip_network
from isakmp.app.engine import netif
from isakmp.log.log import Log
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers

clock, lines = [0.0], []
loop = Loop(Timers(lambda: clock[0]))
tun = netif.Tun(Log(lambda: clock[0], lines.append), "place")
tun.guard_with(loop)
for fd, look in tun.watch().items():
    loop.reader(fd, look)
networks = [ip_network(word) for word in sys.argv[1:]]
for network in networks:
    tun.route(network, None)
lines.clear()

def later(seconds):
    clock[0] += seconds
    for _ in range(5):
        loop.turn(0.01)

def routed():
    show = f"route show table 500 dev {tun.name}"
    said = subprocess.getoutput(f"ip -4 {show}; ip -6 {show}")
    return [str(network) in said for network in networks]

found = {"before": routed()}
subprocess.run(["ip", "link", "set", tun.name, "down"], check=True)
later(0)
for _ in range(3):
    later(netif.RENEW_S + 1)
found |= {"down": routed(), "told": list(lines)}
subprocess.run("ip rule add pref 9 lookup 9; ip rule del pref 9", shell=True, check=True)
later(0)
found |= {"waits": len(loop.timers.pending())}
subprocess.run(["ip", "link", "set", tun.name, "up"], check=True)
later(netif.RENEW_S + 1)
found |= {"after": routed(), "lines": lines}
print(json.dumps(found))
tun.close()
"""


def run(script: str, *words: str) -> dict[str, Any]:
    """What a script says that runs in a network namespace of its own."""
    up = "ip link set lo up && ip addr add 10.8.0.1/32 dev lo && exec"
    command = ["unshare", "--net", "sh", "-c", f'{up} "$@"', "sh"]
    done = subprocess.run(
        [*command, sys.executable, "-c", script, *words], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode and "unshare" in done.stderr:
        pytest.skip(f"no network namespace: {done.stderr}")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("ipv6", [True, False])
def test_routes_of_a_device_that_was_down_are_put_back(ipv6: bool) -> None:
    """The kernel tells of those of IPv6 alone, and a host may have no IPv6 at all."""
    networks = ["10.9.0.0/16", "fd10:9::/32"][: 1 + ipv6]
    off = (
        ""
        if ipv6
        else "import subprocess; subprocess.run(['sysctl', '-qw'] + ["
        "f'net.ipv6.conf.{name}.disable_ipv6=1' for name in ('all', 'default')], check=True)\n"
    )
    found = run(off + DOWN, *networks)
    assert found["before"] == [True] * len(networks)
    assert not all(found["down"])
    assert len([line for line in found["told"] if "cannot be put back" in line]) == 1
    assert found["waits"] == 1, "however often others change something meanwhile"
    assert found["after"] == [True] * len(networks)
    assert "it is there again" in found["lines"][-1]


@pytest.mark.parametrize("how", ["at once", "refused"])
def test_a_device_that_somebody_deletes_is_made_anew(how: str) -> None:
    """Its descriptor is ready for ever then: who reads on takes all of a processor."""
    found = run(SCRIPT, how)
    assert found["spun"] < 10
    told = "it cannot be made anew" if how == "refused" else "it is there again"
    assert any(told in line for line in found["told"])
    assert "it is there again" in found["lines"][-1]
    assert (found["seen"], found["exempt"]) == (True, "1")


QUIET = """
import time
from isakmp.app.engine import netif
from isakmp.log.log import Log

tun, packets = netif.Tun(Log(time.time, print), "place"), []
end = time.monotonic() + 3
while time.monotonic() < end:
    tun.receive(packets.append)
    time.sleep(0.05)
tun.close()
print(len(packets))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a network namespace")
@pytest.mark.skipif(not Path("/dev/net/tun").exists(), reason="needs /dev/net/tun")
def test_an_idle_device_has_no_packets() -> None:
    """Solicitations of routers (RFC 4861 6.3.7) that no policy is for would be counted as drops."""
    command = ["unshare", "--net", sys.executable, "-c", QUIET]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    if done.returncode and "unshare" in done.stderr:
        pytest.skip(f"no network namespace: {done.stderr}")
    assert done.stdout == "0\n", done.stderr


IDLE = """
import json, subprocess, sys
from ipaddress import ip_network
from isakmp.app.engine import netif
from isakmp.log.log import Log
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers

lines = []
loop = Loop(Timers(lambda: 0.0))
tun = netif.Tun(Log(lambda: 0.0, lines.append), "place")
for fd, look in tun.watch().items():
    loop.reader(fd, look)
if len(sys.argv) > 1:
    tun.route(ip_network(sys.argv[1]), None)
for _ in range(5):
    loop.turn(0.01)
lines.clear()
shown = lambda: "lookup 500" in subprocess.getoutput("ip -4 rule show")
before = shown()
subprocess.run(["ip", "-4", "rule", "del", "lookup", "500"], check=True)
for _ in range(10):
    loop.turn(0.01)
print(json.dumps({"rules": [before, shown()], "lines": lines}))
tun.close()
"""


@pytest.mark.parametrize("routes", [(), ("10.9.0.0/16",)], ids=["idle", "with a route"])
def test_a_rule_that_is_gone_is_told_where_it_leads_somewhere(routes: tuple[str, ...]) -> None:
    """It is put back in any case: another engine that ended may have had the same."""
    found = run(IDLE, *routes)
    assert found["rules"] == [True, True]
    assert ["it is there again" in line for line in found["lines"]] == [True] * len(routes)
