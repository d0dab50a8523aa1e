"""A User who cannot work on this host is warned of, with what mends it."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from isakmp.conf.check import check, warnings
from isakmp.conf.store import Conf
from isakmp.conf.user import mend_rights, refuse_start
from isakmp.errors import ConfError

ME = pwd.getpwuid(os.geteuid()).pw_name


def warned(user: str, directory: Path) -> list[str]:
    conf = Conf.from_text(f"[General]\nUser= {user}\nRun-directory= {directory}\n", "f")
    assert not check(conf)
    return [line for line in warnings(conf) if "[General]:User" in line]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a directory away")
def test_whose_the_run_directory_is(tmp_path: Path) -> None:
    """It belongs to root, and isakmpd becomes nobody: its start would fail."""
    nobody = pwd.getpwnam("nobody")
    assert warned("nobody", tmp_path) == [
        f"f:2 [General]:User: nobody may not write in the run directory {tmp_path}: "
        f"chown nobody {tmp_path}"
    ]
    assert not warned(ME, tmp_path)
    os.chown(tmp_path, nobody.pw_uid, -1)
    assert not warned("nobody", tmp_path)
    tmp_path.chmod(0o500)
    assert warned("nobody", tmp_path)


def test_a_directory_that_is_not_there_yet(tmp_path: Path) -> None:
    assert not warned(ME, tmp_path / "none")


def test_nobody_of_that_name(tmp_path: Path) -> None:
    assert warned("no-such-one", tmp_path) == [
        "f:2 [General]:User: this host has no user no-such-one (useradd --system no-such-one makes "
        "it; or name another user)"
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a directory away")
def test_the_group_is_the_configured_one(tmp_path: Path) -> None:
    """As that isakmpd has no other: not the user's own, where it is said."""
    root, nobody = grp.getgrgid(0).gr_name, pwd.getpwnam("nobody")
    tmp_path.chmod(0o070)
    os.chown(tmp_path, -1, nobody.pw_gid)
    assert not warned("nobody", tmp_path)
    assert warned(f"nobody\nGroup= {root}", tmp_path)
    os.chown(tmp_path, -1, 0)
    assert not warned(f"nobody\nGroup= {root}", tmp_path)


def test_no_group_of_that_name(tmp_path: Path) -> None:
    """A start would say the same."""
    conf = Conf.from_text(f"[General]\nUser= {ME}\nGroup= no-such-one\n", "f")
    assert any(
        line.startswith("f:3 [General]:Group: this host has no group no-such-one")
        for line in warnings(conf)
    )


def test_what_is_everybodys_is_not_given_away() -> None:
    assert mend_rights(Path("/var/run"), "joe") == (
        "install -d -o joe /var/run/isakmpd, and set Run-directory= /var/run/isakmpd in [General]"
    )


def test_a_group_without_a_user_is_warned_of() -> None:
    conf = Conf.from_text("[General]\nGroup= no-such-one\n", "f")
    assert "f:2 [General]:Group: without User it changes nothing" in warnings(conf)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("User= 9bad!", "f:2 [General]:User: '9bad!' is not a name"),
        ("User= no-such-one", "f:2 [General]:User: this host has no user no-such-one"),
        (f"User= {ME}\nGroup= no-such-one", "f:3 [General]:Group: this host has no group"),
        ("Group= 1", "f:2 [General]:Group: '1' is not a name"),
        ("Listen-on= 1.2.3.400", "f:2 [General]:Listen-on: '1.2.3.400' is not an address"),
        ("Application= nonesuch", "f:2 [General]:Application: 'nonesuch' is not one of"),
        ("Run-directory= run", "f:2 [General]:Run-directory: 'run' is not a path from / on"),
        (f"User= {ME}\nListen-on= 192.0.2.1\nRun-directory= /nonexistent", ""),
        ("Retransmits= many", ""),
    ],
)
def test_what_no_start_goes_on_with(lines: str, said: str) -> None:
    conf = Conf.from_text(f"[General]\n{lines}\n", "f")
    if not said:
        refuse_start(conf)
        return
    with pytest.raises(ConfError) as refused:
        refuse_start(conf)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize("spoken", [4, 6])
def test_a_start_with_nothing_left_to_listen_on_is_none(spoken: int) -> None:
    lists = {4: "192.0.2.1, 192.0.2.2", 6: "2001:db8::1"}
    own, other = (Conf.from_text(f"[General]\nListen-on= {lists[v]}\n", "f")
                  for v in (spoken, 10 - spoken))  # fmt: skip
    refuse_start(own, (spoken,))
    refuse_start(other)
    with pytest.raises(ConfError, match=f"has no address of IPv{spoken}, and -{spoken} leaves out"):
        refuse_start(other, (spoken,))
    named = Conf.from_text("[General]\nListen-on= eth0, 2001:db8::1\n", "f")
    refuse_start(named, (4,))  # which addresses an interface has is not known here
