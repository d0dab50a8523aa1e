"""What is said of a configuration while it is used: once, while it stays."""

from __future__ import annotations

from typing import Any

from isakmp.conf.check import Judgement
from isakmp.conf.store import Conf
from isakmp.conf.told import Told
from isakmp.errors import ConfError
from isakmp.log.log import Severity

ERR, WARN = Severity.INTERNAL_ERR, Severity.INTERNAL_WARN
CONF = Conf.from_text("[General]\nWorkers= 2\n", "f")


def judged(*errors: ConfError, warnings: tuple[str, ...] = ()) -> Judgement:
    faults: Any = {}
    return Judgement(list(errors), list(warnings), faults)


BAD, WORSE = (ConfError(text, file="f", line=3, section="west") for text in ("is bad", "is worse"))


def test_each_is_said_once_while_it_stays_and_again_when_it_comes_back() -> None:
    told = Told()
    both = judged(BAD, warnings=("look here",))
    assert told.news(CONF, both, []) == [(ERR, str(BAD)), (WARN, "look here")]
    assert told.news(CONF, both, []) == []
    assert told.wrong == [str(BAD), "look here"], "what is wrong now is known all the same"
    assert told.news(CONF, judged(), []) == [] and told.wrong == []
    assert told.news(CONF, judged(BAD), []) == [(ERR, str(BAD))]


def test_what_is_left_out_is_told_with_its_error_and_that_not_twice() -> None:
    left = [("net", BAD), ("more", BAD), ("net", WORSE), ("last", BAD)]
    assert Told().news(CONF, judged(BAD, WORSE), left) == [
        (ERR, f"left out: net: {BAD}; {WORSE}"), (ERR, f"left out: more, last: {BAD}"),
    ]  # fmt: skip


def test_of_general_what_counts_instead_is_told() -> None:
    conf = Conf.from_text("[General]\nRetransmits= many\n", "f")
    error = ConfError("is no number", file="f", line=2, section="General", tag="Retransmits")
    ((_, line),) = Told().news(conf, judged(error), [])
    assert line.startswith("f:2 [General]:Retransmits: ") and line != str(error)


def test_what_counts_at_a_start_alone() -> None:
    told = Told()
    told.started(CONF)
    assert told.later(CONF) == []
    changed = Conf.from_text("[General]\nWorkers= 3\nRetransmits= 4\nUser= nobody\n", "f")
    assert told.later(changed) == [
        "[General]:User counts from the next start on",
        "[General]:Workers counts from the next start on",
    ]
    assert told.later(CONF) == [], "it is as it was"
