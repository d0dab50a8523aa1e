"""What a process of ours may do, made less once it has what it needs: capabilities(7), prctl(2).

The process keeps the capabilities that its IPsec stack needs from then on, and gains none: not by
what it starts, nor by files with other owners. Who gets hold of it has no more.
"""

from __future__ import annotations

import ctypes
import grp
import os
import pwd
import resource
import struct
from enum import IntEnum

from isakmp.errors import ConfError, IsakmpError

_PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_CAPBSET_DROP = 4, 8, 24
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
_VERSION_3 = 0x20080522  # of <linux/capability.h>
_SETS = struct.Struct("=6I")  # effective, permitted, inheritable; the lower halves, then the upper
_LAST = 40


class Cap(IntEnum):
    """The capabilities that we know a use for."""

    DAC_READ_SEARCH = 2
    NET_ADMIN = 12
    NET_RAW = 13


def more_descriptors() -> None:
    """Let the process have as many descriptors as it may ask for."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def private_files() -> None:
    """What is written is its owner's alone, where nobody says otherwise; no core holds our keys."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Identity:
    """The user and group of [General]:User and Group. ConfError where there are none such."""

    def __init__(self, user: str, group: str) -> None:
        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            raise _unknown("User", user) from None
        self.name, self.uid, self.gid = user, entry.pw_uid, entry.pw_gid
        if group:
            try:
                self.gid = grp.getgrnam(group).gr_gid
            except KeyError:
                raise _unknown("Group", group) from None

    @classmethod
    def wanted(cls, user: str, group: str) -> Identity | None:
        """None where we are to stay who we are: nobody is named, or we are that user already."""
        if not user:
            return None
        identity = cls(user, group)
        return None if identity.uid == os.geteuid() else identity

    def take(self) -> None:
        """Become them; capabilities that are permitted stay so. IsakmpError."""
        try:
            _prctl(_PR_SET_KEEPCAPS, 1)
            os.setgroups([])
            os.setresgid(self.gid, self.gid, self.gid)
            os.setresuid(self.uid, self.uid, self.uid)
        except OSError as error:
            raise IsakmpError(
                f"cannot become the user {self.name} of [General]:User: {error.strerror}; start "
                "isakmpd as root, or as that user with the capabilities it needs"
            ) from None


def _unknown(tag: str, name: str) -> ConfError:
    kind = tag.lower()
    return ConfError(
        f"this host has no {kind} {name}", section="General", tag=tag,
        hint=f"{kind}add --system {name} makes it; or name another {kind}",
    )  # fmt: skip


def give_up(keep: frozenset[Cap], identity: Identity | None) -> None:
    """Be ``identity``, None: as before, with no capabilities but ``keep``, for good. IsakmpError.

    What the process has not got it does not get.
    """
    for number in range(_LAST + 1):
        if number not in keep:
            _try(_PR_CAPBSET_DROP, number)
    if identity is not None:
        identity.take()
    mask = sum(1 << number for number in keep) & _permitted()
    _try(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    _set_capabilities(mask)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)


def _permitted() -> int:
    data = ctypes.create_string_buffer(_SETS.size)
    if _LIBC.capget(_head(), data):
        raise _failed("capget")
    _, low, _, _, high, _ = _SETS.unpack(data.raw)
    return int(low | high << 32)


def _set_capabilities(mask: int) -> None:
    low, high = mask & 0xFFFFFFFF, mask >> 32
    if _LIBC.capset(_head(), _SETS.pack(low, low, 0, high, high, 0)):
        raise _failed("capset")


def _head() -> bytes:
    return struct.pack("=Ii", _VERSION_3, 0)


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0):
        raise _failed("prctl")


def _try(option: int, value: int) -> None:
    """What takes a capability that we may not have, and is no loss without."""
    _LIBC.prctl(option, value, 0, 0, 0)


def _failed(call: str) -> IsakmpError:
    return IsakmpError(f"{call}: {os.strerror(ctypes.get_errno())}; privileges cannot be given up")


_LIBC = ctypes.CDLL(None, use_errno=True)
