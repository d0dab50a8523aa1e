"""Who is let in as whom: whole negotiations, against the tables that the manual has in words.

The gateway knows the peer [east], by its address or not, by a Remote-ID or not, with a key of its
own or not; perhaps the section named as its identity has a key; perhaps a Default peer [any] takes
everybody else, with a group's key or without any. [a.example] is another client, with a key by
identity. Everybody tries to be everybody.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import pytest

from regress.pair import Host, Network, network_id

GATEWAY, EAST, ELSEWHERE = "192.0.2.2", "192.0.2.1", "192.0.2.50"
KEYS = {
    "own": "the key of section east", "id": "the key of identity east.example",
    "a": "the key of identity a.example", "group": "the key of section any",
    "wrong": "nobody's key at all",
}  # fmt: skip
METHODS = {
    "main": ("ikev1", "ID_PROT"), "aggressive": ("ikev1", "AGGRESSIVE"), "v2": ("ikev2", "ID_PROT"),
}  # fmt: skip


class Situation(NamedTuple):
    """How the gateway is configured. default: "" for none, "bare" for one without key."""

    method: str
    address: bool
    remote_id: bool
    own: bool
    by_identity: bool
    default: str

    def text(self) -> str:
        """The gateway's configuration."""
        kx, exchange = METHODS[self.method]
        peer = f"Phase= 1\nKey-exchange= {kx}\nLocal-address= {GATEWAY}\nConfiguration= mm\n"
        return (
            "[General]\n[Phase 1]\n"
            + f"{EAST}= east\n" * self.address
            + "Default= any\n" * bool(self.default)
            + "[Phase 2]\nPassive-connections= site"
            + ", clients" * bool(self.default)
            + f"\n[east]\n{peer}"
            + f"Address= {EAST}\n" * self.address
            + "Remote-ID= east-id\n[east-id]\nID-type= FQDN\nName= east.example\n[east]\n"
            * self.remote_id
            + f"Authentication= {KEYS['own']}\n" * self.own
            + f"[east.example]\nAuthentication= {KEYS['id']}\n" * self.by_identity
            + f"[a.example]\nAuthentication= {KEYS['a']}\n"
            + (f"[any]\n{peer}" if self.default else "")
            + f"Authentication= {KEYS['group']}\n" * (self.default == "group")
            + connection("site", "east", "10.2.0.0/16", "10.1.0.0/16")
            + (connection("clients", "any", "10.2.0.0/16", "10.0.0.0/8") if self.default else "")
            + algorithms(exchange)
        )


class Caller(NamedTuple):
    """Who comes: from where, saying what, with which key."""

    address: str
    says: str
    key: str


def connection(name: str, peer: str, local: str, remote: str) -> str:
    return (
        f"[{name}]\nPhase= 2\nISAKMP-peer= {peer}\nConfiguration= qm\nLocal-ID= {name}-near\n"
        f"Remote-ID= {name}-far\n"
        f"{network_id(name + '-near', local)}{network_id(name + '-far', remote)}"
    )


def algorithms(exchange: str) -> str:
    return (
        f"[mm]\nEXCHANGE_TYPE= {exchange}\nTransforms= AES-256-SHA2-256-GRP31\n"
        "[qm]\nEXCHANGE_TYPE= QUICK_MODE\nSuites= QM-ESP-AES-128-SHA2-256-SUITE\n"
    )


def caller_text(method: str, caller: Caller) -> str:
    kx, exchange = METHODS[method]
    return (
        f"[Phase 1]\n{GATEWAY}= gateway\n[Phase 2]\nConnections= c\n[gateway]\nPhase= 1\n"
        f"Key-exchange= {kx}\nLocal-address= {caller.address}\nAddress= {GATEWAY}\n"
        f"Configuration= mm\nAuthentication= {KEYS[caller.key]}\nID= me\n"
        f"[me]\nID-type= FQDN\nName= {caller.says}\n"
        f"{connection('c', 'gateway', '10.1.0.0/16', '10.2.0.0/16')}{algorithms(exchange)}"
    )


CALLERS = [
    # The rightful peer, with what it may have; then the other client, and strangers.
    Caller(EAST, "east.example", "own"), Caller(EAST, "east.example", "id"),
    Caller(ELSEWHERE, "east.example", "own"), Caller(ELSEWHERE, "east.example", "id"),
    Caller(EAST, "a.example", "a"), Caller(EAST, "east.example", "a"), Caller(EAST, "east", "a"),
    Caller(ELSEWHERE, "a.example", "a"), Caller(ELSEWHERE, "east.example", "a"),
    Caller(EAST, "east.example", "group"), Caller(EAST, "any", "group"),
    Caller(EAST, "east", "group"), Caller(EAST, "a.example", "group"),
    Caller(ELSEWHERE, "east.example", "group"), Caller(ELSEWHERE, "any", "group"),
    Caller(ELSEWHERE, "east", "own"), Caller(EAST, "any", "own"),
    Caller(EAST, "east.example", "wrong"), Caller(ELSEWHERE, "x.example", "wrong"),
]  # fmt: skip

# Whose section it is. The first row that fits counts; "-" is any. Columns: method; whether
# [Phase 1] has east's address; whether [east] has a Remote-ID; whether there is a Default; from
# where; what is said; the section, and in main mode what the Remote-ID asks for. Who says it
# before the keys are needed is taken for the section that has it, as far as its address may.
TAKEN_FOR = """
main  address -         -       EAST east.example east
main  address no-id     -       EAST -            east
main  address remote-id -       EAST -            nobody
main  -       -         default -    -            any
early address remote-id -       EAST east.example east
early address remote-id -       EAST -            nobody
early address no-id     -       EAST -            east
early no-addr remote-id default -    east.example east
early -       -         default -    -            any
-     -       -         -       -    -            nobody
"""

# Which key proves somebody to be that section. Columns: the section; whether it has one of its own,
# "bare" where not; method; whether it has a Remote-ID; what is said; whether that identity, for
# east.example, has a section; the key.
PROVEN_BY = """
east own  -          -         -            -       own
any  own  -          -         -            -       group
east bare -          remote-id east.example section id
east bare main       no-id     -            -       nothing
east bare -          no-id     east.example section id
east bare -          no-id     a.example    -       a
any  bare main       -         -            -       nothing
any  bare -          -         east.example section id
any  bare -          -         a.example    -       a
-    -    -          -         -            -       nothing
"""


def look_up(table: str, *facts: str) -> str:
    for row in table.split("\n"):
        *wanted, result = row.split() or [""]
        if wanted and all(w in ("-", f) for w, f in zip(wanted, facts, strict=True)):
            return result
    raise AssertionError(facts)


def expected(s: Situation, caller: Caller) -> str:
    """Who the tables say it is let in as."""
    section = look_up(
        TAKEN_FOR, "main" if s.method == "main" else "early", "address" if s.address else "no-addr",
        "remote-id" if s.remote_id else "no-id", "default" if s.default else "none",
        "EAST" if caller.address == EAST else "ELSEWHERE", caller.says,
    )  # fmt: skip
    own = s.own if section == "east" else s.default == "group"
    key = look_up(
        PROVEN_BY, section, "own" if own else "bare", s.method,
        "remote-id" if s.remote_id and section == "east" else "no-id", caller.says,
        "section" if s.by_identity else "none",
    )  # fmt: skip
    return section if key == caller.key else "nobody"


def let_in(gateway: Host) -> str:
    """As whom somebody is in."""
    rows = [row["name"] for row in gateway.rows(1) if row["state"] == "established"]
    assert len(rows) <= 1
    return rows[0] if rows else "nobody"


def negotiate(s: Situation, caller: Caller) -> str:
    net = Network()
    gateway = net.add(GATEWAY, s.text())
    net.add(caller.address, caller_text(s.method, caller))
    net.start()
    net.pump()
    return let_in(gateway)


SITUATIONS = [
    Situation(*facts)
    for facts in product(
        METHODS, (True, False), (True, False), (True, False), (True, False), ("", "bare", "group")
    )
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("default", ["", "bare", "group"])
def test_who_is_let_in_as_whom(method: str, default: str) -> None:
    """RFC 4301 4.4.3."""
    wrong, admitted = [], set()
    for s in SITUATIONS:
        if (s.method, s.default) != (method, default):
            continue
        for caller in CALLERS:
            found = negotiate(s, caller)
            admitted.add(found)
            if found != expected(s, caller):
                wrong.append((s, caller, f"is {found}, should be {expected(s, caller)}"))
    assert not wrong
    assert "east" in admitted and "nobody" in admitted


# What keeps [east] from being read; whether whom it expects is still known.
UNREADABLE = {
    "a value": ("[east]\nPhase= 1\n", "[east]\nPhase= 1\nPort= no-such\n", True),
    "a misspelt tag": ("[east]\nPhase= 1\n", "[east]\nPhase= 1\nLokal-address= x\n", True),
    "its address": ("[east]\nPhase= 1\n", "[east]\nPhase= 1\nAddress= 192.0.2\n", True),
    "no such identity": ("Remote-ID= east-id", "Remote-ID= east-ids", False),
    "a misspelt Remote-ID": ("Remote-ID= east-id", "Remot-ID= east-id", False),
    "a bad identity": ("Name= east.example\n", "", False),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("fault", UNREADABLE)
def test_whose_section_cannot_be_read_is_not_taken_for_another(method: str, fault: str) -> None:
    """RFC 4301 4.4.3: in main mode the address says who it is, else the identity."""
    old, new, known = UNREADABLE[fault]
    s = Situation(method, method == "main", True, True, True, "group")
    text = s.text()
    assert old in text
    callers = {
        Caller(EAST, "east.example", "group"): "nobody",
        Caller(ELSEWHERE, "a.example", "group"): "any" if known or method == "main" else "nobody",
    }
    for caller, wanted in callers.items():
        net = Network()
        gateway = net.add(GATEWAY, text.replace(old, new, 1))
        net.add(caller.address, caller_text(method, caller))
        net.start()
        net.pump()
        assert let_in(gateway) == wanted, gateway.said
        assert wanted == "any" or "bad-configuration" in gateway.reasons()


# What [Phase 1] has instead of east's address; whether [east] has an Address and a Remote-ID; by
# method ("early": IKEv2 and aggressive mode) who then is [east], and who may be the Default peer.
UNPLACED = """
east.example.net address    remote-id  main  nobody any
east.example.net address    no-id      main  nobody any
east.example.net no-address remote-id  main  nobody nobody
192.0.2.0/24     no-address no-id      main  nobody nobody
east.example.net address    remote-id  early east   any
east.example.net address    no-id      early nobody any
east.example.net no-address remote-id  early east   any
192.0.2.1a       no-address no-id      early nobody nobody
"""


@pytest.mark.parametrize("row", UNPLACED.strip().split("\n"))
@pytest.mark.parametrize("named", [True, False])
def test_whom_phase_1_has_no_address_of_is_not_taken_for_the_default_peer(
    row: str, named: bool
) -> None:
    """RFC 4301 4.4.3: with the Default's key, too. named: by a connection as well."""
    tag, address, remote_id, when, east, default = row.split()
    for method in ("main",) if when == "main" else ("v2", "aggressive"):
        s = Situation(method, True, remote_id == "remote-id", True, False, "group")
        text = s.text().replace(f"{EAST}= east", f"{tag}= east", 1)
        if address == "no-address":
            text = text.replace(f"\nAddress= {EAST}\n", "\n")
        if not named:
            text = text.replace("site, clients", "clients")
        callers = {
            Caller(EAST, "east.example", "own"): east,
            Caller(EAST, "east.example", "group"): "nobody",
            Caller(ELSEWHERE, "a.example", "group"): default,
        }
        for caller, wanted in callers.items():
            net = Network()
            gateway = net.add(GATEWAY, text)
            net.add(caller.address, caller_text(method, caller))
            net.start()
            net.pump()
            assert let_in(gateway) == wanted, (method, caller, gateway.said)
            if wanted == "nobody" and not (east == "east" and caller.key == "group"):
                assert "bad-configuration" in gateway.reasons()
                assert f"[Phase 1]:{tag}; mend: " in "".join(gateway.said)


# As initiator: the answer comes from the address we have called. What our section has, who answers
# with what, and whether we take it for the peer.
ANSWERED = """
main       own  no-id     own   yes
main       own  no-id     id    no
main       own  no-id     a     no
main       own  no-id     group no
main       bare remote-id id    yes
main       bare remote-id a     no
main       bare remote-id group no
main       bare no-id     id    no
aggressive own  no-id     own   yes
aggressive own  no-id     id    no
aggressive own  no-id     a     no
aggressive bare remote-id id    yes
aggressive bare remote-id a     no
aggressive bare remote-id group no
aggressive bare no-id     id    no
aggressive bare no-id     a     no
v2         own  no-id     own   yes
v2         own  no-id     id    no
v2         own  no-id     a     no
v2         bare remote-id id    yes
v2         bare remote-id a     no
v2         bare remote-id group no
v2         bare no-id     id    no
v2         bare no-id     a     no
"""


@pytest.mark.parametrize("row", ANSWERED.strip().split("\n"))
def test_who_is_taken_for_the_peer_that_we_call(row: str) -> None:
    method, own, remote_id, key, taken = row.split()
    s = Situation(method, True, remote_id == "remote-id", own == "own", True, "group")
    calling = s.text().replace("Passive-connections", "Connections", 1)
    says = "a.example" if key == "a" and remote_id == "no-id" else "east.example"
    answering = caller_text(method, Caller(EAST, says, key)).replace(
        "Connections=", "Passive-connections="
    )
    net = Network()
    gateway = net.add(GATEWAY, calling)
    net.add(EAST, answering)
    net.start()
    net.pump()
    assert let_in(gateway) == ("east" if taken == "yes" else "nobody"), gateway.said
