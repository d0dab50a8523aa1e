"""Two key engines joined in memory, for tests."""

from __future__ import annotations

import random as pseudo
from ipaddress import ip_address

from isakmp.app.base import (
    Acquire,
    Direction,
    Expire,
    Limits,
    Mapping,
    PolicySpec,
    SaSpec,
    SpiRequest,
    UnknownSpi,
)
from isakmp.app.engine.base import Encap, Netif, Wire
from isakmp.app.engine.engine import KeyEngine
from isakmp.app.engine.esp import Opener
from isakmp.app.engine.packet import (
    UDP,
    build,
)
from isakmp.app.engine.sad import OutboundSa
from isakmp.constants import ipsec
from isakmp.constants.isakmp import Protocol
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from isakmp.policy.spd import Address, Network, Selector

MODE = ipsec.Encapsulation
NO_LIMITS = Limits()
ESP = ipsec.Esp
AUTH = ipsec.Auth

# Transform, octets of key material, authentication, octets of its key.
ALGORITHMS: list[tuple[int, int, ipsec.Auth | None, int]] = [
    (ESP.AES_GCM_16, 20, None, 0),
    (ESP.AES_GCM_16, 36, None, 0),
    (ESP.AES_GCM_12, 20, None, 0),
    (ESP.AES_GCM_8, 28, None, 0),
    (ESP.AES_CCM_8, 19, None, 0),
    (ESP.AES_CCM_12, 19, None, 0),
    (ESP.AES_CCM_16, 35, None, 0),
    (ESP.NULL_AES_GMAC, 20, None, 0),
    (ESP.CHACHA20_POLY1305, 36, None, 0),
    (ESP.AES, 16, AUTH.HMAC_SHA, 20),
    (ESP.AES, 24, AUTH.HMAC_SHA2_384, 48),
    (ESP.AES, 32, AUTH.HMAC_SHA2_256, 32),
    (ESP.AES, 16, None, 0),
    (ESP.AES_CTR, 20, AUTH.HMAC_SHA2_512, 64),
    (ESP._3DES, 24, AUTH.HMAC_MD5, 16),
    (ESP.CAMELLIA, 16, AUTH.HMAC_SHA2_256, 32),
    (ESP.CAST, 16, AUTH.HMAC_SHA, 20),
    (ESP.BLOWFISH, 16, AUTH.HMAC_SHA, 20),
    (ESP.DES, 8, AUTH.HMAC_SHA, 20),
    (ESP.NULL, 0, AUTH.HMAC_SHA2_256, 32),
    (ESP.AES, 16, AUTH.AES_XCBC_MAC, 16),
    (ESP.AES, 16, AUTH.AES_CMAC, 16),
]


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


class MemoryWire(Wire):
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Address, Address, Encap | None, bool, int]] = []
        self.forwarded: list[bytes] = []
        self.mtu = 1500
        self.error: OSError | None = None

    def send(
        self,
        esp: bytes,
        src: Address,
        dst: Address,
        encap: Encap | None,
        dont_fragment: bool,
        tos: int,
    ) -> None:
        if self.error:
            raise self.error
        self.sent.append((esp, src, dst, encap, dont_fragment, tos))

    def forward(self, packet: bytes, dst: Address) -> None:
        self.forwarded.append(packet)

    def path_mtu(self, src: Address, dst: Address) -> int:
        return self.mtu


class MemoryNetif(Netif):
    """Keeps what is delivered."""

    def __init__(self) -> None:
        self.delivered: list[bytes] = []
        self.routes: dict[Network, Address | None] = {}
        self.error: OSError | None = None

    def deliver(self, packet: bytes) -> None:
        if self.error:
            raise self.error
        self.delivered.append(packet)

    def route(self, network: Network, prefer_src: Address | None) -> None:
        assert network not in self.routes
        self.routes[network] = prefer_src

    def unroute(self, network: Network) -> None:
        del self.routes[network]


class Events:
    """Keeps upcalls."""

    def __init__(self) -> None:
        self.acquires: list[Acquire] = []
        self.expires: list[Expire] = []
        self.mappings: list[Mapping] = []
        self.unknown: list[UnknownSpi] = []

    def acquire(self, event: Acquire) -> None:
        self.acquires.append(event)

    def expire(self, event: Expire) -> None:
        self.expires.append(event)

    def unknown_spi(self, event: UnknownSpi) -> None:
        self.unknown.append(event)

    def mapping(self, event: Mapping) -> None:
        self.mappings.append(event)


class Host:
    """A key engine and all that it talks to."""

    def __init__(self, seed: int = 1) -> None:
        self.clock = Clock()
        self.timers = Timers(self.clock)
        self.wire, self.netif, self.events = MemoryWire(), MemoryNetif(), Events()  # type: ignore[abstract]
        self.engine = KeyEngine(
            timers=self.timers,
            random=pseudo.Random(seed).randbytes,
            wire=self.wire,
            netif=self.netif,
            events=self.events,
            log=Log(self.clock, lambda line: None),
        )

    def pass_time(self, seconds: float) -> None:
        """Let the clock go on and what is due happen."""
        self.clock.time += seconds
        self.timers.run()


OUTER = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
INNER = {4: ("10.1.0.0/16", "10.2.0.0/16"), 6: ("fd01::/64", "fd02::/64")}


def make_spec(
    *,
    inbound: bool,
    spi: int = 0x1000,
    outer: int = 4,
    inner: int = 4,
    mode: ipsec.Encapsulation = MODE.TUNNEL,
    algorithm: tuple[int, int, ipsec.Auth | None, int] = ALGORITHMS[0],
    selector: Selector | None = None,
    reqid: int = 7,
    encap: Encap | None = None,
    esn: bool = False,
    limits: Limits = NO_LIMITS,
    window: int = 64,
    key: int = 1,
) -> SaSpec:
    """An SA from the first host to the second; in transport mode for the hosts themselves."""
    src, dst = (ip_address(text) for text in OUTER[outer])
    if selector is None:
        ends = OUTER[outer] if mode == MODE.TRANSPORT else INNER[inner]
        selector = Selector.of(*ends)
    encryption, key_size, auth, auth_size = algorithm
    return SaSpec(
        protocol=Protocol.IPSEC_ESP,
        spi=spi,
        src=src,
        dst=dst,
        mode=mode,
        inbound=inbound,
        selectors=(selector,),
        reqid=reqid,
        encryption=encryption,
        enc_key=pseudo.Random(key).randbytes(key_size),
        auth=auth,
        auth_key=pseudo.Random(key + 100).randbytes(auth_size),
        replay_window=window,
        limits=limits,
        encap=encap,
        esn=esn,
    )


def make_policy(spec: SaSpec, direction: Direction = Direction.OUT) -> PolicySpec:
    """The policy that an SA is for."""
    return PolicySpec(
        direction=direction,
        selector=spec.selectors[0],
        mode=spec.mode,
        src=spec.src,
        dst=spec.dst,
        reqid=spec.reqid,
    )


class Pair:
    """Two hosts with one SA from the first to the second."""

    def __init__(self, **options: object) -> None:
        self.near, self.far = Host(1), Host(2)
        self.out_spec = make_spec(inbound=False, **options)  # type: ignore[arg-type]
        self.in_spec = make_spec(inbound=True, **options)  # type: ignore[arg-type]
        self.near.engine.add_policy(make_policy(self.out_spec))
        self.near.engine.add(self.out_spec)
        self.far.engine.add(self.in_spec)

    def begun(self) -> OutboundSa:
        """The first host's SA as its first packet finds it."""
        (sa,) = self.near.engine._sad
        assert isinstance(sa, OutboundSa)
        self.near.engine._out.measure(sa)
        return sa

    def opener(self) -> Opener:
        """What opens the second host's packets."""
        return self.far.engine._in._begin(self.far.engine._sad.inbound[self.in_spec.spi])

    def carry(self, tos: int | None = None) -> None:
        """Bring what the first has sent to the second; ``tos``: changed on the way."""
        sent, self.near.wire.sent = self.near.wire.sent, []
        for esp, src, dst, encap, _, sent_tos in sent:
            self.far.engine.esp_in(esp, src, dst, encap, sent_tos if tos is None else tos)

    def through(self, packet: bytes) -> list[bytes]:
        """Send a packet all the way; what comes out."""
        self.near.engine.packet_out(packet)
        self.carry()
        out, self.far.netif.delivered = self.far.netif.delivered, []
        return out


INSIDE = {
    4: (ip_address("10.1.0.1"), ip_address("10.2.0.1")),
    6: (ip_address("fd01::1"), ip_address("fd02::1")),
}
ENDS = {v: (ip_address(OUTER[v][0]), ip_address(OUTER[v][1])) for v in (4, 6)}
PORTS = b"\x04\x00\x00\x35"  # 1024 to 53


def datagram(version: int = 4, size: int = 100, tos: int = 0) -> bytes:
    src, dst = INSIDE[version]
    return build(src, dst, UDP, PORTS + bytes(size), tos=tos)


def fragmentable(packet: bytes) -> bytes:
    """An IPv4 packet without DF; its header's checksum does not matter here."""
    return packet[:6] + b"\0\0" + packet[8:]


def spi_request(protocol: Protocol = Protocol.IPSEC_ESP) -> SpiRequest:
    return SpiRequest(protocol, *ENDS[4], MODE.TUNNEL, 7)


def later_fragment(version: int = 4) -> bytes:
    packet = datagram(version)
    return packet[:6] + b"\x00\x10" + packet[8:]


def esp_of(pair: Pair, packet: bytes) -> bytes:
    pair.near.engine.packet_out(packet)
    esp = pair.near.wire.sent[-1][0]
    pair.near.wire.sent.clear()
    return esp


ENCAP = (4500, 4500)


def both_versions(mode: ipsec.Encapsulation = MODE.TUNNEL) -> Pair:
    """A pair whose one SA is for two networks of IPv4 and one of IPv6, with all its policies."""
    pair = Pair(mode=mode)
    selectors = (
        Selector.of("10.1.0.0/24", "10.2.0.0/16"),
        Selector.of("10.1.2.0/24", "10.2.0.0/16"),
        Selector.of("fd01::/64", "fd02::/64", UDP, 0, 53),
    )
    for host in (pair.near, pair.far):
        host.engine.flush()
        host.engine.flush_policies()
    out_spec = pair.out_spec._replace(selectors=selectors)
    for selector in selectors:
        policy = make_policy(out_spec)._replace(selector=selector)
        pair.near.engine.add_policy(policy)
        pair.far.engine.add_policy(policy._replace(direction=Direction.IN))
    pair.near.engine.add(out_spec)
    pair.far.engine.add(out_spec._replace(inbound=True))
    return pair
