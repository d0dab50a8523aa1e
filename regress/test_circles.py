"""What is over goes at once: no circle keeps it, with its keys, until a search for garbage, which
does not look at what was there when a configuration was read."""

from __future__ import annotations

import gc
from collections import Counter
from dataclasses import replace

import pytest

from isakmp.exchange.exchange import Exchange
from isakmp.sa import IsakmpSa
from regress.pair import Gateway, Network, both
from regress.scripts.ikev2.pairs import gateways

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


def depth(error: BaseException) -> int:
    """How many frames an exception keeps."""
    frames, at = 0, error.__traceback__
    while at is not None:
        frames, at = frames + 1, at.tb_next
    return frames
