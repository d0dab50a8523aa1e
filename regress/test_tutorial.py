"""The tutorial: each failure that it tells is played as it tells it, and prints what it shows.

What a run has of its own (times, cookies, the length that garbage says to have) counts for
nothing, and neither does how lines are folded; `...` stands for what is left out.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path as FilePath
from typing import Any, NamedTuple

import pytest

from fifo_ui import explain, render
from isakmp.conf.store import Conf
from isakmp.errors import Reason
from isakmp.path import Path
from isakmp.transport.unsent import cannot_send
from regress.pair import Host, Network, Packet
from regress.printed import sections, shows

ROOT = FilePath(__file__).resolve().parents[1]
FILES = {"west": ("isakmpd.ini", "192.0.2.1"), "east": ("east.ini", "192.0.2.2")}
WEST_TRANSFORMS = ("AES-256-SHA2-256-GRP31, AES-256-SHA2-256-GRP14", "AES-256-SHA2-256-GRP31")
WEST_NETWORK = "Network= 10.1.0.0\nNetmask= 255.255.0.0"

Changes = tuple[tuple[str, str], ...]


class Story(NamedTuple):
    """One thing broken: what is changed in the files of both ends, for how long it runs, and the
    message from which on nothing arrives."""

    west: Changes = ()
    east: Changes = ()
    seconds: float = 20.0
    version: str = "ikev1"
    lost_from: int = 1_000_000


STORIES = {
    "### In phase 1": Story(
        west=(WEST_TRANSFORMS,),
        east=(("AES-256-SHA2-256-GRP31, AES-256-SHA2-256-GRP14", "AES-256-SHA2-384-GRP14"),),
    ),
    "### In phase 2": Story(
        east=((
            "QM-ESP-AESGCM-256-PFS-GRP31-SUITE, QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE",
            "QM-ESP-AESGCM-256-SUITE",
        ),),
        seconds=2,
    ),
    "## 2. The secrets differ": Story(east=(("Authentication= demo", "Authentication= other"),)),
    "### Who the peer is (phase 1)": Story(
        east=(
            ("Authentication=", "Remote-ID= west-id\nAuthentication="),
            ("[quick-mode]", "[west-id]\nID-type= FQDN\nName= west.example.net\n\n[quick-mode]"),
        ),
    ),
    "### Which traffic (phase 2)": Story(
        east=((WEST_NETWORK, WEST_NETWORK.replace("255.255.0.0", "255.255.255.0")),), seconds=2
    ),
    "## 4. There is no configuration for the peer": Story(
        east=(("192.0.2.1= west", "192.0.2.9= west"),)
    ),
    "## 5. Nobody answers": Story(lost_from=1, seconds=35),
    "## 5. Nobody answers, at message 5": Story(lost_from=5),
    "## 5. Nobody answers, as nothing is sent": Story(
        west=(("Local-address= 192.0.2.1", "Local-address= 192.0.2.77"),), seconds=35
    ),
    "## The same in IKEv2": Story(
        east=((WEST_NETWORK, "Network= 10.7.0.0\nNetmask= 255.255.255.0"),),
        seconds=1, version="ikev2",
    ),
}  # fmt: skip


def play(story: Story) -> dict[str, Host]:
    net, hosts = Network(), dict[str, Host]()
    for name, changes in (("west", story.west), ("east", story.east)):
        file, address = FILES[name]
        text = (ROOT / "conf" / file).read_text()
        text = text.replace("Key-exchange= ikev2", f"Key-exchange= {story.version}")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        conf = Conf.from_text(text, "/etc/isakmpd/isakmpd.conf")
        hosts[name] = net.add(address, text, conf=conf)

    def lost(packet: Packet) -> bool:
        return len(net.history) >= story.lost_from

    def unsent(packet: Packet) -> Reason | None:
        if packet.src in net.hosts:
            return None
        path = Path(packet.src, packet.sport, packet.dst, packet.dport)
        return cannot_send(path, OSError(errno.EINVAL, os.strerror(errno.EINVAL)))

    net.lose, net.unsent = lost, unsent
    net.start()
    net.run(story.seconds)
    return hosts


def views(host: Host) -> list[str]:
    """All that isakmpd and isakmpctl say there."""
    status: dict[str, Any] = host.daemon.status()
    return [
        host.said,
        render.outcomes(status["outcomes"]),
        render.connections(status["connections"]),
        explain.text(explain.failures(status["outcomes"], None), None),
    ]


@pytest.mark.parametrize("heading", [name for name in STORIES if name in sections()])
def test_what_the_tutorial_shows_is_what_is_printed(heading: str) -> None:
    blocks = sections()[heading]
    stories = [story for name, story in STORIES.items() if name.startswith(heading)]
    printed = [view for s in stories for host in play(s).values() for view in views(host)]
    assert blocks and stories
    for block in blocks:
        assert any(shows(view, block) for view in printed), (block, printed)


def test_a_block_that_is_not_printed_is_found() -> None:
    assert shows("2023-11-14T22:13:20.000Z a b\n c d", "a b ... d")
    assert not shows("a b c", "b ... a")


def test_every_section_shows_what_is_printed() -> None:
    """A heading with parts of its own shows it there."""
    found = sections()
    parents = {"## 1. The proposals do not fit", "## 3. The identities differ"}
    assert {heading for heading, blocks in found.items() if not blocks} == parents
    assert all(any(name.startswith(heading) for heading in found) for name in STORIES)
