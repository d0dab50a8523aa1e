"""The daemon's own UDP sockets in a kernel with IPsec: what is set of them, in which order."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import pytest

from isakmp.app.xfrm.constants import Dir
from isakmp.app.xfrm.messages import POLICY_INFO
from isakmp.app.xfrm.sockets import bypass, take_esp
from isakmp.errors import ApplicationError

# Of <linux/in.h>, <linux/in6.h> and <linux/udp.h>.
IP_XFRM_POLICY, IPV6_XFRM_POLICY, UDP_ENCAP, UDP_ENCAP_ESPINUDP = 17, 35, 100, 2


class Socket:
    """Keeps its options. error: what it refuses them with."""

    def __init__(self, family: int, error: int = 0) -> None:
        self.family, self.error = family, error
        self.options: list[tuple[int, int, Any]] = []

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        self.options.append((level, option, value))


def made(family: int, error: int = 0) -> Any:
    return Socket(family, error)


@pytest.mark.parametrize(
    ("family", "level", "option"),
    [
        (socket.AF_INET, socket.IPPROTO_IP, IP_XFRM_POLICY),
        (socket.AF_INET6, socket.IPPROTO_IPV6, IPV6_XFRM_POLICY),
    ],
)
def test_all_that_a_socket_sends_and_receives_passes(family: int, level: int, option: int) -> None:
    sock = made(family)
    bypass(sock)
    assert [each[:2] for each in sock.options] == [(level, option)] * 2
    policies = [POLICY_INFO.unpack(value) for _, _, value in sock.options]
    assert [policy["dir"] for policy in policies] == [Dir.IN, Dir.OUT]
    for policy in policies:
        assert policy["sel"]["family"] == family
        assert policy["action"] == 0, "allowed, and no template comes behind it"
        assert not policy["sel"]["prefixlen_s"] and not policy["sel"]["prefixlen_d"]


def test_esp_is_taken_out_of_what_comes_in() -> None:
    """RFC 3948 3."""
    sock = made(socket.AF_INET)
    take_esp(sock)
    assert sock.options == [(socket.IPPROTO_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP)]


@pytest.mark.parametrize(("act", "what"), [(bypass, "bypass policy"), (take_esp, "ESP in UDP")])
def test_a_refusal_says_what_was_refused_and_why(act: Any, what: str) -> None:
    with pytest.raises(ApplicationError, match=f"{what}.*Operation not permitted"):
        act(made(socket.AF_INET, errno.EPERM))
