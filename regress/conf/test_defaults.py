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
# Nothing else may stand for what other sections have from [General]: it could be weaker. What is
# left has its own.
KEEPS_OUT: dict[str, set[str]] = {
    "Default-phase-2-suites": {"to-north"},
    "Unique-ids": set(),
}
ALL = {"to-east", "to-north"}


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
    out = ", ".join(name for name in sound.connections if name not in KEEPS_OUT.get(tag, ALL))
    assert line.startswith(f"{f'left out: {out}: ' if out else ''}f:2 [General]:{tag}: ")
    if tag in KEEPS_OUT:
        assert catalog.connections.keys() == KEEPS_OUT[tag]
        return
    assert " counts instead" in line or ": as if it were not there" in line
    assert catalog.left_out == []
    for name, connection in sound.connections.items():
        assert catalog.connections[name].suites == connection.suites
        assert catalog.connections[name].proposals == connection.proposals
        now, was = (every.remote(connection.remote) for every in (catalog, sound))
        assert (now.life, now.local_id) == (was.life, was.local_id)


@pytest.mark.parametrize("written", ["{tag}=", "{short}= {value}", "{half}={rest}= {value}"])
@pytest.mark.parametrize("tag", KEEPS_OUT)
def test_what_other_sections_have_from_general_is_not_its_default_where_it_is_lost(
    tag: str, written: str
) -> None:
    """The tag is empty or misspelt: what needs it is left out, and its traffic dropped."""
    value = TAGS[Kind.GENERAL][tag].default
    line = written.format(tag=tag, short=tag[:-1], half=tag[:9], rest=tag[9:], value=value)
    conf = Conf.from_text(TWO.replace("TAG= VALUE", line), "f")
    judged = judge(conf)
    for faults in judged.faults, {}:
        catalog = Catalog(conf, no_interfaces, faults=faults)
        catalog.load()
        assert catalog.connections.keys() == KEEPS_OUT[tag]
        assert catalog.closed.keys() == ALL - KEEPS_OUT[tag]
    (error,) = judged.errors
    assert (error.line, error.section) == (2, "General")
    assert all(str(why) == str(error) for _, why in catalog.left_out)


OWN = {
    "Default-phase-1-lifetime": ("[east]", "IKE-proposals= aes128-sha256-x25519\nLife= brief"),
    "Default-phase-2-lifetime": ("[to-east]", "ESP-proposals= aes128gcm16\nLife= brief"),
    "Default-phase-2-suites": ("[to-east]", "ESP-proposals= aes128gcm16"),
    "Unique-ids": ("[east]", "Unique-ids= no"),
}


@pytest.mark.parametrize("tag", KEEPS_OUT)
def test_who_says_it_himself_does_not_need_it(tag: str) -> None:
    header, lines = OWN[tag]
    text = TWO.replace("TAG= VALUE", f"{tag}=").replace(f"{header}\n", f"{header}\n{lines}\n")
    conf = Conf.from_text(text + "[brief]\nLIFE_TYPE= SECONDS\nLIFE_DURATION= 600\n", "f")
    catalog = Catalog(conf, no_interfaces, faults=judge(conf).faults)
    catalog.load()
    assert catalog.connections.keys() == {"to-east"} | KEEPS_OUT[tag]


def test_suites_of_general_that_are_lost_are_not_ikev1s_built_in_ones() -> None:
    """Which are 3DES-SHA1."""
    text = TWO.replace("Suites= QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE\n", "")
    catalog = Catalog(Conf.from_text(text.replace("TAG= VALUE\n", "")), no_interfaces)
    catalog.load()
    assert catalog.connections["to-north"].suites[0].name == "QM-ESP-3DES-SHA-PFS-SUITE"
    for line in ("Default-phase-2-suites=", "Default-phase-2-suite= QM-ESP-AES-SHA2-256-SUITE"):
        conf = Conf.from_text(text.replace("TAG= VALUE", line))
        judged = judge(conf)
        assert not [said for said in judged.warnings if "3DES" in said]
        catalog = Catalog(conf, no_interfaces, faults=judged.faults)
        catalog.load()
        assert not catalog.connections and catalog.closed.keys() == ALL
