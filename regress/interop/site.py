"""The addresses of the two ends, and what each knows of the other."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from regress.interop.scenario import Scenario

SECRET = "interop-secret"  # in test configurations only
# Outside the masquerading router of the NAT rows: all that b may see of a.
NAT_OUTSIDE = "192.168.78.254"
_OUTER = {4: ("192.168.77.1", "192.168.77.2"), 6: ("fd77::1", "fd77::2")}
_NETS = {4: ("10.10.1.0/24", "10.10.2.0/24"), 6: ("fd10:1::/64", "fd10:2::/64")}


@dataclass(frozen=True)
class Site:
    """One end: outer address, the peer's as seen from here, and the networks behind both."""

    name: str
    address: str
    peer: str
    network: IPv4Network | IPv6Network
    remote_network: IPv4Network | IPv6Network
    identity: str
    peer_identity: str

    @property
    def host(self) -> str:
        """The one address of the network that answers, on the loopback interface."""
        return _host(self.network)

    @property
    def remote_host(self) -> str:
        return _host(self.remote_network)


def _host(network: IPv4Network | IPv6Network) -> str:
    return str(network[1] if network.num_addresses > 1 else network[0])


def sites(scenario: Scenario) -> tuple[Site, Site]:
    """Ends a and b of a scenario."""
    a, b = _OUTER[scenario.outer]
    a_seen = a
    if scenario.nat:
        b, a_seen = "192.168.78.2", NAT_OUTSIDE
    nets = (a_seen, b) if scenario.transport else _NETS[scenario.inner]
    net_a, net_b = (ip_network(net) for net in nets)
    by_default = ("a.example", "b.example") if scenario.named else (a, b)
    says = [side.identity or id_ for side, id_ in zip(scenario.sides, by_default, strict=True)]
    side_a, side_b = scenario.sides
    return (
        Site("a", a, b, net_a, net_b, says[0], side_a.expects or says[1]),
        Site("b", b, a_seen, net_b, net_a, says[1], side_b.expects or says[0]),
    )
