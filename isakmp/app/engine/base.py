"""What the engine needs of the outside: a wire for ESP packets and a device for clear ones.

The real ones are wire.RawWire and netif.Tun; a simulation gives its own. The bases do nothing
where nothing is a sensible answer.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol

from isakmp.app.base import PolicySpec
from isakmp.policy.spd import Address, Network

Encap = tuple[int, int]
Send = Callable[[bytes, bool, int], object]  # packet, dont_fragment, tos
DEFAULT_MTU = 1500


class EspIn(Protocol):
    """Where received ESP packets go; tos: the outer header's TOS or traffic class."""

    def __call__(
        self, packet: bytes, src: Address, dst: Address, encap: Encap | None = None, tos: int = 0
    ) -> object: ...


class Wire(Protocol):
    """The outer network."""

    @abstractmethod
    def send(
        self,
        esp: bytes,
        src: Address,
        dst: Address,
        encap: Encap | None,
        dont_fragment: bool,
        tos: int,
    ) -> None:
        """Send an ESP packet, in UDP where encap is given. OSError where it cannot go out.

        EMSGSIZE says that it is larger than the path takes; path_mtu() then knows more.
        """

    def path(self, src: Address, dst: Address, encap: Encap | None) -> Send:
        """A function that sends between these ends: what can be worked out once, is."""

        def send(esp: bytes, dont_fragment: bool, tos: int) -> None:
            self.send(esp, src, dst, encap, dont_fragment, tos)

        return send

    def forward(self, packet: bytes, dst: Address) -> None:
        """Send a whole IP packet as it is: a policy lets it pass in clear. OSError as send."""

    def path_mtu(self, src: Address, dst: Address) -> int:
        """What the path takes at once, IP header included, in octets."""
        return DEFAULT_MTU

    def fds(self) -> list[int]:
        """What to watch for reading."""
        return []

    def receive(self, fd: int, esp_in: EspIn) -> None:
        """Hand on what has come in at ``fd``; some packets at most, then the loop has its turn."""

    def close(self) -> None:
        """Give the sockets back."""


class Netif(Protocol):
    """The device that clear packets come from and go to."""

    @abstractmethod
    def deliver(self, packet: bytes) -> None:
        """Give a clear IP packet to the host. OSError where it is not taken."""

    def local_address(self, network: Network) -> Address | None:
        """An address of this host within ``network``, if there is one."""
        return None

    def route(self, network: Network, prefer_src: Address | None) -> None:
        """Lead packets for ``network`` into the device. ApplicationError where that fails."""

    def unroute(self, network: Network) -> None:
        """Take route() back; harmless where there is none."""

    def guard(self, policy: PolicySpec) -> None:
        """See to it that a policy's traffic does not pass the device by, or may."""

    def listens(self, port: int) -> None:
        """IKE, or ESP in UDP, comes to that UDP port: it is not to be kept out."""

    def unguard(self, policy: PolicySpec) -> None:
        """Take guard() back."""

    def sweep(self) -> int:
        """Everything is guarded: what an earlier process has left goes; how much that was."""
        return 0

    def watch(self) -> dict[int, Callable[[], object]]:
        """What else to watch for reading, and what takes it."""
        return {}

    def fds(self) -> list[int]:
        """What to watch for reading."""
        return []

    def receive(self, packet_out: Callable[[bytes], object]) -> None:
        """Hand on what the host sends; some packets at most, then the loop has its turn."""

    def close(self, block: bool = False) -> None:
        """Take the device and its routes away; block: what is guarded is dropped from now on."""
