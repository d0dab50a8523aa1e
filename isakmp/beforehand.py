"""What this host lacks for isakmpd to start with a configuration, for --check: each in the words of
the start that it would end.

Not whether the caller may do what root may, nor whether another isakmpd is at work now.
"""

from __future__ import annotations

import argparse
import errno
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from fifo_ui.commands import CAPTURE
from fifo_ui.fifo import STDIN, another_file
from fifo_ui.files import read_only
from isakmp.app.make import missing
from isakmp.conf.files import check_directory, is_other, unfit_to_write
from isakmp.conf.host import file_errors
from isakmp.conf.store import Conf
from isakmp.conf.user import may_write, named_user, owners, user_error
from isakmp.errors import ConfError, IsakmpError
from isakmp.flags import families
from isakmp.listening import listen_on
from isakmp.log.keylog import check_key_log
from isakmp.privilege import Identity
from isakmp.run_directory import run_directory
from isakmp.service import fifo_path
from isakmp.transport.udp import not_to_be_had


def lacking(conf: Conf, options: argparse.Namespace) -> Iterator[ConfError]:
    """All of it, a ConfError each, with the line that asks for it where one does."""
    yield from _unheard(conf, options)
    if wrong := user_error(conf):
        yield wrong
    yield from file_errors(conf)
    with suppress(ConfError):  # a user that is not there is told
        user = named_user(conf)
        yield from _run_directory(conf, options, user)
        yield from _key_log(conf, user)
    yield from _logfiles(conf)
    yield from _named_files(options)
    yield from _capture(conf, options)
    with suppress(ConfError):  # an Application that is none is told
        if not options.leave_alone and (error := missing(conf)):
            socket = conf.general("Engine-socket")[0]
            yield conf.error(str(error), "General", "Engine-socket" if socket else "Application")


def _unheard(conf: Conf, options: argparse.Namespace) -> Iterator[ConfError]:
    """Listen-on of no address of this host."""
    if conf.general("Listen-on")[1]:
        return
    try:
        addresses = listen_on(conf, families(options))
    except ConfError as error:
        yield error
        return
    for address in addresses:
        if refused := not_to_be_had(address, options.port):
            yield _placed(conf, refused)


def _placed(conf: Conf, error: ConfError) -> ConfError:
    """The same with its line."""
    return conf.error(error.reason, error.section, error.tag, error.hint)


def _run_directory(
    conf: Conf, options: argparse.Namespace, user: Identity | None
) -> Iterator[ConfError]:
    """One in which isakmpd would not, or could not, keep its files."""
    directory = run_directory(conf)
    tag = "Run-directory"
    if is_other(directory) and conf.is_written("General", tag):
        return  # which file_errors() tells
    try:
        check_directory(directory, {0, user.uid if user else os.geteuid()})
    except IsakmpError as error:
        yield conf.error(str(error), "General", tag)
    if read_only(directory):
        yield conf.error(f"{directory} is on a file system that is read-only", "General", tag)
    elif user is None and directory.is_dir() and not os.access(directory, os.W_OK | os.X_OK):
        yield conf.error(f"nothing may be written in {directory}", "General", tag)
    elif directory.is_dir() and (why := _not_taken(directory)):
        yield conf.error(f"no FIFO can be made in {directory}: {why}", "General", tag)
    path = fifo_path(options, directory)
    if path != STDIN and (other := another_file(Path(path))):
        yield other


def _not_taken(directory: Path) -> str:
    """Why a directory takes no FIFO, as one of /proc does not whoever asks; empty where it does."""
    trial = directory / f".isakmpd.check.{os.getpid()}"
    try:
        os.mkfifo(trial, 0o600)
        trial.unlink()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _key_log(conf: Conf, user: Identity | None) -> Iterator[ConfError]:
    """A Key-log where others could put their files, or that is not the user's to write."""
    path = conf.general("Key-log")[0]
    if not path or is_other(Path(path)):  # which file_errors() tells
        return
    whole = Path(path)
    try:
        check_key_log(whole, owners(conf))
    except IsakmpError as error:
        yield conf.error(str(error), "General", "Key-log")
        return
    there = next(each for each in (whole, *whole.parents) if os.path.lexists(each))
    if there.is_dir() and user and not may_write(there, user):
        reason = f"{user.name} may not write in {there}: chown {user.name} {there}"
        yield conf.error(reason, "General", "Key-log")


def _logfiles(conf: Conf) -> Iterator[ConfError]:
    """A Logfile that cannot be opened, in a directory that is there."""
    for path in dict.fromkeys(path for _, path in conf.general("Logfile")[0]):
        if why := _unwritable(Path(path), owners(conf)):
            yield conf.error(f"{path}{why}", "General", "Logfile")


def _unwritable(path: Path, owners: Collection[int]) -> str:
    """Why a file of a log cannot be written; empty where it can, or its directory is missing."""
    if not path.parent.is_dir():
        return ""
    try:
        info = path.lstat()
        mode = info.st_mode
    except OSError:
        info, mode = None, 0
    if stat.S_ISLNK(mode):
        return f": {os.strerror(errno.ELOOP)}"
    if stat.S_ISDIR(mode):
        return f": {os.strerror(errno.EISDIR)}"
    if info and (unfit := unfit_to_write(info, owners)):
        return f" {unfit}"
    if read_only(path.parent):
        return f": {os.strerror(errno.EROFS)}"
    writable = os.access(path, os.W_OK) if mode else os.access(path.parent, os.W_OK | os.X_OK)
    return "" if writable else f": {os.strerror(errno.EACCES)}"


def _named_files(options: argparse.Namespace) -> Iterator[ConfError]:
    """Files of the command line in no directory."""
    named = options.fifo, options.pid_file, options.report, options.capture_file
    for path in filter(None, named):
        if path != STDIN and not Path(path).parent.is_dir():
            yield ConfError(f"{path}: {os.strerror(errno.ENOENT)}")


def _capture(conf: Conf, options: argparse.Namespace) -> Iterator[ConfError]:
    """A capture's file that nothing is to be written to."""
    if not (options.capture or options.capture_file):
        return
    path = Path(options.capture_file or run_directory(conf) / CAPTURE)
    with suppress(OSError):
        if unfit := unfit_to_write(path.lstat(), owners(conf)):
            yield ConfError(f"{path}: {unfit}")
