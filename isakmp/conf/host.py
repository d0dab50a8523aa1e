"""What the configuration asks of this host and it does not have, told before the first start."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from isakmp.conf.files import is_other
from isakmp.conf.store import Conf
from isakmp.conf.values import address_of
from isakmp.errors import ConfError
from isakmp.event.steps import pauses
from isakmp.policy.identity import Resolve, no_interfaces
from isakmp.policy.spd import Address, Remote
from isakmp.run_directory import run_directory

NO_INTERFACE = "is no address, and no interface of this host with one"
_OF_NONE = "is an address that no interface of this host has"

_ANY = {4: ip_address("0.0.0.0"), 6: ip_address("::")}
# No host has these: who resolves them does not know what this one has.
_NOBODYS = {4: "240.0.0.1", 6: "100::1"}


def address_warnings(
    conf: Conf, remotes: Iterable[Remote], resolve: Resolve, families: Collection[int] = (4, 6)
) -> Iterator[str]:
    """A Local-address that no interface has (yet), or that nobody listens on, and an Address of
    this host's own, where the interfaces are known; an address of a version of IP that isakmpd is
    not to speak; empty at each step."""
    listens, known = _listened(conf, resolve), resolve is not no_interfaces
    yield from _left_out(conf, families)

    @cache
    def lacks(address: Address) -> bool:
        return known and resolve(str(address), address.version) is None

    @cache
    def has(address: Address) -> bool:
        there = known and not address.is_loopback and not lacks(address)
        return there and resolve(_NOBODYS[address.version], address.version) is None

    for remote, pause in pauses(remotes):
        if pause:
            yield ""
        address, theirs = remote.local_address, remote.address
        place = conf.where(remote.name, "Local-address")
        if unspoken := _unspoken(conf, remote, families):
            yield unspoken
        elif address is not None and lacks(address):
            yield f"{place}: no interface of this host has {address}: nothing can be sent from it"
        elif address is not None and listens.isdisjoint((address, _ANY[address.version])):
            text = (
                f"{place}: Listen-on leaves {address} out: nothing can be sent from it, nor heard"
            )
            yield f"{text}: add it to Listen-on, or mend Local-address"
        elif theirs is not None and all(one.version != theirs.version for one in listens):
            at = conf.where(remote.name, "Address")
            yield f"{at}: Listen-on has no IPv{theirs.version} address: nothing can be sent there"
        if theirs is not None and (theirs == address or has(theirs)):
            place = conf.where(remote.name, "Address")
            yield f"{place}: {theirs} is an address of this host, which would call itself"


def _left_out(conf: Conf, families: Collection[int]) -> Iterator[str]:
    """What of Listen-on is of such a version."""
    for text in conf.general("Listen-on")[0] or ():
        address = address_of(text)
        if address is not None and address.version not in families:
            place = conf.where("General", "Listen-on")
            yield f"{place}: {address} is left out: {_alone(families)}"


def none_left(conf: Conf, families: Collection[int]) -> ConfError:
    """That nothing of Listen-on is of a version of IP that isakmpd is to speak."""
    version = min(families)
    why = f"has no address of IPv{version}, and -{version} leaves out all others"
    return conf.error(why, "General", "Listen-on")


def refuse_none_left(conf: Conf, families: Collection[int]) -> None:
    """ConfError where that is so, whatever interfaces this host has."""
    found = list(map(address_of, conf.general("Listen-on")[0] or ()))
    if found and all(address and address.version not in families for address in found):
        raise none_left(conf, families)


def _unspoken(conf: Conf, remote: Remote, families: Collection[int]) -> str:
    """That a peer is of such a version; empty where it is not."""
    both = ("Local-address", remote.local_address), ("Address", remote.address)
    for tag, address in both:
        if address is not None and address.version not in families:
            place = conf.where(remote.name, tag)
            return f"{place}: nothing can be sent to {remote.name}: {_alone(families)}"
    return ""


def _alone(families: Collection[int]) -> str:
    version = min(families)
    return f"with -{version} isakmpd speaks IPv{version} alone"


def _listened(conf: Conf, resolve: Resolve) -> frozenset[Address]:
    """The addresses of Listen-on; any where it is not written, cannot be used, or names an
    interface of which nothing is known."""
    found: set[Address] = set()
    for text in conf.general("Listen-on")[0] or ():
        address = address_of(text)
        named = (resolve(text, version) for version in (4, 6)) if address is None else ()
        of_this = [address] if address is not None else [one.ip for one in named if one]
        if not of_this:
            return frozenset(_ANY.values())
        found.update(of_this)
    return frozenset(found or _ANY.values())


def listening_warnings(
    conf: Conf, resolve: Resolve, families: Collection[int] = (4, 6)
) -> Iterator[str]:
    """An interface of Listen-on without an address now, or an address that none has, for an isakmpd
    that runs. families: the versions of IP that it is to speak."""
    for text in conf.general("Listen-on")[0] or () if resolve is not no_interfaces else ():
        address, why = address_of(text), ""
        if address is None and not any(resolve(text, version) for version in families):
            why = NO_INTERFACE
        elif address is not None and not address.is_unspecified and address.version in families:
            why = "" if resolve(text, address.version) else _OF_NONE
        if why:
            place = conf.where("General", "Listen-on")
            yield f"{place}: {text} {why}: isakmpd would not start"


def file_warnings(conf: Conf) -> Iterator[str]:
    """What file_errors() finds, for an isakmpd that runs."""
    yield from (f"{error}: isakmpd would not start" for error in file_errors(conf))


def file_errors(conf: Conf) -> Iterator[ConfError]:
    """A Run-directory, or that of a Logfile, which is not there, or is none; a Key-log that cannot
    be made."""
    paths = {path for _, path in conf.general("Logfile")[0]}
    wanted = [("Logfile", directory) for directory in sorted({Path(path).parent for path in paths})]
    if conf.is_written("General", "Run-directory"):
        wanted.append(("Run-directory", run_directory(conf)))
    for tag, directory in wanted:
        if is_other(directory):
            yield conf.error(f"{directory} is no directory", "General", tag)
        elif not directory.is_dir():
            yield conf.error(f"there is no directory {directory}", "General", tag)
    key_log = conf.general("Key-log")[0]
    if key_log and (why := _not_made(Path(key_log))):
        yield conf.error(why, "General", "Key-log")


def _not_made(directory: Path) -> str:
    """Why a directory cannot be made, its parents with it; empty where it can be, or is there."""
    there = next(path for path in (directory, *directory.parents) if os.path.lexists(path))
    if not there.is_dir():
        return f"{there} is not a directory"
    return "" if os.access(there, os.W_OK | os.X_OK) else f"nothing may be written in {there}"
