"""Tags that other daemons' files have, in the place of ours."""

from __future__ import annotations

from itertools import chain

import pytest

from isakmp.conf.check import judge
from isakmp.conf.elsewhere import _OURS, _SAME, same_here
from isakmp.conf.kinds import Kind
from isakmp.conf.store import Conf
from isakmp.conf.tags import TAGS, tag_of
from regress.conf.test_remarks import CONF, GOOD


def test_each_means_one_tag_of_its_kind_and_is_none_itself() -> None:
    for kind, tags in _SAME.items():
        words = list(chain.from_iterable(words.split() for words in tags.values()))
        assert len(words) == len(set(words)) == len(_OURS[kind])
        assert set(tags) <= set(TAGS[kind])
        assert all(tag_of(kind, word) is None for word in words)


@pytest.mark.parametrize(
    "name", ["PSK", "Secret", "Pre-shared-key", "Pre_Shared_Key", "Key", "Password", "sharedsecret"]
)
def test_a_secret_by_another_name(name: str) -> None:
    assert same_here(Kind.PEER, name) == "Authentication"
    text = CONF.format(secret=GOOD, lists="Connections= a").replace("Authentication=", f"{name}=")
    errors = list(map(str, judge(Conf.from_text(text, "f")).errors))
    assert any(
        f"no tag {name} in an ISAKMP peer (did you mean Authentication?)" in e for e in errors
    )
    assert GOOD not in "".join(errors)


@pytest.mark.parametrize("kind", _OURS)
def test_every_one_is_hinted_at(kind: Kind) -> None:
    base = CONF.format(secret=GOOD, lists="Connections= a")
    place = {Kind.PEER: "[east]\n", Kind.CONNECTION: "[a]\n"}[kind]
    for word, tag in _OURS[kind].items():
        text = "\n".join(line for line in base.split("\n") if not line.startswith(f"{tag}="))
        conf = Conf.from_text(text.replace(place, f"{place}{word}= x\n"), "f")
        errors = "\n".join(map(str, judge(conf).errors))
        assert f"no tag {word} " in errors and f"did you mean {tag}?" in errors, word


def test_beside_the_tag_that_it_means_it_is_ignored() -> None:
    text = CONF.format(secret=f"{GOOD}\nPSK= other", lists="Connections= a")
    found = judge(Conf.from_text(text, "f"))
    assert not found.errors
    assert any("no tag PSK" in warning for warning in found.warnings)
