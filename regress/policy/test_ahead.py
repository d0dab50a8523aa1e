"""What changes will open in clear is told by the answers to them, before it goes."""

from __future__ import annotations

import pytest

from fifo_ui.commands import run
from isakmp.event.steps import at_once
from isakmp.policy.ahead import Ahead
from regress.pair import WEST, Host, Network

LISTED = "Connections= west-east\n"
MORE = """
[second]
Phase= 2
ISAKMP-peer= east
Configuration= phase-2
Local-selectors= 10.1.0.0/16
Remote-selectors= 10.7.0.0/16
[lan]
Local-selectors= 10.1.9.7
Remote-selectors= 10.7.5.0/24
"""
BAD = """[bad]
ISAKMP-peer= east
Local-selectors= 10.1.0.0/16
Remote-selectors= 10.8.0.0/16
ESP-proposals= none
"""
TEXT = WEST.text().replace(LISTED, "Connections= west-east, second\n") + MORE
OTHER_FAR = "set [far]:Network=10.9.0.0 force"
PASSIVE = "add [Phase 2]:Passive-connections=second"
UNLIST = "rmv [Phase 2]:Connections=second"
FAR = "west-east has other traffic {}: 10.1.0.0/16 with 10.2.0.0/16 goes in clear"
SECOND = "second is no longer configured: its traffic goes in clear"


def alone(text: str = TEXT, **options: bool) -> Host:
    """A daemon that has nobody to talk to."""
    net = Network()
    host = net.add(WEST.address, text, **options)
    net.start()
    return host


def told(host: Host, change: str) -> list[str]:
    """The answer to a change."""
    value = host.done(run(host.daemon, f"C {change}")).value
    assert isinstance(value, list)
    return value


def opened(lines: list[str], left_s: int = 5) -> list[str]:
    """What an answer says will be in clear, and when."""
    start = f"in {left_s} s: "
    assert all(line.startswith("in ") is ("goes in clear" in line and "ends in" not in line)
               for line in lines), lines  # fmt: skip
    return [line.removeprefix(start) for line in lines if line.startswith(start)]


def logged(host: Host) -> list[str]:
    """What went in clear, by the log alone."""
    start = "connections: "
    return [line[line.index(start) + len(start) :] for line in host.lines
            if "INTERNAL_WARN" in line and "goes in clear" in line]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "lists", "clear"),
    [
        ([OTHER_FAR], PASSIVE, [FAR]),
        ([OTHER_FAR], UNLIST, [FAR, SECOND]),
        ([], UNLIST, [SECOND]),
        ([], "rmv [Phase 2]:Connections=west-east",
         ["west-east is no longer configured: its traffic goes in clear"]),
        ([OTHER_FAR, "set [second]:Remote-selectors=10.2.0.0/16 force"], PASSIVE,
         ["second has other traffic {}: 10.1.0.0/16 with 10.7.0.0/16 goes in clear"]),
        (["set [far]:Netmask=255.255.128.0 force"], PASSIVE, [FAR + ", but for what others have"]),
        (["set [far]:Netmask=255.0.0.0 force"], PASSIVE, []),
        (["set [west-east]:ESP-proposals=aes128-sha1 force"], PASSIVE, []),
        (["rms [far]"], PASSIVE, []),
        (["rms [east]"], PASSIVE, []),
        ([], "set [Phase 2]:Bypass=lan",
         ["second: what Bypass lan lets pass of 10.1.9.7/32 with 10.7.5.0/24 goes in clear"]),
        (["set [lan]:Local-selectors=0.0.0.0/0 force"], "set [Phase 2]:Bypass=lan",
         ["second: what Bypass lan lets pass of 10.1.0.0/16 with 10.7.5.0/24 goes in clear"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("left_out", [False, True], ids=["all well", "another left out"])
def test_the_change_of_the_lists_tells_what_will_be_in_clear(
    before: list[str], lists: str, clear: list[str], left_out: bool
) -> None:
    """For every connection whose traffic changes, whichever change did it; as the log has it when
    it goes."""
    text = TEXT.replace("west-east, second\n", "west-east, second, bad\n") + BAD
    host = alone(text if left_out else TEXT)
    for change in before:
        assert not opened(told(host, change))
    answer = opened(told(host, lists))
    assert answer == [line.format("then") for line in clear]
    assert not logged(host)
    host.network.run(6)
    assert logged(host) == [line.format("now") for line in clear]


def test_what_is_changed_while_lists_wait_is_told_at_once_with_what_is_left_of_the_time() -> None:
    host = alone()
    assert not opened(told(host, PASSIVE))
    host.network.run(2)
    answer = told(host, OTHER_FAR)
    assert opened(answer, 3) == [FAR.format("then")]
    assert "connection west-east goes on as it was: connections count in 3 s" in answer
    host.network.run(4)
    assert logged(host) == [FAR.format("now")]
    assert not opened(told(host, PASSIVE.replace("second", "west-east")))


def test_nothing_is_told_of_policies_that_are_not_there() -> None:
    host = alone(flows=False)
    told(host, OTHER_FAR)
    assert not opened(told(host, UNLIST))


def test_what_is_not_touched_is_not_read() -> None:
    """There may be thousands."""
    host = alone()
    told(host, OTHER_FAR)
    ahead = Ahead(host.daemon.catalog, frozenset({"second"}))
    assert at_once(ahead.in_clear(5, lists=True)) == []
    assert at_once(ahead.in_clear(5, lists=False)) == []
