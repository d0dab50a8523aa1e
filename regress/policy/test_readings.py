"""Readings: what a configuration says is read once, and never used when it says something else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import pytest

from isakmp.conf.check import judge
from isakmp.conf.store import Conf
from isakmp.errors import ConfError
from isakmp.policy import reader, readings
from isakmp.policy.catalog import Catalog
from isakmp.policy.identity import Resolve, no_interfaces
from isakmp.policy.spd import Connection
from isakmp.policy.supported import Supports, supported
from regress.configurations import MANY, many
from regress.pair import EAST, WEST, Network


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each section was read."""
    found: Counter[str] = Counter()

    def counted(name: str) -> None:
        true: Callable[..., Any] = getattr(readings, name)

        def reader(conf: Conf, section: str, *more: Any) -> Any:
            found[section] += 1
            return true(conf, section, *more)

        monkeypatch.setattr(readings, name, reader)

    counted("read_remote")
    counted("read_connection")
    return found


def test_a_start_and_a_reload_read_each_section_once(read: Counter[str], tmp_path: Path) -> None:
    net = Network()
    host = net.host(WEST)
    net.start()
    assert read == {"east": 1, "west-east": 1}
    read.clear()
    host.daemon.conf.path = tmp_path / "isakmpd.conf"
    host.daemon.conf.path.touch(0o600)
    host.daemon.conf.path.write_text(WEST.text())
    assert host.reload() == []
    assert read == {"east": 1, "west-east": 1}


def test_the_lists_of_connections_are_split_no_more_often_for_more_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: Counter[tuple[str, str]] = Counter()
    true = Conf.get_list

    def get_list(conf: Conf, section: str, tag: str) -> list[str]:
        asked[section, tag] += 1
        return true(conf, section, tag)

    monkeypatch.setattr(Conf, "get_list", get_list)
    few, more = (_asked(asked, count) for count in (2, MANY))
    assert few == more


def _asked(asked: Counter[tuple[str, str]], count: int) -> int:
    asked.clear()
    conf = Conf.from_text(many(count))
    found = readings.Readings(conf, no_interfaces)
    assert not judge(conf, no_interfaces, found).errors
    Catalog(conf, no_interfaces).load(found)
    return sum(n for (section, _), n in asked.items() if section == "Phase 2")


def test_what_was_read_is_not_used_after_the_configuration_has_changed() -> None:
    conf = Conf.from_text(EAST.text())
    catalog = Catalog(conf, no_interfaces)
    found = readings.Readings(conf, no_interfaces)
    catalog.load(found)
    assert catalog.remote("west") is found.remote("west")
    change = conf.begin()
    change.set("west", "Port", "501", override=True)
    change.commit()
    assert (catalog.remote("west").port, found.remote("west").port) == (501, 500)


def test_what_was_read_is_not_used_after_the_addresses_of_the_host_have_changed() -> None:
    have = {"eth0": IPv4Interface("198.51.100.1/24")}
    resolve: Resolve = lambda name, version: have.get(name)  # noqa: E731
    text = many(2).replace("Local-address= 198.51.100.1", "Local-address= eth0")
    conf = Conf.from_text(text.replace("Passive-connections= c0,c1", "Passive-connections= c0"))
    catalog, found = Catalog(conf, resolve), readings.Readings(conf, resolve)
    judge(conf, resolve, found)
    catalog.load(found)
    have["eth0"] = IPv4Interface("198.51.100.2/24")
    assert str(catalog.remote("p1").local_address) == "198.51.100.2"


def test_what_cannot_be_read_is_told_each_time() -> None:
    found = readings.Readings(Conf.from_text("[p]\nPhase= 2\n"), no_interfaces)
    for _ in range(2):
        with pytest.raises(ConfError, match="Phase is not 1 here"):
            found.remote("p")


def test_what_many_have_in_common_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found: Counter[str] = Counter()

    def counted(name: str) -> None:
        true: Callable[..., Any] = getattr(reader, name)

        def read(conf: Conf, section: str, *more: Any) -> Any:
            found[name] += 1
            return true(conf, section, *more)

        monkeypatch.setattr(reader, name, read)

    for name in ("read_suite", "read_identity", "read_life", "read_ike_transform"):
        counted(name)
    for count in (2, MANY):
        found.clear()
        text = many(count).replace("ESP-proposals= aes256gcm16\n", "Configuration= quick\n")
        text = text.replace("IKE-proposals= aes256-sha256-x25519\n", "Configuration= main\n")
        text += "[quick]\nEXCHANGE_TYPE= QUICK_MODE\nSuites= QM-ESP-AES-SHA2-256-PFS-GRP31-SUITE\n"
        text += "[main]\nEXCHANGE_TYPE= ID_PROT\nTransforms= AES-SHA2-256-GRP31\n"
        assert judge(Conf.from_text(text)).errors == []
        alike = {"read_suite": 1, "read_ike_transform": 1}
        assert found == {**alike, "read_identity": 2 * count}, "each once, as they differ"


def test_what_the_stack_carries_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Counter[str] = Counter()

    def ask(connection: Connection, supports: Supports) -> tuple[Connection, list[str]]:
        asked[connection.name] += 1
        return supported(connection, supports)

    monkeypatch.setattr(readings, "supported", ask)
    host = Network().add("198.51.100.1", many())
    host.daemon.start()
    assert set(asked.values()) == {1} and len(asked) == MANY
