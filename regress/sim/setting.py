"""What differs from seed to seed: addresses, NAT, lifetimes, and who speaks what to whom."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

V4, V6 = ("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")
HIDDEN, OUTSIDE = ("198.18.0.1", "192.0.2.2"), "192.0.2.1"
SUITES = (
    "QM-ESP-AESGCM-128-SUITE",
    "QM-ESP-AESGCM-128-PFS-GRP31-SUITE",
    "QM-ESP-AES-SHA2-256-PFS-GRP31-SUITE",
)
# Key-exchange of a and of b.
SPOKEN = (
    ("ikev1", "ikev1"), ("ikev1", "ikev1"), ("ikev2", "ikev2"), ("ikev2", "ikev2"),
    ("ikev2", "ikev2"), ("ikev2, ikev1", "ikev1, ikev2"), ("ikev2, ikev1", "ikev2"),
    ("ikev1", "ikev1, ikev2"),
)  # fmt: skip
# Any two of these share something, though not always what is preferred; empty: as for IKEv1.
IKE = (
    "",
    "aes256gcm16-prfsha256-ecp256-x25519, aes128-sha256-x25519",
    "aes128-sha256-x25519-ecp256",
    "aes128-aes256-sha256-sha384-ecp256-x25519",
)
# What is asked about; nothing said: traffic without an answer.
DPD = ("", "", "DPD-check-interval= 10\n")
ESP = (
    ("", ""),
    ("aes128gcm16", "aes256gcm16-aes128gcm16"),
    ("aes128gcm16-x25519-ecp256", "aes128gcm16-ecp256-x25519"),
    ("aes128-sha256-esn-noesn, aes128gcm16", "aes128gcm16-x25519, aes128-sha256-noesn"),
)


# What becomes of an identity that comes from a second place.
UNIQUE = ("replace", "replace", "no", "never", "keep")
# More key exchanges behind a first one, which the other end may do without (RFC 9370).
MORE = ("", "-ke1_ecp256-ke1_none", "-ke1_ecp256-ke1_none-ke3_ecp384-ke3_none")

_PPK = "PPK-ID= simulated\nPPK= of-both-ends-in-no-configuration-but-these\n"
_REQUIRED = f"{_PPK}PPK-required= yes\n"
# PPKs of a and of b (RFC 8784); as an end may do without its own, not all are at both.
PPKS = (
    ("", ""), ("", ""), (_PPK, _PPK), (_PPK, _REQUIRED), (_REQUIRED, _REQUIRED), (_PPK, ""),
    ("", _PPK),
)  # fmt: skip


@dataclass(frozen=True)
class End:
    """What one end alone says of IKEv2; 0 and empty: nothing. apart: its key engine has a process
    of its own."""

    cookie_threshold: int
    window: int
    childless: str
    fragmentation: str
    fragment_size: int
    reauthenticate_s: int
    apart: bool
    dpd: str
    ike: str
    esp: str
    ppk: str = field(default="", repr=False)

    @classmethod
    def draw(cls, dice: Random, ike: str, esp: str) -> End:
        """One at random."""
        choose = dice.choice
        return cls(
            choose((100, 0, 1)), choose((1, 1, 2, 5)), choose(("yes", "yes", "force", "no")),
            choose(("yes", "yes", "no")), choose((0, 576, 1280)), choose((0, 0, 0, 50)),
            dice.random() < 0.3, choose(DPD), ike, esp,
        )  # fmt: skip

    def with_more(self, ike: str, esp: str) -> End:
        """With these behind the groups of its proposals."""
        return replace(self, ike=_added(self.ike, ike), esp=_added(self.esp, esp))

    @property
    def of_peer(self) -> str:
        """Tags of the peer's section."""
        lines = [
            f"Window-size= {self.window}", f"Childless= {self.childless}",
            f"Fragmentation= {self.fragmentation}", f"Fragment-size= {self.fragment_size}",
            f"Reauthenticate= {self.reauthenticate_s}",
        ]  # fmt: skip
        return "\n".join([*lines, *([f"IKE-proposals= {self.ike}"] if self.ike else []), self.ppk])

    @property
    def of_connection(self) -> str:
        """Tags of a connection's section."""
        return f"ESP-proposals= {self.esp}\n" if self.esp else ""


def _added(proposals: str, more: str) -> str:
    each = proposals.split(", ")
    return ", ".join(one + more if "x25519" in one else one for one in each)


@dataclass(frozen=True)
class Setting:
    """Of both ends. Lifetimes in seconds; outside: a is behind this NAT; part: what a has of the
    networks is a part of what b, which is passive, has of them; unique: Unique-ids."""

    addresses: tuple[str, str]
    outside: str
    both_start: bool
    part: bool
    phase_1_s: int
    phase_2_s: int
    exchange: str
    suite: str
    connections: int
    spoken: tuple[str, str]
    ends: tuple[End, End]
    unique: str = field(default="replace", repr=False)

    @classmethod
    def draw(cls, dice: Random) -> Setting:
        """One at random."""
        choose = dice.choice
        a, b = choose((V4, V4, V4, V6, HIDDEN))
        hidden = (a, b) == HIDDEN
        spoken = choose(SPOKEN)
        # In aggressive mode all proposals are of one group, and in quick mode too.
        alone = spoken == ("ikev2", "ikev2")
        ike, esp = (IKE, choose(ESP)) if alone else ((IKE[0],), ESP[0])
        both_start, part = dice.random() < 0.6 and not hidden, dice.random() < 0.4
        return cls(
            (a, b), OUTSIDE if hidden else "", both_start, part and not both_start,
            choose((40, 60, 3600)), choose((20, 30, 45, 3600)),
            choose(("ID_PROT", "ID_PROT", "AGGRESSIVE")), choose(SUITES), choose((1, 1, 2)),
            spoken, (End.draw(dice, choose(ike), esp[0]), End.draw(dice, choose(ike), esp[1])),
        )._with_more()  # fmt: skip

    def _with_more(self) -> Setting:
        """Ends that do several key exchanges, or have a PPK, in some, and what becomes of a second
        place; by dice of their own, as what else a seed is should not change with that."""
        dice = Random(repr(self))
        one, other = (end.with_more(dice.choice(MORE), dice.choice(MORE)) for end in self.ends)
        if all("ikev2" in spoken for spoken in self.spoken):
            ppks = dice.choice(PPKS)
            one, other = replace(one, ppk=ppks[0]), replace(other, ppk=ppks[1])
        return replace(self, ends=(one, other), unique=dice.choice(UNIQUE))

    @property
    def names(self) -> list[str]:
        """The connections."""
        return [f"c{number}" for number in range(self.connections)]

    @property
    def windows(self) -> tuple[int, int]:
        """How many requests each end takes at once."""
        return self.ends[0].window, self.ends[1].window

    def edited(self, dice: Random) -> Setting:
        """With another lifetime, which changes every connection."""
        return replace(self, phase_2_s=dice.choice((20, 30, 45, 3600)))

    def configuration(self, end: int) -> str:
        """The file of end 0 or 1."""
        far = self.addresses[1 - end] if end == 0 else self.outside or self.addresses[0]
        listed = "Connections" if end == 0 or self.both_start else "Passive-connections"
        text = f"""
[General]
{self.ends[end].dpd}Check-interval= 10
Exchange-max-time= 25
Unique-ids= {self.unique}
Cookie-threshold= {self.ends[end].cookie_threshold}
Default-phase-1-lifetime= {self.phase_1_s},10:86400
Default-phase-2-lifetime= {self.phase_2_s},10:86400
[Phase 1]
{far}= peer
[Phase 2]
{listed}= {", ".join(self.names)}
[peer]
Phase= 1
Address= {far}
Configuration= phase-1
Authentication= simulated
Key-exchange= {self.spoken[end]}
{self.ends[end].of_peer}
[phase-1]
EXCHANGE_TYPE= {self.exchange}
Transforms= AES-128-SHA2-256-GRP31
[phase-2]
EXCHANGE_TYPE= QUICK_MODE
Suites= {self.suite}
"""
        return text + "".join(self._connection(end, number) for number in range(self.connections))

    def _connection(self, end: int, number: int) -> str:
        local, remote = network(end, number), network(1 - end, number)
        sections = [
            f"[c{number}]\nPhase= 2\nISAKMP-peer= peer\nConfiguration= phase-2\n"
            f"Local-ID= c{number}-local\nRemote-ID= c{number}-remote\n"
            f"{self.ends[end].of_connection}"
        ]
        mask = 128 if self.part and end == 0 else 0
        for name, prefix in (("local", local), ("remote", remote)):
            sections.append(
                f"[c{number}-{name}]\nID-type= IPV4_ADDR_SUBNET\n"
                f"Network= {prefix}.0\nNetmask= 255.255.255.{mask}\n"
            )
        return "".join(sections)


def network(end: int, number: int) -> str:
    """The first three octets of the network of a connection behind an end."""
    return f"10.{end + 1}.{number}"
