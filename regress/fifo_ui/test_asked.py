"""What a name of a command line means, of both ends of a pair."""

from __future__ import annotations

from typing import Any

import pytest

from fifo_ui import asked
from isakmp.asked import Asked
from regress.pair import Host, up
from regress.test_daemon import NAMES


def status(host: Host) -> dict[str, Any]:
    return host.daemon.status()


@pytest.mark.parametrize("form", NAMES)
def test_the_command_line_and_isakmpd_take_the_same(form: str) -> None:
    _, west, _ = up()
    shown = status(west)
    (first,), (child,) = west.rows(1), west.rows(2)
    name = NAMES[form](first, child)
    daemon = Asked(west.daemon.connections, west.daemon.catalog, west.daemon.sas)
    assert asked.connections_of(shown, name) in ([], daemon.names(name))
    assert asked.sas_of(shown, name) == [first, child]
    assert asked.meant(shown, name) in ("west-east", "east", "192.0.2.2")


@pytest.mark.parametrize("name", ["0x00000001", "00" * 16, "192.0.2.77", "None", "nobody"])
def test_what_names_nothing(name: str) -> None:
    _, west, _ = up()
    assert asked.sas_of(status(west), name) == [] == asked.connections_of(status(west), name)
    assert asked.meant(status(west), name) == name
    assert name not in asked.names(status(west))


def test_all_of_a_peer_are_started_by_its_name_or_address() -> None:
    _, west, _ = up()
    for name in ("west-east", "east", "192.0.2.2"):
        assert asked.connections_of(status(west), name) == ["west-east"]
