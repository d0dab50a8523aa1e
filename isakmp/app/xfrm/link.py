"""Requests to the kernel and its events, over two of pyroute2's netlink sockets: netlink(7).

The kernel carries a request out while it is sent, so its answer can mostly be read at once; what
is not there yet comes through the loop. Events have a socket of their own: where the kernel finds
no room for them (ENOBUFS), no answer is lost.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from socket import socket
from typing import Any, Protocol

from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nlsocket import NetlinkSocket

from isakmp.app.losses import drained, hear_only
from isakmp.app.unavailable import unavailable
from isakmp.app.xfrm import messages
from isakmp.app.xfrm.constants import NETLINK_XFRM, Group, Msg, NetlinkFlag
from isakmp.app.xfrm.messages import Message
from isakmp.constants import name_of
from isakmp.errors import ApplicationError, MalformedPayload
from isakmp.event.job import Job
from isakmp.event.loop import Loop
from isakmp.log.log import Log, LogClass

READS_PER_TURN = 64
_REQUEST, _ACK = int(NetlinkFlag.REQUEST), int(NetlinkFlag.ACK)
_AT_ONCE = 64  # what the socket has room for
_LAST_SEQ = 0xFFFF0000  # a batch has no more
EVENT_ROOM = 4 << 20
EVENTS = Group.ACQUIRE | Group.EXPIRE | Group.MAPPING
DUMP_LEVEL = 90
_IN_THE_WAY = (
    "ip xfrm policy shows what is in the way: a block may be left by an isakmpd that was killed, of"
    " another Run-directory or Application, and isakmpd --open -c ITS-FILE gives it back"
)
_LOSSES = Msg.DELPOLICY, Msg.FLUSHPOLICY, Msg.POLEXPIRE


class KernelRefusal(ApplicationError):
    """The kernel refused a request. errno: its number."""

    def __init__(self, type: int, number: int, words: str) -> None:
        name = errno.errorcode.get(number, str(number))
        why = f"{os.strerror(number)}: {words}" if words else os.strerror(number)
        mend = _IN_THE_WAY if (type, number) == (Msg.NEWPOLICY, errno.EEXIST) else ""
        super().__init__(f"{name_of(Msg, type)} refused: {why} ({name})", mend)
        self.errno = number


class Receiver(Protocol):
    """What hears of a link."""

    def event(self, message: Message) -> None:
        """The kernel tells something of its own accord."""

    def overrun(self) -> None:
        """The kernel had to leave out events."""


Request = tuple[Msg, bytes]


class _Asked:
    """Requests with one answer, numbered from ``first``.

    together: all that were sent with them. The kernel answers the last request of these in any
    case, others where it refuses them.
    """

    __slots__ = ("bodies", "first", "job", "refusal", "requests", "together")

    def __init__(self, first: int, requests: Sequence[Request], together: list[_Asked]) -> None:
        self.first, self.requests, self.together = first, requests, together
        self.bodies: list[bytes] = []
        self.refusal: KernelRefusal | None = None
        self.job: Job[list[bytes]] = Job()

    @property
    def numbers(self) -> range:
        """Those of its requests."""
        return range(self.first, self.first + len(self.requests))

    def refused(self, seq: int, number: int, words: str) -> None:
        """One of them is; the first is told of."""
        if self.refusal is None:
            self.refusal = KernelRefusal(self.requests[seq - self.first][0], number, words)


class Link:
    """The kernel's end of NETLINK_XFRM. ApplicationError where this kernel has none."""

    def __init__(self, loop: Loop, log: Log) -> None:
        self._loop, self._log = loop, log
        self._seq = self._port = 0
        self._pending: dict[int, _Asked] = {}
        self._receiver: Receiver | None = None
        self._owners: list[Any] = []
        self._events: socket | None = None
        self._losses: socket | None = None
        self._requests = self._open(0)
        loop.reader(self._requests.fileno(), self._read_late_answers)

    def _open(self, groups: int) -> socket:
        """A socket of pyroute2's, which is never waited for."""
        sock = None
        try:
            sock = NetlinkSocket(family=NETLINK_XFRM, rcvbuf=EVENT_ROOM, ext_ack=True)
            sock.bind(groups=groups)
            raw: socket = sock.asyncore.socket
            raw.setblocking(False)
        except (OSError, KeyError, NetlinkError) as error:
            if sock is not None:
                sock.close()
            raise unavailable(
                "NETLINK_XFRM cannot be had", error, capability="CAP_NET_ADMIN", module="xfrm_user"
            ) from None
        self._owners.append(sock)
        return raw

    def listen(self, receiver: Receiver) -> None:
        """Hear of events. ApplicationError where that is not allowed."""
        self._receiver = receiver
        self._events = self._open(EVENTS)
        self._loop.reader(self._events.fileno(), self._read_events)

    def hear_of_losses(self, lost: Callable[[], None]) -> None:
        """Hear when others take policies away, or may have. ApplicationError where that is not
        allowed."""
        self._losses = self._open(Group.POLICY | Group.EXPIRE)
        try:
            # XFRM tells of the port that a request names, not of the one that it comes from.
            self._port = self._requests.getsockname()[0]
            hear_only(self._losses, _LOSSES, self._port)
        except OSError as error:
            raise ApplicationError(f"events of NETLINK_XFRM: {error.strerror}") from None
        self._loop.reader(self._losses.fileno(), partial(self._read_losses, lost))

    def _read_losses(self, lost: Callable[[], None]) -> None:
        if self._losses is not None and drained(self._losses):
            lost()

    def request(self, type: Msg, body: bytes, flags: int = _ACK) -> Job[list[bytes]]:
        """Ask the kernel; the bodies it answers with, before it says that it is done.

        KernelRefusal where it is not.
        """
        return self.request_all([[(type, body)]], flags)[0]

    def request_all(
        self, groups: Iterable[Sequence[Request]], flags: int = _ACK
    ) -> list[Job[list[bytes]]]:
        """Ask for many things at once, each of which is tried whatever becomes of the others.

        A Job for each group, done when all of it is. KernelRefusal of the first that is not.
        """
        if self._seq > _LAST_SEQ:
            self._seq = 0
        together: list[_Asked] = []
        data: list[bytes] = []
        for group in groups:
            asked = _Asked(self._seq + 1, group, together)
            together.append(asked)
            for type, body in group:
                self._seq += 1
                self._pending[self._seq] = asked
                data.append(messages.message(type, _REQUEST, self._seq, body, self._port))
                self._dump("to the kernel", type, body)
        if data:
            data[-1] = messages.message(type, _REQUEST | flags, self._seq, body, self._port)
        if not self._sent(data, together):
            self._over(together)
        return [asked.job for asked in together]

    def _sent(self, data: list[bytes], together: list[_Asked]) -> bool:
        """Whether there is an answer, or will be."""
        for first in range(0, len(data), _AT_ONCE):
            try:
                self._requests.send(b"".join(data[first : first + _AT_ONCE]))
            except OSError as error:
                for asked in together:
                    if asked.requests:
                        asked.refused(asked.first, error.errno or 0, "cannot be sent")
                return False
            self._read_answers()  # the socket has no room for all that may be refused
        return bool(data)

    def _over(self, together: list[_Asked]) -> None:
        for asked in together:
            for seq in asked.numbers:
                self._pending.pop(seq, None)
        for asked in together:
            if asked.refusal is not None:
                asked.job.fail(asked.refusal)
            else:
                asked.job.finish(asked.bodies)

    def _read_late_answers(self) -> None:
        """What nobody waits for any more goes, too: it would keep the loop awake."""
        self._read_answers()
        if not self._pending:
            drained(self._requests)

    def _read_answers(self) -> None:
        """Take what has been answered."""
        while self._pending:
            data = self._read(self._requests, self._answers_lost)
            if data is None:
                return
            self._each(data, self._answer)

    def _read_events(self) -> None:
        for _ in range(READS_PER_TURN):
            data = self._read(self._events, self._overrun) if self._events else None
            if data is None:
                return
            self._each(data, self._event)

    @staticmethod
    def _read(sock: socket, lost: Callable[[], None]) -> bytes | None:
        """One datagram; None where there is none."""
        try:
            return sock.recv(messages.MAX_MESSAGE)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            lost()
            return None

    def _each(self, data: bytes, take: Callable[[Message], None]) -> None:
        try:
            for message in messages.split(data):
                take(message)
        except MalformedPayload as error:
            self._log.internal_err("the kernel's IPsec message is malformed: %s", error)

    def _answer(self, message: Message) -> None:
        asked = self._pending.get(message.seq)
        if asked is None:
            return
        if message.type == Msg.ERROR:
            number, words = messages.error(message.body, message.flags)
            if number:
                asked.refused(message.seq, number, words)
        elif message.type != Msg.DONE:
            self._dump("the kernel answers", message.type, message.body)
            asked.bodies.append(message.body)
            return
        if message.seq == asked.together[-1].numbers.stop - 1:
            self._over(asked.together)

    def _event(self, message: Message) -> None:
        self._dump("the kernel says", message.type, message.body)
        if self._receiver is not None:
            self._receiver.event(message)

    def _dump(self, who: str, type: int, body: bytes) -> None:
        if self._log.on(LogClass.SYSDEP, DUMP_LEVEL):
            for line in messages.describe(type, body):
                self._log.debug(LogClass.SYSDEP, DUMP_LEVEL, "%s: %s", who, line)

    def _overrun(self) -> None:
        self._log.internal_warn("the kernel had more IPsec events than room for them")
        if self._receiver is not None:
            self._receiver.overrun()

    def _answers_lost(self) -> None:
        self._fail_all("the kernel had no room for its answer")

    def _fail_all(self, why: str) -> None:
        pending, self._pending = self._pending, {}
        for seq, asked in pending.items():
            asked.job.fail(
                ApplicationError(f"{name_of(Msg, asked.requests[seq - asked.first][0])}: {why}")
            )

    def close(self) -> None:
        """Give the sockets back; what is not answered fails."""
        for sock in (self._requests, self._events, self._losses):
            if sock is not None:
                self._loop.reader(sock.fileno(), None)
        for owner in self._owners:
            owner.close()
        self._owners.clear()
        self._events = self._losses = self._receiver = None
        self._fail_all("the link to the kernel was closed")
