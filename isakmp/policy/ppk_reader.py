"""A peer's post-quantum pre-shared key out of its section, or a file of its own: RFC 8784 2."""

from __future__ import annotations

from pathlib import Path

from isakmp.conf.files import exposed, octets_of
from isakmp.conf.kinds import Kind
from isakmp.conf.parse import check_value
from isakmp.conf.store import Conf
from isakmp.conf.values import SECRET, BadValue
from isakmp.errors import ConfError
from isakmp.policy.ppk import Ppk

MAX_FILE_BYTES = 4096


def read_ppk(conf: Conf, section: str) -> Ppk | None:
    """The PPK of a peer; None where it has none. ConfError where its tags do not make one: nothing
    is to go without it by mistake."""
    name = conf.value(Kind.PEER, section, "PPK-ID")
    required = conf.value(Kind.PEER, section, "PPK-required")
    kept = [tag for tag in ("PPK", "PPK-file") if conf.get(section, tag) is not None]
    if name is None:
        if alone := [*kept, *["PPK-required"] * required]:
            hint = "set PPK-ID to what both ends call the key"
            raise conf.error("there is no PPK-ID to it", section, alone[0], hint, missing=True)
        return None
    if not kept:
        hint = "set PPK or PPK-file"
        raise conf.error("there is no key to it", section, "PPK-ID", hint, missing=True)
    if len(kept) > 1:
        raise conf.error("PPK is there, too", section, "PPK-file", "remove one of the two")
    secret = _of_file(conf, section) if kept == ["PPK-file"] else _written(conf, section)
    kind = conf.value(Kind.PEER, section, "PPK-ID-type")
    return Ppk(bytes([kind]) + name, secret, required, conf.where(section, "PPK-ID"))


def key_files(conf: Conf) -> list[Path]:
    """The files with keys that a configuration names, each once."""
    named = (conf.get(section, "PPK-file") for section in conf.sections())
    return [Path(path) for path in dict.fromkeys(filter(None, named))]


def _written(conf: Conf, section: str) -> bytes:
    secret: bytes = conf.value(Kind.PEER, section, "PPK")
    if not secret:
        raise conf.error("holds no key", section, "PPK")
    return secret


def _of_file(conf: Conf, section: str) -> bytes:
    """The key on the one line of a file, written as in the configuration."""
    path = Path(conf.value(Kind.PEER, section, "PPK-file"))
    try:
        data, info = octets_of(path, MAX_FILE_BYTES, conf.opener)
    except ConfError as error:
        raise conf.error(f"{path}: {error.reason}", section, "PPK-file") from None
    reason, hint = exposed(path, info)
    if not reason:
        secret = _key(data.removesuffix(b"\n").removesuffix(b"\r"))
        if secret:
            return secret
        reason, hint = "holds no key", "one line: a text, or hexadecimal after 0x"
    raise conf.error(f"{path}: {reason}", section, "PPK-file", hint)


def _key(line: bytes) -> bytes:
    """b"" where it is none; what is wrong is told without it."""
    try:
        text = line.decode()
        key: bytes = b"" if check_value(text) else SECRET.parse(text)
    except (UnicodeDecodeError, BadValue):
        return b""
    return key
