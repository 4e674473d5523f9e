"""``canonical --as``: what is printed, written and refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from regnet_ds.designspace import CANONICAL
from regnet_ds.designspace.foreign.formats import LIBRARIES, canonical_as
from regnet_ds.search.recipes.published import paper_recipe

Call = Callable[..., tuple[int, str, str]]


def wanted(library: str, name: str) -> dict[str, object]:
    recipe = paper_recipe(name).to_dict() if library == "pycls" else None
    return canonical_as(library, name, recipe=recipe)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_folder_holds_one_file_a_network(call: Call, tmp_path: Path, library: str) -> None:
    code, out, err = call("canonical", "--as", library, "--out", tmp_path / "made")
    assert (code, out) == (0, "")
    assert f"wrote 24 files to {tmp_path / 'made'}" in err
    suffix = "json" if library == "classyvision" else "yaml"
    files = sorted((tmp_path / "made").iterdir())
    assert files == sorted(tmp_path / "made" / f"{name}.{suffix}" for name in CANONICAL)
    for path in files:
        read = json.loads if suffix == "json" else yaml.safe_load
        assert read(path.read_text()) == wanted(library, path.name.removesuffix(f".{suffix}"))


@pytest.mark.parametrize("library", LIBRARIES)
def test_stdout_holds_all_that_were_asked_for(call: Call, library: str) -> None:
    names = ("RegNetX-600MF", "RegNetY-32GF")
    code, out, err = call("canonical", *names, "--as", library)
    assert (code, err) == (0, "")
    made = [wanted(library, name) for name in names]
    if library == "classyvision":
        assert json.loads(out) == dict(zip(names, made, strict=True))
    else:
        assert list(yaml.safe_load_all(out)) == made
        assert "# RegNetY-32GF\n" in out
    as_json = call("canonical", *names, "--as", library, "--format", "json")[1]
    assert json.loads(as_json) == dict(zip(names, made, strict=True))


def test_torchvision_says_where_it_rounds_otherwise(call: Call) -> None:
    code, _, err = call("canonical", "--as", "torchvision")
    assert code == 0
    assert err.count("\n") == 1
    five = "RegNetX-400MF, RegNetX-4.0GF, RegNetY-800MF, RegNetY-4.0GF, RegNetY-8.0GF"
    assert f"other widths for {five}: written as arguments of BlockParams itself" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--as", "kimm"), "'kimm' is not one of"),
        (("RegNetQ", "--as", "timm"), "unknown model 'RegNetQ'"),
        (("regnet_y_8gf", "--as", "torchvision"), "'regnet_y_8gf' is torchvision's network"),
        (("--as", "timm", "--format", "csv"), "--as writes YAML or JSON, got --format csv"),
        (("--as", "timm", "--recipe", "post"), "--recipe post needs --as pycls: timm files"),
        (("--as", "pycls", "--recipe", "tuned"), "--recipe tuned and --study belong together"),
        (("--as", "pycls", "--recipe", "post"), "RegNetX-200MF, recipe post: pycls crops to at"),
        (("--as", "keras", "--out", "file"), "cannot write to file"),
        (("--as", "keras", "--study", "x"), "--recipe tuned and --study belong together"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    refuses: Callable[..., None], arguments: tuple[str, ...], message: str
) -> None:
    out_option = () if "--out" in arguments else ("--out", "made")
    refuses(("canonical", *arguments, *out_option), message, {"file": ""})


def test_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    check = (
        "import sys; from regnet_ds.cli import run; code = run(sys.argv[1:]); "
        "sys.exit(str([n for n in ('tensorflow', 'keras', 'pandas', 'optuna') if n in sys.modules]"
        " or code or ''))"
    )
    arguments = ["canonical", "--as", "pycls", "--out", "made"]
    program = [sys.executable, "-c", check, *arguments]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr == "wrote 24 files to made\n\n"
