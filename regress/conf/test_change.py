"""Changes of a running configuration: what is refused, what is told, and what they do at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fifo_ui.commands import run
from isakmp.conf.change import weigh
from isakmp.conf.check import check
from isakmp.conf.parse import fold
from isakmp.conf.store import Conf
from isakmp.conf.tags import TAGS
from isakmp.errors import ConfError, IsakmpError
from isakmp.policy.identity import no_interfaces
from regress.pair import EAST, WEST, Gateway, Host, Network, agree, connected, network_id, up


def alone(gateway: Gateway = WEST) -> Host:
    """A daemon that has nobody to talk to."""
    net = Network()
    host = net.host(gateway)
    net.start()
    return host


def told(host: Host, line: str) -> list[str]:
    """The answer to a line."""
    value = host.done(run(host.daemon, line)).value
    assert isinstance(value, list)
    return value


def state(host: Host) -> object:
    """What the configuration says, and whether anything has touched it."""
    conf = host.daemon.conf
    return conf.generation, {name: dict(one.entries) for name, one in conf.written.items()}


def refused(host: Host, line: str, why: str) -> None:
    """A line that must not change anything."""
    before = state(host)
    with pytest.raises(IsakmpError) as caught:
        host.done(run(host.daemon, line))
    assert why in str(caught.value)
    assert state(host) == before


GOES_ON = (
    "connection west-east goes on as it was: connections count 5 s after a change of [Phase 2], "
    "or at once with conf apply; a reload loses what was set"
)


# --- one change ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("set [General]:Retransmits=-1", "'-1' is not a number from 0 to 100"),
        ("set [General]:Retransmit=3", "did you mean Retransmits?"),
        ("set [Phase2]:Connections=x", "did you mean Phase 2?"),
        ("add [Phase 1]:10.1.0.300=east", "[Phase 1]:10.1.0.300: is no address"),
        ("set [east]:Remote-IDs=near", "did you mean Remote-ID?"),
        ("set [east]:Port=no-such-service force", "is no port"),
        ("set [east]:Address=192.0.2.300 force", "is not an address"),
        ("set [near]:Netmask=255.0.255.0 force", "is not a netmask"),
        ("set [near]:Network=2001:db8:: force", "is not an IPv4 address"),
        ("set [phase-1]:Transforms=AES-SHA-GRP27 force", "the library lacks"),
        ("set [west-east]:ESP-proposals=aes128-nothing", "is no algorithm"),
        ("set [west-east]:ESP-proposals=aes128gcm16-esn", "IKEv1 can say none of its suites"),
        ("rmv [phase-2]:Suites=nothing", "is not in this list"),
        ("set [far]:Network=10.9.0.0", "is already set"),
    ],
)
def test_what_the_checker_refuses_cannot_be_set(change: str, why: str) -> None:
    refused(alone(), f"C {change}", why)


def test_what_is_wrong_already_keeps_nobody_from_changing_the_rest() -> None:
    west = alone(replace(WEST, general="Retransmits= many"))
    assert told(west, "C set [General]:Check-interval=7") == []
    assert west.daemon.connections.settings.check_interval_s == 7, "at once"
    refused(west, "C set [General]:DPD-timeout=0", "'0' is not a number")


def test_what_may_still_be_written_is_told() -> None:
    west = alone()
    line, goes_on = told(west, "C add [phase-2]:Suites=mine")
    assert line.startswith("not complete: ") and "there is no section [mine]" in line
    assert goes_on.startswith("connection west-east goes on as it was")
    line, again = told(west, "C set [mine]:Protocols=QM-ESP-AES-128-SHA,more")
    assert "there is no section [more]" in line
    assert again == goes_on


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("C set [east]:Adress=192.0.2.9", "[east]:Adress: no tag "),
        ("C set [new]:Phase=2 ; set [new]:Phase=2", "change 2: set at run time, change 1 [new]:Ph"),
    ],
)
def test_what_is_refused_is_named_by_its_place_alone(line: str, said: str) -> None:
    west = alone()
    with pytest.raises(IsakmpError) as caught:
        told(west, line)
    assert str(caught.value).startswith(said)


def test_a_tag_that_is_already_set_is_named_once() -> None:
    west = alone()
    told(west, "C set [new]:Phase=2")
    with pytest.raises(IsakmpError, match=r"^\[new\]:Phase: is already set \(force"):
        told(west, "C set [new]:Phase=2")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("rms [west-east]", True),
        ("set [west-east]:Share-traffic=yes", True),
        ("set [far]:Network=10.9.0.0 force", True),
        ("set [east]:Authentication=9f2c7be1d04a86b35c7e force", False),
        ("set [General]:Check-interval=7", False),
        ("set [phase-1]:Transforms=AES-256-SHA2-256-GRP14 force", False),
    ],
)
def test_a_connection_that_goes_on_as_it_was_is_told_with_when_it_counts(
    change: str, named: bool
) -> None:
    lines = [each for each in told(alone(), f"C {change}") if "goes on" in each]
    assert lines == [GOES_ON] * named


@pytest.mark.parametrize("change", ["rm [Phase 2]:Connections", "rms [Phase 2]"])
def test_a_connection_that_is_listed_no_more_is_told_with_when_it_ends(change: str) -> None:
    lines = [each for each in told(alone(), f"C {change}") if "ends" in each]
    assert lines == [
        "connection west-east ends in 5 s: what no other protects or drops goes in clear then"
    ]


def test_each_change_tells_that_a_connection_goes_on_as_it_was_until_it_does_not() -> None:
    west = alone()
    assert told(west, "C set [west-east]:Share-traffic=yes") == [GOES_ON]
    assert told(west, "C set [west-east]:TFC-padding=no") == [GOES_ON]
    assert told(west, "C set [General]:Check-interval=7") == []
    told(west, "C add [Phase 2]:Connections=west-east")
    told(west, "C rmv [Phase 2]:Connections=west-east")
    told(west, "C add [Phase 2]:Connections=west-east")
    west.network.run(2)
    soon = "connection west-east goes on as it was: connections count in 3 s"
    assert told(west, "C set [west-east]:TFC-padding=yes force") == [soon]
    west.network.run(6)
    assert told(west, "C set [west-east]:TFC-padding=no force") == [GOES_ON]


def test_what_a_transaction_makes_count_goes_on_no_longer() -> None:
    """One that has nothing to do with it: it is said to."""
    west = alone()
    told(west, "C set [far]:Network=10.9.0.0 force")
    (changed, *_) = told(west, "C apply set [General]:Check-interval=7")
    assert changed == "west-east: changed, its SAs are deleted"
    assert told(west, "C set [east]:Port=500") == []


def test_nothing_is_suggested_for_what_was_removed() -> None:
    west = alone()
    lines = [line for line in told(west, "C rms [east]") if "no section [east]" in line]
    assert lines
    assert all(line.endswith("[east] (it was removed at run time)") for line in lines)


def test_a_peer_may_be_written_tag_by_tag() -> None:
    """Not even the first tag is refused for a default that nobody has written."""
    west = alone()
    told(west, "C rms [east]")
    suite, key, goes_on = told(west, f"C set [east]:Address={EAST.address}")
    assert suite.startswith("not complete: set at run time [east]: no IKE-proposals and no Config")
    assert key.startswith("not complete: set at run time [east]: no Authentication")
    assert told(west, "C set [east]:Authentication=9f2c7be1d04a86b35c7e") == [goes_on] == [GOES_ON]
    assert told(west, "C set [east]:Configuration=phase-1") == []


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ("set [east]:Authentication=changeme force", "this secret is known to everybody"),
        ("set [phase-1]:Transforms=DES-SHA-GRP14 force", "DES_CBC is no longer considered secure"),
        ("set [General]:Policy-file=/etc/policy", "has no effect in this version"),
        ("set [west-east]:Rainbow=yes", "no tag Rainbow in an IPsec connection, and is ignored"),
        ("rmv [Phase 2]:Connections=west-east", "nothing names this section"),
    ],
)
def test_a_warning_is_in_the_answer(change: str, warning: str) -> None:
    lines = told(alone(), f"C {change}")
    assert any(warning in line for line in lines), lines
    assert not any("changeme" in line for line in lines)


OTHER = (
    "[Phase 1]\n192.0.2.7= other\n[other]\nLocal-address= 192.0.2.1\nConfiguration= phase-1\n"
    "Authentication= 9f2c7be1d04a86b35c7e\nRemote-ID= other-id\n[other-id]\nID-type= FQDN\n"
    "Name= other.example\n[mine-id]\nID-type= FQDN\nName= Other.example\n"
    "[Phase 2]\nPassive-connections= second\n[second]\nISAKMP-peer= other\n"
    "Configuration= phase-2\nLocal-ID= near\nRemote-ID= far-2\n"
    "[far-2]\nID-type= IPV4_ADDR_SUBNET\nNetwork= 10.7.0.0\nNetmask= 255.255.0.0\n"
)


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ("set [east]:Authentication=9f2c7be1d04a86b35c7e force", "can be taken for [other]"),
        ("set [east]:Remote-ID=mine-id", "has the Remote-ID of [other]"),
        ("set [far-2]:Netmask=255.0.0.0 force", "[west-east] has traffic that [second] has, too"),
        ("set [far]:Netmask=255.0.0.0 force", "[second] has traffic that [west-east] has, too"),
    ],
)
def test_what_may_be_mistaken_for_what_is_changed_is_in_the_answer(
    change: str, warning: str
) -> None:
    west = alone(replace(WEST, more=OTHER))
    lines = told(west, f"C {change}")
    assert any(warning in line for line in lines), lines
    assert not west.daemon.catalog.faults


def ipsecctl(gateway: Gateway, peer: str) -> list[str]:
    """What ipsecctl(8) writes for ``ike esp from local to remote peer ... psk ...``."""
    peer_section = f"peer-{peer}-local-{gateway.address}"
    flow = f"from-{gateway.local}-to-{gateway.remote}"
    one = f"phase1-transform-{peer_section}-PRE_SHARED-SHA-AES128-MODP_3072"
    two = f"phase2-transform-{flow}-AES128-SHA2_256-MODP_3072-TUNNEL"
    tags = [
        (peer_section, f"Phase=1;Address={peer};Local-address={gateway.address};"
         f"Authentication=notarealsecret;Configuration=phase1-{peer_section}"),
        (f"phase1-{peer_section}", f"EXCHANGE_TYPE=ID_PROT;+Transforms={one}"),
        (one, "AUTHENTICATION_METHOD=PRE_SHARED;HASH_ALGORITHM=SHA;ENCRYPTION_ALGORITHM=AES_CBC;"
         "KEY_LENGTH=128,128:256;GROUP_DESCRIPTION=MODP_3072;Life=LIFE_MAIN_MODE"),
        (flow, f"Phase=2;ISAKMP-peer={peer_section};Configuration=phase2-{flow};"
         f"Local-ID=from-{gateway.local};Remote-ID=to-{gateway.remote}"),
        (f"phase2-{flow}", f"EXCHANGE_TYPE=QUICK_MODE;Suites=phase2-suite-{flow}"),
        (f"phase2-suite-{flow}", f"Protocols=phase2-protocol-{flow}"),
        (f"phase2-protocol-{flow}", f"PROTOCOL_ID=IPSEC_ESP;Transforms={two}"),
        (two, "TRANSFORM_ID=AES;KEY_LENGTH=128,128:256;ENCAPSULATION_MODE=TUNNEL;"
         "AUTHENTICATION_ALGORITHM=HMAC_SHA2_256;GROUP_DESCRIPTION=MODP_3072;Life=LIFE_QUICK_MODE"),
        *((f"{side}-{net}", f"ID-type=IPV4_ADDR_SUBNET;Network={net.partition('/')[0]};"
           "Netmask=255.255.0.0")
          for side, net in (("from", gateway.local), ("to", gateway.remote))),
    ]  # fmt: skip
    lines = [f"C set [Phase 1]:{peer}={peer_section} force"]
    for section, text in tags:
        for tag in text.split(";"):
            verb = "add" if tag.startswith("+") else "set"
            lines.append(f"C {verb} [{section}]:{tag.removeprefix('+')} force")
    listed = "Passive-Connections" if gateway.passive else "Connections"
    return [*lines, f"C add [Phase 2]:{listed}={flow}"]


@pytest.mark.parametrize("times", [1, 2])
def test_ipsecctl_s_lines_make_a_tunnel(times: int) -> None:
    net = Network()
    hosts = [net.add(side.address, "") for side in (WEST, EAST)]
    net.start()
    for host, side in zip(hosts, (WEST, EAST), strict=True):
        for line in ipsecctl(side, side.peer_address) * times:
            host.done(run(host.daemon, line))
    net.run(10)
    assert all(map(connected, hosts))
    agree(*hosts)


def test_ipsecctl_takes_its_tunnels_away() -> None:
    west = alone(
        replace(
            WEST,
        )
    )
    for line in ("C rmv [Phase 2]:Connections=west-east", "C rms [west-east]", "C rms [near]",
                 "C rm [Phase 1]:192.0.2.2", "C rms [east]"):  # fmt: skip
        west.done(run(west.daemon, line))
    assert not west.daemon.conf.has_section("east")


# --- several changes -------------------------------------------------------------------------

SECOND = (
    "set [second]:ISAKMP-peer=east ; set [second]:Configuration=phase-2 ; "
    "set [second]:Local-ID=near ; set [second]:Remote-ID=far-2 ; "
    "set [far-2]:ID-type=IPV4_ADDR_SUBNET ; set [far-2]:Network=10.7.0.0 ; "
    "set [far-2]:Netmask=16 ; add [Phase 2]:Connections=second"
)


def test_a_transaction_counts_at_once_and_drops_nothing_else() -> None:
    net, west, east = up()
    before = west.app.sas.copy(), west.rows(1)[0]["cookies"], len(net.history)
    done = told(west, f"C {SECOND}")
    assert done == ["second: taken up"]
    assert set(west.daemon.connections.entries) == {"west-east", "second"}
    assert (west.app.sas, west.rows(1)[0]["cookies"]) == before[:2]
    done = told(west, "C rmv [Phase 2]:Connections=second ; set [General]:Retransmits=9")
    assert any(line.startswith("second: removed") for line in done)
    assert west.daemon.engine.settings.retransmits == 9
    assert (west.app.sas, west.rows(1)[0]["cookies"]) == before[:2]
    agree(west, east)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("[far-2]:Netmask=16", "[far-2]:Netmask=", "expected"),
        ("[far-2]:Netmask=16", "[far-2]:Netmask=16x", "is not a netmask"),
        ("set [far-2]:Netmask=16 ; ", "", "[far-2]: has no Netmask"),
        ("[second]:Local-ID=near", "[second]:Local-ID=nearer", "there is no section [nearer]"),
        ("[second]:ISAKMP-peer=east", "[east]:Port=500", "has no ISAKMP-peer"),
        ("add [Phase 2]", "add [Phase 3]", "did you mean Phase 2?"),
    ],
)
def test_a_transaction_is_made_whole_or_not_at_all(old: str, new: str, why: str) -> None:
    west = alone()
    assert old in SECOND
    refused(west, f"C {SECOND.replace(old, new)}", why)
    assert set(west.daemon.connections.entries) == {"west-east"}


def test_no_state_between_two_changes_is_seen() -> None:
    """One after the other they would leave the connection without a peer, then with no proposal."""
    net, west, east = up()
    done = told(
        west, "C rms [phase-2] ; set [phase-2]:EXCHANGE_TYPE=QUICK_MODE ; "
        "set [phase-2]:Suites=QM-ESP-AES-128-SHA2-256-SUITE ; rm [west-east]:Remote-ID ; "
        "set [west-east]:Remote-ID=far",
    )  # fmt: skip
    assert done == []
    assert connected(west)
    agree(west, east)
    assert net.now


def test_a_file_of_changes(tmp_path: Path) -> None:
    west = alone()
    path = tmp_path / "changes"
    path.write_text("# a second network\n" + SECOND.replace(" ; ", "\n"))
    assert told(west, f"C file {path}") == ["second: taken up"]
    assert "second" in west.daemon.connections.entries


def test_what_the_checker_refuses_of_a_file_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "changes"
    path.write_text("# two\nset [General]:Retransmits=3\nset [far]:Netmask=255.0.255.0 force\n")
    refused(alone(), f"C file {path}", f"{path}:3 [far]:Netmask: ")
    changes = "set [General]:Retransmits=3 ; set [far]:Netmask=255.0.255.0 force"
    refused(alone(), f"C {changes}", "change 2 [far]:Netmask: ")


def test_all_that_is_wrong_with_a_file_of_changes_is_told(tmp_path: Path) -> None:
    """isakmpd --check cannot see it; so many are told."""
    path = tmp_path / "changes"
    tags = ("Retransmits", "Workers", "DPD-timeout")
    path.write_text("".join(f"set [General]:{tag}=many force\n" for tag in tags))
    west = alone()
    with pytest.raises(IsakmpError) as caught:
        west.done(run(west.daemon, f"C file {path}"))
    assert all(f"{path}:{n} [General]:{tag}" in str(caught.value) for n, tag in enumerate(tags, 1))
    assert "--check" not in str(caught.value)


# --- what is looked at -----------------------------------------------------------------------


def test_a_change_is_weighed_by_what_it_has_to_do_with() -> None:
    many = "".join(network_id(f"id-{n}", f"10.{n}.0.0/16") for n in range(50))
    before = Conf.from_text(WEST.text() + many)
    change = before.begin()
    change.set("far", "Network", "10.8.0.0", override=True)
    part = weigh(before, change.draft(), no_interfaces).part
    assert {"far", "west-east", "east", "phase-1"} <= part
    assert not any(name.startswith("id-") for name in part)


GATEWAYS = Conf.from_text(
    WEST.text() + "[other]\nISAKMP-peer= other-peer\nLocal-ID= near\nRemote-ID= far\n"
    "[other-peer]\nAddress= 192.0.2.9\nKey-exchange= ikev2\nLocal-address= 192.0.2.1\n"
    "Authentication= 9f2c7be1d04a86b35c7e\n[Phase 2]\nPassive-connections= other\n"
)
SECTIONS = [*GATEWAYS.sections(), "new", "Phase2", "AES-SHA"]
NAMES = sorted({tag for tags in TAGS.values() for tag in tags} | {"192.0.2.9", "Remote-IDs"})
VALUES = [*SECTIONS, "1", "2", "ikev2", "16", "10.9.0.0", "AES-SHA-GRP27", "QM-ESP-AES-SUITE", "é"]


@example([("set", "General", "Default-phase-1-lifetime", "General")])
@example([("set", "General", "Default-phase-2-suites", "AES-SHA")])
@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["set", "add", "remove_value", "remove", "remove_section"]),
            st.sampled_from(SECTIONS), st.sampled_from(NAMES), st.sampled_from(VALUES),
        ),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_a_part_has_all_errors_that_a_change_brings(
    steps: list[tuple[str, str, str, str]],
) -> None:
    change = GATEWAYS.begin()
    for verb, *arguments in steps:
        count = {"remove": 2, "remove_section": 1}.get(verb, 3)
        getattr(change, verb)(*arguments[:count], **({"override": True} if verb == "set" else {}))
    try:
        draft = change.draft()
    except ConfError:
        return

    def keys(errors: list[ConfError]) -> set[tuple[str, str, str]]:
        return {(fold(error.section), fold(error.tag), error.reason) for error in errors}

    found = keys(weigh(GATEWAYS, draft, no_interfaces).errors)
    assert found == keys(check(draft)) - keys(check(GATEWAYS))
