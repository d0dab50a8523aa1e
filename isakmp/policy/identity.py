"""Identities out of ID sections: phase 1 ID and IPsec ID of isakmpd.conf(5), RFC 2407 4.6.2."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Interface, IPv6Interface

from isakmp.conf.kinds import Kind
from isakmp.conf.spelling import refuse_misspelt
from isakmp.conf.store import Conf
from isakmp.conf.values import address_hint, address_of, names_interface
from isakmp.constants import ipsec, names, value_of
from isakmp.path import Path
from isakmp.policy import dn
from isakmp.policy.sameness import SUBNETS, VERSION, prefix_of
from isakmp.policy.spd import Address, Identity, Network, Remote, make_network

Interface = IPv4Interface | IPv6Interface
# (interface name or "default", IP version 4 or 6) -> its first address and prefix, or None;
# (an address, its version) -> the same, or None where no interface has it.
Resolve = Callable[[str, int], Interface | None]

_NAMES = (ipsec.Id.FQDN, ipsec.Id.USER_FQDN, ipsec.Id.KEY_ID, ipsec.Id.DER_ASN1_DN)
# Of ours and of peers': an SA keeps it, and there may be thousands.
MAX_NAME_BYTES = 1024


def no_interfaces(name: str, version: int) -> Interface | None:
    """A Resolve that knows no interface: for a configuration of another host, or of none."""
    return None


def read_identity(conf: Conf, section: str, resolve: Resolve = no_interfaces) -> Identity:
    """The identity an ID section describes. ConfError with its line."""
    refuse_misspelt(conf, Kind.ID, section)
    kind = read_id_type(conf, section)
    line = conf.where(section)
    protocol = conf.value(Kind.ID, section, "Protocol")
    port = conf.value(Kind.ID, section, "Port")
    if kind in _NAMES:
        return Identity(kind, _name(conf, section, kind), protocol, port, line)
    version = VERSION[kind]
    if kind in SUBNETS:
        network = _network(conf, section, version, resolve)
        data = network.network_address.packed + network.netmask.packed
    else:
        if conf.get(section, "Address") is None and conf.is_written(section, "Network"):
            hint = f"with Network it is {kind.name}_SUBNET"
            raise conf.error(f"{kind.name} has an Address", section, "ID-type", hint)
        data = read_address(conf, section, "Address", version, resolve).packed
    return Identity(kind, data, protocol, port, line)


def read_id_type(conf: Conf, section: str) -> ipsec.Id:
    """ID-type of a section, one of those that a section can describe."""
    text = conf.get(section, "ID-type")
    if text is None:
        raise conf.error("has no ID-type", section, hint=_listed(), missing=True)
    try:
        kind = value_of(ipsec.Id, text.upper())
    except KeyError:
        kind = None
    if kind not in (*VERSION, *_NAMES):
        raise conf.error(f"no identity type {text!r}", section, "ID-type", hint=_listed())
    return kind


def read_address(
    conf: Conf, section: str, tag: str, version: int | None, resolve: Resolve
) -> Address:
    """An address, or that of an interface or of ``default``. version None: either, 4 first."""
    text = _required(conf, section, tag)
    address = address_of(text)
    if address is None:
        return _interface(conf, section, tag, version, resolve).ip
    if version not in (None, address.version):
        raise conf.error(f"{text} is not an IPv{version} address", section, tag)
    return address


def identity_of(network: Network, protocol: int = 0, port: int = 0) -> Identity:
    """A network, or a single address, as a phase 2 identity (RFC 2407 4.6.2)."""
    kind = ipsec.Id
    if network.prefixlen == network.max_prefixlen:
        single = kind.IPV4_ADDR if network.version == 4 else kind.IPV6_ADDR
        return Identity(single, network.network_address.packed, protocol, port)
    subnet = kind.IPV4_ADDR_SUBNET if network.version == 4 else kind.IPV6_ADDR_SUBNET
    data = network.network_address.packed + network.netmask.packed
    return Identity(subnet, data, protocol, port)


def host_network(address: Address) -> Network:
    """The network that one address is."""
    return make_network(address.packed, address.max_prefixlen)


def local_id_of(remote: Remote, path: Path) -> Identity:
    """Who we are to that peer: as configured, else our address."""
    return remote.local_id or identity_of(host_network(path.local))


def _listed() -> str:
    return "one of " + ", ".join(name for name in names(ipsec.Id) if _describable(name))


def _describable(name: str) -> bool:
    return ipsec.Id[name] in (*VERSION, *_NAMES)


def _required(conf: Conf, section: str, tag: str) -> str:
    value = conf.get(section, tag)
    if value is None:
        raise conf.error(f"has no {tag}", section, missing=True)
    return value


def _name(conf: Conf, section: str, kind: ipsec.Id) -> bytes:
    """The octets of a name: ASCII for domains, hex after 0x for a KEY_ID, DER for a DN."""
    text = _required(conf, section, "Name")
    if kind is ipsec.Id.DER_ASN1_DN:
        try:
            return dn.encode(text)
        except ValueError as error:
            hint = "such as C=DE, O=Example, CN=gateway"
            raise conf.error(f"{text!r} is no name: {error}", section, "Name", hint) from None
    try:
        if kind is ipsec.Id.KEY_ID:
            data = bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode()
        else:
            data = text.encode("ascii")
    except ValueError as error:
        what = "hexadecimal" if kind is ipsec.Id.KEY_ID else "ASCII"
        raise conf.error(f"{text!r} is not {what}", section, "Name") from error
    if len(data) > MAX_NAME_BYTES:
        raise conf.error(f"longer than {MAX_NAME_BYTES} octets", section, "Name")
    return data


def _network(conf: Conf, section: str, version: int, resolve: Resolve) -> Network:
    address = read_address(conf, section, "Network", version, resolve)
    text = _required(conf, section, "Netmask")
    if names_interface(text):
        prefix = _interface(conf, section, "Netmask", version, resolve).network.prefixlen
    else:
        prefix = _mask(conf, section, text, version)
    # RFC 2407 4.6.2.3: where the mask has zeros, any bit will do.
    return make_network(address.packed, prefix, strict=False)


def _mask(conf: Conf, section: str, text: str, version: int) -> int:
    """The prefix length of a mask written as an address or as a number of bits."""
    bits = 32 if version == 4 else 128
    if text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= bits:
        return int(text)
    try:
        mask = address_of(text)
        if mask is None or mask.version != version:
            raise ValueError
        return prefix_of(mask.packed)
    except ValueError as error:
        hint = "such as 255.255.0.0, or 16" if version == 4 else "such as ffff:ffff::, or 32"
        if text.startswith("/"):
            hint = f"write {text.strip('/ ')}"
        raise conf.error(f"{text!r} is not a netmask", section, "Netmask", hint) from error


def _interface(
    conf: Conf, section: str, tag: str, version: int | None, resolve: Resolve
) -> Interface:
    name = _required(conf, section, tag)
    if not names_interface(name):
        hint = address_hint(name) or "an address, an interface, or default"
        raise conf.error(f"{name!r} is not an address", section, tag, hint=hint)
    for family in (4, 6) if version is None else (version,):
        if found := resolve(name, family):
            return found
    raise conf.error(f"no address for {name!r}: no such interface, or none on it", section, tag)
