"""What a configuration says without being written: the defaults of isakmpd.conf(5)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from isakmp.conf.kinds import Kind
from isakmp.conf.tags import FIXED, TAGS


def _defaults(kind: Kind) -> Mapping[str, str]:
    return {name: tag.default for name, tag in TAGS[kind].items() if tag.default}


BUILT_IN: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        **{name: _defaults(kind) for name, kind in FIXED.items()},
        "Default-phase-1": MappingProxyType(
            {"Phase": "1", "Configuration": "Default-phase-1-configuration"}
        ),
        "Default-phase-1-configuration": MappingProxyType(
            {"DOI": "IPSEC", "EXCHANGE_TYPE": "ID_PROT", "Transforms": "3DES-SHA-RSA_SIG"}
        ),
        "LIFE_MAIN_MODE": MappingProxyType({"LIFE_TYPE": "SECONDS"}),
        "LIFE_QUICK_MODE": MappingProxyType({"LIFE_TYPE": "SECONDS"}),
    }
)

# Tags whose default is what another one says.
BORROWED: Mapping[tuple[str, str], tuple[str, str]] = MappingProxyType(
    {
        ("life_main_mode", "life_duration"): ("General", "Default-phase-1-lifetime"),
        ("life_quick_mode", "life_duration"): ("General", "Default-phase-2-lifetime"),
        ("default-phase-1", "id"): ("General", "Default-phase-1-ID"),
    }
)
