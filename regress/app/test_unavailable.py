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
        (errno.EBUSY, "name another device"),
        (errno.EMFILE, "LimitNOFILE="),
        (errno.EIO, "dmesg may say more"),
    ],
)
def test_the_mend_is_that_of_the_error(number: int, mend: str) -> None:
    error = OSError(number, os.strerror(number))
    found = unavailable("TUN device", error, capability="CAP_NET_ADMIN", module="tun")
    assert mend in found.mend
    assert str(found) == f"TUN device: {os.strerror(number)}; mend: {found.mend}"


def test_no_error_is_without_a_mend() -> None:
    for number in errno.errorcode:
        error = OSError(number, os.strerror(number))
        assert unavailable("TUN device", error, capability="CAP_NET_ADMIN", module="tun").mend
