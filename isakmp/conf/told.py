"""What is said of a configuration while it is used: each error and warning once, while it stays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from isakmp.conf.check import Judgement
from isakmp.conf.kinds import Kind
from isakmp.conf.store import RUN_TIME, UNHEEDED, Conf
from isakmp.conf.tags import TAGS, tag_of
from isakmp.conf.tags_general import AT_START
from isakmp.errors import ConfError
from isakmp.log.log import Severity

Line = tuple[Severity, str]


class Told:
    """Remembers what was said, to say what is new. wrong: each error and warning there is now."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self._said: frozenset[Line] = frozenset()
        self._at_start: dict[str, str | None] = {}

    def started(self, conf: Conf) -> None:
        """Remember what counts until the next start."""
        self._at_start = _at_start(conf)

    def later(self, conf: Conf) -> list[str]:
        """What is not heeded before the next start, a line each."""
        now = _at_start(conf)
        changed = [tag for tag, value in self._at_start.items() if now[tag] != value]
        return [f"[General]:{tag} {self._when(conf, tag)}" for tag in changed]

    @staticmethod
    def _when(conf: Conf, tag: str) -> str:
        """What is set at run time is lost with the daemon: the next start will not see it."""
        if conf.where("General", tag).startswith(RUN_TIME):
            return "counts at a start alone: write it in the file for the next one"
        return "counts from the next start on"

    def news(
        self, conf: Conf, judged: Judgement, left_out: list[tuple[str, ConfError]]
    ) -> list[Line]:
        """What has not been said. left_out: what is not used, and why."""
        errors = _errors(conf, judged, left_out)
        lines = [(Severity.INTERNAL_ERR, text) for text in errors]
        lines += [(Severity.INTERNAL_WARN, text) for text in judged.warnings]
        self.wrong = [text for _, text in lines]
        news = [line for line in lines if line not in self._said]
        self._said = frozenset(lines)
        return news


def _at_start(conf: Conf) -> dict[str, str | None]:
    return {tag: conf.get("General", tag) for tag in AT_START}


def _errors(conf: Conf, judged: Judgement, left_out: list[tuple[str, ConfError]]) -> Iterator[str]:
    """Each error, with what is left out for it, or what counts instead."""
    texts: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for name, error in left_out:
        texts[name][str(error)] = None
    names: defaultdict[str, list[str]] = defaultdict(list)
    for name, why in texts.items():
        names["; ".join(why)].append(name)
    for text, found in names.items():
        yield f"left out: {', '.join(found)}: {text}"
    told = {text for why in texts.values() for text in why}
    for error in judged.errors:
        if str(error) not in told:
            yield str(_instead(conf, error))


def _instead(conf: Conf, error: ConfError) -> ConfError:
    """Of [General], what counts instead, if something does."""
    known = error.section.lower() == "general" and tag_of(Kind.GENERAL, error.tag)
    if not known:
        return error
    name = next((n for n in TAGS[Kind.GENERAL] if n.lower() == error.tag.lower()), "")
    if known.lent:
        return error
    if known.leads and not known.default and not error.reason.endswith(UNHEEDED):
        error.reason += UNHEEDED
    return conf.general(name)[1] or error
