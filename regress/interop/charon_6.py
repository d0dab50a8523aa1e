"""strongSwan 6 as an end: the same daemon with ML-KEM (RFC 9370, RFC 9242), only unpacked.

It comes of a newer Debian than the machine has, so that it runs with its own libc and libraries.
"""

from __future__ import annotations

from pathlib import Path

from regress.interop.charon import Charon
from regress.interop.needs import CHARON_6
from regress.interop.scenario import Stack

_ROOT = CHARON_6.parents[3]
# Where its libraries look for its plugins' folder is compiled in.
_PRIVATE_LIB = 'mount --bind "$1" /usr/lib/ipsec && shift && exec "$@"'


def _libraries() -> Path:
    """Those of the machine's architecture."""
    return next((_ROOT / "usr/lib").glob("*-linux-gnu*"))


class Charon6(Charon):
    """Commanded as the older one."""

    kind = "charon6"

    @classmethod
    def missing(cls, stack: Stack) -> str:
        absent = "" if CHARON_6.exists() else f"needs {CHARON_6}: run tools/setup-peers"
        return absent or super().missing(stack)

    def _program(self) -> list[str]:
        loader = next(_ROOT.glob("usr/lib*/ld-linux-*.so.*"))
        path = f"{_libraries()}:{CHARON_6.parent}"
        shell = ["sh", "-c", _PRIVATE_LIB, "sh", str(CHARON_6.parent)]
        return [*shell, str(loader), "--library-path", path, str(CHARON_6)]

    def _environment(self) -> dict[str, str]:
        return super()._environment() | {"OPENSSL_MODULES": str(_libraries() / "ossl-modules")}
