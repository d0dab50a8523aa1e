"""What pip installs is what the checkout has: built as a wheel and as an sdist."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_SOURCE = (".git", ".venv", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")


def run(*command: str | Path, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist of a copy of the checkout, which is left as it was."""
    base = tmp_path_factory.mktemp("sdist")
    copy = shutil.copytree(ROOT, base / "copy", ignore=shutil.ignore_patterns(*NOT_SOURCE))
    make = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
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
