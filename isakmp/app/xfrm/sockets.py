"""The daemon's own UDP sockets in a kernel with IPsec: policies let them pass, and ESP in UDP
that comes in there is the kernel's (RFC 3948 3).

Without the bypass a policy between two hosts would take the daemon's own messages, and drop ESP
in UDP between them before it is unwrapped.
"""

from __future__ import annotations

import socket

from isakmp.app.xfrm.constants import ESP_IN_UDP, Dir
from isakmp.app.xfrm.messages import POLICY_INFO
from isakmp.errors import ApplicationError

# Of <linux/in.h>, <linux/in6.h> and <linux/udp.h>; the socket module does not name them.
_IP_XFRM_POLICY = 17
_IPV6_XFRM_POLICY = 35
_UDP_ENCAP = 100


def bypass(sock: socket.socket) -> None:
    """Let all that a socket sends and receives pass. ApplicationError where that is refused."""
    levels = [(socket.AF_INET, socket.IPPROTO_IP, _IP_XFRM_POLICY)]
    if sock.family == socket.AF_INET6:
        levels = [(socket.AF_INET6, socket.IPPROTO_IPV6, _IPV6_XFRM_POLICY)]
    for family, level, option in levels:
        for dir in (Dir.IN, Dir.OUT):
            policy = POLICY_INFO.pack(sel={"family": family}, dir=dir)
            _set(sock, level, option, policy, "bypass policy")


def take_esp(sock: socket.socket) -> None:
    """Have the kernel take ESP out of what comes in. ApplicationError where it cannot."""
    _set(sock, socket.IPPROTO_UDP, _UDP_ENCAP, ESP_IN_UDP, "ESP in UDP")


def _set(sock: socket.socket, level: int, option: int, value: int | bytes, what: str) -> None:
    try:
        sock.setsockopt(level, option, value)
    except OSError as error:
        raise ApplicationError(f"{what} of a socket: {error.strerror}") from None
