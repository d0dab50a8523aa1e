"""What pip calls to build isakmpd (PEP 517): setuptools, given what a build has to make first.

The manual pages and the completion of shells are made of docs/*.md and of the command lines into
build/share, where setup.cfg finds them. Nothing is needed for it but Python.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (  # noqa: F401  (hooks that are setuptools' own)
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

from isakmp import __version__
from tools import completion, manpage

ROOT = Path(__file__).resolve().parents[1]


def write_share(top: Path = ROOT / "build" / "share") -> None:
    """Make the files that setup.cfg's data_files name below build/share."""
    top.mkdir(parents=True, exist_ok=True)
    for path in (ROOT / "docs").glob("*.[0-9].md"):
        name, text = manpage.page(path, __version__)
        (top / name).write_text(text)
    for command in completion.PARSERS:
        (top / f"{command}.bash").write_text(completion.bash(command))
        (top / f"_{command}").write_text(completion.zsh(command))


def build_wheel(directory: str, *more: Any) -> str:
    # What an older build has left would go into the wheel, too.
    shutil.rmtree(ROOT / "build" / "lib", ignore_errors=True)
    write_share()
    return str(build_meta.build_wheel(directory, *more))


def build_editable(directory: str, *more: Any) -> str:
    write_share()
    return str(build_meta.build_editable(directory, *more))
