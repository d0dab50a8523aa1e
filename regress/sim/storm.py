"""The faults of a storm, one function each: of the network, of a machine, of who looks after it."""

from __future__ import annotations

from isakmp.constants import isakmp
from isakmp.constants.ikev2 import Exchange as Ikev2
from regress.sim.ground import Ground
from regress.sim.world import Aim, Faults, Found, Host

FAULTS = (
    "net", "net", "net", "partition", "heal", "restart", "crash", "crash_both", "down", "up",
    "freeze", "suspend", "unplug", "plug", "wall", "reload", "reload_midway", "rekey", "rebind",
    "roam", "replay", "edit", "spoil", "kill_engine", "refuse", "stray", "aim", "aim",
)  # fmt: skip
# What an exchange loses of its later messages, and what sets such an exchange off.
AIMS = (
    (isakmp.Exchange.ID_PROT, "crash"), (isakmp.Exchange.AGGRESSIVE, "crash"),
    (isakmp.Exchange.AGGRESSIVE, "crash"), (isakmp.Exchange.QUICK_MODE, "rekey"),
    (isakmp.Exchange.QUICK_MODE, "crash"), (isakmp.Exchange.INFO, "down"),
    (Ikev2.IKE_AUTH, "crash"), (Ikev2.CREATE_CHILD_SA, "rekey"), (Ikev2.INFORMATIONAL, "down"),
    (Ikev2.INFORMATIONAL, "restart"),
)  # fmt: skip


class Storm(Ground):
    """Two gateways, and everything that may happen to them."""

    def happen(self, what: str, host: Host) -> None:
        """One fault, at one end."""
        self.world.counts[what] += 1
        self.world.trace(f"--- {what} {host}")
        getattr(self, f"_{what}")(host)

    def clear_up(self) -> None:
        """No fault lasts any longer."""
        self.world.faults, self.world.aim = Faults(), Aim()
        for end in self.ends:
            end.frozen_until, end.deaf, end.unplugged = 0.0, False, False
            end.refuse(0)
            end.start_engine()

    def _net(self, host: Host) -> None:
        choose = self.dice.choice
        self.world.faults = Faults(
            choose((0, 0.1, 0.3)), choose((0, 0.1, 0.3)), choose((0, 0, 0.05)), choose((0, 0.05, 2))
        )

    def _partition(self, host: Host) -> None:
        self.world.faults.partition = True

    def _heal(self, host: Host) -> None:
        self.world.faults.partition = False

    def _restart(self, host: Host) -> None:
        self._off_and_on([host], gently=True)

    def _crash(self, host: Host) -> None:
        """kill -9, or the power: no Delete is sent, and nothing is remembered."""
        self._off_and_on([host], gently=False)

    def _crash_both(self, host: Host) -> None:
        self._off_and_on([host, self.other(host)], gently=False)

    def _off_and_on(self, hosts: list[Host], gently: bool) -> None:
        for host in hosts:
            host.stop(gently)
            self.wait(self.dice.choice((0, 1)) * self.dice.random())
        for host in hosts:
            self.send_everywhere()
            self.wait(self.dice.choice((6, 6, 60)) * self.dice.random())
            host.start()

    def _down(self, host: Host) -> None:
        host.command(lambda daemon: daemon.teardown(self.dice.choice(self.setting.names), 2))

    def _up(self, host: Host) -> None:
        host = self.ends[0] if self.setting.part else host
        host.command(lambda daemon: daemon.connect(self.dice.choice(self.setting.names)))

    def _freeze(self, host: Host) -> None:
        host.frozen_until = self.world.clock.now + self.dice.choice((1, 5, 30, 60))

    def _suspend(self, host: Host) -> None:
        """Stopped for a minute; what comes finds no room to wait."""
        host.frozen_until, host.deaf = self.world.clock.now + self.dice.choice((20, 60)), True

    def _unplug(self, host: Host) -> None:
        """Its address is gone, for a while or until somebody looks."""
        host.unplugged = True
        if wait := self.dice.choice((0, 5, 40)):
            self.world.at(self.world.clock.now + wait, lambda: self._plug(host))

    def _plug(self, host: Host) -> None:
        host.unplugged = False

    def _kill_engine(self, host: Host) -> None:
        """A key engine of its own dies, and is started again."""
        host.kill_engine()
        self.world.at(self.world.clock.now + self.dice.choice((2, 10)), host.start_engine)

    def _refuse(self, host: Host) -> None:
        """The stack refuses an SA or two."""
        host.refuse(self.dice.choice((1, 1, 2, 5)))
        self.happen(self.dice.choice(("rekey", "down", "up")), self.dice.choice(self.ends))

    def _stray(self, host: Host) -> None:
        """ESP comes for an SA that the host does not have."""
        self.world.stray(self.other(host), host)

    def _aim(self, host: Host) -> None:
        """One kind of message is lost again and again: also the third of aggressive mode."""
        kind, cause = self.dice.choice(AIMS)
        self.world.aim = Aim(self.dice.choice((1, 2, 4, 8)), kind, host.address)
        self.happen(cause, self.dice.choice(self.ends))

    def _reload_midway(self, host: Host) -> None:
        """The file changes while something is being negotiated."""
        self.happen(self.dice.choice(("rekey", "crash", "down")), self.dice.choice(self.ends))
        self.wait(self.dice.choice((0.0, 0.003, 0.005, 0.05, 2)))
        self.happen("edit", host)

    def _wall(self, host: Host) -> None:
        host.wall_offset += self.dice.choice((-3600, 3600, 86400))

    def _replay(self, host: Host) -> None:
        self.world.replay(self.dice.choice((5, 40)))

    def _edit(self, host: Host) -> None:
        """Another lifetime, which changes every connection of this end."""
        index = self.ends.index(host)
        self.setting = self.setting.edited(self.dice)
        host.reload(self.setting.configuration(index))

    def _spoil(self, host: Host) -> None:
        """A broken file changes nothing."""
        names = list(host.running.connections.entries)
        good = host.configuration
        host.reload(good + "[General\nno section=")
        host.configuration = good
        if names != list(host.running.connections.entries):
            raise Found(f"{host}: a broken configuration has changed something")

    def _rebind(self, host: Host) -> None:
        if self.world.nat:
            self.world.nat.rebind()

    def _roam(self, host: Host) -> None:
        """Its NAT moves the end behind it while that says nothing, and a phase 1 of its own is what
        comes first from there."""
        if self.world.nat:
            self.world.nat.rebind()
            inside = self.ends[0].running
            for sa in list(inside.sas.isakmp.values()):
                inside.keeper.rekey_sa(sa)
            self.wait(2)

    def _reload(self, host: Host) -> None:
        host.command(lambda daemon: daemon.alter(daemon.conf.begin(), True))

    def _rekey(self, host: Host) -> None:
        """Both phases at once, whatever their age."""
        daemon = host.running
        for child in daemon.sas.all_children():
            daemon.connections.rekey(child)
        for sa in list(daemon.sas.isakmp.values()):
            daemon.keeper.rekey_sa(sa)
