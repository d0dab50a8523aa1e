"""What of a value is likely no part of it, and is taken for one: comments, quotes, names again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from isakmp.conf.tags import SECRET_TAGS

_COMMENT = re.compile(r"[ \t]([#;])")
_QUOTED = re.compile(r"""(["'])[^"']*\1(?=[ \t]|$)""")


def likely_outside(tag: str, value: str) -> str:
    """What a value is taken with, and what to write instead; empty where there is nothing of the
    kind. Of a secret nothing is told but what it is taken with."""
    secret = tag.lower() in SECRET_TAGS
    whose = "the secret" if secret else "the value"
    quotes, comment = _QUOTED.match(value), _COMMENT.search(value)
    if comment and quotes:
        comment = _COMMENT.search(value, quotes.end())
    said = []
    if quotes and (comment or quotes.end() == len(value)):
        said.append("the quotes")
    if comment:
        said.append(f"the {comment[1]} and what follows it")
    if not said:
        return ""
    mend = "a comment stands on a line of its own"
    if comment and not secret:
        mend = "begin a comment there with #"
    mends = ["write it without quotes"] * (said[0] == "the quotes") + [mend] * bool(comment)
    whole = "" if secret else f", {value!r}"
    return f"{' and '.join(said)} belong to {whose}{whole}: {', and '.join(mends)}"


def listed_twice(names: Sequence[str]) -> list[str]:
    """What stands more than once in a list, as it is first spelled."""
    times = Counter(map(str.lower, names))
    first = {name.lower(): name for name in reversed(names)}
    return [first[name] for name, count in times.items() if count > 1]
