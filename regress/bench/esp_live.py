"""TCP through the tunnel of two key engines on real sockets, in two network namespaces.

``python -m regress.bench.esp_live [seconds]``, as root: AES-128-GCM in tunnel mode between
TUN devices, ESP on raw sockets over a veth pair. Sender, receiver and both engines share the
machine's cores.
"""

from __future__ import annotations

import os
import subprocess
import sys

from regress.app.engine.test_live import INNER, engine, run, set_up

PORT = "5001"
RECEIVER = """
import socket, sys, time
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
stream, _ = listener.accept()
buffer, octets, start = bytearray(1 << 20), 0, time.monotonic()
while size := stream.recv_into(buffer):
    octets += size
print(f"{octets * 8e-6 / (time.monotonic() - start):.0f} Mbit/s, {octets >> 20} MB")
"""
SENDER = """
import socket, sys, time
stream = socket.create_connection((sys.argv[2], int(sys.argv[3])), source_address=(sys.argv[1], 0))
data, end = bytes(1 << 18), time.monotonic() + float(sys.argv[4])
while time.monotonic() < end:
    stream.sendall(data)
"""


def stream(first: str, second: str, seconds: str) -> str:
    """Send for so long from one namespace to the other; what the receiver says of it."""
    src, dst = INNER[4]
    inside = ("ip", "netns", "exec")
    receiver = subprocess.Popen(
        [*inside, second, sys.executable, "-c", RECEIVER, dst, PORT],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert receiver.stdout is not None
        receiver.stdout.readline()
        command = [*inside, first, sys.executable, "-c", SENDER, src, dst, PORT, seconds]
        subprocess.run(command, check=True)
        return receiver.communicate(timeout=60)[0].strip()
    finally:
        receiver.kill()
        receiver.wait()


def main() -> None:
    seconds = sys.argv[1] if len(sys.argv) > 1 else "5"
    names = [f"bench{os.getpid()}{side}" for side in "ab"]
    first, second = names
    try:
        for name in names:
            run("ip", "netns", "add", name)
        run("ip", "-n", first, "link", "add", "v0", "type", "veth", "peer", "v0", "netns", second)
        for side, name in enumerate(names):
            set_up(name, side)
        with engine(first, 0) as near, engine(second, 1) as far:
            print(stream(first, second, seconds))
        print(f"dropped: {near[0]['drops']} {far[0]['drops']}")
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


if __name__ == "__main__":
    main()
