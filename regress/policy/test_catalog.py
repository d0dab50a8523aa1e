"""Who may be answered, with what; and the reasons where nobody may."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from isakmp.conf.store import Conf
from isakmp.constants import ipsec, isakmp
from isakmp.errors import ConfError, Refused
from isakmp.policy import peers
from isakmp.policy.boxes import Work
from isakmp.policy.catalog import Catalog, narrowed
from isakmp.policy.identity import identity_of
from isakmp.policy.spd import Identity, Selector, Traffic
from isakmp.policy.traffic import of_network
from regress.pair import EAST, WEST, Gateway

MAIN, AGGRESSIVE = peers.MAIN_MODE, peers.AGGRESSIVE_MODE


def catalog(gateway: Gateway | str = EAST) -> Catalog:
    text = gateway if isinstance(gateway, str) else gateway.text()
    found = Catalog(Conf.from_text(text), lambda name, version: None)
    found.load()
    return found


def refused(call: object, *args: object) -> Refused:
    with pytest.raises(Refused) as caught:
        call(*args)  # type: ignore[operator]
    return caught.value


def test_peers_are_found_by_address_and_exchange() -> None:
    found = catalog()
    assert found.find_remote(ip_address("192.0.2.1"), MAIN).name == "west"
    nobody = refused(found.find_remote, ip_address("198.51.100.1"), MAIN).reason
    assert (nobody.cause, nobody.acceptable) == ("no-configuration", "192.0.2.1")
    assert nobody.mend == "add 198.51.100.1= to [Phase 1]"
    other = refused(found.find_remote, ip_address("192.0.2.1"), AGGRESSIVE)
    assert other.reason.cause == "wrong-exchange-type"
    assert other.notify == isakmp.Notify.NO_PROPOSAL_CHOSEN
    empty = refused(catalog("[General]\n").find_remote, ip_address("192.0.2.1"), MAIN)
    assert empty.reason.acceptable == "nobody"


def test_what_lets_in_a_peer_whom_phase_1_has_elsewhere() -> None:
    found = catalog(EAST.text().replace("192.0.2.1= west", "192.0.2.9= west"))
    reason = refused(found.find_remote, ip_address("192.0.2.1"), MAIN).reason
    assert reason.mend == "add 192.0.2.1= west to [Phase 1], or correct 192.0.2.9 there"


def test_a_default_peer_answers_everybody() -> None:
    found = catalog(EAST.text().replace("192.0.2.1= west", "Default= west"))
    assert found.find_remote(ip_address("2001:db8::9"), MAIN).name == "west"


def test_a_stranger_makes_nobody_read_the_whole_of_phase_1(monkeypatch: pytest.MonkeyPatch) -> None:
    found = catalog(EAST.text().replace("192.0.2.1= west", "2001:DB8:0::1= west"))
    with monkeypatch.context() as patch:
        patch.setattr(Conf, "tags", lambda *_: pytest.fail("read for one message"))
        assert found.find_remote(ip_address("2001:db8::1"), MAIN).name == "west"
        for stranger in ("198.51.100.1", "2001:db8::2"):
            reason = refused(found.find_remote, ip_address(stranger), MAIN).reason
            assert (reason.cause, reason.acceptable) == ("no-configuration", "2001:DB8:0::1")
    change = found.conf.begin()
    change.set("Phase 1", "2001:0db8::2", "west")
    change.commit()
    assert found.find_remote(ip_address("2001:db8::2"), MAIN).name == "west"


def test_a_peer_whose_section_is_bad_is_refused_with_the_error() -> None:
    text = EAST.text().replace("Configuration= phase-1", "Configuration= nowhere")
    found = catalog(text)
    assert [error.section for _, error in found.left_out]
    reason = refused(found.find_remote, ip_address("192.0.2.1"), MAIN).reason
    assert reason.cause == "bad-configuration"
    assert "nowhere" in reason.detail


def test_bad_sections_are_left_out_alone() -> None:
    text = WEST.text().replace("Connections= west-east", "Connections= bad, west-east")
    found = catalog(text + "[bad]\nPhase= 2\nISAKMP-peer= east\nConfiguration= phase-2\n"
                    "Local-ID= nothing\nRemote-ID= far\n")  # fmt: skip
    assert list(found.connections) == ["west-east"]
    assert len(found.left_out) == 2
    assert "its near side cannot be read: all traffic with its" in str(found.left_out[1][1])
    with pytest.raises(ConfError):
        found.connection("bad")


@pytest.mark.parametrize("wrong", ["10.1.0.0/16-10.1.0.9", "10.1.0.9-10.1.0.1", "10.1.0.0/33",
                                   "any"])  # fmt: skip
@pytest.mark.parametrize("passive", [False, True])
def test_where_one_side_cannot_be_read(wrong: str, passive: bool) -> None:
    """What is with the far side is dropped, whosever it is here; with everybody that would cut this
    host off."""
    lists = "Connections= west-east\nPassive-connections= bad" if passive else "Connections= bad"
    text = WEST.text().replace("Connections= west-east", lists) + "[bad]\nISAKMP-peer= east\n"
    bad = f"{text}Local-selectors= {wrong}\nRemote-selectors= "
    for remote, dropped in (
        ("10.7.0.0/16, fd07::/16", [("0.0.0.0/0", "10.7.0.0/16"), ("::/0", "fd07::/16")]),
        ("0.0.0.0/0, fd07::/16", [("::/0", "fd07::/16")]),
    ):
        found = catalog(bad + remote)
        for _ in ("a start", "a reload"):
            found.load()
            assert found.closed["bad"] == tuple(Selector.of(*ends) for ends in dropped)
            assert [str(error).partition(": ")[2] for _, error in found.left_out[1:]] == [
                "its near side cannot be read: all traffic with its far side is dropped, unless "
                "that is everybody"
            ]
    for remote in ("0.0.0.0/0", "10.7.0.0/33"):
        found = catalog(bad + remote)
        assert "bad" not in found.closed
        assert "so it is not dropped" in str(found.left_out[1][1])
    found = catalog(f"{text}Local-selectors= 10.1.0.0/16\nRemote-selectors= {wrong}\n")
    assert "bad" not in found.closed, "all that its network has to do with would be cut off"


def test_secrets() -> None:
    found = catalog(replace(EAST, exchange="AGGRESSIVE", more="[joe@x]\nAuthentication= joe's\n"))
    remote = found.remote("west")
    joe = Identity(ipsec.Id.USER_FQDN, b"joe@x")
    assert found.secret(remote, joe) == b"a secret of both", "its own is its only one"
    assert found.secret(remote, None) == b"a secret of both"
    without = replace(remote, secret=b"")
    assert found.secret(without, joe) == b"joe's"
    assert found.secret(replace(without, remote_id=joe), None) == b"joe's", "whom it expects"
    ann = Identity(ipsec.Id.USER_FQDN, b"ann@x")
    assert refused(found.secret, replace(without, remote_id=ann), joe).reason.cause == "no-secret"
    nothing = refused(found.secret, without, ann)
    assert nothing.reason.cause == "no-secret"
    assert nothing.reason.came == "identity ann@x"
    assert "[ann@x]" in nothing.reason.mend
    assert nothing.notify == isakmp.Notify.AUTHENTICATION_FAILED


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        (Selector.of("10.2.0.0/16", "10.1.0.0/16"), True),
        (Selector.of("10.2.3.0/24", "10.1.9.9/32"), True),
        (Selector.of("10.2.3.0/24", "10.1.9.9/32", 17, 53, 53), True),
        (Selector.of("10.2.0.0/15", "10.1.0.0/16"), False),
        (Selector.of("10.9.0.0/16", "10.1.0.0/16"), False),
        (Selector.of("2001:db8::/64", "2001:db8:1::/64"), False),
    ],
)
def test_a_passive_connection_takes_parts_of_its_traffic(selector: Selector, fits: bool) -> None:
    found = catalog()
    remote = found.remote("west")
    if fits:
        connection, agreed = found.find_connection(remote, selector)
        assert agreed == selector
        assert narrowed(connection, selector).selector == selector
    else:
        assert refused(found.find_connection, remote, selector).reason.cause == "no-connection"


@pytest.mark.parametrize(
    ("selector", "miss"),
    [
        (Selector.of("10.1.0.0/16", "10.2.4.0/24"), "Remote-ID is 10.2.0.0/16, the peer says"),
        (Selector.of("10.1.0.0/24", "10.2.0.0/16"), "Local-ID is 10.1.0.0/16, the peer says"),
        (Selector.of("10.1.0.0/16", "10.2.0.0/16", 6), "protocol is any, the peer says tcp"),
        (Selector.of("10.1.0.0/16", "10.2.0.0/16", 0, 80), "local port is any, the peer says 80"),
        (Selector.of("10.1.0.0/16", "10.2.0.0/16", 0, 0, 9), "remote port is any, the peer says 9"),
    ],
)
def test_an_active_connection_takes_its_own_traffic_only(selector: Selector, miss: str) -> None:
    found = catalog(WEST)
    reason = refused(found.find_connection, found.remote("east"), selector).reason
    (only,) = reason.misses
    assert only.startswith(f"west-east: {miss}")
    assert reason.line


def test_active_only_connections_and_unknown_peers_have_none() -> None:
    found = catalog(replace(EAST, connection_tags="Flags= Active-only"))
    selector = Selector.of("10.2.0.0/16", "10.1.0.0/16")
    reason = refused(found.find_connection, found.remote("west"), selector).reason
    assert reason.misses == ("east-west: is Active-only",)
    assert reason.acceptable == "nothing"
    assert reason.mend.startswith("take Active-only out of Flags of [east-west]")
    stranger = replace(found.remote("west"), name="other")
    reason = refused(found.find_connection, stranger, selector).reason
    assert reason.misses == ()
    assert "Phase 2" in reason.line


def test_narrowing_writes_the_identities_anew() -> None:
    found = catalog()
    connection = found.connections["east-west"]
    assert narrowed(connection, connection.selector) is connection
    part = narrowed(connection, Selector.of("10.2.3.0/24", "10.1.9.9/32", 6, 0, 80))
    assert str(part.local_id) == "10.2.3.0/255.255.255.0"
    assert str(part.remote_id) == "10.1.9.9"
    assert (part.remote_id.protocol, part.remote_id.port) == (6, 80)
    for text, kind in (
        ("2001:db8::/64", ipsec.Id.IPV6_ADDR_SUBNET), ("2001:db8::1/128", ipsec.Id.IPV6_ADDR),
    ):  # fmt: skip
        assert identity_of(Selector.of(text, text).src).type is kind


def test_peers_are_read_again_when_the_configuration_has_changed() -> None:
    found = catalog()
    assert found.remote("west").secret == b"a secret of both"
    transaction = found.conf.begin()
    transaction.set("west", "Authentication", "another one", override=True)
    transaction.commit()
    assert found.remote("west").secret == b"another one"


@pytest.mark.parametrize(
    ("tags", "sides"),
    [
        ("", ("Local-ID", "Remote-ID")),
        ("Local-selectors= 10.1.0.0/16\nRemote-selectors= 10.2.0.0/16",
         ("Local-selectors", "Remote-selectors")),
        ("Remote-selectors= 10.2.0.0/16", ("Local-ID", "Remote-selectors")),
    ],
)  # fmt: skip
def test_what_mends_other_traffic_names_the_tags_that_the_connection_has(
    tags: str, sides: tuple[str, str]
) -> None:
    """In both versions."""
    found = catalog(replace(WEST, connection_tags=tags, peer_tags="Key-exchange= ikev2, ikev1"))
    remote, asked = found.remote("east"), Selector.of("10.8.0.0/16", "10.2.0.0/16")
    came = Traffic((of_network(asked.src),), (of_network(asked.dst),))
    first = refused(found.find_connection, remote, asked).reason
    second = refused(found.find_child, remote, came, False, Work()).reason
    mend = f"{sides[0]} here must be the peer's remote traffic, and {sides[1]} its local traffic"
    assert first.mend == second.mend == mend
    assert first.misses[0].startswith(f"west-east: {sides[0]} ")
    nobody = replace(remote, name="other")
    for reason in (
        refused(found.find_connection, nobody, asked).reason,
        refused(found.find_child, nobody, came, False, Work()).reason,
    ):
        assert reason.mend.startswith("name a connection with other in Connections")


@pytest.mark.parametrize(
    ("tags", "mend"),
    [
        ("Configuration= phase-1",
         "set EXCHANGE_TYPE= AGGRESSIVE in [phase-1], the Configuration of [west]"),
        ("IKE-proposals= aes256-sha256-modp2048",
         "set the Configuration of [west] to a section with EXCHANGE_TYPE= AGGRESSIVE"),
    ],
)  # fmt: skip
def test_what_mends_another_exchange_names_the_section_that_there_is(tags: str, mend: str) -> None:
    found = catalog(EAST.text().replace("Configuration= phase-1", f"Key-exchange= ikev1\n{tags}"))
    reason = refused(found.find_remote, ip_address("192.0.2.1"), AGGRESSIVE).reason
    assert (reason.cause, reason.mend) == ("wrong-exchange-type", mend)
