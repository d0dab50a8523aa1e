"""Local-selectors and Remote-selectors: which traffic an IKEv2 connection carries."""

from __future__ import annotations

from isakmp.conf.kinds import Kind
from isakmp.conf.store import Conf
from isakmp.policy.boxes import SELECTORS_MAX
from isakmp.policy.spd import TrafficSelector
from isakmp.policy.transforms import read_names


def read_selectors(conf: Conf, section: str, tag: str) -> tuple[TrafficSelector, ...]:
    """The selectors of one side. ConfError with the one that is wrong."""
    read_names(conf, section, tag, max(SELECTORS_MAX, conf.general("Max-selectors-per-side")[0]))
    found: tuple[TrafficSelector, ...] = conf.value(Kind.CONNECTION, section, tag)
    return found
