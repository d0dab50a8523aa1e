"""What is over goes at once: no circle keeps it, with its keys, until a search for garbage, which
does not look at what was there when a configuration was read."""

from __future__ import annotations

import gc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from isakmp.conf.store import Conf
from isakmp.errors import ConfError
from isakmp.exchange.exchange import Exchange
from isakmp.keeper.flows import Claim
from isakmp.policy.spd import Connection, Remote
from isakmp.sa import IsakmpSa
from regress.configurations import many
from regress.pair import Gateway, Network, both
from regress.scripts.ikev2.pairs import child_of, gateways, sa_of

KINDS: dict[str, tuple[Gateway, Gateway]] = {
    "main": both(),
    "aggressive": both(exchange="AGGRESSIVE"),
    "ikev2": gateways(),
}


def there() -> Counter[str]:
    """How many there are of what holds keys."""
    kept = (Exchange, IsakmpSa)
    return Counter(type(o).__name__ for o in gc.get_objects() if isinstance(o, kept))


@pytest.mark.parametrize("change", [{"secret": "another secret"}, {"suites": "QM-ESP-3DES-SHA"}])
@pytest.mark.parametrize("kind", KINDS)
def test_attempts_that_fail_leave_nothing_for_the_search(kind: str, change: dict[str, str]) -> None:
    near, far = KINDS[kind]
    net = Network()
    west, _ = net.host(near), net.host(replace(far, **change))  # type: ignore[arg-type]
    gc.collect()
    gc.disable()
    try:
        net.start()
        net.run(300)
        left = there()
        gc.collect()
        assert left == there()
    finally:
        gc.enable()
    assert west.reasons(), "nothing has failed"


@pytest.mark.parametrize("kind", KINDS)
def test_a_peer_that_dies_leaves_nothing_for_the_search(kind: str) -> None:
    """A Delete waits for its turn behind the question that has no answer."""
    near, far = (replace(each, general="DPD-check-interval= 5\n") for each in KINDS[kind])
    net = Network()
    west, east = net.host(near), net.host(far)
    net.start()
    net.run(5)
    net.kill(east)
    gc.collect()
    gc.disable()
    try:
        net.until(lambda: sa_of(west).dpd_waiting)
        west.daemon.keeper.children.delete_child(child_of(west))
        net.run(120)
        assert "peer-dead" in west.said or "is given up" in west.said
        left = there()
        gc.collect()
        assert left == there()
    finally:
        gc.enable()


@pytest.mark.parametrize("version", [1, 2])
def test_a_section_in_error_keeps_nothing_of_who_was_refused_for_it(version: int) -> None:
    """What is wrong with it is known once, and raised for each."""
    near, far = both() if version == 1 else gateways()
    broken = replace(far, peer_tags=f"{far.peer_tags}Remote-ID= nobody\n")
    net = Network()
    _, east = net.host(near), net.host(broken)
    net.start()
    net.run(30)
    assert set(east.reasons()) == {"bad-configuration"}
    faults = set(east.daemon.catalog.faults.values())
    before = [depth(fault) for fault in faults]
    net.run(300)
    assert [depth(fault) for fault in faults] == before and max(before) < 32


ERRORS = {
    "none": ("", ""),
    "peer": ("a secret of 3\n", "a secret of 3\nRemote-ID= nobody\n"),
    "selector": ("[phase-2]", "[phase-2]\nNo-such-tag= 3"),
    "left over": ("[phase-2]", "[left-over]\nPhase= 2\n[phase-2]"),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_a_configuration_goes_with_the_next_one(kind: str, tmp_path: Path) -> None:
    """Whatever is wrong with it, and though what is read is not searched for garbage."""
    path = tmp_path / "isakmpd.conf"
    text = f"[General]\n{many(6)}".replace(*ERRORS[kind], 1)

    def write(number: int) -> None:
        path.write_text(text.replace("a secret of ", f"a secret {number} of "))
        path.chmod(0o600)

    write(0)
    net = Network()
    west = net.add("192.0.2.1", "", conf=Conf.load(path))
    net.start()
    net.run(1)
    counts: list[tuple[int, int]] = []
    gc.collect()
    gc.disable()
    try:
        for number in range(12):
            write(number)
            job = west.daemon.reload()
            while not job.done:
                west.timers.run()
            assert job.error is None
            net.run(1)
            west.app.policies.clear()
            if number > 5:
                kept = sum(isinstance(o, Connection | Claim | Remote) for o in gc.get_objects())
                counts.append((kept, depth_of_all(west.daemon.catalog.left_out)))
    finally:
        gc.enable()
    assert len(set(counts)) == 1, counts


def depth_of_all(errors: list[tuple[str, ConfError]]) -> int:
    return sum(depth(error) for _, error in errors)


def depth(error: BaseException) -> int:
    """How many frames an exception keeps."""
    frames, at = 0, error.__traceback__
    while at is not None:
        frames, at = frames + 1, at.tb_next
    return frames
