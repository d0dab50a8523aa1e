"""Settings: the engine has the configuration's defaults before it has read one."""

from __future__ import annotations

from isakmp.exchange.settings import Settings
from regress.pair import Network, both


def test_what_is_not_configured_is_as_if_nothing_were_read() -> None:
    near, _ = both()
    assert Network().host(near).daemon.engine.settings == Settings()
