"""How applications are put together."""

from __future__ import annotations

from pathlib import Path

import pytest

from isakmp.app.engine.process import listen
from isakmp.app.make import make_application, make_barrier, needs
from isakmp.conf.store import Conf
from isakmp.errors import ConfError
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from regress.app.pf_key.fakes import Heard


def test_an_application_that_is_none_is_taken_for_no_other() -> None:
    conf, timers = Conf.from_text("[General]\nApplication= kernel\n"), Timers(lambda: 0.0)
    log = Log(lambda: 0.0, lambda line: None)
    for ask in (
        lambda: needs(conf, False),
        lambda: make_barrier(conf, loop=Loop(timers), timers=timers, log=log),
        lambda: make_application(
            conf, loop=Loop(timers), timers=timers, random=bytes, log=log, send_raw=lambda *_: None
        ),
    ):
        with pytest.raises(ConfError, match="'kernel' is not one of"):
            ask()


def test_a_key_engine_that_is_gone_is_missed_with_how_to_start_it(tmp_path: Path) -> None:
    timers, heard, path = Timers(lambda: 0.0), Heard(), str(tmp_path / "engine")
    conf, loop = Conf.from_text(f"[General]\nEngine-socket= {path}\n"), Loop(timers)
    with listen(path) as engine, listen(path + ".esp"):
        app, _ = make_application(
            conf, loop=loop, timers=timers, random=bytes, log=Log(lambda: 0.0, print),
            send_raw=lambda *_: None,
        )  # fmt: skip
        app.start(heard)
        engine.accept()[0].close()
        loop.turn(0)
        app.close()
    (gone,) = heard.lost
    assert gone.detail == "the IPsec stack is gone: Connection reset by peer"
    assert gone.mend == f"start it: isakmpd-engine --socket {path}"
