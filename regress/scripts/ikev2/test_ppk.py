"""Post-quantum pre-shared keys, in both roles: RFC 8784."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Any

import pytest

from isakmp.auth import psk
from isakmp.constants import ikev2
from isakmp.crypto.skeyseed import with_ppk
from isakmp.exchange.answers import ROUND_TRIP_S
from isakmp.log.log import LogClass
from isakmp.policy.ppk import Ppk
from isakmp.scripts.ikev2 import common
from isakmp.scripts.ikev2 import ppk as script
from regress.observer import Observer, edited, is_clear
from regress.pair import WEST, Host, Network, Packet, agree, both, connected
from regress.scripts.changed import change_sent
from regress.scripts.ikev2.pairs import SPOKEN, gateways, kinds, pair, sa_of
from regress.scripts.ikev2.test_twins import is_answer, slow, with_more, without

P, Notify = ikev2.Payload, ikev2.Notify
KEY = "T3Jhbmdlcy1hbmQtbGVtb25zLTIwMjYtYnktdGhlLXNlYQ=="
OTHER_KEY = "QmFzZTY0LW9mLWFub3RoZXIta2V5LW9mLTI1Ni1iaXRzLg=="
OURS = f"PPK-ID= ours-1\nPPK= {KEY}\n"
RENAMED = f"PPK-ID= theirs-2\nPPK= {KEY}\n"
DIFFERS = f"PPK-ID= ours-1\nPPK= {OTHER_KEY}\n"
OPAQUE = f"{OURS}PPK-ID-type= opaque\n"
HEX = "PPK-ID= 0x6f7572732d31\nPPK= 0x" + KEY.encode().hex() + "\n"
REQUIRED = "PPK-required= yes\n"
NONE = ""
FAILED = int(Notify.AUTHENTICATION_FAILED)


def ends(west: str, east: str, seconds: float = 1.2) -> tuple[Network, Host, Host]:
    """Both, with tags of the peer's section each, and one attempt of west's."""
    net = Network()
    one, other = both()
    hosts = [
        net.add(gateway.address, gateway.text().replace("Phase= 1\n", f"{SPOKEN}\n{tags}"))
        for gateway, tags in ((one, west), (other, east))
    ]
    net.start()
    net.pump()
    quiet(*hosts)
    net.run(seconds)
    return net, hosts[0], hosts[1]


def quiet(*hosts: Host) -> None:
    for host in hosts:
        host.daemon.connections.settings.active = False


def told(host: Host) -> dict[str, Any]:
    """What status() says of the PPK of its only IKE SA."""
    (row,) = host.rows(1)
    found: dict[str, Any] = row["ppk"]
    return found


def reason(host: Host, cause: str) -> dict[str, Any]:
    (found,) = [o["reason"] for o in host.outcomes if not o["ok"] and o["reason"]["cause"] == cause]
    assert isinstance(found, dict)
    return found


def up(west: Host, east: Host) -> None:
    assert connected(west)
    assert connected(east)
    agree(west, east)
    one, other = (sa_of(host).keys.sk for host in (west, east))
    assert (one.d, one.pi, one.pr) == (other.d, other.pi, other.pr)


def notifies(net: Network, host: Host) -> list[list[int]]:
    """The notifies of PPKs in what hosts send from now on, message by message."""
    heard: list[list[int]] = []

    def hear(x: Any, message: Any) -> None:
        numbers = [v.notify for k, v in message.payloads if k == P.NOTIFY]
        heard.append([n for n in numbers if n in (16435, 16436, 16437)])

    change_sent(host, hear, 2)
    return heard


def begun(west: str, east: str) -> tuple[Network, Host, Host]:
    """The same before it starts."""
    net = Network()
    one, other = (net.host(gateway) for gateway in gateways_of(west, east))
    return net, one, other


def gateways_of(west: str, east: str) -> tuple[Any, Any]:
    one, _ = gateways(west)
    _, other = gateways(east)
    return one, other


def mixed(host: Host) -> bool:
    """Whether the keys of its IKE SA are not what RFC 7296 makes of them."""
    use = sa_of(host).ppk
    return use is not None and not use.why


# --- which way it goes -----------------------------------------------------------------------


@pytest.mark.parametrize("west", [OURS, OURS + REQUIRED, HEX])
@pytest.mark.parametrize("east", [OURS, OURS + REQUIRED, HEX])
def test_with_the_same_ppk_at_both_ends_it_is_used(west: str, east: str) -> None:
    """RFC 8784 3."""
    net, one, other = ends(west, east)
    up(one, other)
    assert mixed(one) and mixed(other)
    assert not one.reasons() + other.reasons()
    for host, tags in ((one, west), (other, east)):
        row = told(host)
        assert row == {"id": "FIXED ours-1", "used": True, "required": REQUIRED in tags, "why": ""}
        assert ", PPK FIXED ours-1" in host.said
    assert kinds(net.history) == ["IKE_SA_INIT", "IKE_SA_INIT'", "IKE_AUTH", "IKE_AUTH'"]


def test_what_is_said_of_it() -> None:
    """RFC 8784 3: USE_PPK in both, then PPK_IDENTITY, and NO_PPK_AUTH where it is optional."""
    for tags, named in ((OURS, [16436, 16437]), (OURS + REQUIRED, [16436])):
        net, west, east = begun(tags, OURS)
        sent, answered = notifies(net, west), notifies(net, east)
        net.start()
        net.pump()
        assert sent[:2] == [[16435], named]
        assert answered[:2] == [[16435], [16436]]


LACKING = {
    "responder has none": (OURS, NONE, "the peer uses no PPK", None),
    "initiator has none": (NONE, OURS, None, "the peer uses no PPK"),
    "other identity": (OURS, RENAMED, "the peer goes on without the PPK",
                       "the peer's PPK FIXED ours-1 is not known here"),
    "other type": (OURS, OPAQUE, "the peer goes on without the PPK",
                   "the peer's PPK FIXED ours-1 is not known here"),
}  # fmt: skip


@pytest.mark.parametrize("case", LACKING)
def test_without_a_ppk_in_common_optional_ends_go_on(case: str) -> None:
    """RFC 8784 3, 4 and 6: and tell of it."""
    west, east, ours, theirs = LACKING[case]
    _, one, other = ends(west, east)
    up(one, other)
    for host, why in ((one, ours), (other, theirs)):
        if why is None:
            assert told(host) is None
            assert not host.reasons()
        else:
            assert (told(host)["used"], told(host)["why"]) == (False, why)
            (found,) = [o["reason"] for o in host.outcomes if not o["ok"]]
            assert found["detail"] == why and found["line"] and found["mend"]
            assert any("PROTO_WARN" in line and why in line for line in host.lines)


REFUSED = {
    "responder has none": (OURS + REQUIRED, NONE, "ppk-not-used", None, "no USE_PPK"),
    "initiator has none": (NONE, OURS + REQUIRED, None, "ppk-not-used", "no USE_PPK"),
    "other identity, initiator": (
        OURS + REQUIRED, RENAMED, None, "ppk-unknown", "FIXED ours-1"),
    "other identity, responder": (
        OURS, RENAMED + REQUIRED, None, "ppk-unknown", "FIXED ours-1"),
    "other type": (OPAQUE + REQUIRED, OURS, None, "ppk-unknown", "OPAQUE ours-1"),
    "other key": (OURS, DIFFERS, None, "ppk-differs", "FIXED ours-1"),
    "other key, required": (
        OURS + REQUIRED, DIFFERS, None, "authentication-failed", "PPK FIXED ours-1"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_says_which_ppk_is_lacking(case: str) -> None:
    """RFC 8784 3: AUTHENTICATION_FAILED, or the initiator goes no further."""
    west, east, ours, theirs, came = REFUSED[case]
    _, one, other = ends(west, east, seconds=12)
    assert not one.rows(1) + other.rows(1) + one.rows(2) + other.rows(2)
    assert not one.app.larval + other.app.larval
    decided = one if ours else other
    found = reason(decided, ours or str(theirs))
    assert came in found["came"]
    assert "PPK" in found["line"] and "PPK" in found["mend"]
    if ours is None:
        heard = reason(one, "peer-refused")
        assert heard["came"] == "AUTHENTICATION_FAILED"
        assert any("PPK" in line for line in heard["means"])
        if west:
            assert "PPK" in heard["offered"]
    assert KEY not in one.said + other.said + str(one.outcomes + other.outcomes)


def test_the_keys_are_those_of_the_rfc() -> None:
    """RFC 8784 3: prf(PPK, SK_d' | 0x01), and so on, and of what encrypts nothing."""
    _, west, east = begun(OURS, OURS)
    before: list[Any] = []

    def spy(prf: Any, ppk: bytes, sk: Any) -> Any:
        before.append((prf, ppk, sk))
        return with_ppk(prf, ppk, sk)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "with_ppk", spy)
        west.network.start()
        west.network.pump()
    prf, ppk, plain = before[-1]
    assert ppk == KEY.encode()
    for host in (west, east):
        sk = sa_of(host).keys.sk
        for name in ("d", "pi", "pr"):
            key = hmac.digest(ppk, getattr(plain, name) + b"\x01", "sha256")
            assert getattr(sk, name) == key
        for name in ("ei", "er", "ai", "ar"):
            assert getattr(sk, name) == getattr(plain, name)
    assert with_ppk(prf, ppk, plain) == sa_of(west).keys.sk


def test_of_several_peers_at_an_address_the_one_that_says_who_it_is_counts() -> None:
    """RFC 8784 3: USE_PPK is for whoever it may be, the PPK for whom IDi names."""
    name = "ID= name\n[name]\nID-type= FQDN\nName= west.example\n"
    one, _ = gateways(f"{OURS}{REQUIRED}{name}")
    _, other = gateways("Remote-ID= someone\n[someone]\nID-type= FQDN\nName= other.example\n")
    text = other.text().replace("ISAKMP-peer= west", "ISAKMP-peer= named")
    text += (
        f"[named]\n{SPOKEN}\nConfiguration= phase-1\nAuthentication= a secret of both\n"
        f"Remote-ID= west-name\n{OURS}[west-name]\nID-type= FQDN\nName= west.example\n"
    )
    net = Network()
    west, east = net.host(one), net.add(other.address, text)
    net.start()
    net.pump()
    up(west, east)
    assert mixed(west) and mixed(east)
    assert east.rows(1)[0]["name"] == "named"


def test_a_cookie_and_another_group_do_not_lose_it() -> None:
    """RFC 8784 3: what is sent again says USE_PPK, too."""
    groups: dict[str, Any] = {
        "west": {"transforms": "AES-256-SHA2-256-GRP19,AES-256-SHA2-256-GRP31"},
        "east": {"transforms": "AES-256-SHA2-256-GRP31"},
    }
    net, west, east = pair(OURS + REQUIRED, general="Cookie-threshold= 0", **groups)
    up(west, east)
    assert kinds(net.history)[:6] == ["IKE_SA_INIT", "IKE_SA_INIT'"] * 3
    assert mixed(west) and mixed(east)


@pytest.mark.parametrize("by", ["west", "east"])
def test_rekeying_does_not_mix_it_in_again(by: str) -> None:
    """RFC 8784 3: the successor has it by SK_d."""
    net, west, east = pair(OURS + REQUIRED)
    old = {id(sa_of(host)) for host in (west, east)}
    host = west if by == "west" else east
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "with_ppk", lambda *_: pytest.fail("mixed in again"))
        host.daemon.engine.dialects["ikev2"].rekey_sa(host.daemon.engine, sa_of(host))
        net.run(2)
    assert not old & {id(sa_of(host)) for host in (west, east)}
    assert sa_of(west).keys.sk == sa_of(east).keys.sk
    assert told(west)["used"] and told(east)["used"]


def test_a_child_sa_of_its_own_exchange_has_keys_of_the_ppk() -> None:
    """RFC 8784 6."""
    net, west, east = pair(f"{OURS}Childless= force\n")
    up(west, east)
    assert kinds(net.history)[-2:] == ["CREATE_CHILD_SA", "CREATE_CHILD_SA'"]


# --- malformed, and hostile ------------------------------------------------------------------


def changed(number: int, *values: bytes) -> Any:
    """A peer whose notifies of that number are others."""

    def change(x: Any, message: Any) -> None:
        if any(kind == P.NOTIFY and value.notify == number for kind, value in message.payloads):
            message.payloads = [
                (kind, value) for kind, value in message.payloads
                if kind != P.NOTIFY or value.notify != number
            ]  # fmt: skip
            for data in values:
                message.payloads.append((P.NOTIFY, common.notify_value(number, data)))

    return change


NAMED = b"\x02ours-1"
BAD_REQUESTS: dict[str, tuple[Any, str]] = {
    "none": (changed(16436), "ppk-not-used"),
    "empty": (changed(16436, b""), "malformed-message"),
    "a type alone": (changed(16436, b"\x02"), "malformed-message"),
    "twice": (changed(16436, NAMED, NAMED), "malformed-message"),
    "two": (changed(16436, NAMED, b"\x02other"), "malformed-message"),
    "an unknown type": (changed(16436, b"\x63ours-1"), "ppk-unknown"),
    "type zero": (changed(16436, b"\x00ours-1"), "ppk-unknown"),
    "with an octet more": (changed(16436, NAMED + b"\0"), "ppk-unknown"),
    "in another case": (changed(16436, b"\x02OURS-1"), "ppk-unknown"),
    "long": (changed(16436, b"\x02" + b"x" * 3000), "ppk-unknown"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_identities_that_name_nothing_are_refused(case: str) -> None:
    """RFC 8784 3 and 5.1: they are compared octet by octet, with their type."""
    change, cause = BAD_REQUESTS[case]
    net, west, east = begun(OURS + REQUIRED, OURS)
    change_sent(west, change, 2)
    net.start()
    net.pump()
    assert not west.rows(1) + east.rows(1)
    assert cause in east.reasons()
    assert all(len(line) < 4000 for line in east.lines)
    assert not east.daemon.engine.exchanges


@pytest.mark.parametrize("values", [(), (b"",), (bytes(32),), (b"x" * 9000,)])
def test_an_unknown_ppk_without_a_proof_that_does_without(values: tuple[bytes, ...]) -> None:
    """RFC 8784 3: nobody is proven by an AUTH of another PPK."""
    net, west, east = begun(RENAMED, OURS)
    change_sent(west, changed(16437, *values), 2)
    net.start()
    net.pump()
    assert not west.rows(1) + east.rows(1)
    assert east.reasons()[0] == ("authentication-failed" if values else "ppk-unknown")


def test_no_ppk_auth_counts_for_nothing_where_the_ppk_is_known() -> None:
    """RFC 8784 3."""
    net, west, east = begun(OURS, OURS)
    change_sent(west, changed(16437, bytes(32)), 2)
    net.start()
    net.pump()
    up(west, east)
    assert mixed(east)


def test_two_proofs_without_are_malformed() -> None:
    net, west, east = begun(OURS, OURS)
    change_sent(west, changed(16437, bytes(32), bytes(32)), 2)
    net.start()
    net.pump()
    assert "malformed-message" in east.reasons()


@pytest.mark.parametrize("data", [b"", b"\x02whatever", b"\xff" * 500])
def test_what_the_responder_says_in_ppk_identity_means_nothing(data: bytes) -> None:
    """RFC 8784 3: that it is there counts."""
    net, west, east = begun(OURS + REQUIRED, OURS)
    change_sent(east, changed(16436, data), 2)
    net.start()
    net.pump()
    up(west, east)
    assert mixed(west)


@pytest.mark.parametrize("more", [REQUIRED, ""])
def test_a_responder_that_does_not_say_that_it_has_used_it(more: str) -> None:
    """RFC 8784 3: the initiator goes no further, with AUTHENTICATION_FAILED in INFORMATIONAL; where
    it may go on, the responder's AUTH is none without the PPK."""
    net, west, east = begun(OURS + more, OURS)
    change_sent(east, changed(16436), 2)
    heard: list[int] = []
    change_sent(west, lambda x, m: heard.extend(
        v.notify for k, v in m.payloads if k == P.NOTIFY and x.script.name == "INFORMATIONAL"
    ), 2)  # fmt: skip
    net.start()
    net.run(1.2)
    assert west.reasons()[0] == ("ppk-not-used" if more else "authentication-failed")
    assert heard[0] == FAILED
    assert not west.rows(1) + east.rows(1)


EXTRA = [(16436, NAMED), (16437, bytes(32)), (16436, b"")]


@pytest.mark.parametrize("tags", [NONE, OURS])
def test_notifies_that_were_not_agreed_on_are_ignored(tags: str) -> None:
    """RFC 8784 3: without USE_PPK of both it is the standard IKEv2."""

    def add(x: Any, message: Any) -> None:
        if x.script.name == "IKE_AUTH":
            message.payloads += [(P.NOTIFY, common.notify_value(*each)) for each in EXTRA]

    net, west, east = begun(NONE, tags)
    change_sent(west, add, 2)
    change_sent(east, add, 2)
    net.start()
    net.pump()
    up(west, east)
    assert not mixed(east)


def test_use_ppk_with_data_is_use_ppk() -> None:
    net, west, east = begun(OURS, OURS)
    for host in (west, east):
        change_sent(host, changed(16435, b"something"), 2)
    net.start()
    net.pump()
    assert mixed(west) and mixed(east)


def test_use_ppk_that_nobody_has_asked_for_is_ignored() -> None:
    """RFC 8784 3."""

    def add(x: Any, message: Any) -> None:
        if x.script.name == "IKE_SA_INIT":
            message.payloads.append((P.NOTIFY, common.notify_value(16435)))

    net, west, east = begun(NONE, OURS)
    change_sent(east, add, 2)
    net.start()
    net.pump()
    up(west, east)
    assert told(west) is None


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_who_takes_the_notify_away_on_the_way_does_not_keep_a_required_ppk_from_use(
    after: bool,
) -> None:
    """RFC 8784 6: the initiator waits for another answer."""
    net, west, east = begun(OURS + REQUIRED, OURS)
    seen = Observer(net, is_answer, lambda packet: [edited(packet, without(16435))], after)
    net.start()
    net.run(ROUND_TRIP_S * 2)
    assert seen.forged == 1
    up(west, east)
    assert mixed(west) and mixed(east)


@pytest.mark.parametrize("which", ["request", "answer"])
@pytest.mark.parametrize("required", ["west", "east", ""])
def test_who_takes_it_away_for_good_makes_no_ike_sa_without(which: str, required: str) -> None:
    """RFC 8784 6: AUTH covers what was said, so that no SA comes of it, optional or not."""
    tags = [OURS + (REQUIRED if required == host else "") for host in ("west", "east")]
    net, west, east = begun(*tags)

    def cares(packet: Packet) -> bool:
        is_request = is_clear(packet) and not packet.header.flags & ikev2.Flag.RESPONSE
        return is_request if which == "request" else is_answer(packet)

    Observer(net, cares, lambda packet: [edited(packet, without(16435))], instead=True)
    net.start()
    net.run(6)
    assert not west.rows(2) + east.rows(2)


USED = with_more(int(P.NOTIFY), b"\0\0" + int(Notify.USE_PPK).to_bytes(2, "big"))


def forged(east: str, after: bool, extra: Any = None) -> tuple[Network, Host, Host]:
    """West's PPK is optional; of every answer of east's there is a copy that says the opposite of
    USE_PPK. extra: of these, too, copies edited so."""
    net, west, other = begun(OURS, east)
    edit = without(16435) if east else USED

    def forge(packet: Packet) -> list[Packet]:
        more = [edited(packet, extra)] if extra is not None else []
        return [edited(packet, edit), *more]

    Observer(net, is_answer, forge, after)
    return net, west, other


@pytest.mark.parametrize("east", [OURS, NONE], ids=["taken away", "added"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("extra", [None, with_more(int(P.NOTIFY), b"\0\0\x9c\x40")])
@pytest.mark.parametrize("way_s", [0.0, ROUND_TRIP_S])
def test_who_changes_use_ppk_keeps_no_optional_ppk_from_what_the_ends_agree_on(
    east: str, after: bool, extra: Any, way_s: float
) -> None:
    """RFC 8784 6: one attempt, with the PPK where both have it, for all that somebody changes."""
    net, west, other = forged(east, after, extra)
    slow(net, west, way_s)
    net.start()
    net.run(4 * ROUND_TRIP_S + 4 * way_s)
    up(west, other)
    assert mixed(west) == mixed(other) == bool(east)
    assert [cause for cause in west.reasons() if cause != "ppk-not-used"] == []
    assert other.reasons() == ([] if after else other.reasons()[:1])
    if not after:
        (wrong,) = (outcome["reason"] for outcome in other.outcomes if not outcome["ok"])
        assert "USE_PPK" in wrong["detail"] + wrong["mend"]
        assert "isakmpctl capture on" in wrong["mend"]
        assert "answers with USE_PPK and without came" in west.said
    assert not west.daemon.engine.exchanges


def test_an_answer_behind_the_refusal_of_its_copy_is_not_too_late() -> None:
    """The peer has ended what the two made: it is asked anew, and not the dead one followed."""
    net, west, east = begun(OURS, OURS)
    deliver, held = net.deliver, list[Packet]()

    def late(packet: Packet) -> None:
        if is_answer(packet) and not held:
            held.append(packet)
            deliver(edited(packet, without(16435)))
            west.timers.add("on its way", 0.3, lambda: deliver(packet))
        else:
            deliver(packet)

    net.deliver = late  # type: ignore[method-assign]
    net.start()
    net.run(0.6)
    up(west, east)
    assert mixed(west) and mixed(east)
    assert not west.reasons()


def test_a_secret_that_differs_is_told_with_what_was_seen_of_use_ppk() -> None:
    """Both kinds of answers have had their turn: each asks for what the other does not."""
    net = Network()
    one, other = both(secret="another")[0], both()[1]
    hosts = [
        net.add(gateway.address, gateway.text().replace("Phase= 1\n", f"{SPOKEN}\n{OURS}"))
        for gateway in (one, other)
    ]
    quiet(hosts[1])
    Observer(net, is_answer, lambda packet: [edited(packet, without(16435))])
    net.start()
    net.run(30)
    west, east = hosts
    assert not west.rows(1) + east.rows(1)
    found = next(o["reason"] for o in west.outcomes if not o["ok"])
    assert "answers with USE_PPK and without came" in found["detail"]
    assert "isakmpctl capture on" in found["mend"]
    begun_at = [line for line in west.lines if "answer refused: peer-refused" in line]
    assert begun_at


def test_who_takes_a_proof_without_the_ppk_though_it_has_said_use_ppk() -> None:
    """RFC 8784 3: no IKE SA without the PPK comes of a copy that somebody has made."""
    net, west, east = begun(OURS, OURS)
    Observer(net, is_answer, lambda packet: [edited(packet, without(16435))])

    def careless(x: Any, notifies: Any, auth: bytes) -> bytes:
        if not x.initiator and Notify.PPK_IDENTITY not in notifies:
            return auth
        return settle(x, notifies, auth)

    settle = script.settle
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "settle", careless)
        net.start()
        net.run(2)
    assert mixed(west)
    assert not west.daemon.engine.exchanges


# --- secrets ---------------------------------------------------------------------------------


def test_the_key_is_in_no_log_and_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at the highest level of every class either."""
    net, west, east = begun(OURS, OURS)
    for host in (west, east):
        for each in LogClass:
            host.log.set_level(each, 99)
    net.start()
    net.pump()
    assert mixed(west) and mixed(east)
    for host in (west, east):
        spelled = host.said.replace(" ", "").lower()
        assert KEY not in host.said
        assert KEY.encode().hex() not in spelled
        assert "sk_dwithppk" in spelled, "which is logged at that level, as other keys are"
        assert KEY not in repr(host.daemon.catalog.remotes) + str(host.daemon.status())
    assert KEY not in repr(Ppk(b"\x02x", KEY.encode()))


def test_proofs_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of AUTH and of NO_PPK_AUTH."""
    compared: list[bytes] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(psk, "compare_digest", compare)
    for west, east in ((OURS, OURS), (RENAMED, OURS), (OURS, DIFFERS)):
        compared.clear()
        ends(west, east, seconds=0)
        assert len(compared) == 2, "the responder's and the initiator's, or why it does not fit"


BROKEN = """[General]
[Phase 1]
Default= any
[Phase 2]
Passive-connections= c
[any]
Phase= 1
Key-exchange= ikev2
Authentication= another one of nobody
Remote-ID= nobody
[nobody]
ID-type= FQDN
Name= nobody.example
[road]
Phase= 1
Key-exchange= ikev2
Authentication= a secret of both
Remote-ID= me
PPK-ID= a
PPK-file= /nonexistent/ppk
[me]
ID-type= FQDN
Name= me.example
[c]
Phase= 2
ISAKMP-peer= road
Local-ID= near
Remote-ID= far
[near]
ID-type= IPV4_ADDR_SUBNET
Network= 10.2.0.0
Netmask= 255.255.0.0
[far]
ID-type= IPV4_ADDR_SUBNET
Network= 10.1.0.0
Netmask= 255.255.0.0
"""


def test_a_peer_whose_ppk_cannot_be_read_is_not_told_that_there_is_none() -> None:
    """Who requires one would be sent to require none; the section's own fault is what is told."""
    tags = "Key-exchange= ikev2\nPPK-ID= a\nPPK= vK8/3xQpZ0+LmT5rJd2WcY7uHs9Ea\nPPK-required= yes"
    me = "[me]\nID-type= FQDN\nName= me.example\n"
    net = Network()
    west = net.host(replace(WEST, peer_tags=f"{tags}\nID= me", more=me))
    east = net.add("192.0.2.2", BROKEN)
    net.start()
    net.run(30)
    assert "PPK-required= no" not in west.said
    assert "bad-configuration" in east.reasons(), east.said
    assert not west.app.sas and not east.app.sas
