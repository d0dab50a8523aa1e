"""Seeds with somebody who forges all that is in clear: nothing is lost by it."""

from __future__ import annotations

from random import Random

import pytest

from regress.sim.observer import observe
from regress.sim.play import Play


@pytest.mark.parametrize("seed", range(12))
def test_seeds_with_forged_messages(seed: int) -> None:
    player = Play(seed)
    observe(player.world, 1.0, Random(seed))
    try:
        player.play()
    except Exception as error:
        lines = "\n".join(list(player.world.lines)[-60:])
        pytest.fail(f"{lines}\nseed {seed}: {error}")
    assert player.setting.outside or player.world.counts["forged in clear"]
