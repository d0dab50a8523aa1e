"""What a kernel lacks is told by its own names, with what would load the modules."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from isakmp.app.xfrm.constants import Msg
from isakmp.app.xfrm.link import KernelRefusal
from isakmp.app.xfrm.probe import Probe
from isakmp.constants import ipsec, isakmp
from isakmp.event.job import Job

ESP, AH, IPCOMP = isakmp.Protocol.IPSEC_ESP, isakmp.Protocol.IPSEC_AH, isakmp.Protocol.IPCOMP
TUNNEL = ipsec.Encapsulation.TUNNEL


class Refusing:
    """A link to a kernel that refuses every SA."""

    def __init__(self, number: int) -> None:
        self._number = number

    def request(self, type: Msg, body: bytes, flags: int = 0) -> Job[list[bytes]]:
        """Refused."""
        job = Job[list[bytes]]()
        job.fail(KernelRefusal(type, self._number, "Requested AEAD algorithm not found"))
        return job


def asked(number: int, *question: Any) -> str:
    link: Any = Refusing(number)
    return Probe(link).ask(question)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOENT])
@pytest.mark.parametrize(
    ("question", "lacks"),
    [
        (
            (ESP, TUNNEL, ipsec.Esp.AES_GCM_16, 256, None, False),
            "the kernel lacks rfc4106(gcm(aes)); modprobe -a crypto-rfc4106 crypto-gcm crypto-aes",
        ),
        (
            (ESP, TUNNEL, ipsec.Esp.AES, 128, ipsec.Auth.HMAC_SHA, False),
            "the kernel lacks cbc(aes) or hmac(sha1); modprobe -a crypto-cbc crypto-aes"
            " crypto-hmac crypto-sha1",
        ),
        (
            (AH, TUNNEL, ipsec.Ah.SHA, 0, ipsec.Auth.HMAC_SHA, False),
            "the kernel lacks hmac(sha1); modprobe -a crypto-hmac crypto-sha1",
        ),
        (
            (IPCOMP, TUNNEL, ipsec.Ipcomp.DEFLATE, 0, None, False),
            "the kernel lacks deflate; modprobe -a crypto-deflate",
        ),
    ],
)
def test_the_algorithm_and_its_modules_are_named(
    question: tuple[Any, ...], lacks: str, number: int
) -> None:
    told = asked(number, *question)
    assert told.startswith("NEWSA refused: ")
    assert told.endswith(f": {lacks}")


def test_another_refusal_is_told_as_it_is() -> None:
    told = asked(errno.EINVAL, ESP, TUNNEL, ipsec.Esp.AES_GCM_16, 256, None, False)
    assert told.endswith("(EINVAL)")
