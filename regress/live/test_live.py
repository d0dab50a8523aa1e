"""Reload, rekeying and the engine's own process, with traffic through real tunnels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from fifo_ui import ctl
from regress.interop.end import eventually
from regress.interop.namespace import SetupFailure
from regress.interop.needs import missing
from regress.live.pair import OTHER_SUITE, SUITE, Host, Stream, configuration, hosts, hup, wait_up

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "-")


SPOKEN = pytest.mark.parametrize("spoken", ["ikev1", "ikev2"])


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    try:
        with hosts(tmp_path) as made:
            yield made
    except SetupFailure as failure:
        pytest.skip(str(failure))


@SPOKEN
def test_hup_touches_only_what_changed(ends: tuple[Host, Host], spoken: str) -> None:
    a, b = ends
    a.write(configuration("a", a.folder, key_exchange=spoken))
    both = (SUITE, f"{SUITE}, {OTHER_SUITE}")
    b.write(configuration("b", b.folder, suites=both, key_exchange=spoken))
    with b.daemon(), a.daemon() as process:
        wait_up(a, b)
        before = a.pairs()
        first, second = Stream(a, 0, 4000, 0.02), Stream(a, 1, 4000, 0.02)

        hup(process)
        eventually("nothing changed", lambda: "nothing changed" in a.log())
        assert a.pairs() == before

        a.write("[General\nthis is no configuration\n")
        hup(process)
        eventually("a broken file is refused", lambda: "SIGHUP:" in a.log())
        assert a.pairs() == before

        assert second.stop() == 0, "an unchanged or broken file cost packets"
        a.write(configuration("a", a.folder, suites=(SUITE, OTHER_SUITE), key_exchange=spoken))
        hup(process)
        eventually("second is negotiated anew", lambda: a.pairs()["second"] != before["second"])
        wait_up(a, b)
        assert a.pairs()["first"] == before["first"]
        assert Stream(a, 1, 5, 0.05).lost() == 0
        assert first.stop() == 0, "the connection that did not change lost packets"


@SPOKEN
def test_rekeying_of_both_phases_loses_no_packet(ends: tuple[Host, Host], spoken: str) -> None:
    a, b = ends
    a.write(configuration("a", a.folder, life_s=6, phase_1_s=9, key_exchange=spoken))
    b.write(configuration("b", b.folder, life_s=6, phase_1_s=9, key_exchange=spoken))
    with b.daemon(), a.daemon():
        wait_up(a, b)
        before = a.pairs()
        streams = [Stream(a, index, 700, 0.02) for index in (0, 1)]
        assert [stream.lost() for stream in streams] == [0, 0]
        assert a.pairs() != before
        assert a.log().count(" SA peer") >= 2
        wait_up(a, b)


def test_the_engine_in_a_process_of_its_own(ends: tuple[Host, Host]) -> None:
    a, b = ends
    path = a.folder / "engine"
    a.write(configuration("a", a.folder, general=f"Engine-socket= {path}"))
    b.write(configuration("b", b.folder))
    with ExitStack() as stack:
        stack.enter_context(b.daemon())
        stack.enter_context(a.process("isakmp.app.engine", "--socket", str(path)))
        eventually("the engine listens", path.exists)
        stack.enter_context(a.daemon())
        wait_up(a, b)
        assert Stream(a, 0, 20, 0.02).lost() == 0
        rows = [row for row in a.status()["result"] if row["phase"] == 2 and row["name"] == "first"]
        assert rows[0]["packets_out"] == 20


def told(host: Host, *words: str) -> tuple[int, str]:
    """isakmpctl's exit status, and what it prints, in the form whose lines are not broken."""
    with redirect_stdout(StringIO()) as out:
        status = ctl.main(["--run-directory", str(host.folder), "--json", *words])
    return status, out.getvalue()


def test_an_engine_that_starts_again_gets_its_policies_and_sas_back(
    ends: tuple[Host, Host],
) -> None:
    a, b = ends
    path = a.folder / "engine"
    a.write(configuration("a", a.folder, general=f"Engine-socket= {path}"))
    b.write(configuration("b", b.folder))
    with ExitStack() as stack:
        stack.enter_context(b.daemon())
        engine = ExitStack()
        engine.enter_context(a.process("isakmp.app.engine", "--socket", str(path)))
        eventually("the engine listens", path.exists)
        stack.enter_context(a.daemon())
        wait_up(a, b)
        before = a.pairs()
        engine.close()
        eventually("it is missed", lambda: "no stack" in told(a, "connections")[1])
        for words in (["connections"], ["sa"], ["explain"], ["up", "first", "--wait", "3"]):
            status, text = told(a, *words)
            assert f"isakmpd-engine --socket {path}" in text
            assert status == (words[0] == "up")
        stack.enter_context(a.process("isakmp.app.engine", "--socket", str(path)))
        eventually(
            "all is negotiated anew", lambda: a.pairs()["first"] not in ([], before["first"])
        )
        wait_up(a, b)
        assert Stream(a, 1, 10, 0.05).lost() == 0
