"""What pip installs is what the checkout has, as a wheel and as an sdist; and it runs elsewhere."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from isakmp import __version__
from isakmp.app.engine.flags import make_parser as engine_parser
from isakmp.flags import make_parser
from regress.interop.namespace import tun_device

# Made once, by one worker.
pytestmark = pytest.mark.xdist_group("installed")
ROOT = Path(__file__).resolve().parents[1]
NOT_SOURCE = (".git", ".venv", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed is not to find the checkout."""
    monkeypatch.delenv("PYTHONPATH", raising=False)


def run(*command: str | Path, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist of a copy of the checkout, which is left as it was."""
    base = tmp_path_factory.mktemp("sdist")
    copy = shutil.copytree(ROOT, base / "copy", ignore=shutil.ignore_patterns(*NOT_SOURCE))
    make = "import sys; sys.path.insert(0, '.'); from tools import backend as b; "
    make += "b.build_sdist(sys.argv[1])"
    run(sys.executable, "-c", make, base, cwd=copy)
    return next(base.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(sdist: Path) -> Path:
    """The wheel that pip makes of the sdist, so what is in the wheel is in both."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet")
    run(*pip, "--no-build-isolation", "--no-deps", "-w", sdist.parent, sdist, cwd=sdist.parent)
    return next(sdist.parent.glob("*.whl"))


def sources() -> set[str]:
    """Every file of the packages, as a path from the top."""
    files = (path for top in ("isakmp", "fifo_ui") for path in (ROOT / top).rglob("*"))
    kept = (path for path in files if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(ROOT)) for path in kept}


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert sources() - names == set()


def test_every_file_of_the_checkout_is_in_the_sdist(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tops = ("conf", "docs", "regress", "tools")
    files = (path for top in tops for path in (ROOT / top).rglob("*") if path.is_file())
    kept = {str(p.relative_to(ROOT)) for p in files if "__pycache__" not in p.parts}
    kept |= {"Makefile", "README.md", "CHANGELOG.md", "LICENSE", "setup.cfg", "pyproject.toml"}
    assert (kept | sources()) - names == set()


@pytest.fixture(scope="module")
def prefix(wheel: Path) -> Path:
    """A virtual environment with the wheel in it, and what it needs from the tests' own."""
    venv = wheel.parent / "installed"
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=wheel.parent)
    python = venv / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python)
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=wheel.parent)
    site = next((venv / "lib").glob("python3*/site-packages"))
    (site / "needed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return venv


def test_it_is_the_installed_one_that_runs(prefix: Path) -> None:
    """Outside of the checkout, and without a word of it on the path."""
    code = "import isakmp, fifo_ui, sys; print(isakmp.__file__, fifo_ui.__file__)"
    done = subprocess.run(
        [prefix / "bin" / "python", "-c", code], cwd="/", capture_output=True, text=True
    )
    assert [Path(p).is_relative_to(prefix) for p in done.stdout.split()] == [True, True]
    for name in ("isakmpd", "isakmpctl", "isakmpd-engine"):
        done = subprocess.run(
            [prefix / "bin" / name, "--version"], cwd="/", capture_output=True, text=True
        )
        assert done.stdout == f"{name} {__version__}\n"


@pytest.mark.parametrize(
    "name",
    [
        "share/man/man8/isakmpd.8",
        "share/man/man8/isakmpctl.8",
        "share/man/man5/isakmpd.conf.5",
        "share/isakmpd/isakmpd.ini",
        "share/isakmpd/east.ini",
        "share/bash-completion/completions/isakmpd.bash",
        "share/bash-completion/completions/isakmpctl.bash",
        "share/bash-completion/completions/isakmpd-engine.bash",
        "share/zsh/site-functions/_isakmpd",
        "share/zsh/site-functions/_isakmpd-engine",
        "share/zsh/site-functions/_isakmpctl",
        "lib/systemd/system/isakmpd.service",
        "lib/systemd/system/isakmpd-close.service",
        "lib/systemd/system/isakmpd-engine.service",
    ],
)
def test_what_comes_beside_the_commands(prefix: Path, name: str) -> None:
    assert (prefix / name).read_text().strip()


def test_the_documents_that_the_manual_points_to_come_along(prefix: Path) -> None:
    manual = (ROOT / "docs" / "isakmpd.8.md").read_text()
    assert "`share/doc/isakmpd`" in manual
    named = set(re.findall(r"(?<![./\w])(\w+\.md)", manual))
    assert {"tutorial.md", "security.md", "rfc.md"} <= named
    for name in named:
        text = (prefix / "share" / "doc" / "isakmpd" / name).read_text()
        assert text == (ROOT / "docs" / name).read_text()


@pytest.mark.parametrize("engine", [[], ["--engine"]], ids=["engine-inside", "engine-apart"])
def test_the_installed_one_carries_a_tunnel(prefix: Path, engine: list[str]) -> None:
    if not tun_device():
        pytest.skip("needs /dev/net/tun")
    if os.geteuid() != 0:
        pytest.skip("needs root")
    demo = [sys.executable, "-m", "regress.demo", "--bin", str(prefix / "bin"), *engine]
    done = subprocess.run(demo, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All of it was right" in done.stdout


def test_the_unit_says_what_the_daemon_takes() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read(ROOT / "conf" / "isakmpd.service")
    service = unit["Service"]
    name, *words = service["ExecStart"].split()
    options = make_parser().parse_args(words)
    assert (name, options.foreground) == ("isakmpd", True)
    assert (service["Type"], service["NoNewPrivileges"]) == ("notify", "yes")
    assert (service["ProtectSystem"], service["RuntimeDirectory"]) == ("strict", "isakmpd")
    assert service["ExecReload"] == "kill -HUP $MAINPID"
    kept = set(service["CapabilityBoundingSet"].split())
    assert kept == {"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_NET_BIND_SERVICE"}
    manual = (ROOT / "docs" / "isakmpd.8.md").read_text()
    assert f"\nAmbientCapabilities={service['CapabilityBoundingSet']}\n" in manual


def test_the_unit_that_closes_does_so_before_the_network_and_opens_it_again() -> None:
    """What it does is played by regress/leak/test_closed.py."""
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read(ROOT / "conf" / "isakmpd-close.service")
    service, order = unit["Service"], unit["Unit"]
    assert (service["Type"], service["RemainAfterExit"]) == ("oneshot", "yes")
    for tag, flag in (("ExecStart", "close"), ("ExecStop", "open")):
        name, *words = service[tag].split()
        assert name == "isakmpd" and getattr(make_parser().parse_args(words), flag)
    assert order["Wants"] == "network-pre.target" and order["DefaultDependencies"] == "no"
    assert "network-pre.target" in order["Before"].split()
    assert set(service["CapabilityBoundingSet"].split()) == {"CAP_NET_ADMIN", "CAP_NET_RAW"}
    assert service["NoNewPrivileges"] == "yes"
    manual = (ROOT / "docs" / "isakmpd.8.md").read_text()
    assert f"\nAmbientCapabilities={service['CapabilityBoundingSet']}\n" in manual
    unit.read(ROOT / "conf" / "isakmpd.service")
    made = f"/run/{unit['Service']['RuntimeDirectory']}"
    assert service["Environment"] == f"RUNTIME_DIRECTORY={made}", "known to each other by it"
    assert service["ExecStartPre"].split()[-1] == made


def test_the_engine_s_unit_says_what_the_engine_takes() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read(ROOT / "conf" / "isakmpd-engine.service")
    service = unit["Service"]
    name, *words = service["ExecStart"].split()
    where = Path(engine_parser().parse_args(words).socket)
    assert name == "isakmpd-engine"
    assert str(where.parent) == f"/run/{service['RuntimeDirectory']}"
    assert f"Engine-socket= {where}" in (ROOT / "docs" / "isakmpd.8.md").read_text()
    assert (service["Type"], service["NoNewPrivileges"]) == ("notify", "yes")
    assert set(service["CapabilityBoundingSet"].split()) == {"CAP_NET_ADMIN", "CAP_NET_RAW"}
    assert unit["Unit"]["Before"] == "isakmpd.service"
    # --close-only and --open refuse beside a key engine.
    assert unit["Unit"]["After"] == "isakmpd-close.service"


@pytest.mark.parametrize("name", ["isakmpd.service", "isakmpd-engine.service"])
def test_the_guard_of_the_key_engine_can_be_had_under_systemd(name: str) -> None:
    """It exempts its device in /proc/sys, which ProtectKernelTunables= makes read-only."""
    text = (ROOT / "conf" / name).read_text()
    assert not re.search(r"(?m)^(ProtectKernelTunables|ReadOnlyPaths|ProcSubset)=", text)


@pytest.mark.parametrize(
    "name", ["isakmpd.service", "isakmpd-close.service", "isakmpd-engine.service"]
)
def test_systemd_understands_the_unit(tmp_path: Path, name: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    unit = (ROOT / "conf" / name).read_text()
    # What it verifies beside the unit, the command and its manual pages, is not installed here.
    unit = re.sub(r"(?m)^(Exec\w+)=isakmpd\S*", rf"\1={sys.executable}", unit)
    unit = re.sub(r"(?m)^Documentation=.*\n", "", unit)
    (tmp_path / name).write_text(unit)
    command = ["systemd-analyze", "verify", str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in a folder whose name has a blank, with a virtual environment of its own."""
    copy = tmp_path / "a checkout"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_SOURCE, "regress"))
    run(sys.executable, "-m", "venv", "--without-pip", copy / ".venv", cwd=tmp_path)
    site = next((copy / ".venv" / "lib").glob("python3*/site-packages"))
    (site / "needed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return copy


def test_a_checkout_has_the_commands_in_its_environment(checkout: Path) -> None:
    """tools/setup-venv makes them; what it would install is there already."""
    run("tools/setup-venv", "run", cwd=checkout)
    (checkout / "isakmp" / "__init__.py").write_text('__version__ = "of the checkout"\n')
    for name in ("isakmpd", "isakmpctl"):
        command = [str(checkout / ".venv" / "bin" / name), "--version"]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True)
        assert (done.stdout, done.stderr) == (f"{name} of the checkout\n", "")
