"""How applications are put together."""

from __future__ import annotations

import random as pseudo
import socket
from pathlib import Path

import pytest

from isakmp.app.engine.engine import KeyEngine
from isakmp.app.engine.process import listen
from isakmp.app.engine.server import Server
from isakmp.app.make import _Embedded, make_application, make_barrier, needs
from isakmp.app.pf_key.link import DirectLink
from isakmp.conf.store import Conf
from isakmp.errors import ConfError
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from regress.app.engine.pair import MemoryNetif, MemoryWire
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


def test_the_guard_hears_of_every_port_of_the_daemon() -> None:
    """The kernel knows IKE in IPv6 by its port alone, which -p and -N change."""
    timers, ports = Timers(lambda: 0.0), list[int]()
    wire, netif = MemoryWire(), MemoryNetif()  # type: ignore[abstract]
    log = Log(lambda: 0.0, lambda line: None)
    server = Server(
        lambda events: KeyEngine(
            timers=timers, random=pseudo.randbytes, wire=wire, netif=netif,
            events=events, log=log,
        ), lambda: 0.0,
    )  # fmt: skip
    app = _Embedded(DirectLink(server.attach), timers, server.engine, ports.append)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        app.own_socket(sock, encap=False)
        assert ports == [sock.getsockname()[1]]
    app.close()
