"""The negotiation of a child SA: its traffic, and IPComp. RFC 7296 2.9 and 2.22."""

from __future__ import annotations

from regress.scripts.ikev2.pairs import AUTH, INIT, kinds, only_reason, pair, up


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
