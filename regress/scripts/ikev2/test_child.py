"""The negotiation of a child SA: its traffic, and IPComp. RFC 7296 2.9 and 2.22."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from isakmp.constants import ikev2
from isakmp.constants.ikev2 import Notify
from isakmp.exchange.bounds import WORK_A_NEGOTIATION, WORK_ORDINARY
from isakmp.policy.boxes import Work
from isakmp.policy.catalog import narrowed
from isakmp.policy.spd import Traffic, make_network
from isakmp.policy.traffic import of_selector, to_wire
from isakmp.sa import Who
from isakmp.scripts.ikev2.notices import RESPONSE
from regress.pair import Host, Network, Packet, connected
from regress.policy.test_boxes import strips
from regress.scripts.ikev2.pairs import (
    AUTH,
    INIT,
    child_of,
    gateways,
    kinds,
    only_reason,
    pair,
    sa_of,
    up,
)
from regress.scripts.ikev2.test_hostile import forge, opened, send
from regress.scripts.ikev2.test_rfc7296 import request

TRANSPORT = "Mode= transport"


def test_selectors_without_anything_in_common_leave_the_ike_sa() -> None:
    """RFC 7296 1.2."""
    net, west, east = pair(west={"remote": "10.3.0.0/16"}, seconds=1)
    assert len(west.rows(1)) == len(east.rows(1)) == 1
    assert not west.rows(2) + east.rows(2)
    assert not west.app.larval + east.app.larval
    assert only_reason(west)["came"] == "TS_UNACCEPTABLE"
    assert only_reason(east)["cause"] == "ts-unacceptable"
    assert kinds(net.history) == INIT + AUTH


def test_selectors_are_narrowed() -> None:
    """RFC 7296 2.9."""
    _, west, east = pair(west={"remote": "10.0.0.0/8"})
    up(west, east)
    assert west.rows(2)[0]["selector"] == "10.1.0.0/16 -> 10.2.0.0/16"


def test_every_selector_that_was_agreed_on_is_shown() -> None:
    """West asks for more than east has, of a range that is several networks."""
    ours, theirs = (
        f"Local-selectors= {near}\nRemote-selectors= {far}\n"
        for near, far in (
            ("10.1.0.0/16, 10.9.0.0/16", "10.2.0.0-10.2.0.9[tcp/80]"),
            ("10.2.0.0/16, 10.8.0.0/16", "10.1.0.0/16, 10.9.4.0/24"),
        )
    )
    _, west, east = pair(west={"connection_tags": ours}, east={"connection_tags": theirs})
    near, far = ["10.1.0.0/16", "10.9.4.0/24"], ["10.2.0.0-10.2.0.9[tcp/80]"]
    (mine,), (other,) = west.rows(2), east.rows(2)
    assert (mine["local_selectors"], mine["remote_selectors"]) == (near, far)
    assert (other["local_selectors"], other["remote_selectors"]) == (far, near)
    assert f"{', '.join(near)} === {far[0]}" in west.said


def halves(count: int, side: int) -> tuple[Network, Host, Host]:
    """West has so many networks behind east, and looks at so many selectors; east has the lower
    half of each."""
    near, net = "10.1.0.0/16", Network()
    far = [", ".join(f"10.2.{n}.0/{bits}" for n in range(count)) for bits in (24, 25)]
    one, other = gateways()
    tags = f"Local-selectors= {near}\nRemote-selectors= {far[0]}\n"
    general = f"Max-selectors-per-side= {side}\n"
    west = net.host(replace(one, connection_tags=tags, general=general))
    tags = f"Local-selectors= {far[1]}\nRemote-selectors= {near}\n"
    east = net.host(replace(other, connection_tags=tags))
    net.start()
    return net, west, east


@pytest.mark.parametrize(("count", "side"), [(20, 1), (20, 2), (40, 4), (60, 64)])
def test_an_answer_is_compared_with_all_that_was_offered(count: int, side: int) -> None:
    """It was refused as no part of it where few selectors of an answer are looked at."""
    net, west, _ = halves(count, side)
    net.run(3)
    (row,) = west.rows(2)
    assert row["remote_selectors"] == [f"10.2.{n}.0/25" for n in range(min(count, side))]
    assert set(west.reasons()) - {"too-many-selectors"} == {"narrowed"}


def none(*sides: int) -> Work:
    """What is too much at once."""
    work = Work(*sides)
    work.most = -1
    return work


def test_an_answer_that_is_too_much_to_compare_is_refused_for_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net, west, _ = halves(20, 64)
    monkeypatch.setattr(west.daemon.engine.bounds, "work", none)
    net.run(3)
    assert not west.rows(2)
    reason = only_reason(west)
    assert reason["cause"] == "too-many-selectors"
    assert "comparisons have come to" in reason["detail"]


def test_what_is_lost_in_rekeying_may_be_too_much_to_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was said to be lost."""
    net, west, east = pair()
    theirs = child_of(east)
    (far,) = theirs.traffic.remote
    less = Traffic(theirs.traffic.local, (far._replace(end=far.start),))
    theirs.connection = replace(theirs.connection, traffic=less)
    works = [Work(), none()]
    monkeypatch.setattr(west.daemon.engine.bounds, "work", lambda *sides: works.pop(0))
    west.daemon.connections.rekey(child_of(west))
    net.run(5)
    assert child_of(west).traffic == Traffic(less.remote, less.local)
    assert west.reasons() == ["too-many-selectors"]


@pytest.mark.parametrize(("side", "most"), [(64, 60), (255, 400)])
def test_who_has_much_compared_again_and_again_is_told_to_wait(side: int, most: int) -> None:
    """Selectors that cross each other: a few requests are as much as a minute may be, and what was
    compared beyond that is no more than one of them costs."""
    net, west, east = pair(
        general=f"Max-selectors-per-side= {side}\nMax-selectors-per-child= 512\n"
        f"Max-negotiations= {most}\n"
    )
    bounds, costs = east.daemon.engine.bounds, list[int]()
    worked = bounds.worked

    def count(who: Who, work: Work) -> None:
        costs.append(work.done)
        worked(who, work)

    bounds.worked = count  # type: ignore[method-assign]
    sides = (to_wire(strips(net, side)) for net in ("10.1.0.0", "10.2.0.0"))
    items = request(west, **dict(zip(("TSI", "TSR"), sides, strict=True)))
    first = sa_of(west).ids.next_out
    for number in range(20):
        data = forge(west, items, kind=ikev2.Exchange.CREATE_CHILD_SA, message_id=first + number)
        (answer,) = send(net, west, east, data)
    assert opened(west, answer)[6:8] == Notify.TEMPORARY_FAILURE.to_bytes(2, "big")
    assert "comparing the selectors of one identity" in east.said
    assert max(costs) < 2 * bounds.work().most
    owed = sum((cost - WORK_ORDINARY) // WORK_A_NEGOTIATION for cost in costs[:-1])
    assert 0 < owed <= most


def test_ipcomp_is_used_where_both_want_it() -> None:
    """RFC 7296 2.22."""
    net, west, east = pair(connection_tags="IPComp= yes")
    up(west, east)
    assert sorted((s.protocol.name, s.mode.name) for s in west.app.sas.values()) == [
        ("IPCOMP", "TUNNEL"), ("IPCOMP", "TUNNEL"),
        ("IPSEC_ESP", "TRANSPORT"), ("IPSEC_ESP", "TRANSPORT"),
    ]  # fmt: skip
    west.daemon.teardown("west-east", 2)
    net.run(1)
    assert not west.app.sas
    assert not east.app.sas


def test_ipcomp_is_left_where_one_does_not() -> None:
    _, west, east = pair(west={"connection_tags": "IPComp= yes"})
    up(west, east)
    assert {s.protocol.name for s in west.app.sas.values()} == {"IPSEC_ESP"}


# --- what is left out, and insisted on ----------------------------------------------------------

DECLINED = {
    "mode": ({"connection_tags": TRANSPORT}, "transport-mode-refused", "transport mode"),
    "ipcomp": ({"connection_tags": "IPComp= yes"}, "ipcomp-refused", "IPCOMP_SUPPORTED"),
    "fragments": (
        {"connection_tags": "Non-first-fragments= yes"}, "fragments-refused",
        "NON_FIRST_FRAGMENTS_ALSO",
    ),
    "narrowed": ({"remote": "10.0.0.0/8"}, "narrowed", "10.0.0.0/8 === "),
}  # fmt: skip


def declined(which: str) -> tuple[Network, Host, Host, str]:
    """East leaves out what west asks for; west takes no less than transport mode."""
    ours, cause, _ = DECLINED[which]
    net, west, east = pair(west=ours, east={"connection_tags": "Mode= tunnel"}, seconds=1)
    return net, west, east, cause


@pytest.mark.parametrize("ends", ["child", "IKE SA"])
@pytest.mark.parametrize("which", DECLINED)
def test_who_leaves_out_what_the_peer_insists_on_is_told_why_it_ends(which: str, ends: str) -> None:
    net, west, east, cause = declined(which)
    if which != "mode":
        up(west, east)
        west.daemon.teardown(*(("west-east", 2) if ends == "child" else ("east", 1)))
        net.run(1)
    assert not east.rows(2)
    rows = [o for o in east.outcomes if o["reason"] and o["reason"]["cause"] == cause]
    assert rows and {o["name"] for o in rows} == {"east-west"}
    reason = rows[-1]["reason"]
    assert DECLINED[which][2] in reason["came"] and "[east-west]" in reason["line"]
    assert "[east-west]" in reason["mend"] or "selectors" in reason["mend"]
    # A peer that asks for more and is content with less is not told to ask for less.
    insists = "where the peer wants all of it or nothing, make the selectors"
    assert which != "narrowed" or reason["mend"].startswith(insists)
    (row,) = east.daemon.status()["connections"]
    assert row["reason"]["cause"] == cause
    assert cause in east.said


@pytest.mark.parametrize("ends", ["child", "IKE SA"])
@pytest.mark.parametrize("which", sorted(set(DECLINED) - {"mode"}))
def test_why_a_peer_may_have_ended_it_is_a_guess_and_told_as_one(which: str, ends: str) -> None:
    """Somebody there may as well have taken it down, or changed it."""
    net, west, east, cause = declined(which)
    west.daemon.teardown(*(("west-east", 2) if ends == "child" else ("east", 1)))
    net.run(1)
    (row,) = east.daemon.status()["connections"]
    assert row["reason"]["cause"] == cause
    assert row["reason"]["detail"].endswith("it has ended the child SA at once, maybe for that")
    (line,) = (line for line in east.lines if "maybe for that" in line)
    assert " PROTO_WARN " in line and "failed" not in line
    assert not [line for line in east.lines if " PROTO_ERR " in line]


def test_no_guess_is_made_of_what_has_a_successor_of_other_traffic() -> None:
    """It stood as the reason that it was not replaced as long as it was up."""
    net, west, east, _ = declined("narrowed")
    (old,) = east.daemon.sas.all_children()
    connection = west.daemon.catalog.connections["west-east"]
    far = make_network(bytes((10, 2, 3, 0)), 24, False)
    part = narrowed(connection, connection.selector._replace(dst=far))
    engine, (first,) = west.daemon.engine, west.daemon.sas.all_children()
    traffic = of_selector(part.selector)
    engine.dialects["ikev2"].begin_child(engine, sa_of(west), part, None, traffic)
    net.run(0.2)
    assert len(east.rows(2)) == 2
    west.daemon.keeper.children.delete_child(first)
    net.run(0.2)
    assert old not in east.daemon.sas.all_children() and connected(east)
    (row,) = east.daemon.status()["connections"]
    assert (row["reason"], row["not_replaced"]) == (None, None)
    assert "maybe for that" not in east.said


def answers_lost(east: Host, count: int) -> Callable[[Packet], bool]:
    """Loses so many answers of that host, to requests of any kind but IKE_SA_INIT."""
    left = iter(range(count))

    def lose(packet: Packet) -> bool:
        later = packet.header.exchange_type != ikev2.Exchange.IKE_SA_INIT
        answer = later and packet.src == east.address and packet.header.flags & RESPONSE
        return bool(answer) and next(left, None) is not None

    return lose


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_an_end_is_soon_behind_the_answer_that_came(lost: int) -> None:
    """RFC 7296 2.4: an answer is given again until it does, which may be seconds later."""
    net = Network()
    ours, theirs = gateways(connection_tags="IPComp= yes")
    west, east = net.host(ours), net.host(replace(theirs, connection_tags=""))
    net.lose = answers_lost(east, lost)
    net.start()
    while not west.rows(2):
        net.run(0.5)
    assert net.now > lost
    west.daemon.teardown("west-east", 2)
    net.run(0.5)
    assert only_reason(east)["cause"] == "ipcomp-refused"


def test_an_end_behind_another_answer_that_is_given_again_is_not_soon() -> None:
    net, west, east, _ = declined("ipcomp")
    net.run(60)
    net.lose = answers_lost(east, 1)
    west.daemon.keeper.liveness.suspect(sa_of(west))
    net.run(1.5)
    assert sa_of(east).ids.repeated[1] > 60
    west.daemon.teardown("west-east", 2)
    net.run(1)
    assert not east.rows(2) and [o for o in east.outcomes if o["reason"]] == []


def test_each_further_try_is_told_too() -> None:
    net, _, east, cause = declined("mode")
    net.run(20)
    told = [o for o in east.outcomes if o["reason"] and o["reason"]["cause"] == cause]
    exchanges = {o["exchange"] for o in east.outcomes if o["ok"]}
    assert len(told) > 1 and "CREATE_CHILD_SA" in exchanges, "IKE_AUTH's, and those after it"


@pytest.mark.parametrize("which", sorted(set(DECLINED) - {"mode"}))
def test_what_is_ended_later_or_replaced_was_good_enough(which: str) -> None:
    """Also where the end comes soon, as a successor was asked for."""
    net, west, east, _ = declined(which)
    west.daemon.rekey("west-east", "quick")
    net.run(2)
    up(west, east)
    net.run(60)
    west.daemon.teardown("west-east", 2)
    net.run(1)
    assert not east.rows(2)
    assert east.reasons() == ["narrowed"] * (which == "narrowed"), "told when it came up"


def test_nobody_is_told_of_what_was_given() -> None:
    net, west, east = pair(connection_tags="IPComp= yes\nNon-first-fragments= yes", seconds=1)
    up(west, east)
    west.daemon.teardown("west-east", 2)
    net.run(1)
    assert not east.rows(2) and [o for o in east.outcomes if o["reason"]] == []
