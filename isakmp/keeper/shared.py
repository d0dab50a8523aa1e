"""What a keeper and its parts have in common: where SAs are kept, and who is asked about them."""

from __future__ import annotations

from isakmp.app.base import Application
from isakmp.event.timer import Timers
from isakmp.exchange.engine import Engine
from isakmp.keeper.connection import Connections
from isakmp.log.log import Log
from isakmp.policy.catalog import Catalog
from isakmp.sa_database import SaDatabase


class Shared:
    """engine and connections are set once all are made; delete_sas: peers are told of ends."""

    engine: Engine
    connections: Connections

    def __init__(
        self, sas: SaDatabase, app: Application, catalog: Catalog, timers: Timers, log: Log
    ) -> None:
        self.sas, self.app, self.catalog, self.timers, self.log = sas, app, catalog, timers, log
        self.delete_sas = True
