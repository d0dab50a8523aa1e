"""Whether the User of [General] can work on this host, told before the first start as that user."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from stat import S_IWGRP, S_IWOTH, S_IWUSR, S_IXGRP, S_IXOTH, S_IXUSR

from isakmp.conf.files import is_other
from isakmp.conf.host import refuse_none_left
from isakmp.conf.kinds import Kind
from isakmp.conf.store import Conf
from isakmp.conf.tags_general import NEEDED_AT_START
from isakmp.errors import ConfError
from isakmp.privilege import Identity
from isakmp.run_directory import COMMON, run_directory

_RIGHTS = (S_IWUSR | S_IXUSR, S_IWGRP | S_IXGRP, S_IWOTH | S_IXOTH)


def refuse_start(conf: Conf, families: Collection[int] = (4, 6)) -> None:
    """ConfError where isakmpd would not start as this file has it, whatever else this host has: a
    value in error that it needs, nothing left to listen on, or a user or group that is not there.
    families: the versions of IP that it is to speak."""
    for tag in NEEDED_AT_START:
        conf.value(Kind.GENERAL, "General", tag)
    refuse_none_left(conf, families)
    try:
        named_user(conf)
    except ConfError as error:
        conf.place(error)
        raise


def user_warnings(conf: Conf) -> Iterator[str]:
    """A user or group that is not there, or may not write in the run directory; a group alone."""
    if error := user_error(conf):
        yield str(error)
    yield from group_warnings(conf)


def group_warnings(conf: Conf) -> Iterator[str]:
    """A group alone."""
    if conf.general("Group")[0] and not conf.get("General", "User"):
        yield f"{conf.where('General', 'Group')}: without User it changes nothing"


def user_error(conf: Conf) -> ConfError | None:
    """A user or group that is not there, or may not write in the run directory."""
    try:
        user = named_user(conf)
    except ConfError as error:
        hint = error.hint
        conf.place(error).hint = hint
        return error.kept()
    directory = run_directory(conf)
    if user is None or is_other(directory) or may_write(directory, user):
        return None
    mend = mend_rights(directory, user.name)
    reason = f"{user.name} may not write in the run directory {directory}: {mend}"
    return conf.error(reason, "General", "User")


def named_user(conf: Conf) -> Identity | None:
    """Whom isakmpd becomes; None where nobody is named, or not so that it could be read.
    ConfError where this host has no such user or group."""
    name, group = conf.general("User"), conf.general("Group")
    refused = name[1] or group[1]
    return Identity(name[0], group[0] or "") if name[0] and not refused else None


def owners(conf: Conf) -> frozenset[int]:
    """Whose files are isakmpd's own besides root's and those of who it is now: of whom it becomes,
    user ids; empty where nobody is named, or nobody that this host has."""
    try:
        user = named_user(conf)
    except ConfError:
        return frozenset()
    return frozenset((user.uid,) if user else ())


def mend_rights(directory: Path, user: str) -> str:
    """What lets a user write in a run directory."""
    if directory not in COMMON:
        return f"chown {user} {directory}"
    own = directory / "isakmpd"
    return f"install -d -o {user} {own}, and set Run-directory= {own} in [General]"


def may_write(directory: Path, user: Identity) -> bool:
    """Whether a user may make files there. True also where that is not known."""
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
