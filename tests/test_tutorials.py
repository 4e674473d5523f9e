"""The tutorials are programs: each runs to its end in short form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIALS = Path(__file__).resolve().parent.parent / "docs" / "tutorials"
# what a program writes, and what it says; a file by itself, or within the folder --out
ENDS = {
    "fine_tune": ("fine-tuned.keras", "validation error"),
    "on_a_tpu": ("tpu.keras", "test error"),
    "scale_out": ("runs.journal", "workers ended with [0, 0]"),
    "search_at_a_budget": ("search.journal", "the winner: search#"),
    "study_a_space": ("edf.png", "median error"),
    "tune_every_size": ("tuning.journal", "best of larger: trial"),
}


def test_every_tutorial_is_tested_and_in_the_docs() -> None:
    names = {path.stem for path in TUTORIALS.glob("*.py")}
    assert names == set(ENDS)
    page = (TUTORIALS.parent / "tutorials.md").read_text()
    for name in names:
        assert f"docs/tutorials/{name}.py" in page


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.smoke if n == "fine_tune" else ()) for n in ENDS]
)
def test_a_tutorial_runs_in_short(name: str, tmp_path: Path) -> None:
    written, said = ENDS[name]
    a_file = written.endswith(".keras")
    out = tmp_path / (written if a_file else "out")
    done = subprocess.run(
        [sys.executable, str(TUTORIALS / f"{name}.py"), "--short", "--out", str(out)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert said in done.stdout
    assert (out if a_file else out / written).exists()


def code_of(notebook: Path) -> str:
    """Return the code of a notebook's cells, in their order."""
    tree = json.loads(notebook.read_text())
    assert tree["nbformat"] == 4
    cells = [cell for cell in tree["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] for cell in cells)  # results are made, not kept
    return "\n".join("".join(cell["source"]) for cell in cells)


@pytest.mark.slow
@pytest.mark.smoke
def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    program = tmp_path / "notebook.py"
    program.write_text(code_of(TUTORIALS / "regnet_ds.ipynb"))
    done = subprocess.run(
        [sys.executable, str(program)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "validation error by epoch" in done.stdout
    assert "flops=199040872" in done.stdout
    assert done.stdout.count("True\n") == 2
