"""Somebody who forges all that is in clear: nothing is lost by it.

Most of it is in the beginning, which costs little: many of those, and a few whole seeds.
"""

from __future__ import annotations

from random import Random

import pytest

from regress.sim.observer import observe
from regress.sim.play import Play
from regress.sim.world import Faults


def watched(seed: int) -> Play:
    player = Play(seed)
    observe(player.world, 1.0, Random(seed))
    return player


@pytest.mark.parametrize("seed", range(12))
def test_seeds_with_forged_messages(seed: int) -> None:
    player = watched(seed)
    try:
        player.play()
    except Exception as error:
        lines = "\n".join(list(player.world.lines)[-60:])
        pytest.fail(f"{lines}\nseed {seed}: {error}")
    assert player.setting.outside or player.world.counts["forged in clear"]


BEGINNINGS = 120
# Of so many in a hundred the first attempt may fail: whoever asks for cookies and groups without an
# end can make it so, as does one of two that begin at once.
FAILED_MAX_PERCENT = 5
# The more so where others compute, who take up to 0.3 s for each result.
FAILED_ELSEWHERE_MAX_PERCENT = 7


@pytest.mark.parametrize(("elsewhere", "failed_max_percent"), [
    (False, FAILED_MAX_PERCENT), (True, FAILED_ELSEWHERE_MAX_PERCENT),
])  # fmt: skip
def test_beginnings_with_forged_messages(elsewhere: bool, failed_max_percent: int) -> None:
    """All come up; next to none in a second attempt, and none under keys that two have."""
    failed, forged = 0, 0
    for seed in range(BEGINNINGS):
        player = watched(seed)
        player.world.faults = Faults(delay_s=Random(seed).choice((0, 0.02, 0.4)))
        for end in player.ends:
            end.elsewhere = elsewhere and end.elsewhere
            end.start()
        player.wait(5)
        # Two that begin at once in two versions may keep an SA of each for a lifetime (a design
        # error we know of); what a late result leaves half open ends after 25 s.
        begins = {spoken.split(",")[0] for spoken in player.setting.spoken}
        patient = elsewhere or (player.setting.both_start and len(begins) > 1)
        player.until_quiet(120 if patient else 60)
        counts = player.world.counts
        failed += counts["IKE_SA_INIT failed"] + counts["main mode failed"]
        failed += counts["aggressive mode failed"]
        lost = counts["CREATE_CHILD_SA failed"] + counts["CREATE_CHILD_SA ended with its SA"]
        assert not lost + counts["INFORMATIONAL failed"], seed
        forged += counts["forged in clear"]
    assert forged > 10 * BEGINNINGS
    assert failed <= BEGINNINGS * failed_max_percent / 100
