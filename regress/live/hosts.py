"""Two hosts, each with a network and files of its own, where commands run as people write them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from regress.interop.namespace import Namespace

ROOT = Path(__file__).resolve().parents[2]
ADDRESSES = {"west": "192.0.2.1", "east": "192.0.2.2"}
COMMANDS = {"isakmpd": "isakmp.__main__", "isakmpctl": "fifo_ui.ctl"}
STOP = "kill $(cat /var/run/isakmpd.pid) && while [ -e /var/run/isakmpd.pid ]; do sleep 0.1; done"


class Host:
    """One end: a network and a file system of its own, as far as isakmpd writes to one."""

    def __init__(self, name: str, folder: Path, configuration: str) -> None:
        self.name, self.namespace = name, Namespace()
        self.folder = folder / name
        (self.folder / "etc" / "isakmpd").mkdir(parents=True)
        (self.folder / "run").mkdir()
        (self.folder / "etc" / "isakmpd" / "isakmpd.conf").write_text(configuration)
        for file in ("passwd", "group", "hosts", "protocols"):
            if (path := Path("/etc") / file).exists():
                (self.folder / "etc" / file).write_bytes(path.read_bytes())
        if (named := Path("/etc/alternatives")).is_dir():
            shutil.copytree(named, self.folder / "etc" / "alternatives", symlinks=True)

    def run(self, line: str, status: int = 0) -> str:
        """What a line prints, which has to end with that status."""
        binds = f"mount --bind {self.folder}/etc /etc && mount --bind {self.folder}/run /var/run"
        script = f"{binds} && cd {self.folder.parent} && {line}"
        done = self.namespace.run("unshare", "--mount", "sh", "-c", script, timeout_s=60)
        assert done.returncode == status, f"{self.name}: {line}\n{done.stdout}"
        return done.stdout

    def close(self) -> None:
        pid_file = self.folder / "run" / "isakmpd.pid"
        if pid_file.exists():
            self.run(STOP)
        self.namespace.close()


def write_commands(folder: Path) -> None:
    """.venv/bin/isakmpd and isakmpctl, as tools/setup-venv makes them."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name, module in COMMANDS.items():
        path = folder / ".venv" / "bin" / name
        path.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path[0] = {str(ROOT)!r}\n"
            f"from {module} import main\nsys.exit(main())\n"
        )
        path.chmod(0o755)


def join(west: Host, east: Host) -> None:
    pid = east.namespace.pid
    west.namespace.shell(f"ip link add wire type veth peer name wire netns {pid}")
    for host in (west, east):
        address = f"ip addr add {ADDRESSES[host.name]}/24 dev wire"
        host.namespace.shell(f"ip link set lo up; {address}; ip link set wire up")


@contextmanager
def two(folder: Path, configurations: Mapping[str, str]) -> Iterator[dict[str, Host]]:
    """Both, with a wire between them. SetupFailure."""
    write_commands(folder)
    made: dict[str, Host] = {}
    try:
        for name, text in configurations.items():
            made[name] = Host(name, folder, text)
        join(made["west"], made["east"])
        yield made
    finally:
        for host in made.values():
            host.close()
