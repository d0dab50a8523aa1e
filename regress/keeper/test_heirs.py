"""Child SAs that are replaced twice at once: which one sends meanwhile."""

from __future__ import annotations

from isakmp.sa import ChildSa, State
from regress.pair import Host, Network, Packet, agree, connected
from regress.scripts.ikev2.pairs import child_of, kinds, pair, sa_of
from regress.traffic import stopped


class Held:
    """Packets that are on their way for long: those of an exchange type, from one host."""

    def __init__(self, net: Network, host: Host, *names: str) -> None:
        self.packets: list[Packet] = []
        self.names, self._host, self._deliver = set(names), host, net.deliver
        net.deliver = self._take  # type: ignore[method-assign]

    def _take(self, packet: Packet) -> None:
        held = packet.src == self._host.address and not self.names.isdisjoint(kinds([packet]))
        (self.packets.append if held else self._deliver)(packet)

    def arrive(self, name: str) -> None:
        """What was held of that exchange type comes."""
        self.names.discard(name)
        for packet in [p for p in self.packets if kinds([p]) == [name]]:
            self._deliver(packet)


def replaced_twice() -> tuple[Network, Host, Host, Held, ChildSa, ChildSa, ChildSa]:
    """East has an heir of the child SA, and behind it that of a new IKE SA; the answers to both are
    on their way to west."""
    net, west, east = pair()
    old = child_of(east)
    held = Held(net, east, "CREATE_CHILD_SA'", "IKE_AUTH'")
    west.daemon.connections.rekey(child_of(west))
    net.run(0.01)
    (heir,) = old.heirs
    west.daemon.keeper.reauthenticate(sa_of(west))
    net.run(0.01)
    newest = next(c for c in east.daemon.sas.all_children() if c.state is State.ESTABLISHED)
    assert newest not in (old, heir)
    assert (old.receives_only, heir.receives_only, newest.receives_only) == (False, True, True)
    return net, west, east, held, old, heir, newest


def lost(east: Host, west: Host) -> str:
    return stopped(east, west, east.daemon.sas.all_children()[0].selector)


def test_the_heir_of_what_the_peer_deletes_sends_until_the_newest_is_known_to_be_there() -> None:
    """RFC 7296 2.8."""
    net, west, east, held, old, heir, newest = replaced_twice()
    assert not lost(east, west)
    held.arrive("CREATE_CHILD_SA'")
    net.run(0.01)
    assert old.state is State.DEAD
    assert not lost(east, west), "what the peer has not heard of yet"
    assert (heir.receives_only, newest.receives_only) == (False, True)
    held.arrive("IKE_AUTH'")
    net.run(20)
    assert not child_of(east).receives_only
    assert connected(west) and connected(east)
    agree(west, east)


def test_an_heir_that_is_restored_waits_for_its_peer_while_another_sends() -> None:
    """What superseded it is gone, and the peer need not have either."""
    net, west, east, held, old, heir, newest = replaced_twice()
    east.daemon.keeper.children.delete_child(newest, tell=False)
    assert (heir.state, heir.receives_only) == (State.ESTABLISHED, True)
    assert not lost(east, west)
    held.arrive("CREATE_CHILD_SA'")
    net.run(0.01)
    assert (old.state, heir.receives_only) == (State.DEAD, False)
    assert not lost(east, west)


def test_of_an_expired_one_the_heir_sends() -> None:
    net, west, east, held, old, heir, newest = replaced_twice()
    held.arrive("CREATE_CHILD_SA'")
    east.daemon.keeper.children._expired(old)
    assert (heir.receives_only, newest.receives_only) == (False, True)
