"""Requests to nftables over a netlink socket: netlink(7).

The kernel carries a request out while it is sent, and has answered when that returns.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator

from isakmp.app.nft import messages
from isakmp.app.nft.messages import Flag, Msg
from isakmp.app.unavailable import unavailable
from isakmp.errors import ApplicationError, MalformedPayload

# A batch has to find room in the socket; so many messages take some 100 kB.
MOST_OF_A_BATCH = 128
_LARGEST = 1 << 20
_NO_SUBSYSTEM = errno.EINVAL
_NO_FAMILY = (errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.ENOENT)


class Link:
    """The kernel's nftables. ApplicationError where it has none."""

    def __init__(self) -> None:
        self._seq = 0
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        try:
            self._sock = socket.socket(socket.AF_NETLINK, kind, messages.NETLINK_NETFILTER)
        except OSError as error:
            raise _unavailable(error) from None

    def tables(self) -> list[str]:
        """The names of all that the kernel has. ApplicationError where it has no nftables."""
        seq = self._next()
        request = messages.numbered(messages.message(Msg.GETTABLE, Flag.DUMP), seq)
        try:
            return [messages.table_name(body) for body in self._ask(request, seq)]
        except OSError as error:
            raise _unavailable(error) from None

    def carry_out(self, requests: list[bytes]) -> None:
        """Some at a time, each time all of them or none. ApplicationError where one is refused."""
        for first in range(0, len(requests), MOST_OF_A_BATCH):
            seq = self._next()
            part = messages.batch(requests[first : first + MOST_OF_A_BATCH], seq)
            try:
                list(self._ask(part, seq))
            except OSError as error:
                raise _unavailable(error) from None

    def _next(self) -> int:
        self._seq = self._seq % 0xFFFFFFFF + 1
        return self._seq

    def _ask(self, request: bytes, seq: int) -> Iterator[bytes]:
        """What comes before the answer that has ``seq``. OSError: it is refused, or none comes."""
        self._drain()
        self._sock.send(request)
        while True:
            for type, number, body in self._read():
                if type == messages.ERROR and (refused := messages.error(body)):
                    raise OSError(refused, os.strerror(refused))
                if number == seq and type in (messages.ERROR, messages.DONE):
                    return
                yield body

    def _read(self) -> list[tuple[int, int, bytes]]:
        try:
            return list(messages.split(self._sock.recv(_LARGEST)))
        except MalformedPayload as error:
            raise OSError(errno.EBADMSG, str(error)) from None

    def _drain(self) -> None:
        """What was answered behind a refusal is of no use any more."""
        try:
            while self._sock.recv(_LARGEST):
                pass
        except OSError:
            return

    def close(self) -> None:
        """Give the socket back."""
        self._sock.close()


def _unavailable(error: OSError) -> ApplicationError:
    if error.errno in _NO_FAMILY:
        return ApplicationError(
            f"nftables: {error.strerror}", mend="have a kernel with CONFIG_NF_TABLES_IPV6, or"
            " keep the networks behind the tunnels out by a firewall of your own",
        )  # fmt: skip
    if error.errno == _NO_SUBSYSTEM:
        error = OSError(errno.EPROTONOSUPPORT, error.strerror)
    return unavailable("nftables", error, capability="CAP_NET_ADMIN", module="nf_tables")
