"""What this host has not, and the configuration asks of it, is warned of."""

from __future__ import annotations

import os
from ipaddress import ip_interface
from pathlib import Path

import pytest

from isakmp.conf.check import check, judge, warnings
from isakmp.conf.files import check_directory
from isakmp.conf.store import Conf
from isakmp.errors import IsakmpError
from isakmp.policy.supported import Stack
from isakmp.transport.netif import Interface, interface

PEER = """\
[Phase 1]
127.0.0.9= east
[east]
Address= 127.0.0.9
Key-exchange= ikev2
Authentication= Aeb7oo3ahtho9uNgai5iu0Quie9doh4w
Local-address= %s
"""


@pytest.mark.parametrize(
    ("address", "peers"), [("192.0.2.77", "127.0.0.9"), ("2001:db8::77", "2001:db8::9")]
)
def test_a_local_address_of_another_host(address: str, peers: str) -> None:
    conf = Conf.from_text(PEER.replace("127.0.0.9", peers) % address, "f")
    assert not check(conf, interface)
    assert [line for line in warnings(conf, interface) if "Local-address" in line] == [
        f"f:7 [east]:Local-address: no interface of this host has {address}: nothing can be sent "
        "from it"
    ]


def test_a_local_address_of_this_host() -> None:
    conf = Conf.from_text(PEER % "127.0.0.1", "f")
    assert not any("Local-address" in line for line in warnings(conf, interface))


def test_the_host_is_asked_of_each_address_once() -> None:
    """Of thousands of peers most have one and the same."""
    names, asked = [f"peer{number}" for number in range(20)], list[str]()
    peers = (PEER.replace("[Phase 1]\n127.0.0.9= east\n", "") % "192.0.2.77").partition("]")[2]
    listed = "".join(f"127.0.1.{number}= {name}\n" for number, name in enumerate(names))
    sections = "".join(
        f"[{name}]{peers.replace('127.0.0.9', f'127.0.1.{number}')}"
        for number, name in enumerate(names)
    )

    def resolve(name: str, version: int) -> Interface | None:
        asked.append(name)
        return interface(name, version)

    conf = Conf.from_text(f"[Phase 1]\n{listed}{sections}", "f")
    told = [line for line in warnings(conf, resolve) if "no interface of this host" in line]
    assert len(told) == len(names), "each peer's line is cited"
    assert asked.count("192.0.2.77") == 1


HERE = {"192.0.2.1": "192.0.2.1/24", "2001:db8::1": "2001:db8::1/64", "eth0": "192.0.2.1/24"}


def known(name: str, version: int) -> Interface | None:
    """A host of two addresses, with one interface."""
    text = HERE.get(name, "")
    found = ip_interface(text) if text else None
    return found if found is not None and found.version == version else None


def peer(address: str, local: str = "", general: str = "") -> list[str]:
    """What is said of an Address or a Local-address, of this host."""
    text = f"[General]\n{general}\n" + PEER.replace("127.0.0.9", address) % local
    conf = Conf.from_text(text if local else text.replace("Local-address= \n", ""), "f")
    assert not check(conf, known)
    told = warnings(conf, known)
    return [line for line in told if "]:Address" in line or "]:Local-address" in line]


@pytest.mark.parametrize("said", [False, True])
@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_an_address_of_a_peer_that_is_our_own(address: str, said: bool) -> None:
    local = address if said else ""
    assert f"f:6 [east]:Address: {address} is an address of this host, which would call itself" in (
        peer(address, local)
    )
    assert peer(address[:-1] + "2", local) == [], "another host's"


@pytest.mark.parametrize("address", ["fe80::77:1", "fe80::77:1%lo"])
def test_a_link_local_address_is_another_hosts(address: str) -> None:
    """RFC 4291 2.5.6: whatever the kernel says of one whose link it is not told."""
    text = PEER.replace("127.0.0.9", address).replace("Local-address= %s\n", "")
    assert not any("call itself" in line for line in warnings(Conf.from_text(text, "f"), interface))


def test_an_address_that_is_our_own_as_far_as_is_written() -> None:
    """Whatever is known of the host's interfaces."""
    conf = Conf.from_text(PEER.replace("127.0.0.9", "192.0.2.1") % "192.0.2.1", "f")
    assert any("would call itself" in line for line in warnings(conf))


def test_a_host_that_takes_every_address_knows_none() -> None:
    """Linux with ip_nonlocal_bind; loopback is where two isakmpd of one host may meet."""

    def every(name: str, version: int) -> Interface | None:
        return ip_interface(name)

    conf = Conf.from_text(PEER % "192.0.2.7", "f")
    assert not any("call itself" in line for line in warnings(conf, every))
    assert not any("call itself" in line for line in warnings(conf, interface))


@pytest.mark.parametrize("listened", ["10.1.0.1", "2001:db8::1", "10.1.0.1, 2001:db8::1", "::"])
def test_a_local_address_that_nobody_listens_on(listened: str) -> None:
    assert peer("192.0.2.2", "192.0.2.1", f"Listen-on= {listened}") == [
        "f:9 [east]:Local-address: Listen-on leaves 192.0.2.1 out: nothing can be sent from it, "
        "nor heard: add it to Listen-on, or mend Local-address"
    ]


@pytest.mark.parametrize(
    "listened",
    ["", "192.0.2.1", "eth0", "10.1.0.1, eth0", "eth7", "10.1.0.1, eth7", "0.0.0.0", "::, 0.0.0.0"],
)
def test_a_local_address_that_somebody_may_listen_on(listened: str) -> None:
    """eth7 is none of this host, which the start says."""
    general = f"Listen-on= {listened}" if listened else ""
    assert peer("192.0.2.2", "192.0.2.1", general) == []


def general(text: str) -> list[str]:
    conf = Conf.from_text(f"[General]\n{text}\n", "f")
    assert not check(conf)
    return [line for line in warnings(conf) if "isakmpd would not start" in line]


def test_a_log_file_in_no_directory(tmp_path: Path) -> None:
    there, none = tmp_path / "log", tmp_path / "none" / "log"
    assert not general(f"Logfile= {there}, SA={there}")
    assert general(f"Logfile= {there}, SA={none}") == [
        f"f:2 [General]:Logfile: there is no directory {none.parent}: isakmpd would not start"
    ]


def test_a_run_directory_that_is_not_there(tmp_path: Path) -> None:
    none = tmp_path / "none"
    assert not general(f"Run-directory= {tmp_path}")
    assert general(f"Run-directory= {none}") == [
        f"f:2 [General]:Run-directory: there is no directory {none}: isakmpd would not start"
    ]


def test_a_run_directory_that_is_none(tmp_path: Path) -> None:
    (file := tmp_path / "file").touch()
    for there in (file, Path("/dev/null")):
        assert general(f"Run-directory= {there}") == [
            f"f:2 [General]:Run-directory: {there} is no directory: isakmpd would not start"
        ]
        with pytest.raises(IsakmpError, match="is no directory: name one as") as caught:
            check_directory(there, {os.geteuid()})
        assert "chown" not in str(caught.value), "which would be harmful"


@pytest.mark.parametrize("tag", ["Run-directory", "Key-log", "Engine-socket"])
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("var/run", "'var/run' is not a path from / on"),
        ("~/run", "'~/run' begins with ~, which only a shell knows (write the path from /)"),
        ("'/var/run'", "is in quotes, which would be a part of the path (write /var/run)"),
        ('"/var/run"', "is in quotes, which would be a part of the path (write /var/run)"),
    ],
)
def test_a_path_is_one_wherever_one_stands(tag: str, path: str, said: str) -> None:
    (error,) = check(Conf.from_text(f"[General]\n{tag}= {path}\n", "f"))
    assert f"f:2 [General]:{tag}: " in str(error) and said in str(error)


def test_a_key_log_that_cannot_be_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert not general(f"Key-log= {tmp_path / 'a' / 'b'}")
    for path in (file, file / "a" / "b"):
        assert general(f"Key-log= {path}") == [
            f"f:2 [General]:Key-log: {file} is not a directory: isakmpd would not start"
        ]
    assert not os.path.exists(tmp_path / "a"), "nothing is made"


def test_nobody_listens_in_the_ip_version_of_a_peer() -> None:
    text = "[General]\nListen-on= {}\n[Phase 1]\n2001:db8::2= a\n[a]\nAddress= 2001:db8::2\n"
    text += "Key-exchange= ikev2\nAuthentication= Aeb7oo3ahtho9uNgai5iu0Quie9doh4w\n"
    told = "Listen-on has no IPv6 address"
    assert any(told in line for line in warnings(Conf.from_text(text.format("192.0.2.1"))))
    both = text.format("192.0.2.1, 2001:db8::1")
    assert not any(told in line for line in warnings(Conf.from_text(both)))


def test_an_interface_that_is_gone_is_told_while_isakmpd_runs() -> None:
    conf = Conf.from_text("[General]\nListen-on= eth0, ppp0, 192.0.2.77\n", "f")
    assert [line for line in warnings(conf, known) if "no interface of this host with" in line] == [
        "f:2 [General]:Listen-on: ppp0 is no address, and no interface of this host with one: "
        "isakmpd would not start"
    ]
    assert not [line for line in warnings(conf) if "ppp0" in line], "of which nothing is known"


@pytest.mark.parametrize(
    ("listened", "families", "said"),
    [
        ("192.0.2.77", (4, 6), "192.0.2.77 is an address that no interface of this host has"),
        ("192.0.2.1, 2001:db8::77", (4, 6), "2001:db8::77 is an address that no interface of this"),
        ("192.0.2.1, 2001:db8::77", (4,), ""),
        ("eth0", (6,), "eth0 is no address, and no interface of this host with one"),
        ("eth0", (4,), ""),
        ("0.0.0.0, 2001:db8::1, eth0", (4, 6), ""),
    ],
)
def test_what_no_start_could_listen_on(listened: str, families: tuple[int, ...], said: str) -> None:
    """eth0 has an address of IPv4 alone."""
    conf = Conf.from_text(f"[General]\nListen-on= {listened}\n", "f")
    found = [line for line in judge(conf, known, stack=Stack(families=families)).warnings
             if "would not start" in line]  # fmt: skip
    assert all(line.startswith(f"f:2 [General]:Listen-on: {said}") for line in found)
    assert len(found) == bool(said)


@pytest.mark.parametrize(
    ("address", "general", "families", "said"),
    [
        ("2001:db8::2", "", (4,), "Address: nothing can be sent to a: with -4 isakmpd speaks IPv4"),
        ("192.0.2.2", "", (6,), "Address: nothing can be sent to a: with -6 isakmpd speaks IPv6"),
        ("192.0.2.2", "192.0.2.1, 2001:db8::1", (4,),
         "[General]:Listen-on: 2001:db8::1 is left out: with -4 isakmpd speaks IPv4 alone"),
        ("192.0.2.2", "192.0.2.1, 2001:db8::1", (4, 6), ""),
    ],
)  # fmt: skip
def test_what_the_command_line_leaves_out(
    address: str, general: str, families: tuple[int, ...], said: str
) -> None:
    text = f"[General]\n{f'Listen-on= {general}' if general else ''}\n[Phase 1]\n{address}= a\n"
    text += f"[a]\nAddress= {address}\nKey-exchange= ikev2\nAuthentication= Aeb7oo3ahtho9uNgai\n"
    told = judge(Conf.from_text(text, "f"), stack=Stack(families=families)).warnings
    assert [said in line for line in told if "isakmpd speaks" in line] == [True] * bool(said)
