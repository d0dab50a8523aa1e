"""What a reload does to connections that are kept, in steps: nothing passes in clear meanwhile."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from isakmp.app.base import Acquire, Action, Direction
from isakmp.conf.store import Conf
from isakmp.policy.spd import Selector
from regress.configurations import many
from regress.pair import Host, Network

COUNT = 100
TEXT = many(COUNT)


def turned(text: str) -> str:
    """Each connection has the traffic that was the next one's."""
    return re.sub(r"(?<=Network= 10\.1\.)\d+", lambda found: str((int(found[0]) + 1) % COUNT), text)


def renamed(text: str) -> str:
    """Each connection has another name."""
    return re.sub(r"\bc(\d+)", r"n\1", text)


def moved_on(text: str) -> str:
    """The last connection has the traffic that was the first one's, and that another."""
    now = {"0": "200", str(COUNT - 1): "0"}
    return re.sub(r"(?<=Network= 10\.1\.)\d+", lambda found: now.get(found[0], found[0]), text)


def removed(text: str) -> str:
    """Half of the connections are gone; what was theirs is no longer protected."""
    kept = ",".join(f"c{n}" for n in range(0, COUNT, 2))
    return re.sub(r"Passive-connections=.*", f"Passive-connections= {kept}", text)


def broken(text: str) -> str:
    """No connection can be used."""
    return text.replace("ESP-proposals= aes256gcm16", "ESP-proposals= nothing")


def covered(host: Host) -> set[Selector]:
    """The traffic that does not pass in clear."""
    return {policy.selector for policy in host.app.policies if policy.action is not Action.BYPASS}


@pytest.mark.parametrize("change", [turned, renamed, removed, broken])
@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
def test_traffic_is_never_without_a_policy_that_has_one_before_and_after(
    tmp_path: Path, change: Callable[[str], str], back: bool
) -> None:
    path = tmp_path / "isakmpd.conf"
    texts = [TEXT, change(TEXT)]
    first, second = reversed(texts) if back else texts
    path.write_text(first)
    path.chmod(0o600)
    host = Network().add("198.51.100.1", "", conf=Conf.load(path))
    host.daemon.start()
    path.write_text(second)
    wanted = Network().add("198.51.100.1", second)
    wanted.daemon.start()
    before, after = covered(host), covered(wanted)
    job, turns = host.daemon.reload(), 0
    while not job.done:
        assert covered(host) >= before & after
        turns += 1
        host.timers.run()
    assert turns > COUNT // 8 and len(before & after) >= COUNT // 2
    assert covered(host) == after, "and nothing of before stays"
    named = [(policy.selector, policy.action) for policy in host.app.policies]
    assert sorted(map(str, named)) == sorted(
        str((policy.selector, policy.action)) for policy in wanted.app.policies
    )


def test_a_packet_meanwhile_leaves_no_traffic_without_a_policy(tmp_path: Path) -> None:
    """Of the first connection; what it had is the last one's now, which is taken up later."""
    path = tmp_path / "isakmpd.conf"
    text = TEXT.replace("Passive-connections", "Connections")
    path.write_text(text)
    path.chmod(0o600)
    host = Network().add("198.51.100.1", "", conf=Conf.load(path))
    host.daemon.start()
    path.write_text(moved_on(text))
    kept = {selector for selector in covered(host) if "10.1.0.0" in str(selector)}
    job, asked = host.daemon.reload(), 0
    while not job.done:
        connections = host.daemon.connections
        for spec in host.app.policies:
            if spec.direction is Direction.OUT and "10.1.200.0" in str(spec.selector):
                far = connections.entries["c0"].remote.address
                assert far is not None
                connections.acquire(Acquire(spec.reqid, spec.selector, host.address, far))
                connections.bring_up(connections.entries["c0"])
                asked += 1
        assert len(kept) == 2 and covered(host) >= kept
        host.timers.run()
    assert asked > 2
    assert not connections.entries["c0"].beside, "and nothing of before stays"


def test_what_is_the_same_costs_nothing_and_cites_the_lines_of_now(tmp_path: Path) -> None:
    path = tmp_path / "isakmpd.conf"
    path.write_text(TEXT)
    path.chmod(0o600)
    host = Network().add("198.51.100.1", "", conf=Conf.load(path))
    host.daemon.start()
    entries, policies = dict(host.daemon.connections.entries), list(host.app.policies)
    path.write_text("# a line more\n" + TEXT)
    assert host.reload() == []
    assert host.daemon.connections.entries == entries
    assert all(now is then for now, then in zip(host.app.policies, policies, strict=True))
    entry = host.daemon.connections.entries["c0"]
    assert entry.connection.line == host.daemon.conf.where("c0")
    assert entry.remote.line == host.daemon.conf.where("p0")
