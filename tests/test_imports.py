"""The directions of imports (designspace <- regnet, analysis <- search <- commands)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = {
    "designspace": {"designspace"},
    "regnet": {"regnet", "designspace"},
    "analysis": {"analysis", "designspace"},
    "search": {"search", "regnet", "analysis", "designspace"},
    "commands": {"commands", "search", "regnet", "analysis", "designspace"},
}
DRAWING = {
    "plots",
    "reporting",
    "figures",
    "style",
    "density",
}  # of analysis; search may not touch them
FLOORS = (  # of search, from the ground up; a folder imports those below it alone
    *({"recipes"}, {"data"}, {"learning"}, {"queue"}, {"populations"}),
    {"budget_search", "sizes", "reproduction"},
)
LIGHT = {"__future__", *sys.stdlib_module_names, "numpy"}
HEAVY = ("tensorflow", "keras", "jax", "pandas", "matplotlib", "seaborn", "optuna", "scipy")


def package_files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path, types: bool = True) -> list[tuple[str, bool]]:
    """Return dotted names that a file imports and whether at module level.

    Relative ones are made absolute. ``types``: also those for annotations alone.
    """
    tree = ast.parse(path.read_text())
    top = set(ast.iter_child_nodes(tree))
    if not types:
        tree.body = [node for node in tree.body if not _is_for_types(node)]
    found: list[tuple[str, bool]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = ["regnet_ds", *path.relative_to(ROOT).parts[:-1]]
                kept = parents[: len(parents) - node.level + 1]
                base = ".".join([*kept, *([base] if base else [])])
            found += [(f"{base}.{alias.name}", node in top) for alias in node.names]
    return found


def _is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_import_one_way(package: str) -> None:
    files = package_files(package)
    assert files
    for path in files:
        for name, _ in imports(path):
            parts = name.split(".")
            if parts[0] != "regnet_ds":
                continue
            if len(parts) > 1 and parts[1] in ALLOWED:
                assert parts[1] in ALLOWED[package], f"{path} imports {name}"
            if package == "search" and parts[1] == "analysis":
                assert not DRAWING & set(parts), f"{path} imports {name}"


def test_folders_of_search_import_one_way() -> None:
    folders = {path.parent.name for path in (ROOT / "search").glob("*/__init__.py")}
    below: set[str] = set()
    for floor in FLOORS:
        for folder in sorted(floor):
            for path in package_files(f"search/{folder}"):
                for name, _ in imports(path, types=False):
                    package, *parts = name.removeprefix("regnet_ds.").split(".")
                    taken = {*parts[:1]} & folders if package == "search" else set()
                    assert taken <= below | {folder}, f"{path} imports {name}"
        below |= floor
    assert below == folders


def test_designspace_imports_numpy_and_the_standard_library_alone() -> None:
    for path in package_files("designspace"):
        if path.name in ("parquet.py", "parquet_stream.py"):
            continue  # loaded only when a Parquet file is read or written
        for name, at_top in imports(path):
            root = name.split(".")[0]
            assert not at_top or root in LIGHT | {"regnet_ds"}, f"{path} imports {name}"


def test_no_module_has_the_name_of_something_its_package_exports() -> None:
    for package in ("designspace", "search", "analysis"):
        modules = {path.stem for path in package_files(package)}
        exported = f"import regnet_ds.{package} as p; print(*p.__all__)"
        names = subprocess.run(
            [sys.executable, "-c", exported], capture_output=True, text=True, check=True
        ).stdout.split()
        assert names
        assert not modules & set(names), package


CHECK = """
import sys
from regnet_ds.cli import run
code = run(sys.argv[2:])
loaded = [name for name in sys.argv[1].split(",") if name in sys.modules]
sys.exit(f"exit {code}, loaded {loaded}" if code or loaded else 0)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["sample", "--flops", "4G"],
        ["sample", "-n", "3", "--out", "nets.csv"],
        ["describe", "RegNetY-8.0GF"],
        ["account", "nets.json"],
        ["canonical"],
        ["fit", "RegNetX-4.0GF"],
        ["fit", "nets.json", "--out", "fitted.csv"],
        ["scale", "RegNetY-4.0GF", "--factor", "4"],
        ["explain", "RegNetX-4.0GF"],
        ["canonical", "--recipe", "post", "--out", "made"],
    ],
    ids=" ".join,
)
def test_light_commands_load_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    row = '[{"depth": 13, "w0": 24, "wa": 36.44, "wm": 2.49, "group_width": 8}]'
    (tmp_path / "nets.json").write_text(row)
    done = subprocess.run(
        [sys.executable, "-c", CHECK, ",".join(HEAVY), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout or "wrote" in done.stderr


@pytest.mark.parametrize("package", ["regnet_ds", "regnet_ds.search", "regnet_ds.analysis"])
def test_importing_a_lazy_package_loads_nothing_heavy(package: str) -> None:
    code = f"import {package}, sys; sys.exit(str([n for n in {HEAVY} if n in sys.modules] or ''))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() in ("", "[]"), done.stderr
