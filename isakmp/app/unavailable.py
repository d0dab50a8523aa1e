"""What the IPsec stack needs of the system and did not get: the error, and how to give it."""

from __future__ import annotations

import errno

from isakmp.errors import ApplicationError

_PRIVILEGE = "run isakmpd as root or with {capability}; Application= none negotiates without it"


def unavailable(what: str, error: Exception, *, capability: str, module: str) -> ApplicationError:
    """The error to raise. module: of the kernel, where the thing is missing; capability: which
    is needed for it."""
    number = getattr(error, "errno", None) or getattr(error, "code", None)
    reason = getattr(error, "strerror", None) or str(error)
    if number in (errno.EPERM, errno.EACCES):
        return ApplicationError(f"{what}: {reason}", mend=_PRIVILEGE.format(capability=capability))
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EAFNOSUPPORT,
                  errno.EPROTONOSUPPORT):  # fmt: skip
        mend = f"modprobe {module}; in a container the host has to, and to let it in"
        return ApplicationError(f"{what}: {reason}", mend=mend)
    return ApplicationError(f"{what}: {reason}")
