"""Which addresses this host has: of an interface, and towards a peer."""

from __future__ import annotations

import errno
import socket
from ipaddress import IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_interface

from isakmp.conf.values import is_address
from isakmp.policy.spd import Address

Interface = IPv4Interface | IPv6Interface


def source(remote: Address) -> Address | None:
    """The address the kernel would send from to ``remote``; None without a route.

    connect() of a datagram socket asks the routing table and sends nothing.
    """
    family = socket.AF_INET if remote.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((str(remote), 9))
            return ip_address(sock.getsockname()[0].partition("%")[0])
    except OSError:
        return None


def lacks_address(address: Address) -> bool:
    """Whether no interface of this host has an address; False also where that is not known."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        if isinstance(address, IPv6Address) and address.is_link_local:
            return not _on_a_link(address)  # nobody binds to one without its interface
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((str(address), 0))
    except OSError as error:
        return error.errno == errno.EADDRNOTAVAIL
    return False


def _on_a_link(address: IPv6Address) -> bool:
    """Whether an interface has a link-local address: the one that it names, or else any."""
    from pyroute2 import IPRoute

    bare = str(address).partition("%")[0]
    with IPRoute() as netlink:
        indices = [message["index"] for message in netlink.get_addr(family=socket.AF_INET6)
                   if message.get_attr("IFA_ADDRESS") == bare]  # fmt: skip
    zones = [zone for index in indices for zone in (str(index), socket.if_indextoname(index))]
    return address.scope_id in zones if address.scope_id else bool(indices)


def interface(name: str, version: int) -> Interface | None:
    """The first address of an interface, with its prefix; ``default``: the default route's.

    Of an address: itself, where an interface has it.
    """
    if is_address(name):
        return None if lacks_address(ip_address(name)) else ip_interface(name)
    # Netlink is loaded only where a configuration names an interface.
    from pyroute2 import IPRoute

    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with IPRoute() as netlink:
        if name == "default":
            routes = netlink.get_default_routes(family=family)
            indices = [route.get_attr("RTA_OIF") for route in routes]
        else:
            indices = netlink.link_lookup(ifname=name)
        for index in indices[:1]:
            for message in netlink.get_addr(family=family, index=index):
                address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
                text = f"{address}/{message['prefixlen']}"
                return IPv4Interface(text) if version == 4 else IPv6Interface(text)
    return None
