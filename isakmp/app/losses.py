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
_TYPE_AT, _PORT_AT, _INDEX_AT = 4, 12, 20  # in nlmsghdr, and in the ifinfomsg behind it
_NEWLINK = 16
_READS, _ROOM = 64, 1 << 16
_NOTHING, _WHOLE = 0, 0xFFFFFFFF


def hear_only(sock: socket.socket, types: Sequence[int], own: int, device: int = 0) -> None:
    """Let ``sock`` receive only messages of ``types``, and no news of what the socket with the
    port ``own`` has done. OSError where the kernel refuses.

    device: the index of one whose changes (RTM_NEWLINK) are heard, too: with one that is taken
    down go its routes of IPv4, and nothing tells of them. The first message of a datagram is
    looked at: rtnetlink and XFRM tell one at a time.
    """
    wanted = [[_is_type(type)] for type in types]
    if device:
        wanted.append([_is_type(_NEWLINK), (_LOAD_WORD, _INDEX_AT, _as_loaded("I", device))])
    steps = [(_LOAD_WORD, 0, 0, _PORT_AT), (_IF_EQUAL, 0, 1, _as_loaded("I", own)),
             (_RETURN, 0, 0, _NOTHING)]  # fmt: skip
    for conditions in wanted:
        for left, (load, at, number) in zip(range(len(conditions))[::-1], conditions, strict=True):
            steps += [(load, 0, 0, at), (_IF_EQUAL, 0, 2 * left + 1, number)]
        steps.append((_RETURN, 0, 0, _WHOLE))
    steps.append((_RETURN, 0, 0, _NOTHING))
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


def _is_type(type: int) -> tuple[int, int, int]:
    return _LOAD_HALF, _TYPE_AT, _as_loaded("H", type)


def _as_loaded(format: str, number: int) -> int:
    """A filter loads numbers as the network has them, netlink's are the host's."""
    return int.from_bytes(struct.pack(f"={format}", number), "big")
