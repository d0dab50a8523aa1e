"""What a command's argument names, where names look alike."""

from __future__ import annotations

from isakmp.asked import Asked
from regress.pair import Host, Network, both, up


def asked(host: Host) -> Asked:
    return Asked(host.daemon.connections, host.daemon.catalog, host.daemon.sas)


def test_everything_that_names_one_pair() -> None:
    _, west, _ = up()
    (sa,), (child,) = west.daemon.sas.isakmp.values(), west.daemon.sas.all_children()
    one, (protocol, *_) = asked(west), child.protocols
    cookies = sa.cookies.hex()
    for name in ("west-east", "east", "192.0.2.2", "192.0.2.2:500", f"0x{protocol.spi_in:08x}",
                 f"{protocol.spi_out:08X}", cookies, f"{cookies[:16]}:{cookies[16:]}",
                 cookies[16:]):  # fmt: skip
        assert one.is_known(name), name
        assert one.names(name) == ["west-east"], name
        assert one.children(name) == [child] and one.isakmp(name) == [sa], name
    assert one.by_spi(protocol.spi_in) == [child]


def test_what_names_nothing() -> None:
    _, west, _ = up()
    for name in ("", "0x", "0x00000001", "f" * 8, "0" * 32, "192.0.2.9", "None", "West-East"):
        one = asked(west)
        assert not (one.is_known(name) or one.names(name)), name
        assert not (one.children(name) or one.isakmp(name)), name


def test_of_a_peer_are_its_connections_though_nothing_is_up() -> None:
    net, (near, _) = Network(), both()
    west = net.host(near)
    net.start()
    assert asked(west).names("east") == asked(west).names("192.0.2.2") == ["west-east"]
    assert not (asked(west).children("east") or asked(west).isakmp("east"))


def test_a_connections_name_goes_before_an_spi_that_looks_like_it() -> None:
    _, west, _ = up()
    (child,) = west.daemon.sas.all_children()
    spi = f"{child.protocols[0].spi_in:08x}"
    one = asked(west)
    entries = one.connections.entries
    entries[spi] = entries["west-east"]
    assert one.names(spi) == [spi] and one.children(spi) == []
