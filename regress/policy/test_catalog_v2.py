"""IKEv2: who a peer is, which key it has, and which connection it may have."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from ipaddress import IPv4Network, ip_address

import pytest

from isakmp.conf.store import Conf
from isakmp.constants import ipsec
from isakmp.constants.ikev2 import Notify
from isakmp.errors import Refused
from isakmp.policy.boxes import SELECTORS_MAX, Work
from isakmp.policy.by_traffic import ByTraffic
from isakmp.policy.catalog import Catalog
from isakmp.policy.children import find_child
from isakmp.policy.match import MISSES_MAX
from isakmp.policy.peers import IKE_SA_INIT, MAIN_MODE
from isakmp.policy.selector_text import parse_selector
from isakmp.policy.spd import Caller, Identity, Selector, Traffic, TrafficSelector
from isakmp.policy.traffic import describe
from regress.policy.test_boxes import calls, hosts, strips
from regress.policy.test_catalog import refused

HERE = ip_address("192.0.2.2")
ELSEWHERE = ip_address("198.51.100.7")

PEERS = """
[Phase 1]
192.0.2.2= west
203.0.113.1= old
Default= anybody
[Phase 2]
Connections= west-net, south-net, wide, narrow, there, old-net
[west]
Address= 192.0.2.2
Local-address= 192.0.2.1
Key-exchange= ikev2, ikev1
Authentication= of west
Remote-ID= west-id
ID= our-id
[south]
Address= 192.0.2.2
Key-exchange= ikev2
Authentication= of south
Remote-ID= south-id
[roaming]
Key-exchange= ikev2
Authentication= of roaming
Remote-ID= roaming-id
[far]
Address= 203.0.113.9
Key-exchange= ikev2
Authentication= of far
Remote-ID= roaming-id
[anybody]
Key-exchange= ikev2
Authentication= of anybody
Local-address= 192.0.2.1
[old]
Address= 203.0.113.1
Local-address= 192.0.2.1
Authentication= of old
[joe@example.net]
Authentication= of joe
[our-id]
ID-type= FQDN
Name= us.example.net
[west-id]
ID-type= FQDN
Name= west.example.net
[south-id]
ID-type= USER_FQDN
Name= south@example.net
[roaming-id]
ID-type= KEY_ID
Name= roaming
[west-net]
ISAKMP-peer= west
Local-selectors= 10.1.0.0/16
Remote-selectors= 10.2.0.0/16
[south-net]
ISAKMP-peer= south
Local-selectors= 10.1.0.0/16
Remote-selectors= 10.3.0.0/16
[wide]
ISAKMP-peer= roaming
Local-selectors= 10.0.0.0/8
Remote-selectors= 10.0.0.0/8
[narrow]
ISAKMP-peer= roaming
Local-selectors= 10.1.0.0/16
Remote-selectors= 10.4.0.0/16
[there]
ISAKMP-peer= far
Local-selectors= 10.1.0.0/16
Remote-selectors= 10.5.0.0/16
[old-net]
ISAKMP-peer= old
Local-selectors= 10.1.0.0/16
Remote-selectors= 10.6.0.0/16
"""

WEST = Identity(ipsec.Id.FQDN, b"west.example.net")
SOUTH = Identity(ipsec.Id.USER_FQDN, b"south@example.net")
ROAMING = Identity(ipsec.Id.KEY_ID, b"roaming")
JOE = Identity(ipsec.Id.USER_FQDN, b"joe@example.net")
US = Identity(ipsec.Id.FQDN, b"us.example.net")


def catalog(*edits: str) -> Catalog:
    """edits: a text and what stands there instead, and so on."""
    text = PEERS
    for old, new in zip(edits[::2], edits[1::2], strict=True):
        assert old in text
        text = text.replace(old, new)
    found = Catalog(Conf.from_text(text, "f"), lambda name, version: None)
    found.load()
    assert found.left_out == []
    return found


class TestFindRemote:
    def test_by_address(self) -> None:
        assert catalog().find_remote(HERE, IKE_SA_INIT).name == "west"
        assert catalog().find_remote(ELSEWHERE, IKE_SA_INIT).name == "anybody"

    def test_only_the_section_of_the_address_is_read(self) -> None:
        found = catalog()
        change = found.conf.begin()
        change.set("General", "Retransmits", "4")
        change.commit()
        assert found.find_remote(HERE, IKE_SA_INIT).name == "west"
        assert list(found.remotes) == ["west"], "the others can wait until it says who it is"

    def test_a_version_that_is_not_spoken(self) -> None:
        old = ip_address("203.0.113.1")
        assert catalog("Default= anybody", "").find_remote(old, IKE_SA_INIT).name == "roaming"
        found = catalog("[roaming]\nKey-exchange= ikev2", "[roaming]\nKey-exchange= ikev1",
                        "Default= anybody", "")  # fmt: skip
        reason = refused(found.find_remote, old, IKE_SA_INIT).reason
        assert (reason.cause, reason.acceptable) == ("version-not-configured", "IKEv1")
        assert reason.mend == "add ikev2 to Key-exchange of [old]"
        main = MAIN_MODE
        assert found.find_remote(ip_address("203.0.113.1"), main).name == "old"
        assert found.find_remote(HERE, main).name == "west"
        only = catalog("ikev2, ikev1", "ikev2")
        reason = refused(only.find_remote, HERE, main).reason
        assert (reason.cause, reason.acceptable) == ("version-not-configured", "IKEv2")

    def test_another_section_may_speak_it(self) -> None:
        found = catalog("192.0.2.2= west", "192.0.2.2= old")
        assert found.find_remote(HERE, IKE_SA_INIT).name == "anybody"
        found = catalog("192.0.2.2= west\n203.0.113.1= old\nDefault= anybody", "192.0.2.2= old")
        assert found.find_remote(HERE, IKE_SA_INIT).name == "west"

    def test_a_stranger(self) -> None:
        found = catalog("Default= anybody", "")
        reason = refused(found.find_remote, ELSEWHERE, IKE_SA_INIT).reason
        assert reason.cause == "no-configuration"

    def test_a_bad_section(self) -> None:
        found = Catalog(
            Conf.from_text("[Phase 1]\nDefault= x\n[x]\nPort= no", "f"), lambda *_: None
        )
        reason = refused(found.find_remote, HERE, IKE_SA_INIT).reason
        assert reason.cause == "bad-configuration"


class TestIdentify:
    @pytest.mark.parametrize(
        ("identity", "name"), [(WEST, "west"), (SOUTH, "south"), (ROAMING, "roaming")]
    )
    def test_sections_that_share_an_address(self, identity: Identity, name: str) -> None:
        """RFC 7296 2.15 and 3.5."""
        found = catalog()
        begun = found.find_remote(HERE, IKE_SA_INIT)
        assert found.identify(begun, Caller(identity, None, HERE), IKE_SA_INIT).name == name

    def test_an_address_of_another_is_none(self) -> None:
        found = catalog("[roaming]\nKey-exchange= ikev2", "[roaming]\nKey-exchange= ikev1")
        begun = found.find_remote(HERE, IKE_SA_INIT)
        refusal = refused(found.identify, begun, Caller(ROAMING, None, HERE), IKE_SA_INIT)
        assert refusal.notify == Notify.AUTHENTICATION_FAILED
        reason = refusal.reason
        assert reason.cause == "wrong-identity"
        assert reason.line.endswith("[west-id]")
        assert reason.misses == (
            "west: Remote-ID is FQDN west.example.net",
            "anybody: has no Remote-ID, and is not who [Phase 1] names for 192.0.2.2",
            "south: Remote-ID is USER_FQDN south@example.net",
            "roaming: Key-exchange has no ikev2",
        )

    def test_anybody_elsewhere(self) -> None:
        found = catalog()
        begun = found.find_remote(ELSEWHERE, IKE_SA_INIT)
        assert found.identify(begun, Caller(JOE, None, ELSEWHERE), IKE_SA_INIT).name == "anybody"
        assert (
            found.identify(begun, Caller(ROAMING, None, ELSEWHERE), IKE_SA_INIT).name == "roaming"
        )
        # West is at home only.
        assert found.identify(begun, Caller(WEST, None, ELSEWHERE), IKE_SA_INIT).name == "anybody"

    def test_who_the_peer_takes_us_for(self) -> None:
        found = catalog()
        begun = found.find_remote(HERE, IKE_SA_INIT)
        assert found.identify(begun, Caller(WEST, US, HERE), IKE_SA_INIT).name == "west"
        other = Identity(ipsec.Id.FQDN, b"them.example.net")
        reason = refused(found.identify, begun, Caller(WEST, other, HERE), IKE_SA_INIT).reason
        assert reason.came == "FQDN west.example.net for FQDN them.example.net"
        assert "west: ID is FQDN us.example.net, the peer asks for FQDN them" in reason.misses[0]
        assert reason.detail == "peer west asks for another identity than ours"
        assert reason.mend == "make the ID here and the peer's Remote-ID the same"
        assert reason.line.endswith("[our-id]")


class TestSecret:
    def secret(self, name: str, identity: Identity | None, text: str = "[Phase 1]") -> bytes:
        found = catalog("[Phase 1]", text)
        return found.secret(found.remote(name), identity)

    def test_of_a_section_with_an_identity(self) -> None:
        assert self.secret("west", JOE) == b"of west"

    def test_of_a_section_named_as_the_identity(self) -> None:
        assert self.secret("anybody", JOE) == b"of anybody", "its own is its only one"
        found = catalog("Authentication= of anybody\n", "")
        assert found.secret(found.remote("anybody"), JOE) == b"of joe"

    def test_the_default_peers_serves_nobody_else(self) -> None:
        found = catalog("Authentication= of south\n", "")
        assert found.secret(found.remote("anybody"), SOUTH) == b"of anybody"
        assert refused(found.secret, found.remote("south"), SOUTH).reason.cause == "no-secret"

    def test_of_nobody(self) -> None:
        found = catalog("Authentication= of anybody\n", "")
        refusal = refused(found.secret, found.remote("anybody"), SOUTH)
        assert refusal.notify == Notify.AUTHENTICATION_FAILED

    def test_a_peers_section_is_no_identitys(self) -> None:
        """Who has one peer's key would be another by naming its section."""
        found = catalog("Authentication= of anybody\n", "[anybody]\nLocal-address= 192.0.2.1\n")
        for name in (b"south", b"SOUTH", b"anybody"):
            named = Identity(ipsec.Id.FQDN, name)
            assert refused(found.secret, found.remote("anybody"), named).reason.cause == "no-secret"


def traffic(local: str, remote: str) -> Traffic:
    def side(text: str) -> tuple[TrafficSelector, ...]:
        return tuple(parse_selector(part) for part in text.split(","))

    return Traffic(side(local), side(remote))


class TestFindChild:
    def find(
        self, local: str, remote: str, transport: bool = False, **edit: str
    ) -> tuple[str, str, bool, bool]:
        found = catalog(edit.get("old", "[Phase 1]"), edit.get("new", "[Phase 1]"))
        connection, narrowed = found.find_child(
            found.remote(edit.get("peer", "roaming")), traffic(local, remote), transport, Work()
        )
        return (
            connection.name, describe(narrowed.traffic), narrowed.complete, narrowed.additional,
        )  # fmt: skip

    def test_the_narrowest_that_takes_all(self) -> None:
        assert self.find("10.1.1.0/24", "10.4.1.0/24") == (
            "narrow", "10.1.1.0/24 === 10.4.1.0/24", True, False,
        )  # fmt: skip
        assert self.find("10.1.1.0/24", "10.5.1.0/24")[0] == "wide"

    def test_the_one_that_takes_most(self) -> None:
        assert self.find("0.0.0.0/0", "0.0.0.0/0") == (
            "wide", "10.0.0.0/8 === 10.0.0.0/8", False, False,
        )  # fmt: skip

    def test_what_another_child_may_have(self) -> None:
        name, text, complete, additional = self.find(
            "10.1.0.0/16", "10.2.0.0/16, 10.4.0.0/16",
            old="10.0.0.0/8\nRemote-selectors= 10.0.0.0/8",
            new="10.1.0.0/16\nRemote-selectors= 10.2.0.0/16",
        )  # fmt: skip
        assert (name, text) == ("wide", "10.1.0.0/16 === 10.2.0.0/16")
        assert not complete
        assert additional

    def test_nothing_fits(self) -> None:
        with pytest.raises(Refused) as caught:
            self.find("10.9.0.0/16", "10.2.0.0/16", peer="west")
        reason = caught.value.reason
        assert caught.value.notify == Notify.TS_UNACCEPTABLE
        assert reason.misses == ("west-net: local side is 10.1.0.0/16, the peer says 10.9.0.0/16",)
        assert reason.acceptable == "10.1.0.0/16 === 10.2.0.0/16"

    @pytest.mark.parametrize(
        ("tag", "miss", "took", "mend"),
        [
            ("Flags= Active-only", "is Active-only", "nothing",
             "take Active-only out of Flags of [west-net]"),
            ("Mode= transport", "is in transport mode, the peer asks for tunnel mode",
             "10.1.0.0/16 === 10.2.0.0/16 in transport mode",
             "set transport mode at the peer, or Mode= tunnel in [west-net]"),
            ("Configuration= bundles", "has no suite that IKEv2 can negotiate", "nothing",
             "set ESP-proposals, or Suites that IKEv2 can negotiate, in [west-net]"),
        ],
    )  # fmt: skip
    def test_a_connection_that_is_not_for_it(
        self, tag: str, miss: str, took: str, mend: str
    ) -> None:
        bundles = (
            "[bundles]\nEXCHANGE_TYPE= QUICK_MODE\nSuites= both\n[both]\n"
            "Protocols= QM-ESP-AES-SHA, QM-AH-SHA\n"
        )
        new = f"{bundles}[west-net]\n{tag}"
        with pytest.raises(Refused) as caught:
            self.find("10.1.0.0/16", "10.2.0.0/16", peer="west", old="[west-net]", new=new)
        reason = caught.value.reason
        assert reason.misses == (f"west-net: {miss}",)
        assert (reason.acceptable, reason.mend.partition(",")[0]) == (took, mend.partition(",")[0])
        assert mend in reason.mend and reason.line.endswith("[west-net]")
        assert reason.came == "10.1.0.0/16 === 10.2.0.0/16" + (" in tunnel mode" * ("Mode" in tag))
        *traffic_parts, bar = reason.beside
        assert all(part.fits for part in traffic_parts) and not bar.fits

    def test_transport_mode_where_it_is_asked_for(self) -> None:
        edit = {"old": "[narrow]", "new": "[narrow]\nMode= transport"}
        assert self.find("10.1.0.1", "10.4.0.1", True, **edit)[0] == "narrow"
        assert self.find("10.1.0.1", "10.4.0.1", False, **edit)[0] == "wide"
        # Tunnel mode is an answer to a wish for transport mode.
        assert self.find("10.1.0.1", "10.5.0.1", True, **edit)[0] == "wide"

    def test_a_peer_without_connections(self) -> None:
        reason = refused(
            catalog().find_child,
            catalog().remote("anybody"),
            traffic("::1", "::1"),
            False,
            Work(),
        ).reason
        assert (reason.acceptable, reason.misses) == ("nothing", ())

    def test_of_other_ip_versions(self) -> None:
        found = catalog()
        both = traffic("10.1.0.0/16, fd00::/8", "10.2.0.0/16, fd00::/8")
        one = replace(found.connections["west-net"], traffic=both)
        came = traffic("10.1.0.0/16", "fd00::1")
        west, only = found.remote("west"), ByTraffic([one])
        reason = refused(find_child, west, only, came, False, "", Work()).reason
        assert reason.misses == ("west-net: local and remote side are of different IP versions",)

    def test_one_request_is_compared_so_much_with_however_many(self) -> None:
        """Each connection narrowed it anew, and made a reason of each that did not fit."""
        found = catalog()
        remote, line = found.remote("roaming"), ""
        (first, *_) = (c for c in found.connections.values() if c.name == "wide")
        came = Traffic(strips("10.1.0.0"), strips("10.2.0.0"))
        cost = {}
        for count in (1, 32):
            every = ByTraffic(replace(first, name=f"c{n}") for n in range(count))
            work = Work()
            cost[count] = calls(partial(find_child, remote, every, came, False, line, work))
        assert cost[32] < 8 * cost[1]
        assert cost[32] < 200_000

    def test_few_selectors_are_compared_with_all_connections(self) -> None:
        """The last one of thousands is found, and those before it are not described."""
        found = catalog()
        remote, count = found.remote("roaming"), 4000
        (first, *_) = (c for c in found.connections.values() if c.name == "narrow")
        last = replace(first, name="last", traffic=traffic("10.1.0.0/16", "10.77.0.0/16"))
        every = [*[replace(first, name=f"c{n}") for n in range(count)], last]
        for local, there in (
            ("10.1.0.5[tcp/80], 10.1.0.0/16", "10.77.1.1[tcp/5], 10.77.0.0/16"),
            ("10.1.0.5[tcp/80], 10.1.0.0/17", "10.77.1.1[tcp/5], 10.77.0.0/17"),
        ):
            came, work = traffic(local, there), Work()
            connection, narrowed = find_child(remote, ByTraffic(every), came, False, "", work)
            assert (connection.name, narrowed.complete, work.over) == ("last", True, False)
        others = ByTraffic(every[:-1])
        refused_to = partial(find_child, remote, others, came, False, "", Work())
        assert calls(lambda: refused(refused_to)) < 100 * count

    def test_what_is_too_much_is_refused_and_not_described(self) -> None:
        found = catalog()
        (first, *_) = (c for c in found.connections.values() if c.name == "wide")
        around = Traffic(
            *(hosts(f"{net}.0.0") + hosts(f"{net}.255.255") for net in ("10.1", "10.2"))
        )
        every = ByTraffic(replace(first, name=f"c{n}", traffic=around) for n in range(200))
        came, work = Traffic(strips("10.1.1.0"), strips("10.2.1.0")), Work(SELECTORS_MAX)
        act = partial(find_child, found.remote("roaming"), every, came, False, "", work)
        assert calls(lambda: refused(act)) < 200_000
        assert work.over


def test_connections_that_do_not_fit_are_described_where_they_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a quick mode that is refused with however many."""
    found, count = catalog(), 200
    (first,) = found._with["west"].every
    texts: list[str] = []

    class Told(IPv4Network):
        def __str__(self) -> str:
            texts.append("")
            return super().__str__()

    selector = first.selector._replace(src=Told("10.66.0.0/16"))
    every = ByTraffic(replace(first, name=f"c{n}", selector=selector) for n in range(count))
    monkeypatch.setitem(found._with, "west", every)
    asked = Selector.of("10.77.0.0/16", "10.2.0.0/16")
    reason = refused(found.find_connection, found.remote("west"), asked).reason
    assert reason.misses[0] == "c0: Local-selectors are 10.66.0.0/16, the peer says 10.77.0.0/16"
    assert len(reason.misses) == MISSES_MAX
    assert len(texts) <= 3 * MISSES_MAX
