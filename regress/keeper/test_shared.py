"""What a keeper and its parts share is one thing, set once, and seen by all of them."""

from __future__ import annotations

from random import Random
from typing import get_type_hints

import pytest

from isakmp.app.none import Nothing
from isakmp.conf.store import Conf
from isakmp.event.timer import Timers
from isakmp.keeper.shared import Shared
from isakmp.log.log import Log
from isakmp.policy.catalog import Catalog
from isakmp.policy.identity import no_interfaces
from isakmp.sa_database import SaDatabase
from regress.pair import WEST, Network


def test_each_part_of_a_keeper_has_the_same() -> None:
    daemon = Network().host(WEST).daemon
    keeper = daemon.keeper
    for part in (keeper.children, keeper.liveness, keeper.children.shared.connections):
        assert part.sas is keeper.sas is daemon.sas
    assert keeper.children.shared is keeper and keeper.liveness.shared is keeper
    assert keeper.engine is daemon.engine and keeper.connections is daemon.connections


def test_a_flag_of_one_is_that_of_all() -> None:
    keeper = Network().host(WEST).daemon.keeper
    assert keeper.delete_sas, "peers are told of ends where nothing else is said"
    keeper.delete_sas = False
    assert not keeper.children.shared.delete_sas


def test_what_is_made_later_is_missing_until_then() -> None:
    timers = Timers(lambda: 0.0)
    conf = Conf.from_text("")
    shared = Shared(
        SaDatabase(), Nothing(timers, Random(1).randbytes), Catalog(conf, no_interfaces), timers,
        Log(lambda: 0.0, lambda line: None),
    )  # fmt: skip
    assert shared.delete_sas and shared.timers is timers
    for name in ("engine", "connections"):
        assert name in get_type_hints(Shared)
        with pytest.raises(AttributeError):
            getattr(shared, name)
