"""What a kernel has of IPsec in a namespace, as ip-xfrm(8) prints it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from regress.interop.namespace import Namespace

_ESP_WORD = "esp"


@dataclass(frozen=True)
class KernelSa:
    """One SA; SPI 0: what an acquire leaves until it is answered."""

    src: str
    dst: str
    protocol: str
    spi: int
    reqid: int
    mode: str
    packets: int
    octets: int


def sas(namespace: Namespace) -> list[KernelSa]:
    """All SAs but those of acquires, the oldest first."""
    text = namespace.run("ip", "-s", "xfrm", "state").stdout
    return [sa for sa in reversed(parse_states(text)) if sa.spi]


def parse_states(text: str) -> list[KernelSa]:
    """What ``ip -s xfrm state`` prints, in its order."""
    return [_state(block) for block in re.split(r"^(?=src )", text, flags=re.M) if block.strip()]


def _state(block: str) -> KernelSa:
    def find(pattern: str) -> tuple[str, ...]:
        match = re.search(pattern, block, re.M)
        return match.groups() if match else ("", "")

    src, dst = find(r"^src (\S+) dst (\S+)")
    protocol, spi = find(r"proto (\S+) spi (0x[0-9a-f]+)")
    reqid, mode = find(r"reqid (\d+)\S* mode (\S+)")
    octets, packets = find(r"lifetime current:\s+(\d+)\(bytes\), (\d+)\(packets\)")
    return KernelSa(src, dst, protocol, int(spi or "0", 16), int(reqid or 0), mode,
                    int(packets or 0), int(octets or 0))  # fmt: skip


def policies(namespace: Namespace) -> list[str]:
    """The first lines of all policies that are not a socket's."""
    text = namespace.run("ip", "xfrm", "policy").stdout
    blocks = re.split(r"^(?=src )", text, flags=re.M)
    return [
        b.splitlines()[0] for b in blocks if b.strip() and not re.search(r"^\s+socket", b, re.M)
    ]


def flush(namespace: Namespace) -> None:
    """Take away all SAs and policies, as a restart of the machine does."""
    namespace.shell("ip xfrm state flush; ip xfrm policy flush")


def esp_pairs(namespace: Namespace, address: str) -> list[tuple[KernelSa, KernelSa]]:
    """ESP SAs by twos, in and out of ``address``, in the order they were made."""
    found = [sa for sa in sas(namespace) if sa.protocol == _ESP_WORD]
    inbound = [sa for sa in found if sa.dst == address]
    outbound = [sa for sa in found if sa.src == address]
    return list(zip(inbound, outbound, strict=False))
