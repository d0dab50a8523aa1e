"""What the system does not give says how to give it."""

from __future__ import annotations

import errno
import os

import pytest

from isakmp.app.unavailable import unavailable


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.EPERM, "run isakmpd as root or with CAP_NET_ADMIN; Application= none negotiates"),
        (errno.EACCES, "CAP_NET_ADMIN"),
        (errno.ENOENT, "modprobe tun; in a container the host has to"),
        (errno.EAFNOSUPPORT, "modprobe tun"),
    ],
)
def test_the_mend_is_that_of_the_error(number: int, mend: str) -> None:
    error = OSError(number, os.strerror(number))
    found = unavailable("TUN device", error, capability="CAP_NET_ADMIN", module="tun")
    assert mend in found.mend
    assert str(found) == f"TUN device: {os.strerror(number)}; mend: {found.mend}"


def test_other_errors_are_told_as_they_are() -> None:
    error = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    found = unavailable("TUN device", error, capability="CAP_NET_ADMIN", module="tun")
    assert (found.mend, str(found)) == ("", "TUN device: Too many open files")
