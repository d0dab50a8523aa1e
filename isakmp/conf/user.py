"""Whether the User of [General] can work on this host, told before the first start as that user."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from stat import S_IWGRP, S_IWOTH, S_IWUSR, S_IXGRP, S_IXOTH, S_IXUSR

from isakmp.conf.store import Conf
from isakmp.errors import ConfError
from isakmp.privilege import Identity
from isakmp.run_directory import COMMON, run_directory

_RIGHTS = (S_IWUSR | S_IXUSR, S_IWGRP | S_IXGRP, S_IWOTH | S_IXOTH)


def user_warnings(conf: Conf) -> Iterator[str]:
    """A user or group that is not there, or may not write in the run directory; a group alone."""
    name = conf.get("General", "User")
    if conf.general("User")[1] or conf.general("Group")[1]:
        return  # an error of its own
    if not name:
        if conf.get("General", "Group"):
            yield f"{conf.where('General', 'Group')}: without User it changes nothing"
        return
    try:
        user = Identity(name, conf.get("General", "Group") or "")
    except ConfError as error:
        yield f"{conf.where('General', error.tag)}: {error.reason} ({error.hint})"
        return
    directory = run_directory(conf)
    if not _may_write(directory, user):
        place, mend = conf.where("General", "User"), mend_rights(directory, name)
        yield f"{place}: {name} may not write in the run directory {directory}: {mend}"


def mend_rights(directory: Path, user: str) -> str:
    """What lets a user write in a run directory."""
    if directory not in COMMON:
        return f"chown {user} {directory}"
    own = directory / "isakmpd"
    return f"install -d -o {user} {own}, and set Run-directory= {own} in [General]"


def _may_write(directory: Path, user: Identity) -> bool:
    """True also where that is not known."""
    try:
        info = directory.stat()
    except OSError:
        return True
    owner, group, other = _RIGHTS
    wanted = other
    if user.uid == info.st_uid:
        wanted = owner
    elif user.gid == info.st_gid:
        wanted = group
    return user.uid == 0 or info.st_mode & wanted == wanted
