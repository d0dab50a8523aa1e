"""Post-quantum pre-shared keys out of a peer's section: RFC 8784 2 and 5.1."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isakmp.conf.parse import fold
from isakmp.conf.store import Conf
from isakmp.conf.tags import SECRET_TAGS, TAGS
from isakmp.conf.values import SECRET
from isakmp.errors import ConfError
from isakmp.policy.ppk import MAX_ID_BYTES, Ppk, PpkUse, ppk_name
from isakmp.policy.ppk_reader import key_files
from isakmp.policy.reader import read_remote
from regress.policy.sections import conf, peer

KEY = "vK8/3xQpZ0+LmT5rJd2WcY7uHs9EaB4nGf6iOoPq1Rk="


def read(tags: str) -> Ppk | None:
    return peer(f"Key-exchange= ikev2; {tags}").ikev2.ppk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "ppk"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    return file


def test_none() -> None:
    assert peer().ikev2.ppk is None
    assert read("PPK-required= no; PPK-ID-type= opaque") is None


@pytest.mark.parametrize(
    ("tags", "ppk"),
    [
        (f"PPK-ID= a; PPK= {KEY}", Ppk(b"\x02a", KEY.encode())),
        (f"PPK-ID= a; PPK= {KEY}; PPK-ID-type= fixed", Ppk(b"\x02a", KEY.encode())),
        (f"PPK-ID= a; PPK= {KEY}; PPK-ID-type= opaque", Ppk(b"\x01a", KEY.encode())),
        (f"PPK-ID= 0x00ff; PPK= {KEY}", Ppk(b"\x02\x00\xff", KEY.encode())),
        ("PPK-ID= a; PPK= 0x00ff; PPK-required= yes", Ppk(b"\x02a", b"\x00\xff", True)),
        ("PPK-ID= a; PPK= with # in it", Ppk(b"\x02a", b"with # in it")),
    ],
)
def test_written(tags: str, ppk: Ppk) -> None:
    found = read(tags)
    assert found == ppk
    assert found is not None
    assert "[west]:PPK-ID" in found.line


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (KEY, KEY.encode()), (f"{KEY}\n", KEY.encode()), (f"{KEY}\r\n", KEY.encode()),
        ("0x00ff10\n", b"\x00\xff\x10"), ("two words", b"two words"),
    ],
)  # fmt: skip
def test_of_a_file(path: Path, text: str, key: bytes) -> None:
    path.write_text(text)
    found = read(f"PPK-ID= a; PPK-file= {path}")
    assert found is not None
    assert found.secret == key


@pytest.mark.parametrize(
    ("tags", "error", "tag"),
    [
        (f"PPK= {KEY}", "no PPK-ID to it", "PPK"),
        ("PPK-file= /x", "no PPK-ID to it", "PPK-file"),
        ("PPK-required= yes", "no PPK-ID to it", "PPK-required"),
        ("PPK-ID= a", "no key to it", "PPK-ID"),
        ("PPK-ID= a; PPK= x; PPK-file= /x", "PPK is there, too", "PPK-file"),
        ("PPK-ID= a; PPK= 0xzz", "not hexadecimal", "PPK"),
        ("PPK-ID= a; PPK= 0x", "holds no key", "PPK"),
        ("PPK-ID= 0xz; PPK= x", "not hexadecimal", "PPK-ID"),
        ("PPK-ID= 0x; PPK= x", "not 1 to 255 octets", "PPK-ID"),
        (f"PPK-ID= {'x' * 256}; PPK= x", "not 1 to 255 octets", "PPK-ID"),
        ("PPK-ID= a; PPK= x; PPK-ID-type= key", "not one of opaque, fixed", "PPK-ID-type"),
        ("PPK-ID= a; PPK= x; PPK-required= perhaps", "neither yes nor no", "PPK-required"),
        ("PPK-ID= a; PPK-file= /nonexistent/ppk", "cannot be read: No such file", "PPK-file"),
        ("PPK-ID= a; PPK-file= /", "cannot be read: Is a directory", "PPK-file"),
        ("PPK-ID= a; PPK-file= /dev/null", "is not a regular file", "PPK-file"),
    ],
)
def test_what_makes_none_is_an_error(tags: str, error: str, tag: str) -> None:
    """So that no tunnel goes without it by mistake."""
    with pytest.raises(ConfError, match=error) as caught:
        read(tags)
    assert (caught.value.section, caught.value.tag) == ("west", tag)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"0x", b"0xsecret", b"one secret\ntwo\n", b"\xffsecret", b"secret\0", b"s" * 5000],
)
def test_files_that_hold_none_say_nothing_of_what_they_hold(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfError, match=r"holds no key|larger than") as caught:
        read(f"PPK-ID= a; PPK-file= {path}")
    found: BaseException | None = caught.value
    while found is not None:
        assert "secret" not in str(found)
        assert b"secret" not in getattr(found, "object", b"")
        found = found.__context__


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_files_that_others_can_read_are_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(ConfError, match=f"has mode {mode:04o}") as caught:
        read(f"PPK-ID= a; PPK-file= {path}")
    assert caught.value.hint == f"chmod 600 {path}"


@pytest.mark.skipif(os.geteuid() != 0, reason="a file of another user needs root")
def test_files_of_another_user_are_refused(path: Path) -> None:
    os.chown(path, 12345, 0)
    with pytest.raises(ConfError, match="belongs to another user"):
        read(f"PPK-ID= a; PPK-file= {path}")


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(ConfError, match="is not a regular file"):
        read(f"PPK-ID= a; PPK-file= {tmp_path / 'fifo'}")


def test_who_opens_the_configuration_opens_its_files(path: Path) -> None:
    """A daemon that has become another user may not; drafts and parts of it neither."""
    one = conf(f"Key-exchange= ikev2; PPK-ID= a; PPK-file= {path}")
    opened: list[Path] = []

    def opener(path: Path) -> BinaryIO:
        opened.append(path)
        return path.open("rb")

    one.opener = opener
    transaction = one.begin()
    transaction.set("west", "Port", "501")
    for each in (one, transaction.draft()):
        assert read_remote(each, "west").ikev2.ppk is not None
    assert opened == [path, path]
    assert key_files(one) == [path]
    assert key_files(Conf.from_text("[a]\nx= y\n")) == []


def test_every_tag_that_is_a_secret_is_kept_as_one() -> None:
    secret = {fold(name) for tags in TAGS.values() for name, tag in tags.items()
              if tag.type is SECRET}  # fmt: skip
    assert secret == set(SECRET_TAGS)


def test_a_configuration_with_a_ppk_is_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "conf"
    path.write_text(f"[west]\nPPK= {KEY}\n")
    path.chmod(0o644)
    with pytest.raises(ConfError, match="has mode 0644") as caught:
        Conf.load(path)
    assert caught.value.tag == "PPK"


# --- for people ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "without a type"), (b"\x02", "FIXED 0x"), (b"\x02ours-1", "FIXED ours-1"),
        (b"\x01ours-1", "OPAQUE ours-1"), (b"\x02with blank", "FIXED 0x7769746820626c616e6b"),
        (b"\x02\xff", "FIXED 0xff"), (b"\x03x", "UNKNOWN(3) x"), (b"\xf0x", "UNKNOWN(240) x"),
    ],
)  # fmt: skip
def test_names(data: bytes, name: str) -> None:
    assert ppk_name(data) == name


@given(st.binary(max_size=2 * MAX_ID_BYTES))
def test_what_a_peer_names_is_printable_and_short(data: bytes) -> None:
    assert ppk_name(data).isprintable()
    assert len(ppk_name(data)) < 2 * MAX_ID_BYTES + 40


def test_what_became_of_it() -> None:
    assert str(PpkUse("FIXED a", True)) == "PPK FIXED a"
    assert str(PpkUse("FIXED a", False, "why")) == "without PPK FIXED a: why"
    assert PpkUse("FIXED a", True).row() == {
        "id": "FIXED a", "used": True, "required": True, "why": ""
    }  # fmt: skip
