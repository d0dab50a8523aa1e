"""Netlink sockets that hear of nothing but what others take away.

Each route and policy that a peer brings is told to all who listen, us included; the kernel's socket
filter keeps that back, so that it costs nothing here.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Sequence

_ATTACH_FILTER = 26  # SO_ATTACH_FILTER
_STEP = struct.Struct("=HBBI")  # sock_filter: code, how far to jump where true and where false, k
_LOAD_HALF, _LOAD_WORD, _IF_EQUAL, _RETURN = 0x28, 0x20, 0x15, 0x06  # of <linux/bpf_common.h>
_TYPE_AT, _PORT_AT = 4, 12  # in nlmsghdr
_READS, _ROOM = 64, 1 << 16
_NOTHING, _WHOLE = 0, 0xFFFFFFFF


def hear_only(sock: socket.socket, types: Sequence[int], own: int) -> None:
    """Let ``sock`` receive only messages of ``types``, and no news of what the socket with the
    port ``own`` has done. OSError where the kernel refuses.

    The first message of a datagram is looked at: rtnetlink and XFRM tell one at a time.
    """
    steps = [(_LOAD_HALF, 0, 0, _TYPE_AT)]
    for left, type in enumerate(reversed(types)):
        steps.insert(1, (_IF_EQUAL, left + 1, 0, _as_loaded("H", type)))
    steps += [
        (_RETURN, 0, 0, _NOTHING),
        (_LOAD_WORD, 0, 0, _PORT_AT),
        (_IF_EQUAL, 0, 1, _as_loaded("I", own)),
        (_RETURN, 0, 0, _NOTHING),
        (_RETURN, 0, 0, _WHOLE),
    ]
    code = ctypes.create_string_buffer(b"".join(_STEP.pack(*step) for step in steps))
    program = struct.pack("@HP", len(steps), ctypes.addressof(code))
    sock.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)


def drained(sock: socket.socket) -> bool:
    """Whether there was any news; it is read away. Where there was more than the socket had room
    for, there was."""
    found = False
    for _ in range(_READS):
        try:
            sock.recv(_ROOM)
        except (BlockingIOError, InterruptedError):
            break
        except OSError:  # ENOBUFS
            pass
        found = True
    return found


def _as_loaded(format: str, number: int) -> int:
    """A filter loads numbers as the network has them, netlink's are the host's."""
    return int.from_bytes(struct.pack(f"={format}", number), "big")
