"""The tutorial's commands on a tunnel that is up: they print what it shows."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from regress.interop.namespace import SetupFailure, tun_device
from regress.live.hosts import ROOT, Host, two
from regress.printed import sections, shows

FILES = {"west": "isakmpd.ini", "east": "east.ini"}
INNER = {"west": "10.1.0.1", "east": "10.2.0.1"}
HEADINGS = ("## Closer still", "## Up, but nothing passes")
# What a shell has itself, and what ends with another status on purpose.
BUILT_IN, FAILS = ("(sleep",), ("ping -c 1 -M do -s 1400",)

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not tun_device(), reason="needs /dev/net/tun"),
]


@pytest.fixture
def west(tmp_path: Path) -> Iterator[Host]:
    """With its tunnel up."""
    log = "[General]\nLogfile= /var/run/isakmpd.log"
    texts = {name: (ROOT / "conf" / file).read_text() for name, file in FILES.items()}
    try:
        with two(tmp_path, {n: t.replace("[General]", log, 1) for n, t in texts.items()}) as hosts:
            for name, host in reversed(hosts.items()):
                host.namespace.shell(f"ip addr add {INNER[name]}/16 dev lo")
                host.run("chmod 600 /etc/isakmpd/isakmpd.conf && .venv/bin/isakmpd")
            hosts["west"].run(".venv/bin/isakmpctl up west-east --wait 30")
            yield hosts["west"]
    except SetupFailure as error:
        pytest.skip(str(error))


def commands(block: str) -> list[tuple[str, str]]:
    """Each command of a block, with what is shown of its output."""
    parts = re.split(r"(?m)^\$ (.*)\n", block)
    return list(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("heading", HEADINGS)
def test_what_is_shown_is_what_is_printed(west: Host, heading: str) -> None:
    (block,) = sections()[heading]
    played = commands(block)
    assert len(played) > 7
    for line, shown in played:
        if line.startswith(BUILT_IN) or shutil.which(line.split()[0]) or "isakmpctl" in line:
            status = 1 if line.startswith(FAILS) else 0
            printed = west.run(f"PATH=$PWD/.venv/bin:$PATH; {line}", status)
            assert shows(printed, shown), (line, shown, printed)


def test_a_command_is_told_from_its_output() -> None:
    assert commands("$ one  # why\nsays\nthis\n$ two\n") == [
        ("one  # why", "says\nthis\n"),
        ("two", ""),
    ]
