"""What a configuration says without being written."""

from __future__ import annotations

import pytest

from isakmp.conf.check import judge
from isakmp.conf.kinds import Kind
from isakmp.conf.parse import items_of
from isakmp.conf.store import Conf
from isakmp.conf.tags import TAGS
from isakmp.conf.told import Told
from isakmp.policy.catalog import Catalog
from isakmp.policy.identity import no_interfaces
from isakmp.policy.readings import Readings

# A connection in each version that leaves to the defaults what it can.
TWO = """\
[General]
TAG= VALUE
[Phase 1]
192.0.2.2= east
192.0.2.3= north
[Phase 2]
Connections= to-east, to-north
[east]
Address= 192.0.2.2
Local-address= 192.0.2.1
Key-exchange= ikev2
Authentication= 0x8d0f4a9c6b1e35827fd0
[north]
Address= 192.0.2.3
Local-address= 192.0.2.1
Configuration= main
Authentication= 0x8d0f4a9c6b1e35827fd1
[main]
EXCHANGE_TYPE= ID_PROT
Transforms= AES-256-SHA2-256-GRP14
[to-east]
ISAKMP-peer= east
[to-north]
ISAKMP-peer= north
Configuration= quick
[quick]
EXCHANGE_TYPE= QUICK_MODE
Suites= QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE
"""
# Nothing else may stand for the suites that somebody wanted: it could be weaker.
KEEPS_OUT = "Default-phase-2-suites"


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_defaults_are_values_that_may_be_written(kind: Kind) -> None:
    for name, tag in TAGS[kind].items():
        for item in items_of(tag.default) if tag.every else [tag.default]:
            assert not item or tag.type.parse(item) is not None, name


def read(tag: str, value: str) -> tuple[Catalog, list[str]]:
    """The catalog of that file, and the lines of the log."""
    conf = Conf.from_text(TWO.replace("TAG= VALUE", f"{tag}= {value}" if tag else ""), "f")
    readings = Readings(conf, no_interfaces)
    judged, catalog = judge(conf, no_interfaces, readings), Catalog(conf, no_interfaces)
    catalog.faults = judged.faults
    catalog.load(readings)
    lines = [text for _, text in Told().news(conf, judged, catalog.left_out)]
    return catalog, [text for text in lines if "has no effect" not in text]


@pytest.mark.parametrize("tag", TAGS[Kind.GENERAL])
def test_of_general_a_malformed_value_is_the_default_everywhere(tag: str) -> None:
    sound, before = read("", "")
    assert sound.connections.keys() == {"to-east", "to-north"}
    catalog, lines = read(tag, "%" * 1100)
    (line,) = [text for text in lines if text not in before]
    assert line.startswith(f"{'left out: to-east: ' * (tag == KEEPS_OUT)}f:2 [General]:{tag}: ")
    if tag == KEEPS_OUT:
        assert catalog.connections.keys() == {"to-north"}
        return
    assert " counts instead" in line or ": as if it were not there" in line
    assert catalog.left_out == []
    for name, connection in sound.connections.items():
        assert catalog.connections[name].suites == connection.suites
        assert catalog.connections[name].proposals == connection.proposals
        now, was = (every.remote(connection.remote) for every in (catalog, sound))
        assert (now.life, now.local_id) == (was.life, was.local_id)
