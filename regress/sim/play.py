"""One seed: two gateways, a calm, a delete, a storm of faults, recovery, and quiet.

Invariants are checked at every step: no exception out of a handler, bounded state, both sides
agree on keys, no message ID serves twice, no window is exceeded. Once all is quiet: one SA pair
for each connection, the same at both ends, nothing in either SAD that the other lacks, traffic
flows. While nothing is lost on the network, no packet is lost, rekeying or not, and a delete is
heard at once.
"""

from __future__ import annotations

from regress.sim.storm import FAULTS, Storm
from regress.sim.world import Faults, Found

# After this time without faults nothing of them is left: a peer that was thought alive is known to
# be dead, and what was refused has been asked for again. Then all is quiet for so long.
RECOVERY_S, QUIET_S = 210, 100


class Play(Storm):
    """Everything that happens for one seed."""

    def play(self) -> None:
        """All acts. Found, or whatever a daemon raises."""
        for end in self.ends:
            end.start()
        self.calm()
        self.delete()
        self.storm()
        self.recover()
        self.quiet()
        for end in self.ends:
            end.stop(gently=True)

    def calm(self) -> None:
        """Nothing is lost on the network, so nothing may be lost in the tunnels."""
        choose, short = self.dice.choice, self.setting.phase_2_s < QUIET_S
        self.world.faults = Faults(
            duplication=choose((0, 0, 0.2)), forgery=choose((0, 0.3)),
            # A rekeying that meets others' has to be over within a short life's margin of 3 s.
            delay_s=choose((0, 0, 0.02, 0.2 if short else 0.4)),
        )  # fmt: skip
        self.wait(5)
        self.until_quiet(120)
        packets = []
        for _ in range(110 if self.setting.phase_2_s < QUIET_S else 30):
            packets += self.send_everywhere()
            self.wait(0.8)
        self.wait(2)
        self.must_have_come(packets, "while nothing was lost on the network")
        self.must_have_succeeded()
        self.world.faults = Faults()
        self.wait(1)
        self.until_quiet(120)

    def delete(self) -> None:
        """Where nothing is lost, a delete is heard at once."""
        end, name = self.dice.choice(self.ends), self.dice.choice(self.setting.names)
        end.running.teardown(name, 2)
        self.wait(3)
        for other in self.ends:
            for child in other.running.sas.of_connection(name):
                if child.established < self.world.clock.now - 3:
                    raise Found(f"{other} still has {child}, which {end} has deleted")
        self.start_again()
        self.wait(3)
        self.until_quiet(120)

    def storm(self) -> None:
        """One fault after the other, with traffic in between; or only one, which nothing mends."""
        end = self.world.clock.now + self.dice.choice((1, 40, 80))
        while self.world.clock.now < end:
            self.happen(self.dice.choice(FAULTS), self.dice.choice(self.ends))
            for _ in range(self.dice.randrange(1, 4)):
                self.send_everywhere()
                self.wait(self.dice.choice((0.2, 1, 3, 6)))

    def recover(self) -> None:
        """Faults end; in time everything is as it was in the beginning, whoever has traffic."""
        self.world.trace("--- calm")
        self.clear_up()
        self.start_again()
        until, talkers = self.world.clock.now + RECOVERY_S, self.dice.choice(self.talkers)
        while self.world.clock.now < until:
            self.send_everywhere(talkers)
            self.wait(self.dice.choice((1, 5, 9)))

    def quiet(self) -> None:
        """In a quiet world a packet sent by either end is received by the other."""
        self.world.trace("--- quiet")
        until = self.world.clock.now + QUIET_S
        while self.world.clock.now < until:
            packets = self.send_everywhere(self.dice.choice(self.talkers))
            self.wait(2)
            self.must_have_come(packets, "in a quiet world")
            self.wait(self.dice.choice((0, 3, 15, 40)))
        self.until_quiet(120)

    def start_again(self) -> None:
        """What was taken down by command is started again."""
        for end in self.ends:
            for entry in list(end.running.connections.entries.values()):
                if entry.held_down:
                    entry.held_down = False
                    if not entry.connection.passive:
                        end.running.connections.bring_up(entry)


def replay(seed: int) -> str:
    """The command that plays a seed again."""
    return f"python -m regress.sim --seed {seed}"
