"""The order of the layers: no module imports one that stands above it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# From the bottom up; modules of one line may know each other. The longest name that fits counts.
# policy.spd, policy.boxes, policy.meanings and app.base are values only, so they stand below their
# packages.
LAYERS = [
    ["isakmp", "isakmp.causes", "isakmp.conf", "isakmp.constants", "isakmp.flags", "isakmp.keeper"],
    [
        "isakmp.policy.boxes",
        "isakmp.policy.dn",
        "isakmp.policy.hashed",
        "isakmp.policy.ppk",
        "isakmp.policy.sameness",
        "isakmp.policy.spd",
    ],
    [
        "isakmp.conf.files",
        "isakmp.errors",
        "isakmp.event",
        "isakmp.garbage",
        "isakmp.log",
        "isakmp.pages",
        "isakmp.path",
        "isakmp.privilege",
        "isakmp.privileged",
        "isakmp.ready",
        "isakmp.run_directory",
    ],
    [
        "isakmp.conf.alike",
        "isakmp.conf.values",
        "isakmp.policy.algorithms",
        "isakmp.policy.meanings",
        "isakmp.policy.silence",
    ],
    [
        "isakmp.policy.likely_keywords",
        "isakmp.policy.likely_network",
        "isakmp.policy.stronger",
    ],
    ["isakmp.policy.keywords", "isakmp.policy.selector_text", "isakmp.conf.kinds"],
    ["isakmp.policy.likely_selectors"],
    [
        "isakmp.conf.tags",
        "isakmp.conf.tags_connection",
        "isakmp.conf.tags_general",
        "isakmp.conf.tags_peer",
    ],
    ["isakmp.conf.elsewhere", "isakmp.conf.remarks"],
    ["isakmp.conf.lines", "isakmp.conf.parse"],
    ["isakmp.conf.astray"],
    [
        "isakmp.conf.store",
        "isakmp.conf.defaults",
        "isakmp.conf.spelling",
        "isakmp.conf.misplaced",
        "isakmp.conf.mistaken",
        "isakmp.conf.generated",
        "isakmp.conf.misnamed",
        "isakmp.conf.likely",
    ],
    ["isakmp.keytable"],
    ["isakmp.payloads"],
    ["isakmp.message", "isakmp.capture"],
    ["isakmp.crypto"],
    [
        "isakmp.chosen",
        "isakmp.sa",
        "isakmp.sa_database",
        "isakmp.deletes",
        "isakmp.held",
        "isakmp.policy.reserved",
        "isakmp.window",
        "isakmp.app.base",
        "isakmp.log.keylog",
        "isakmp.decode",
    ],
    ["isakmp.exchange"],
    ["isakmp.auth", "isakmp.policy"],
    [
        "isakmp.conf.change",
        "isakmp.conf.check",
        "isakmp.conf.clear",
        "isakmp.conf.judge",
        "isakmp.conf.host",
        "isakmp.conf.kin",
        "isakmp.conf.told",
        "isakmp.conf.user",
        "isakmp.conf.walk",
        "isakmp.conf.manual",
        "isakmp.conf.ppk",
        "isakmp.conf.secrets",
        "isakmp.conf.spoken",
        "isakmp.conf.who",
    ],
    ["isakmp.scripts"],
    ["isakmp.app", "isakmp.transport"],
    ["isakmp.keeper.flows"],
    ["isakmp.keeper.entry", "isakmp.keeper.reqids", "isakmp.keeper.rivals"],
    ["isakmp.keeper.beginnings", "isakmp.keeper.packets", "isakmp.keeper.policies"],
    ["isakmp.keeper.connection"],
    ["isakmp.keeper.shared"],
    ["isakmp.keeper.counters"],
    ["isakmp.keeper.children"],
    ["isakmp.keeper.liveness"],
    ["isakmp.keeper.doubles", "isakmp.keeper.orphans", "isakmp.keeper.places"],
    ["isakmp.keeper.keeper"],
    ["isakmp.asked", "isakmp.keeper.changes", "isakmp.listening", "isakmp.reload"],
    ["isakmp.status", "isakmp.daemon", "isakmp.keeper.closing", "fifo_ui"],
    [
        "isakmp.__main__",
        "isakmp.beforehand",
        "isakmp.start",
        "isakmp.preload",
        "isakmp.service",
        "isakmp.patience",
    ],
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
MODULES = sorted(p for top in ("isakmp", "fifo_ui") for p in (ROOT / top).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer(name: str) -> int | None:
    """The rank of the longest prefix that has one; the package itself covers only itself."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        prefix = ".".join(parts[:end])
        if prefix in RANK and (prefix != "isakmp" or name == "isakmp"):
            return RANK[prefix]
    return None


def absolute(path: Path, node: ast.ImportFrom) -> str:
    """The package that a from-import names, also a relative one."""
    if not node.level:
        return node.module or ""
    package = path.relative_to(ROOT).parts[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


def imported(path: Path) -> list[tuple[int, str]]:
    """(line, module) of every import of the project's own, also those inside functions."""
    names = {module_name(p) for p in MODULES}
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute(path, node)
            for alias in node.names:
                full = f"{base}.{alias.name}"
                found.append((node.lineno, full if full in names else base))
    return [(line, name) for line, name in found if name.split(".")[0] in ("isakmp", "fifo_ui")]


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_module_imports_only_downwards(path: Path) -> None:
    own = layer(module_name(path))
    assert own is not None, f"{module_name(path)} stands in no layer: give it one in LAYERS"
    for line, name in imported(path):
        other = layer(name)
        assert other is not None, f"{path}:{line}: {name} stands in no layer"
        assert other <= own, f"{path}:{line}: {module_name(path)} imports {name} from above"


# What is of one version by its nature: its octets, its scripts, and who tells versions apart.
OF_A_VERSION = {"payloads", "scripts", "decode", "capture", "message.py", "front.py", "dialect.py"}
# What has to know something of one asks its dialect.
OF_NONE = sorted((ROOT / "isakmp/exchange").glob("*.py")) + sorted(
    (ROOT / "isakmp/keeper").glob("*.py")
)


def version_numbers(path: Path) -> list[str]:
    """Where a version is asked for by its number, or a dialect looked up so."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        sides: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.Subscript):
            sides = [node.value, node.slice]
        numbers = [s.value for s in sides if isinstance(s, ast.Constant) and s.value in (1, 2)]
        text = "".join(map(ast.unparse, sides))
        if numbers and any(word in text for word in ("version", "major", "dialects")):
            found.append(f"{path.relative_to(ROOT)}: {text}")
    return found


def test_versions_are_asked_for_by_name() -> None:
    files = [
        path for path in MODULES
        if path.is_relative_to(ROOT / "isakmp") and not OF_A_VERSION & set(path.parts)
    ]  # fmt: skip
    assert len(files) > 150
    assert [found for path in files for found in version_numbers(path)] == []


@pytest.mark.parametrize("path", OF_NONE, ids=lambda path: path.stem)
def test_the_engine_and_the_keeper_name_no_version(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    said = {node.id for node in nodes if isinstance(node, ast.Name)}
    said |= {str(node.value) for node in nodes if isinstance(node, ast.Constant)}
    assert not {"IKEV1", "IKEV2", "ikev1", "ikev2"} & said


def test_modules_do_not_know_each_other_in_a_circle() -> None:
    """Imports for type checkers count: who is named there cannot be understood alone."""
    modules = {module_name(path): path for path in MODULES}
    knows = {
        name: {other for _, other in imported(path) if other in modules and other != name}
        for name, path in modules.items()
        if path.name != "__init__.py"
    }
    assert strongly_connected(knows) == []


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set[str](), "e": {"a"}}
    assert strongly_connected(graph) == [{"b", "c"}]


def strongly_connected(graph: dict[str, set[str]]) -> list[set[str]]:
    """Sets of more than one that reach each other."""

    def reached(start: str) -> set[str]:
        found, left = set[str](), [start]
        while left:
            new = graph.get(left.pop(), set()) - found
            found |= new
            left += new
        return found

    reach = {name: reached(name) for name in graph}
    circles: list[set[str]] = []
    for name in graph:
        circle = {other for other in reach[name] if name in reach.get(other, ())}
        if circle - {name} and circle not in circles:
            circles.append(circle)
    return circles


def needed(folder: str) -> set[str]:
    """All modules that those of a folder import, and these, and so on."""
    paths = {module_name(path): path for path in MODULES}
    found: set[str] = set()
    todo = [name for name in paths if name.startswith(f"isakmp.{folder}.")]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += [other for _, other in imported(paths[name])]
    return found


@pytest.mark.parametrize("folder", ["event", "transport"])
def test_what_comes_later_and_datagrams_need_no_exchange(folder: str) -> None:
    """So that other protocols than of keys can be written on them."""
    found = needed(folder)
    assert len(found) > 5
    rooms = {name.split(".")[1] for name in found if "." in name}
    assert not rooms & {
        "app",
        "crypto",
        "exchange",
        "keeper",
        "message",
        "payloads",
        "sa",
        "scripts",
    }


@pytest.mark.parametrize("path", OF_NONE, ids=lambda path: path.stem)
def test_the_engine_and_the_keeper_read_no_header(path: Path) -> None:
    """Each protocol has its own; the front alone tells the versions of IKE by theirs."""
    nodes = ast.walk(ast.parse(path.read_text()))
    names = {
        alias.name for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module == "isakmp.message"
        for alias in node.names
    }  # fmt: skip
    assert path.name == "front.py" or names <= {"Payload", "in_clear", "missing"}
