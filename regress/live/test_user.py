"""Daemon and key engine as another user: traffic flows, and all that comes later works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from isakmp.privilege import Identity
from regress.interop.end import eventually
from regress.interop.namespace import SetupFailure
from regress.interop.needs import missing
from regress.live.pair import ROOT, Host, Stream, configuration, hosts, hup, wait_up
from regress.test_privilege import NETWORK, check_bounds

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "-")

USER = "nobody"
soon = partial(eventually, timeout_s=60)
ENGINE = "isakmp.app.engine"


@pytest.fixture
def ends() -> Iterator[tuple[Host, Host]]:
    """Both ends, in folders that another user can get to; a's is that user's."""
    folder = Path(tempfile.mkdtemp(prefix="isakmpd-test-"))
    folder.chmod(0o711)
    try:
        with hosts(folder) as made:
            identity = Identity(USER, "")
            os.chown(made[0].folder, identity.uid, identity.gid)
            yield made
    except SetupFailure as failure:
        pytest.skip(str(failure))
    finally:
        shutil.rmtree(folder)


def check_user(process: subprocess.Popen[bytes], kept: int) -> None:
    """Who it has become, with what is left; and that nobody of that user can look into it."""
    identity = Identity(USER, "")
    check_bounds(process.pid, identity.uid, kept)
    # What cannot be dumped, and so not traced, has files of root's in /proc.
    assert os.stat(f"/proc/{process.pid}/environ").st_uid == 0


def configured(a: Host, b: Host, general: str, life_s: int) -> None:
    a.write(configuration(
        "a", a.folder, general=f"User= {USER}\nLogfile= Negotiation={a.folder}/all.log\n{general}",
        life_s=life_s, key_exchange="ikev2",
    ))  # fmt: skip
    b.write(configuration("b", b.folder, key_exchange="ikev2"))


def work_goes_on(
    a: Host, b: Host, process: subprocess.Popen[bytes], change: Callable[[], None]
) -> None:
    """Traffic, rekeying under traffic, HUP with a file of root's, and a log that is rotated."""
    wait_up(a, b, 60)
    before = a.pairs()
    streams = [Stream(a, index, 500, 0.02) for index in (0, 1)]
    assert [stream.lost() for stream in streams] == [0, 0]
    assert all(a.pairs()[name] != before[name] for name in before)
    log = a.folder / "all.log"
    log.rename(a.folder / "old.log")
    assert a.conf.stat().st_uid == 0
    change()
    hup(process)
    soon("the file is read again", lambda: "configuration reloaded: " in a.log())
    soon("the log is anew", log.exists)
    assert log.stat().st_uid == Identity(USER, "").uid
    wait_up(a, b, 60)
    assert Stream(a, 0, 20, 0.02).lost() == 0


@pytest.mark.parametrize("own", [False, True], ids=["engine inside", "engine on its own"])
def test_as_another_user_the_tunnel_carries_traffic(ends: tuple[Host, Host], own: bool) -> None:
    a, b = ends
    path = a.folder / "engine"
    general = f"Engine-socket= {path}\n" if own else ""
    configured(a, b, general, life_s=6)
    with ExitStack() as stack:
        stack.enter_context(b.daemon())
        if own:
            engine = stack.enter_context(a.process(ENGINE, "--socket", str(path), "--user", USER))
            soon("the engine listens", path.exists)
            check_user(engine, NETWORK)
        process = stack.enter_context(a.daemon())
        soon("isakmpd runs", lambda: "isakmpd runs" in a.log())
        check_user(process, 0 if own else NETWORK)
        work_goes_on(a, b, process, lambda: configured(a, b, general, life_s=1200))
    assert "Traceback" not in a.log()
    assert not path.exists()


def test_started_as_that_user_it_needs_no_root(ends: tuple[Host, Host]) -> None:
    """As a service manager does it: with the capabilities that docs/isakmpd.8.md names, ambient."""
    a, b = ends
    identity = Identity(USER, "")
    manual = (ROOT / "docs" / "isakmpd.8.md").read_text()
    unit = r"^# systemctl edit isakmpd\n\[Service\]\nUser=.*\nAmbientCapabilities=(.*)$"
    (named,) = re.findall(unit, manual, re.MULTILINE)
    capabilities = ",".join(f"+{word.lower().removeprefix('cap_')}" for word in named.split())
    a.write(configuration("a", a.folder, key_exchange="ikev2"))
    os.chown(a.conf, identity.uid, identity.gid)
    b.write(configuration("b", b.folder, key_exchange="ikev2"))
    through = (
        "setpriv", f"--reuid={identity.uid}", f"--regid={identity.gid}", "--clear-groups",
        f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}",
    )  # fmt: skip
    with b.daemon(), a.process("isakmp", "-d", "-c", str(a.conf), through=through) as process:
        wait_up(a, b, 60)
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert re.search(rf"^Uid:\t{identity.uid}\t", status, re.MULTILINE)
        assert re.search(rf"^CapPrm:\t{NETWORK:016x}$", status, re.MULTILINE)
        assert Stream(a, 0, 20, 0.02).lost() == 0
    assert "Traceback" not in a.log()
