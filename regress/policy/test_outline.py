"""A peer whose section cannot be read, as far as it says who that would be."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from isakmp.conf.store import Conf
from isakmp.constants import IKEV1, IKEV2, isakmp
from isakmp.policy.identity import no_interfaces
from isakmp.policy.outline import Outline, outline

IDENTITY = "[far]\nID-type= FQDN\nName= far.example\n"


def of(tags: str) -> Outline:
    """The outline of a section with these lines."""
    conf = Conf.from_text(f"[west]\n{tags}\n{IDENTITY}", "f")
    found = outline(conf, "west", no_interfaces, conf.error("is bad", "west"))
    assert found is not None
    return found


def test_without_a_section_there_is_none() -> None:
    conf = Conf.from_text(IDENTITY, "f")
    assert outline(conf, "west", no_interfaces, conf.error("is bad", "far")) is None


def test_it_is_to_be_known_in_each_version_and_proves_nothing() -> None:
    found = of("Address= 192.0.2.1\nRemote-ID= far\nTransforms= nonsense")
    assert found.remote.address == ip_address("192.0.2.1")
    assert str(found.remote.remote_id) == "far.example"
    assert set(found.remote.key_exchange) == {IKEV1, IKEV2}
    assert found.remote.exchange is isakmp.Exchange.AGGRESSIVE
    assert found.remote.transforms == () and not found.remote.secret
    assert found.remote.line == "f:1 [west]" and "is bad" in str(found.error)


@pytest.mark.parametrize(
    ("tags", "hidden"),
    [
        ("Address= 192.0.2.1", False),
        ("Remote-ID= far", False),
        ("Remote-ID= nowhere", True),
        ("Remote-id-= far", True),
        ("Remote-IDD= far", True),
        ("Colour= far", False),
        ("", False),
    ],
)
def test_whom_it_expects_may_be_hidden(tags: str, hidden: bool) -> None:
    """Somebody is expected who cannot be read: then anybody may be it."""
    assert of(tags).hidden is hidden


@pytest.mark.parametrize("tags", ["", "Address= west", "Address= 192.0.2.300"])
def test_one_without_an_address_may_be_anywhere(tags: str) -> None:
    assert of(tags).remote.address is None
