"""Whether the User of [General] can work on this host, told before the first start as that user."""

from __future__ import annotations

import pwd
from collections.abc import Iterator
from pathlib import Path
from stat import S_IWGRP, S_IWOTH, S_IWUSR, S_IXGRP, S_IXOTH, S_IXUSR

from isakmp.conf import Conf
from isakmp.run_directory import run_directory

# Of everybody's daemons: whoever owned them could put files in the place of others'.
COMMON = frozenset(map(Path, ("/var/run", "/run", "/tmp")))
_RIGHTS = (S_IWUSR | S_IXUSR, S_IWGRP | S_IXGRP, S_IWOTH | S_IXOTH)


def user_warnings(conf: Conf) -> Iterator[str]:
    """A user that is not there, or may not write in the run directory."""
    name = conf.get("General", "User")
    if not name:
        return
    place = conf.where("General", "User")
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        yield f"{place}: this host has no user {name}"
        return
    directory = run_directory(conf)
    if not _may_write(directory, user):
        mend = mend_rights(directory, name)
        yield f"{place}: {name} may not write in the run directory {directory}: {mend}"


def mend_rights(directory: Path, user: str) -> str:
    """What lets a user write in a run directory."""
    if directory not in COMMON:
        return f"chown {user} {directory}"
    own = directory / "isakmpd"
    return f"install -d -o {user} {own}, and set Run-directory= {own} in [General]"


def _may_write(directory: Path, user: pwd.struct_passwd) -> bool:
    """True also where that is not known."""
    try:
        info = directory.stat()
    except OSError:
        return True
    owner, group, other = _RIGHTS
    wanted = other
    if user.pw_uid == info.st_uid:
        wanted = owner
    elif user.pw_gid == info.st_gid:
        wanted = group
    return user.pw_uid == 0 or info.st_mode & wanted == wanted
