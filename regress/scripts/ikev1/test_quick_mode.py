"""Quick mode between whole daemons: what it negotiates, and when each SA is installed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from isakmp.app.base import Usage
from isakmp.constants import ipsec, isakmp
from regress.pair import EAST, WEST, Host, Network, Packet, Recorder, agree, both, connected, up
from regress.scripts.changed import change_sent

ESP, AH = isakmp.Protocol.IPSEC_ESP, isakmp.Protocol.IPSEC_AH


def failure(host: Host, exchange: str = "quick mode") -> dict[str, Any]:
    reason: dict[str, Any] = next(
        o["reason"] for o in host.outcomes if not o["ok"] and o["exchange"] == exchange
    )
    return reason


def specs(host: Host, inbound: bool) -> list[Any]:
    return [spec for spec in host.app.sas.values() if spec.inbound is inbound]


@pytest.mark.parametrize(
    ("suite", "encryption", "auth"),
    [
        ("QM-ESP-3DES-MD5-SUITE", 24, 16), ("QM-ESP-DES-SHA-SUITE", 8, 20),
        ("QM-ESP-CAST-SHA-SUITE", 16, 20), ("QM-ESP-BLF-SHA-SUITE", 16, 20),
        ("QM-ESP-AES-SHA-SUITE", 16, 20), ("QM-ESP-AES-192-SHA2-256-SUITE", 24, 32),
        ("QM-ESP-AES-256-SHA2-384-SUITE", 32, 48), ("QM-ESP-AES-256-SHA2-512-SUITE", 32, 64),
        ("QM-ESP-AESCTR-256-SHA2-256-SUITE", 36, 32), ("QM-ESP-AESGCM-256-SUITE", 36, 0),
        ("QM-ESP-AESGCM-128-SUITE", 20, 0), ("QM-ESP-AESGMAC-256-SUITE", 36, 0),
        ("QM-ESP-NULL-SHA-SUITE", 0, 20), ("QM-ESP-AES-RIPEMD-SUITE", 16, 20),
        ("QM-AH-SHA-SUITE", 0, 20), ("QM-AH-SHA2-256-SUITE", 0, 32), ("QM-AH-MD5-SUITE", 0, 16),
        ("QM-ESP-CHACHA20-POLY1305-SUITE", 36, 0),
    ],
)  # fmt: skip
def test_algorithms_and_key_lengths(suite: str, encryption: int, auth: int) -> None:
    """RFC 2407 4.5."""
    _, west, east = up(*both(suites=suite))
    assert connected(west), west.said
    agree(west, east)
    for spec in west.app.sas.values():
        assert (len(spec.enc_key), len(spec.auth_key)) == (encryption, auth)
    keys = {s.enc_key + s.auth_key for s in west.app.sas.values()}
    assert len(keys) == 2, "each direction has its own"


@pytest.mark.parametrize("group", [2, 5, 14, 19, 20, 31])
def test_pfs(group: int) -> None:
    """RFC 2409 5.5 and 8."""
    suite = f"QM-ESP-AES-SHA-PFS-GRP{group}-SUITE"
    _, west, east = up(*both(suites=suite))
    assert west.rows(2)[0]["pfs"] == isakmp.Group(group).name
    agree(west, east)


@pytest.mark.parametrize(
    ("ours", "theirs", "miss"),
    [
        ("QM-ESP-AES-SHA-PFS-GRP31-SUITE", "QM-ESP-AES-SHA-SUITE",
         "GROUP_DESCRIPTION CURVE25519, not none"),
        ("QM-ESP-AES-SHA-SUITE", "QM-ESP-AES-SHA-PFS-GRP31-SUITE",
         "GROUP_DESCRIPTION none, not CURVE25519"),
        ("QM-ESP-AES-128-SHA-SUITE", "QM-ESP-AES-256-SHA-SUITE", "KEY_LENGTH 128, not 256"),
        ("QM-ESP-TRP-AES-SHA-SUITE", "QM-ESP-AES-SHA-SUITE",
         "ENCAPSULATION_MODE TRANSPORT, not TUNNEL"),
        ("QM-AH-SHA-SUITE", "QM-ESP-AES-SHA-SUITE", "protocols AH, not ESP"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(ours: str, theirs: str, miss: str) -> None:
    _, west, east = up(replace(WEST, suites=ours), replace(EAST, suites=theirs))
    assert connected(west, children=0)
    reason = failure(east)
    assert reason["cause"] == "no-proposal-chosen"
    assert miss in reason["misses"][0]
    assert "phase-2" in reason["line"] or theirs.removesuffix("-SUITE") in reason["line"]
    assert failure(west)["cause"] == "peer-refused"
    assert failure(west)["came"] == "NO_PROPOSAL_CHOSEN"
    assert not west.app.sas
    assert not west.app.larval
    assert not east.app.larval


def test_a_refusal_is_one_line() -> None:
    """It is why quick mode has failed; that the peer has said so is no news beside that."""
    _, west, _ = up(WEST, replace(EAST, suites="QM-AH-SHA-SUITE"))
    told = [line for line in west.lines if "NO_PROPOSAL_CHOSEN" in line]
    assert len(told) == len([outcome for outcome in west.outcomes if not outcome["ok"]]) > 0
    assert all("PROTO_ERR" in line for line in told)


def test_the_nearest_miss_comes_first() -> None:
    suites = "QM-AH-MD5-SUITE, QM-ESP-TRP-3DES-MD5-SUITE, QM-ESP-AES-128-SHA2-512-SUITE"
    _, _, east = up(replace(WEST, suites=suites), EAST)
    reason = failure(east)
    assert reason["misses"][0].startswith("proposal 3 ")
    assert "AUTHENTICATION_ALGORITHM HMAC_SHA2_512, not HMAC_SHA2_256" in reason["misses"][0]
    assert reason["mend"] == (
        "here set AUTHENTICATION_ALGORITHM HMAC_SHA2_512 instead of HMAC_SHA2_256: "
        "here that is QM-ESP-AES-128-SHA2-512-SUITE of Suites"
    )


def test_the_responder_takes_the_first_acceptable_proposal() -> None:
    west = replace(
        WEST, suites="QM-ESP-3DES-MD5-SUITE, QM-ESP-AESGCM-128-SUITE, QM-ESP-AES-SHA-SUITE"
    )
    east = replace(EAST, suites="QM-ESP-AES-SHA-SUITE, QM-ESP-AESGCM-128-SUITE")
    _, w, e = up(west, east)
    assert w.rows(2)[0]["encryption"] == e.rows(2)[0]["encryption"] == "AES_GCM_16"
    agree(w, e)


TRANSFORMS = """\
[suite]
Protocols= proto
[proto]
PROTOCOL_ID= IPSEC_ESP
Transforms= {}
[small]
TRANSFORM_ID= 3DES
ENCAPSULATION_MODE= TUNNEL
AUTHENTICATION_ALGORITHM= HMAC_SHA
Life= life
[big]
TRANSFORM_ID= AES
KEY_LENGTH= 256,128:256
ENCAPSULATION_MODE= TUNNEL
AUTHENTICATION_ALGORITHM= HMAC_SHA
Life= life
[life]
LIFE_TYPE= SECONDS
LIFE_DURATION= {}
"""


def explicit(transforms: str, life: str) -> dict[str, str]:
    return {"suites": "suite", "more": TRANSFORMS.format(transforms, life)}


def test_several_transforms_of_one_proposal() -> None:
    west = replace(WEST, **explicit("big, small", "600,60:900"))  # type: ignore[arg-type]
    east = replace(EAST, **explicit("small", "600,60:900"))  # type: ignore[arg-type]
    _, w, e = up(west, east)
    assert w.rows(2)[0]["encryption"] == "3DES"
    agree(w, e)


def test_a_key_length_inside_the_range() -> None:
    west = replace(WEST, suites="QM-ESP-AES-192-SHA-SUITE")
    east = replace(EAST, **explicit("big", "1200,60:2000"))  # type: ignore[arg-type]
    _, w, e = up(west, east)
    assert w.rows(2)[0]["key_bits"] == e.rows(2)[0]["key_bits"] == 192
    agree(w, e)


# --- lifetimes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("west", "east", "kept"),
    [
        ("600,450:720", "600,450:720", (600, 600)),
        ("450,450:720", "600,450:720", (450, 450)),
        ("720,450:720", "600,450:720", (600, 600)),
        ("100000,60:200000", "300,60:200000", (300, 300)),
    ],
)
def test_lifetimes_inside_the_range_are_accepted_and_the_shorter_one_is_told(
    west: str, east: str, kept: tuple[int, int]
) -> None:
    """RFC 2407 4.5.4 and 4.6.3.1."""
    ours = replace(WEST, **explicit("big", west))  # type: ignore[arg-type]
    theirs = replace(EAST, **explicit("big", east))  # type: ignore[arg-type]
    _, w, e = up(ours, theirs)
    assert connected(w), e.said
    assert (w.rows(2)[0]["hard_s"], e.rows(2)[0]["hard_s"]) == kept
    assert {s.limits.hard_s for s in w.app.sas.values()} == {kept[0]}


@pytest.mark.parametrize("life", ["449,400:500", "721,400:800", "100000,1:200000"])
def test_lifetimes_outside_the_range_are_refused(life: str) -> None:
    ours = replace(WEST, **explicit("big", life))  # type: ignore[arg-type]
    theirs = replace(EAST, **explicit("big", "600,450:720"))  # type: ignore[arg-type]
    _, w, e = up(ours, theirs)
    assert connected(w, children=0)
    assert f"{life.partition(',')[0]} seconds at the peer, 450 to 720 here" in failure(e)["mend"]


def test_lifetimes_in_kilobytes() -> None:
    more = explicit("big", "600,60:900")["more"].replace("Life= life", "Life= life, volume")
    more += "[volume]\nLIFE_TYPE= KILOBYTES\nLIFE_DURATION= 70000,1:100000\n"
    west, east = both(suites="suite", more=more)
    _, w, e = up(west, east)
    for host in (w, e):
        for spec in host.app.sas.values():
            assert spec.limits.hard_bytes == 70000 * 1024
            assert 0 < spec.limits.soft_bytes < spec.limits.hard_bytes
            assert spec.limits.hard_s == 600


# --- bundles ---------------------------------------------------------------------------------

BUNDLE = """\
[bundle]
Protocols= QM-ESP-TRP-AES-SHA, QM-AH-TRP-SHA2-256
"""


@pytest.mark.parametrize("step", [0, 1])
def test_several_sas_in_one_quick_mode_are_refused(step: int) -> None:
    """RFC 2409 5.5 allows them; who is answered to the first alone would wait for the second."""
    net = Network()
    west, east = (net.host(gateway) for gateway in both())

    def twice(x: Any, message: Any) -> None:
        if x.script.name == "quick mode" and x.step == step:
            (sa,) = [one for one in message.payloads if one[0] == isakmp.Payload.SA]
            message.payloads.insert(message.payloads.index(sa), sa)

    sender, receiver = (west, east) if step == 0 else (east, west)
    change_sent(sender, twice)
    net.start()
    net.run(5)
    assert connected(receiver, children=0)
    reason = failure(receiver)
    assert (reason["cause"], reason["came"]) == ("several-sas", "2 SA payloads")
    assert not receiver.app.sas
    assert not receiver.app.larval
    if step == 0:
        assert failure(west)["came"] == "NO_PROPOSAL_CHOSEN"


def test_esp_and_ah_together() -> None:
    """RFC 2407 4.4.3."""
    west, east = both(suites="bundle", more=BUNDLE)
    _, w, e = up(west, east)
    assert connected(w), e.said
    agree(w, e)
    for host in (w, e):
        assert host.rows(2)[0]["protocol"] == "ESP+AH"
        assert {s.protocol for s in host.app.sas.values()} == {ESP, AH}
        assert len(host.app.sas) == 4
        assert [[n.protocol for n in group] for group in host.app.groups] == [[ESP, AH]] * 2
    w.daemon.teardown("west-east", 2)
    w.network.run(3)
    assert not e.app.sas
    assert not w.app.sas


def test_a_bundle_does_not_fit_one_of_its_protocols() -> None:
    _, w, e = up(replace(WEST, suites="bundle", more=BUNDLE),
                 replace(EAST, suites="QM-ESP-TRP-AES-SHA-SUITE"))  # fmt: skip
    assert failure(e)["cause"] == "no-proposal-chosen"
    assert connected(w, children=0)
    assert not w.app.larval


# --- the application -------------------------------------------------------------------------


def test_each_end_is_ready_before_the_peer_may_send() -> None:
    """Inbound first: the responder's before message 2 leaves, the initiator's before 3 does."""
    net = Network()
    w, e = net.host(WEST), net.host(EAST)
    order: list[str] = []
    for name, host in (("west", w), ("east", e)):
        for what in ("update_sa", "add_sa"):
            _spy(host, what, f"{name} {what}", order)
    send = net.send

    def note(packet: Any) -> None:
        if packet.header.exchange_type == 32:
            order.append("west sends" if packet.src == w.address else "east sends")
        send(packet)

    net.send = note  # type: ignore[method-assign]
    net.start()
    net.run(5)
    assert order == [
        "west sends", "east update_sa", "east sends", "west update_sa", "west sends",
        "west add_sa", "east add_sa",
    ]  # fmt: skip


def _spy(host: Host, what: str, label: str, order: list[str]) -> None:
    call = getattr(host.app, what)

    def spied(*args: Any) -> Any:
        order.append(label)
        return call(*args)

    setattr(host.app, what, spied)


def test_an_application_that_answers_later() -> None:
    net = Network()
    w, e = net.host(WEST), net.host(EAST)
    w.app.held, e.app.held = [], []
    net.start()
    net.run(1)
    for _ in range(12):
        w.app.release(1)
        e.app.release(1)
        net.pump()
    net.run(1)
    assert connected(w)
    assert connected(e)
    agree(w, e)


@pytest.mark.parametrize("what", ["get_spi", "update_sa", "add_sa"])
@pytest.mark.parametrize("who", ["west", "east"])
def test_an_application_that_refuses(what: str, who: str) -> None:
    net = Network()
    w, e = net.host(WEST), net.host(EAST)
    broken = w if who == "west" else e
    broken.app.refused.add(what)
    net.start()
    net.run(25)
    assert f"{what} is refused" in broken.said
    assert not broken.app.sas
    assert not broken.app.larval
    assert connected(broken, children=0)
    broken.app.refused.clear()
    net.until(lambda: connected(w) and connected(e), 120)
    net.run(40)
    agree(w, e)


def test_the_peer_is_told_that_the_application_refuses() -> None:
    """It would ask again and again, and then believe its ISAKMP SA to be dead."""
    net = Network()
    west, east = net.host(WEST), net.host(EAST)
    east.app.refused.add("get_spi")
    net.start()
    net.run(30)
    assert failure(west)["cause"] == "peer-refused"
    assert len(west.rows(1)) == 1
    assert not west.app.larval


def test_an_spi_of_another_peer_behind_the_same_address_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net, west, east = up()
    (child,) = east.daemon.sas.all_children()
    other = replace(child, peer=(("another", b"", ""), None))
    west.daemon.teardown("west-east", 2)
    net.run(3)
    monkeypatch.setattr(east.daemon.sas, "child_by_spi", lambda *key: other)
    west.daemon.connect("west-east")
    net.run(1)
    assert failure(east)["cause"] == "spi-taken"
    assert failure(east)["mend"].startswith("nothing")
    assert failure(west)["cause"] == "peer-refused"
    assert not east.app.sas
    assert not east.app.larval


def test_an_spi_that_comes_too_late_is_given_back() -> None:
    net = Network()
    west, east = net.host(WEST), net.host(EAST)
    east.app.held = []
    net.start()
    net.run(3)
    west.daemon.teardown_all()
    net.run(130)
    assert east.reasons() == ["sa-gone"], "the peer has taken it back"
    assert east.app.larval
    east.app.release()
    assert not east.app.larval


def test_a_policy_that_is_refused_is_told() -> None:
    net = Network()
    w, _ = net.host(WEST), net.host(EAST)
    w.app.refused.add("add_policy")
    net.start()
    net.run(2)
    assert "connection west-east: application refused its policy: add_policy is refused" in w.said
    assert connected(w)


def test_usage_is_shown() -> None:
    net, w, _ = up()
    child = next(iter(w.daemon.sas.children.values()))
    w.app.carried[child.protocols[0].spi_in] = Usage(5, 600, 1.0, 0.0, 3, 2)
    w.app.carried[child.protocols[0].spi_out] = Usage(7, 900, 1.0, 0.0)
    w.daemon.count()
    row = w.rows(2)[0]
    assert (row["packets_in"], row["bytes_in"], row["packets_out"]) == (5, 600, 7)
    assert (row["bytes_out"], row["replays"], row["auth_failures"]) == (900, 3, 2)
    assert net.now


# --- what may not be -------------------------------------------------------------------------


def test_active_only_connections_are_not_answered() -> None:
    _, w, e = up(WEST, replace(EAST, connection_tags="Flags= active-only"))
    assert failure(e)["misses"] == ["east-west: is Active-only"]
    assert connected(w, children=0)


@pytest.mark.parametrize("lost", [6, 7, 8])
def test_a_lost_message_is_repeated(lost: int) -> None:
    net = Network()
    net.lose = lambda packet: len(net.history) == lost + 1
    w, e = net.host(WEST), net.host(EAST)
    net.start()
    net.run(20)
    assert connected(w)
    agree(w, e)
    assert w.rows(2)[0]["message_id"] == e.rows(2)[0]["message_id"]


def test_old_messages_again_change_nothing() -> None:
    net, w, e = up()
    before = (w.app.sas.copy(), e.app.sas.copy())
    for packet in list(net.history):
        net.deliver(packet)
    net.pump()
    net.run(150)
    agree(w, e)
    assert before == (w.app.sas, e.app.sas)
    assert [sum(o["ok"] for o in host.outcomes) for host in (w, e)] == [2, 2]
    assert not e.daemon.engine.exchanges


@pytest.mark.parametrize("keywords", ["aes128-aescmac", "aes128-sha512-esn"])
def test_what_has_no_number_in_ikev1_is_never_offered_nor_taken(keywords: str) -> None:
    """AES-CMAC's number is of the private range: it means nothing to others. RFC 4303 2.2.1."""
    tags = f"ESP-proposals= {keywords}"
    _, west, east = up(*both(connection_tags=tags + ", aes128-sha256"))
    found = {spec.auth for host in (west, east) for spec in host.app.sas.values()}
    assert found == {ipsec.Auth.HMAC_SHA2_256}
    _, west, east = up(both()[0], both(connection_tags=tags)[1])
    assert not west.app.sas and not east.app.sas
    assert f"IKEv1 can say none of its suites, such as {keywords}" in east.said
    assert "left out: east-west" in east.said
    assert "no-connection" in east.reasons()


CMACS = (
    "[one]\nPROTOCOL_ID= IPSEC_ESP\nTransforms= cmac\n[cmac]\nTRANSFORM_ID= AES\n"
    "ENCAPSULATION_MODE= TUNNEL\nAUTHENTICATION_ALGORITHM= AES_CMAC\n"
    "GROUP_DESCRIPTION= MODP_2048\n[cmacs]\nProtocols= one\n"
)


def test_a_stack_that_has_none_of_what_ikev1_can_say_is_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The checker cannot know it: what is left of the connection is for IKEv2 alone."""

    def lacks(self: Recorder, *what: Any) -> str:
        return "the stack has no SHA2-256" if what[4] is ipsec.Auth.HMAC_SHA2_256 else ""

    monkeypatch.setattr(Recorder, "supports", lacks)
    suites = "cmacs, QM-ESP-AES-128-SHA2-256-PFS-GRP31-SUITE"
    _, west, east = up(*both(suites=suites, more=CMACS))
    assert not west.app.sas and not east.app.sas
    assert "nothing-to-offer" in west.reasons(), west.said


def test_the_first_suite_with_numbers_says_which_group_is_offered() -> None:
    """RFC 2409 5.5: all that is offered has the group of the one KE."""
    suites = "cmacs, QM-ESP-AES-128-SHA2-256-PFS-GRP31-SUITE"
    _, west, _ = up(*both(suites=suites, more=CMACS))
    assert {spec.auth for spec in west.app.sas.values()} == {ipsec.Auth.HMAC_SHA2_256}, west.said


def lacking(host: Host, kind: int) -> None:
    """A host that sends its quick modes without such payloads, under a HASH of what is left."""
    dialect: Any = host.daemon.engine.dialects["ikev1"]
    seal = dialect.seal

    def sealed(x: Any, message: Any) -> Any:
        if x.script.name != "quick mode":
            return seal(x, message)
        whole = message.payloads
        message.payloads = [one for one in whole if one[0] != kind]
        try:
            return seal(x, message)
        finally:
            message.payloads = [(int(isakmp.Payload.HASH), b""), *whole]

    dialect.seal = sealed


@pytest.mark.parametrize("kind", [isakmp.Payload.SA, isakmp.Payload.NONCE])
def test_what_begins_it_and_lacks_something_is_answered(kind: isakmp.Payload) -> None:
    """RFC 2408 5.1: its HASH proves it before anybody asks what it lacks."""
    net = Network()
    west, east = net.host(WEST), net.host(EAST)
    net.start()
    lacking(west, kind)
    net.run(2.0)
    assert connected(west, children=0) and connected(east, children=0)
    assert f"lacks {kind.name}" in failure(east)["detail"]
    assert failure(west)["came"] == "PAYLOAD_MALFORMED"


def test_what_begins_it_and_is_malformed_is_answered() -> None:
    """RFC 2408 5.1: who is wrong under an ISAKMP SA hears so, at once; the SA
    stays."""
    net = Network()
    west, east = net.host(WEST), net.host(EAST)
    net.start()

    def one_identity(x: Any, message: Any) -> None:
        if x.script.name == "quick mode":
            del message.payloads[-1]

    change_sent(west, one_identity)
    net.run(2.0)
    assert connected(west, children=0) and connected(east, children=0)
    assert "1 identities, 2 wanted" in failure(east)["detail"]
    told = failure(west)
    assert (told["cause"], told["came"]) == ("peer-refused", "PAYLOAD_MALFORMED")
    assert "the peer could not read" in told["means"][0] and "secret" not in told["mend"]


@pytest.mark.parametrize("kind", [isakmp.Payload.SA, isakmp.Payload.NONCE])
def test_an_answer_that_lacks_something_is_told_as_well(kind: isakmp.Payload) -> None:
    """RFC 2408 5.1: under its HASH nobody else has made it, and the peer has no other one. What the
    notify is about shows by its SPI, where there was one."""
    net = Network()
    west, east = net.host(WEST), net.host(EAST)
    heard: list[Any] = []
    change_sent(west, lambda x, m: heard.extend(
        v for k, v in m.payloads if k == isakmp.Payload.NOTIFY and x.script.name == "informational"
    ))  # fmt: skip
    net.start()
    lacking(east, kind)
    net.run(2.0)
    assert connected(west, children=0) and connected(east, children=0)
    assert f"lacks {kind.name}" in failure(west)["detail"]
    (told,) = [v for v in heard if v.notify == isakmp.Notify.PAYLOAD_MALFORMED]
    if kind != isakmp.Payload.SA:
        assert len(told.spi) == 4
        assert failure(east)["came"] == "PAYLOAD_MALFORMED"
    assert not west.daemon.engine.exchanges
    assert not west.app.larval, "SPIs are given back"


@pytest.mark.parametrize("at", [30, -1])
def test_a_changed_copy_of_what_begins_it_does_not_keep_the_true_one_out(at: int) -> None:
    """Whoever sees a message go by can send it once more with a bit changed, and be first."""
    net = Network()
    west, east = net.host(WEST), net.host(EAST)
    net.start()

    def copy_first(packet: Packet) -> bool:
        if packet.data[18] == isakmp.Exchange.QUICK_MODE and packet.src == west.address:
            data = bytearray(packet.data)
            data[at] ^= 1
            net.deliver(packet._replace(data=bytes(data)))
        return False

    net.lose = copy_first
    net.run(5.0)
    assert connected(west) and connected(east), east.said
