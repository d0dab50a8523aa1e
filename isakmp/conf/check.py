"""The configuration checked before anyone connects: every error, with file, line and a hint.

What walks through the sections is walk.py; here what it found is put together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from isakmp.conf.clear import traffic_warnings
from isakmp.conf.host import address_warnings, file_warnings, listening_warnings
from isakmp.conf.kinds import Kind
from isakmp.conf.parse import fold
from isakmp.conf.ppk import ppk_warnings
from isakmp.conf.spelling import lost
from isakmp.conf.store import Conf, read_file
from isakmp.conf.user import group_warnings, user_warnings
from isakmp.conf.walk import Walk
from isakmp.conf.who import confusable
from isakmp.errors import ConfError
from isakmp.event.steps import Steps, at_once, told
from isakmp.policy.closed import Closing
from isakmp.policy.identity import Resolve, no_interfaces
from isakmp.policy.reader import connection_names
from isakmp.policy.readings import Readings
from isakmp.policy.supported import UNKNOWN, Stack

MAX_ERRORS = 1000

Faults = Mapping[tuple[Kind, str], ConfError]
"""By kind and folded name."""
Host = Callable[[Conf], tuple[Iterable[ConfError], Stack]]
"""What it lacks to start with a configuration, and its IPsec stack."""


class Judgement(NamedTuple):
    """What there is to say of a configuration.

    errors: in line order, none: it can be used; warnings: what works but deserves a look; faults:
    the sections that cannot be used, as they or what they lead to have errors, and the first.
    """

    errors: list[ConfError]
    warnings: list[str]
    faults: Faults


def judge(
    conf: Conf, resolve: Resolve = no_interfaces, readings: Readings | None = None,
    stack: Stack = UNKNOWN, started: bool = True,
) -> Judgement:  # fmt: skip
    """Every error and warning: duplicates, unused sections, algorithms of the past, or that the
    stack lacks; of who has started, what would keep him from it the next time.

    readings: to be filled, for who reads the same afterwards.
    """
    return at_once(judging(conf, resolve, readings, stack, started))


def judging(
    conf: Conf, resolve: Resolve = no_interfaces, readings: Readings | None = None,
    stack: Stack = UNKNOWN, started: bool = True,
) -> Steps[Judgement]:  # fmt: skip
    """The same in steps, of which each looks at a section or two."""
    errors, said, faults = yield from _judging_part(conf, resolve, readings, stack)
    if not connection_names(conf) and not conf.tags("Phase 1"):
        place = f"{conf.path}: " if conf.path else ""
        said.append(f"{place}no connection and no peer: [Phase 1] and [Phase 2] are empty")
    if started:
        said += user_warnings(conf)
        said += [*listening_warnings(conf, resolve, stack.families), *file_warnings(conf)]
    else:
        said += group_warnings(conf)
    return Judgement(errors, [*conf.warnings, *said], faults)


def judge_part(
    conf: Conf, resolve: Resolve, readings: Readings | None = None, stack: Stack = UNKNOWN
) -> Judgement:
    """The same for some sections of a configuration, whose lists lead to these alone."""
    return at_once(_judging_part(conf, resolve, readings, stack))


def _judging_part(
    conf: Conf, resolve: Resolve, readings: Readings | None, stack: Stack
) -> Steps[Judgement]:
    walk = Walk(conf, resolve, readings or Readings(conf, resolve), stack)
    yield from walk.run()
    errors = sorted(walk.errors.values(), key=lambda error: (error.file, error.line))
    remotes = list(walk.remotes.values())
    installs = conf.general("Application")[0] != "none"
    said = list(dict.fromkeys(walk.warnings))
    said += yield from told(confusable(conf, remotes, walk.initiators, walk.keys))
    said += yield from told(
        traffic_warnings(conf, walk.connections, walk.bypass, resolve, installs, stack.idle)
    )
    said += yield from told(address_warnings(conf, remotes, resolve, stack.families))
    said += yield from told(ppk_warnings(conf, remotes, walk.connections))
    yield from walk.dropped()
    return Judgement(errors[:MAX_ERRORS], said, walk.faults)


def judge_file(
    path: Path, resolve: Resolve = no_interfaces, host: Host = lambda _: ((), UNKNOWN)
) -> Judgement:
    """The same for a file, which may not even be readable, before isakmpd starts."""
    try:
        parsed = read_file(path)
    except ConfError as error:
        return Judgement([error.kept()], [], {})
    if parsed.errors:
        return Judgement(parsed.errors, parsed.warnings, {})
    conf = Conf(parsed, path)
    lacking, stack = host(conf)
    judged = judge(conf, resolve, stack=stack, started=False)
    errors = [*judged.errors, *_shut(conf, resolve, judged.faults), *lacking]
    return judged._replace(errors=errors)


def _shut(conf: Conf, resolve: Resolve, faults: Faults) -> Iterator[ConfError]:
    """What a start would say of the traffic of connections that it leaves out."""
    if lost(conf):
        return
    closing = at_once(Closing.of(conf, resolve))
    for name in connection_names(conf):
        why = faults.get((Kind.CONNECTION, fold(name)))
        if why or not conf.has_section(name):
            yield from closing.shut(name, why).errors


def check(conf: Conf, resolve: Resolve = no_interfaces) -> list[ConfError]:
    """The errors alone."""
    return judge(conf, resolve).errors


def warnings(conf: Conf, resolve: Resolve = no_interfaces) -> list[str]:
    """The warnings alone."""
    return judge(conf, resolve).warnings
