"""What the IPsec stack needs of the system and did not get: the error, and how to give it."""

from __future__ import annotations

import errno

from isakmp.errors import ApplicationError

_ASK = "dmesg may say more; Application= none negotiates without it"
_MENDS = {
    errno.EMFILE: "raise the limit on descriptors (ulimit -n, LimitNOFILE=)",
    errno.ENFILE: "raise fs.file-max, or end what has so many files open",
    errno.EBUSY: "another process has it: end that, or name another device (--device)",
    errno.EEXIST: "there is one of that name: delete it, or name another device (--device)",
    errno.EINVAL: "its name is taken by a device of another kind, or too long: name another"
    " (--device)",
    errno.ENOMEM: "free memory",
    errno.ENOBUFS: "free memory, or raise net.core.rmem_max and net.core.wmem_max",
}
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
    return ApplicationError(f"{what}: {reason}", mend=_MENDS.get(number or 0, _ASK))
