"""What a kernel can do, found out by asking for it: an SA that lives only for the question.

A kernel loads a module for an algorithm it does not know, which takes a tenth of a second and
more; so only what a configuration names is asked, and what is there is asked once.
"""

from __future__ import annotations

import errno
import re
from ipaddress import IPv4Address

from isakmp.app.base import SaId, SaSpec
from isakmp.app.xfrm import algorithms, values
from isakmp.app.xfrm.constants import Msg
from isakmp.app.xfrm.link import KernelRefusal, Link
from isakmp.constants import ipsec, isakmp
from isakmp.crypto.lengths import key_octets
from isakmp.errors import ApplicationError, CryptoError
from isakmp.policy.spd import Selector

# Packets to and from these have no IPsec; the SPI is one that nobody is given.
_HERE, _THERE = IPv4Address("127.0.0.1"), IPv4Address("127.0.0.2")
_SPI, _CPI = 0x69000000, 0xFEFE
_NOTHING = Selector.of("127.0.0.1/32", "127.0.0.2/32")

# What the kernel says of an algorithm, or a part of one, that it has no module for.
_LACKING = (errno.ENOENT, errno.ENOSYS)

_Question = tuple[isakmp.Protocol, ipsec.Encapsulation, int, int, ipsec.Auth | None, bool]


class Probe:
    """Asks the kernel at ``link``."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._known: set[_Question] = set()

    def ask(self, question: _Question) -> str:
        """Why there can be no such SA; empty where there can."""
        if question in self._known:
            return ""
        protocol, mode, transform_id, key_bits, auth, esn = question
        try:
            encryption, authentication = key_octets(protocol, transform_id, key_bits, auth)
            # Some algorithms refuse keys whose parts are the same (3DES, DES).
            spec = SaSpec(
                protocol, _CPI if protocol is isakmp.Protocol.IPCOMP else _SPI, _HERE, _THERE,
                mode, True, (_NOTHING,), 0, transform_id, bytes(range(1, encryption + 1)), auth,
                bytes(range(1, authentication + 1)), esn=esn,
            )  # fmt: skip
            body = values.sa(spec)
        except (ApplicationError, CryptoError) as error:
            return str(error)
        job = self._link.request(Msg.NEWSA, body)
        self._link.request(Msg.DELSA, values.sa_id(SaId(protocol, spec.spi, _HERE, _THERE)))
        if job.error is not None:
            return _why(job.error, spec)
        self._known.add(question)
        return ""


def _why(error: Exception, spec: SaSpec) -> str:
    """What the kernel says; of what it lacks also the names, and what loads the modules: their
    aliases."""
    if not isinstance(error, KernelRefusal) or error.errno not in _LACKING:
        return str(error)
    names = algorithms.names(spec)
    parts = dict.fromkeys(part for name in names for part in re.findall(r"\w+", name))
    modules = " ".join(f"crypto-{part}" for part in parts)
    return f"{error}: the kernel lacks {' or '.join(names)}; modprobe -a {modules}"
