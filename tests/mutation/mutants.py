"""Mutation testing: how many of a random sample of small faults do the tests notice?

    uv run --with mutmut==3.8.1 python tests/mutation/mutants.py FOLDER --number 200 --seed 8

mutmut changes one operator, number, argument or text at a time and runs the tests that reach the
function. It wants packages below ``src``, under the names by which they are imported; here the
repository's root is the package. So FOLDER gets such a copy. Called again with the same FOLDER, it
tests there what was not tested yet.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).resolve().parents[2]
CODE = ("analysis", "commands", "designspace", "regnet", "search")
BESIDE = ("benchmarks", "docs", "tests")
MUTATED = (
    "designspace/*",
    *(f"analysis/{name}.py" for name in ("bands", "bootstrap", "distribution", "intervals")),
)
# What reaches the mutated code without TensorFlow, which does not outlive a fork.
ANALYSIS = """bootstrap buckets comparison distribution efficiency findings importance intervals
matching metrics noise planning refinement table"""
COMMANDS = "canonical_as compare describe space space_show widths_commands"
TESTS = (
    "tests/designspace",
    *(f"tests/analysis/test_{name}.py" for name in ANALYSIS.split()),
    *(f"tests/commands/test_{name}.py" for name in COMMANDS.split()),
)
# They look into processes of their own, where mutmut cannot note what is reached.
LEFT_OUT = (
    "canonical_as.py::test_nothing_heavy_is_loaded",
    "space.py::test_ctrl_c_and_kill_leave_a_folder_that_goes_on",
    "space_show.py::test_nothing_heavy_is_loaded",
    "space_show.py::test_the_python_of_the_docs_runs",
)
FIRST = "regnet_ds.designspace.compat.x_as_block_has*"  # its run notes which test reaches what


def copy(folder: Path) -> None:
    """Copy the repository into a folder as mutmut wants it."""
    leave = shutil.ignore_patterns("__pycache__", ".hypothesis")
    package = folder / "src" / "regnet_ds"
    for name in CODE:
        shutil.copytree(ROOT / name, package / name, ignore=leave)
    for path in (*ROOT.glob("*.py"), ROOT / "py.typed"):
        shutil.copy(path, package)
    for name in BESIDE:
        shutil.copytree(ROOT / name, folder / name, ignore=leave)
    shutil.copy(ROOT / "README.md", folder)
    # Python forgets a folder of PYTHONPATH that is not there when it looks into it first, and the
    # tests would then import the package from the repository.
    (folder / "mutants" / "src").mkdir(parents=True)
    settings = {
        "source_paths": ["src"],
        "only_mutate": [f"src/regnet_ds/{name}" for name in MUTATED],
        "also_copy": [*BESIDE, "README.md"],
        "pytest_add_cli_args": [
            "--hypothesis-profile=ci",  # the same examples always, and no time limit
            *(f"--deselect=tests/commands/test_{name}" for name in LEFT_OUT),
        ],
        "pytest_add_cli_args_test_selection": list(TESTS),
        # At least 120 seconds and ten times what the tests take: then it loops for ever.
        "timeout_constant": 12.0,
        "timeout_multiplier": 10.0,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (folder / "pyproject.toml").write_text(
        "\n".join([text, "[tool.mutmut]", *lines, ""]), encoding="utf-8"
    )


def mutmut(folder: Path, *arguments: str) -> str:
    """Run mutmut in the copy; processes that tests start find the copy too."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "mutants" / "src")}
    command = [sys.executable, "-m", "mutmut", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"{done.stdout[-5000:]}\nmutmut ended with {done.returncode}")
    return done.stdout


def states(folder: Path) -> dict[str, str]:
    """Return what became of every mutant, by name."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*.py.meta")):
        codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
        found.update((name, status_by_exit_code[code]) for name, code in codes.items())
    return found


def table(chosen: Iterable[str], became: dict[str, str]) -> str:
    """Return how many became what, by module and in all."""
    rows = Counter((name.rpartition(".")[0], became[name]) for name in chosen)
    for (_, state), count in list(rows.items()):
        rows["together", state] += count
    return "\n".join(f"{module:60} {state:12} {n:5}" for (module, state), n in sorted(rows.items()))


def main() -> None:
    """Make the copy where there is none, test a sample, print counts and what survived."""
    parser = argparse.ArgumentParser(description="Test a random sample of mutants with mutmut.")
    parser.add_argument("folder", type=Path, help="where the copy is, or is to be made")
    parser.add_argument("--number", type=int, default=200, help="of mutants")
    parser.add_argument("--seed", type=int, default=8)
    options = parser.parse_args()
    folder = options.folder.resolve()
    if not folder.exists():
        copy(folder)
    if not (folder / "mutants" / "mutmut-stats.json").exists():
        mutmut(folder, "run", "--max-children", "1", FIRST)
    became = states(folder)
    chosen = random.Random(options.seed).sample(sorted(became), options.number)
    if new := [name for name in chosen if became[name] == "not checked"]:
        mutmut(folder, "run", "--max-children", "1", *new)
        became = states(folder)
    for name in sorted(chosen):
        if became[name] != "killed":
            print(f"{became[name]}: {mutmut(folder, 'show', name)}")
    print(f"{table(chosen, became)}\nof {len(became)} mutants, seed {options.seed}")


if __name__ == "__main__":
    main()
