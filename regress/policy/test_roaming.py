"""Peers without an address: the one who calls is found as by a look at all, and without one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

import pytest

from isakmp.conf.check import judge
from isakmp.conf.store import Conf
from isakmp.constants import ipsec
from isakmp.constants.isakmp import Exchange
from isakmp.errors import Refused
from isakmp.policy.catalog import Catalog
from isakmp.policy.identity import no_interfaces
from isakmp.policy.peers import AGGRESSIVE_MODE, IKE_SA_INIT, MAIN_MODE, Opening, identify
from isakmp.policy.spd import Address, Caller, Identity, Remote
from regress.test_held import steps

HERE, THERE = ip_address("192.0.2.1"), ip_address("192.0.2.2")
NAMES = ("a.example", "A.EXAMPLE", "b.example", "c.example")
PPK = "PPK-ID= k\nPPK= a post-quantum key of more than 32 octets\n"


def drawn(seed: int) -> str:
    """Peers at random, each with a connection; some cannot be read."""
    draw = random.Random(seed)
    count = draw.randint(1, 8)
    connections = ",".join(f"c{n}" for n in range(count))
    lines = [f"[Phase 2]\nPassive-connections= {connections}\n[Phase 1]\n"]
    if draw.random() < 0.7:
        lines.append(f"Default= p{draw.randrange(count)}\n")
    if draw.random() < 0.5:
        lines.append(f"{HERE}= p{draw.randrange(count)}\n")
    lines += [f"[{name}-id]\nID-type= FQDN\nName= {name}\n" for name in NAMES]
    lines.append("[bad-id]\nID-type= IPV4_ADDR\nAddress= eth9\n")
    for n in range(count):
        speaks = draw.choice(("ikev2", "ikev2", "ikev1", "ikev2, ikev1"))
        lines.append(f"[p{n}]\nKey-exchange= {speaks}\nAuthentication= a secret of {n}\n")
        lines.append("Port= no\n" if draw.random() < 0.15 else "")
        lines.append("IKE-proposals= aes256-sha256-modp2048\n")
        if address := draw.choice(("", "", "", HERE, THERE)):
            lines.append(f"Address= {address}\n")
        if name := draw.choice((*NAMES, *NAMES, "", "bad")):
            lines.append(f"Remote-ID= {name}-id\n")
        lines.append(PPK if draw.random() < 0.2 else "")
        lines.append(f"[c{n}]\nISAKMP-peer= p{n}\nESP-proposals= aes256gcm16\n")
        lines.append(f"Local-selectors= 10.0.0.0/16\nRemote-selectors= 10.1.{n}.0/24\n")
    return "".join(lines)


def load(text: str, seed: int = 0) -> Catalog:
    conf = Conf.from_text(text, "f")
    found = Catalog(conf, no_interfaces)
    if seed % 2:  # as a daemon has it; else as who reads only
        found.faults = judge(conf, no_interfaces).faults
    found.load()
    return found


@dataclass
class Plain:
    """All others, each looked at."""

    remotes: list[Remote]

    def __iter__(self) -> Iterator[Remote]:
        return iter(self.remotes)

    def expecting(self, identity: Identity) -> Iterator[Remote]:
        return iter(self.remotes)


def told(call: Callable[[], Remote]) -> object:
    try:
        return call().name
    except Refused as refused:
        return refused.notify, refused.reason


@pytest.mark.parametrize("seed", range(300))
def test_who_calls_is_who_a_look_at_all_would_find(seed: int) -> None:
    catalog = load(drawn(seed), seed)
    for address in (HERE, THERE):
        for opening in (IKE_SA_INIT, AGGRESSIVE_MODE, MAIN_MODE):
            try:
                begun = catalog.find_remote(address, opening)
            except Refused:
                continue
            every = list(catalog._others(begun, address))
            assert begun.name not in [one.name for one in every]
            assert all(one.address in (None, address) for one in every)
            assert len({one.name for one in every}) == len(every)
            has = [one for one in every if catalog.conf.is_written(one.name, "PPK-ID")]
            assert catalog.has_ppk(begun, address) is bool(begun.ikev2.ppk or has)
            for name in (*NAMES, "nobody.example"):
                _compare(catalog, begun, every, _caller(name, address), opening)


def _caller(name: str, address: Address) -> Caller:
    return Caller(Identity(ipsec.Id.FQDN, name.encode()), None, address)


def _compare(
    catalog: Catalog, begun: Remote, every: list[Remote], caller: Caller, opening: Opening
) -> None:
    found = told(lambda: identify(begun, catalog._others(begun, caller.address), caller, opening))
    assert found == told(lambda: identify(begun, Plain(every), caller, opening))
    if isinstance(found, tuple):
        assert told(lambda: catalog.identify(begun, caller, opening)) == found
        return
    # Who cannot be read is refused, and so is who may be one whose identity cannot be read.
    chosen = next(one for one in (begun, *every) if one.name == found)
    outlines = [catalog._outlines.get(one.name) for one in (chosen, *every)]
    bad = next(
        (
            one for one in outlines
            if one and (one.remote is chosen or (one.hidden and chosen.remote_id is None))
        ), None,
    )  # fmt: skip
    if bad is not None:
        refused = told(lambda: catalog.identify(begun, caller, opening))
        assert isinstance(refused, tuple)
        assert refused[1].line.endswith(f"[{bad.remote.name}]")
    elif chosen.remote_id is not None:
        assert told(lambda: catalog.identify(begun, caller, opening)) == found


@pytest.mark.parametrize("opening", [IKE_SA_INIT, AGGRESSIVE_MODE])
@pytest.mark.parametrize("seed", range(60))
def test_who_is_answered_is_the_first_that_can_be(seed: int, opening: Opening) -> None:
    catalog = load(drawn(seed), seed)
    for address in (HERE, THERE):
        try:
            found = catalog.find_remote(address, opening)
        except Refused:
            continue
        section = catalog.named_at(address) or catalog._phase_1[None]
        named = catalog.remotes[section]
        others = [one for one in catalog._others(named, address)
                  if one.name not in catalog._outlines]  # fmt: skip
        fit = next((one for one in (named, *others) if not opening.misfit(one)), named)
        assert found is fit


def many(count: int) -> Catalog:
    lines = ["[Phase 1]\nDefault= p0\n[Phase 2]\nPassive-connections= "]
    lines += [",".join(f"c{n}" for n in range(count)), "\n"]
    for n in range(count):
        lines.append(
            f"[p{n}]\nKey-exchange= ikev2\nAuthentication= a secret of {n}\nRemote-ID= i{n}\n"
            f"IKE-proposals= aes256-sha256-x25519\n{PPK if n == 7 else ''}"
            f"[i{n}]\nID-type= FQDN\nName= n{n}.example\n[c{n}]\nISAKMP-peer= p{n}\n"
            f"Local-selectors= 10.0.0.0/16\nRemote-selectors= 10.1.{n}.0/24\n"
        )
    return load("".join(lines))


@pytest.mark.parametrize("name", ["n9.example", "nobody.example"])
def test_of_many_it_takes_as_long_as_of_few(name: str) -> None:
    taken = []
    for count in (40, 400):
        catalog = many(count)
        begun = catalog.find_remote(HERE, IKE_SA_INIT)
        caller = _caller(name, HERE)

        def handshake() -> None:
            assert catalog.has_ppk(begun, HERE)  # noqa: B023
            told(lambda: catalog.identify(begun, caller, IKE_SA_INIT))  # noqa: B023

        handshake()
        taken.append(steps(handshake))
    assert taken[0] == taken[1]


def unreadable(count: int) -> Catalog:
    """So many that cannot be read, and somebody elsewhere with a PPK."""
    lines = ["[Phase 1]\nDefault= p0\n[Phase 2]\nPassive-connections= "]
    lines += [",".join(f"c{n}" for n in range(count)), "\n"]
    for n in range(count):
        more = f"Address= {THERE}\n{PPK}" if n == 7 else "Port= no\n" if n else ""
        lines.append(
            f"[p{n}]\nKey-exchange= ikev2\nAuthentication= a secret of {n}\nRemote-ID= i{n}\n"
            f"IKE-proposals= aes256-sha256-x25519\n{more}"
            f"[i{n}]\nID-type= FQDN\nName= n{n}.example\n[c{n}]\nISAKMP-peer= p{n}\n"
            f"Local-selectors= 10.0.0.0/16\nRemote-selectors= 10.1.{n}.0/24\n"
        )
    return load("".join(lines), 1)


def test_whether_anybody_has_a_ppk_is_not_asked_of_all_that_cannot_be_read() -> None:
    taken = []
    for count in (40, 400):
        catalog = unreadable(count)
        begun = catalog.find_remote(HERE, IKE_SA_INIT)

        def handshake() -> None:
            assert not catalog.has_ppk(begun, HERE)  # noqa: B023
            assert catalog.has_ppk(begun, THERE)  # noqa: B023

        handshake()
        assert len(catalog._roaming.unread) == count - 2
        taken.append(steps(handshake))
    assert taken[0] == taken[1]


def test_nobody_of_before_a_change_is_found() -> None:
    catalog = many(20)
    begun = catalog.find_remote(HERE, IKE_SA_INIT)
    caller = _caller("n9.example", HERE)
    assert catalog.identify(begun, caller, IKE_SA_INIT).name == "p9"
    change = catalog.conf.begin()
    change.set("i9", "Name", "other.example", override=True)
    change.commit()
    with pytest.raises(Refused):
        catalog.identify(begun, caller, IKE_SA_INIT)
    renamed = _caller("other.example", HERE)
    assert catalog.identify(begun, renamed, IKE_SA_INIT).name == "p9"


def test_a_connection_that_is_started_without_being_listed_brings_its_peer() -> None:
    text = drawn(0)
    catalog = load(
        text + "[late]\nKey-exchange= ikev2\nAuthentication= a secret of late\n"
        "IKE-proposals= aes256-sha256-modp2048\nRemote-ID= late-id\n"
        "[late-id]\nID-type= FQDN\nName= late.example\n[c-late]\nISAKMP-peer= late\n"
        "Local-selectors= 10.0.0.0/16\nRemote-selectors= 10.2.0.0/24\n"
    )
    begun = Remote("begun", None, 500, Exchange.ID_PROT, ())
    assert "late" not in [one.name for one in catalog._others(begun, THERE)]
    catalog.connection("c-late")
    assert "late" in [one.name for one in catalog._others(begun, THERE)]
    assert [one.name for one in catalog._others(begun, THERE).expecting(
        Identity(ipsec.Id.FQDN, b"late.example")) if one.remote_id][-1] == "late"  # fmt: skip
