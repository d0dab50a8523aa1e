"""The key log: keys of phase 1 and of ESP in the tables that Wireshark reads.

The directory can be used as Wireshark's configuration directory (WIRESHARK_CONFIG_DIR): its files
are named and formed as Wireshark names and forms them, hexadecimal bare or with 0x, texts quoted.

``ikev1_decryption_table``: initiator cookie, phase 1 encryption key (RFC 2409 appendix B).
``ikev2_decryption_table``: both SPIs, SK_ei, SK_er, encryption, SK_ai, SK_ar, integrity.
``esp_sa``: protocol, source, destination, SPI, encryption, its key, authentication, its key.

Whoever reads these files reads the traffic: a key log is for finding faults, and is off unless a
directory is given.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from isakmp.conf.files import check_directory, open_private, unfit_to_write
from isakmp.constants.ikev2 import Encr, Integ
from isakmp.constants.ipsec import Auth, Esp
from isakmp.errors import ConfError, IsakmpError
from isakmp.log.log import Log
from isakmp.policy.spd import Address

IKEV1_TABLE, IKEV2_TABLE, ESP_TABLE = "ikev1_decryption_table", "ikev2_decryption_table", "esp_sa"
ESP_NAMES = MappingProxyType(
    {
        Esp.NULL: "NULL",
        Esp._3DES: "TripleDES-CBC [RFC2451]",
        Esp.AES: "AES-CBC [RFC3602]",
        Esp.AES_CTR: "AES-CTR [RFC3686]",
        Esp.DES: "DES-CBC [RFC2405]",
        Esp.CAST: "CAST5-CBC [RFC2144]",
        Esp.BLOWFISH: "BLOWFISH-CBC [RFC2451]",
        Esp.AES_GCM_8: "AES-GCM with 8 octet ICV [RFC4106]",
        Esp.AES_GCM_12: "AES-GCM with 12 octet ICV [RFC4106]",
        Esp.AES_GCM_16: "AES-GCM with 16 octet ICV [RFC4106]",
    }
)
AUTH_NAMES = MappingProxyType(
    {
        Auth.NONE: "NULL",
        Auth.HMAC_MD5: "HMAC-MD5-96 [RFC2403]",
        Auth.HMAC_SHA: "HMAC-SHA-1-96 [RFC2404]",
        Auth.HMAC_RIPEMD: "MAC-RIPEMD-160-96 [RFC2857]",
        Auth.HMAC_SHA2_256: "HMAC-SHA-256-128 [RFC4868]",
        Auth.HMAC_SHA2_384: "HMAC-SHA-384-192 [RFC4868]",
        Auth.HMAC_SHA2_512: "HMAC-SHA-512-256 [RFC4868]",
        Auth.AES_XCBC_MAC: "ANY 96 bit authentication [no checking]",
        Auth.AES_CMAC: "ANY 96 bit authentication [no checking]",
    }
)


_BITS = (128, 192, 256)
IKEV2_CIPHERS = MappingProxyType(
    {(Encr._3DES, 0): "3DES [RFC2451]"}
    | {(Encr.AES_CBC, bits): f"AES-CBC-{bits} [RFC3602]" for bits in _BITS}
    | {(Encr.AES_CTR, bits): f"AES-CTR-{bits} [RFC5930]" for bits in _BITS}
    | {
        (Encr[f"AES_{mode}_{icv}"], bits): f"AES-{mode}-{bits} with {icv} octet ICV [RFC5282]"
        for mode in ("GCM", "CCM")
        for icv in (8, 12, 16)
        for bits in _BITS
    }
)
IKEV2_INTEGRITIES = MappingProxyType(
    {
        None: "NONE [RFC4306]",
        Integ.HMAC_MD5_96: "HMAC_MD5_96 [RFC2403]",
        Integ.HMAC_SHA1_96: "HMAC_SHA1_96 [RFC2404]",
        Integ.HMAC_SHA2_256_128: "HMAC_SHA2_256_128 [RFC4868]",
        Integ.HMAC_SHA2_384_192: "HMAC_SHA2_384_192 [RFC4868]",
        Integ.HMAC_SHA2_512_256: "HMAC_SHA2_512_256 [RFC4868]",
        Integ.AES_XCBC_96: "ANY 96-bits of Authentication [No Checking]",
        Integ.AES_CMAC_96: "ANY 96-bits of Authentication [No Checking]",
    }
)


class IkeKeys(Protocol):
    """What the key log wants of an IKE SA's keys, RFC 7296 2.14."""

    @property
    def ei(self) -> bytes: ...

    @property
    def er(self) -> bytes: ...

    @property
    def ai(self) -> bytes: ...

    @property
    def ar(self) -> bytes: ...


class EspSa(Protocol):
    """What the key log wants of an ESP SA: of an app.base.SaSpec, say."""

    @property
    def spi(self) -> int: ...

    @property
    def src(self) -> Address: ...

    @property
    def dst(self) -> Address: ...

    @property
    def encryption(self) -> int: ...

    @property
    def enc_key(self) -> bytes: ...

    @property
    def auth(self) -> Auth | None: ...

    @property
    def auth_key(self) -> bytes: ...


class KeyLog:
    """Appends to the tables of one directory, readable by its owner only.

    owners: user ids, besides root and ourselves, whose directory it may be. ConfError where there
    can be no such directory, or others could put files in it. A line that cannot be written, such
    as to a file of another user, is an error in the log and nothing worse: a full disk stops no
    negotiation.
    """

    def __init__(self, directory: Path, log: Log, owners: Collection[int] = ()) -> None:
        self.directory = directory
        self._log = log
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfError(
                f"no directory for the key log: {error}",
                section="General",
                tag="Key-log",
                hint="name one that can be made",
            ) from error
        try:
            check_key_log(directory, owners)
        except IsakmpError as error:
            raise ConfError(str(error), section="General", tag="Key-log") from None

    def phase_1(self, cky_i: bytes, key: bytes) -> None:
        """The encryption key of the ISAKMP SA with this initiator cookie."""
        self._append(IKEV1_TABLE, f"{cky_i.hex()},{key.hex()}")

    def ikev2(
        self, spi_i: bytes, spi_r: bytes, keys: IkeKeys, encryption: int, key_bits: int,
        integ: int | None,
    ) -> None:  # fmt: skip
        """The keys of the IKE SA with these SPIs, where Wireshark knows its algorithms."""
        cipher = next((n for k, n in IKEV2_CIPHERS.items() if k == (encryption, key_bits)), None)
        check = next((name for number, name in IKEV2_INTEGRITIES.items() if number == integ), None)
        if cipher and check:
            self._append(
                IKEV2_TABLE,
                f"{spi_i.hex()},{spi_r.hex()},{keys.ei.hex()},{keys.er.hex()},"
                f'"{cipher}",{keys.ai.hex()},{keys.ar.hex()},"{check}"',
            )

    def esp(self, sa: EspSa) -> bool:
        """The keys of one ESP SA; False where Wireshark knows no such algorithm."""
        line = esp_line(sa)
        if line is not None:
            self._append(ESP_TABLE, line)
        return line is not None

    def _append(self, name: str, line: str) -> None:
        path = self.directory / name
        try:
            fd = open_private(path)
            try:
                os.fchmod(fd, 0o600)
                _whole(fd, line.encode() + b"\n")
            finally:
                os.close(fd)
        except OSError as error:
            self._log.internal_err("key log %s: %s", path, error)


def check_key_log(directory: Path, owners: Collection[int]) -> None:
    """IsakmpError where others than root, ourselves and ``owners`` could put files of theirs there,
    or have put one in the place of a table."""
    check_directory(directory, {0, os.geteuid(), *owners}, "directory of the key log", "Key-log")
    for path in (directory / name for name in (IKEV1_TABLE, IKEV2_TABLE, ESP_TABLE)):
        with suppress(OSError):
            if unfit := unfit_to_write(path.lstat(), owners):
                raise IsakmpError(f"{path} {unfit}")


def _whole(fd: int, data: bytes) -> None:
    """Append a line, or nothing of it. OSError."""
    before = os.fstat(fd).st_size
    if os.write(fd, data) != len(data):
        os.ftruncate(fd, before)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def esp_line(sa: EspSa) -> str | None:
    """The line of ``esp_sa`` for one SA; None where Wireshark has no name for an algorithm."""
    try:
        encryption = ESP_NAMES[Esp(sa.encryption)]
        authentication = AUTH_NAMES[sa.auth or Auth.NONE]
    except (KeyError, ValueError):
        return None
    fields = [
        f"IPv{sa.src.version}",
        str(sa.src),
        str(sa.dst),
        f"0x{sa.spi:08x}",
        encryption,
        _hex(sa.enc_key),
        authentication,
        _hex(sa.auth_key),
    ]
    return ",".join(f'"{field}"' for field in fields)


def _hex(key: bytes) -> str:
    return "0x" + key.hex() if key else ""
