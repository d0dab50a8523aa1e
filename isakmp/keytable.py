"""Keys to read captures with: Wireshark's ikev1_decryption_table and ikev2_decryption_table.

IKEv1: initiator cookie, phase 1 encryption key (RFC 2409 appendix B).
IKEv2: SPIi, SPIr, sk_ei, sk_er, encryption, sk_ai, sk_ar, integrity (RFC 7296 2.14); the salt of
an AEAD or of counter mode is the tail of its key. Fields are separated by commas and may be
quoted, keys are hexadecimal, ``#`` begins a comment line. One file may hold lines of both kinds.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from isakmp.constants.ikev2 import Encr, Integ
from isakmp.errors import ConfError

MAX_FILE = 16 * 1024 * 1024
_TABLES = ("ikev1_decryption_table", "ikev2_decryption_table")
_ESP_PROTOCOLS = ("IPv4", "IPv6")


@dataclass(frozen=True, slots=True)
class Cipher:
    """An encryption of the IKEv2 table, sizes in octets.

    key_size leaves the salt out; salt_size, iv_size, icv_size: RFC 5282 for the AEADs, RFC 5930
    for counter mode; icv_size 0 where an integrity algorithm has to stand beside it.
    """

    name: str
    transform: Encr
    key_size: int
    salt_size: int
    iv_size: int
    icv_size: int = 0


@dataclass(frozen=True, slots=True)
class Integrity:
    """An integrity algorithm of the IKEv2 table. transform None: an ICV that is not checked."""

    name: str
    transform: Integ | None
    key_size: int
    icv_size: int


@dataclass(frozen=True, slots=True)
class Ikev2Keys:
    """One line of the IKEv2 table."""

    cipher: Cipher
    integrity: Integrity
    sk_ei: bytes = field(repr=False)
    sk_er: bytes = field(repr=False)
    sk_ai: bytes = field(repr=False)
    sk_ar: bytes = field(repr=False)


def _ciphers() -> Iterable[Cipher]:
    yield Cipher("NULL", Encr.NULL, 0, 0, 0)
    yield Cipher("3DES", Encr._3DES, 24, 0, 8)
    for key_bits in (128, 192, 256):
        key_size = key_bits // 8
        yield Cipher(f"AES-CBC-{key_bits}", Encr.AES_CBC, key_size, 0, 16)
        yield Cipher(f"AES-CTR-{key_bits}", Encr.AES_CTR, key_size, 4, 8)
        for icv_size in (8, 12, 16):
            for mode, salt_size in (("CCM", 3), ("GCM", 4)):
                name = f"AES-{mode}-{key_bits} with {icv_size} octet ICV"
                transform = Encr[f"AES_{mode}_{icv_size}"]
                yield Cipher(name, transform, key_size, salt_size, 8, icv_size)


def _integrities() -> Iterable[Integrity]:
    yield Integrity("NONE", Integ.NONE, 0, 0)
    for transform, key_size, icv_size in (
        (Integ.HMAC_MD5_96, 16, 12),
        (Integ.HMAC_SHA1_96, 20, 12),
        (Integ.HMAC_MD5_128, 16, 16),
        (Integ.HMAC_SHA1_160, 20, 20),
        (Integ.HMAC_SHA2_256_128, 32, 16),
        (Integ.HMAC_SHA2_384_192, 48, 24),
        (Integ.HMAC_SHA2_512_256, 64, 32),
    ):
        yield Integrity(transform.name, transform, key_size, icv_size)
    for bits in (64, 96, 128, 160, 192, 256):
        yield Integrity(f"ANY {bits}-bits of Authentication", None, 0, bits // 8)


def _plain(name: str) -> str:
    """An algorithm's name without the reference in brackets, in one case."""
    return name.partition("[")[0].strip().casefold()


# Keys that one IKE SA had, one after the other: an additional key exchange makes new ones (RFC 9370
# 2.2.2), of which there are seven at most.
GENERATIONS_MAX = 8


class KeyTable:
    """The keys by the cookies or SPIs of their SA. The last line for an ISAKMP SA counts; of an IKE
    SA each does, the last one first."""

    def __init__(self) -> None:
        self.ikev1: dict[bytes, bytes] = {}
        self.ikev2: dict[tuple[bytes, bytes], tuple[Ikev2Keys, ...]] = {}
        self._ciphers = {_plain(cipher.name): cipher for cipher in _ciphers()}
        self._integrities = {_plain(integrity.name): integrity for integrity in _integrities()}

    @classmethod
    def load(cls, paths: Iterable[str | Path]) -> KeyTable:
        """Read every file, and of a directory the tables in it by Wireshark's names.

        ConfError names file and line of what is not a key.
        """
        table = cls()
        for path in map(Path, paths):
            files = [path / name for name in _TABLES if (path / name).exists()]
            if path.is_dir() and not files:
                raise ConfError(f"no {' and no '.join(_TABLES)} in it", file=str(path))
            for file in files or [path]:
                table.add_text(_text(file), str(file))
        return table

    def add_text(self, text: str, file: str = "<text>") -> None:
        """Take the lines of ``text``, but those of esp_sa. ConfError where one is no key."""
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            try:
                self._add(next(csv.reader([line], skipinitialspace=True)))
            except (ValueError, csv.Error) as error:
                raise ConfError(str(error), file=file, line=number) from None

    def _add(self, fields: list[str]) -> None:
        fields = [field.strip() for field in fields]
        if len(fields) == 2:
            self.ikev1[_octets("the initiator cookie", fields[0], 8)] = _octets("key", fields[1])
        elif len(fields) == 8 and fields[0] not in _ESP_PROTOCOLS:
            spis = _octets("SPIi", fields[0], 8), _octets("SPIr", fields[1], 8)
            known = dict.fromkeys((self._keys(fields[2:]), *self.ikev2.get(spis, ())))
            self.ikev2[spis] = tuple(known)[:GENERATIONS_MAX]
        elif len(fields) != 8:
            raise ValueError(f"{len(fields)} fields; IKEv1 keys have 2, IKEv2 keys 8")

    def _keys(self, fields: list[str]) -> Ikev2Keys:
        cipher = self._ciphers.get(_plain(fields[2]))
        integrity = self._integrities.get(_plain(fields[5]))
        if cipher is None or integrity is None:
            raise ValueError(f"the algorithm {fields[5 if cipher else 2]!r} is not known")
        size = cipher.key_size + cipher.salt_size
        return Ikev2Keys(
            cipher=cipher,
            integrity=integrity,
            sk_ei=_octets(f"sk_ei of {cipher.name}", fields[0], size),
            sk_er=_octets(f"sk_er of {cipher.name}", fields[1], size),
            sk_ai=_authentication("sk_ai", fields[3], integrity),
            sk_ar=_authentication("sk_ar", fields[4], integrity),
        )


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise ConfError(f"no key file: {error.strerror}", file=str(path)) from error
    if len(data) > MAX_FILE:
        raise ConfError(f"a key file of more than {MAX_FILE} octets", file=str(path))
    return data.decode("utf-8", "replace")


def _authentication(what: str, text: str, integrity: Integrity) -> bytes:
    """The key of an algorithm that is not checked may be anything."""
    if integrity.transform is None:
        return _octets(what, text)
    return _octets(f"{what} of {integrity.name}", text, integrity.key_size)


def _octets(what: str, text: str, size: int | None = None) -> bytes:
    """Hexadecimal, bare or with 0x. ValueError, without the text: it may be a secret."""
    try:
        data = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise ValueError(f"{what} is not hexadecimal") from None
    if size is not None and len(data) != size:
        raise ValueError(f"{what} has {size} octets, not {len(data)}")
    return data
