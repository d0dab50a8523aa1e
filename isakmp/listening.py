"""Listening: which addresses of this host isakmpd listens on."""

from __future__ import annotations

from ipaddress import ip_address

from isakmp.conf.host import NO_INTERFACE, none_left
from isakmp.conf.kinds import Kind
from isakmp.conf.store import Conf
from isakmp.policy.spd import Address
from isakmp.transport.netif import interface


def listen_on(conf: Conf, families: tuple[int, ...]) -> list[Address]:
    """The addresses of Listen-on, written or an interface's, of the families that are wanted, each
    once; where one of them is every address, that alone of its family.

    ConfError where there is no such interface, or it has no address, or nothing is left.
    """
    addresses: list[Address] = []
    for text in conf.value(Kind.GENERAL, "General", "Listen-on"):
        try:
            found = [ip_address(text)]
        except ValueError:
            found = [i.ip for version in families if (i := interface(text, version))]
            if not found:
                raise conf.error(f"{text} {NO_INTERFACE}", "General", "Listen-on") from None
        addresses += [address for address in found if address.version in families]
    if not addresses and conf.is_written("General", "Listen-on"):
        raise none_left(conf, families)
    everywhere = {address.version for address in addresses if address.is_unspecified}
    each = (a for a in addresses if a.is_unspecified or a.version not in everywhere)
    return list(dict.fromkeys(each))
