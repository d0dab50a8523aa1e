"""The run directory, and what is known by it: one rule for the daemon and all who must find it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fifo_ui.render import configuration
from isakmp import run_directory as module
from isakmp.app import make
from isakmp.conf.store import Conf
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log

WRITTEN = "[General]\nRun-directory= /written\n"
EMPTY = "[General]\nRetransmits= 3\n"


@pytest.mark.parametrize("service", [True, False])
@pytest.mark.parametrize(
    ("text", "made", "where"),
    [
        (WRITTEN, "/made", "/written"),
        (WRITTEN, "", "/written"),
        (EMPTY, "/made", "/made"),
        (EMPTY, "/made:/another", "/made"),
        (EMPTY, "", ""),
        (f"[General]\nRun-directory= /{'x' * 1023}\n", "/made", "/made"),
    ],
)
def test_where_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, made: str, where: str, service: bool
) -> None:
    monkeypatch.setattr(module, "SERVICE", tmp_path / "isakmpd")
    if service:
        tmp_path.joinpath("isakmpd").mkdir()
    monkeypatch.setenv("RUNTIME_DIRECTORY", made)
    usual = tmp_path / "isakmpd" if service else Path("/var/run")
    assert module.run_directory(Conf.from_text(text)) == Path(where or usual)


@pytest.mark.parametrize(("text", "used"), [(WRITTEN, "/written"), (EMPTY, "/made")])
def test_the_one_in_use_is_told(monkeypatch: pytest.MonkeyPatch, text: str, used: str) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/made")
    conf = Conf.from_text(text)
    assert conf.get("general", "run-directory") == used
    assert f"Run-directory= {used}" in configuration(conf)


@pytest.mark.parametrize("text", [WRITTEN, EMPTY])
def test_the_daemon_s_engine_and_who_closes_are_known_by_it(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    places = []

    def here(place: str, *_: object) -> tuple[None, None]:
        places.append(place)
        return None, None

    monkeypatch.setattr(make, "_engine_here", here)
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/made")
    conf, timers, log = Conf.from_text(text), Timers(lambda: 0.0), Log(lambda: 0.0, print)
    make.make_barrier(conf, loop=Loop(timers), timers=timers, log=log)
    make.make_application(
        conf, loop=Loop(timers), timers=timers, random=bytes, log=log, send_raw=lambda *_: None
    )
    assert places == ["/written" if text == WRITTEN else "/made"] * 2
