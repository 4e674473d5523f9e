"""What is installed: the list of packages, wheel and sdist in a clean environment, few imports."""

from __future__ import annotations

import fnmatch
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("analysis", "commands", "designspace", "regnet", "search")
HEAVY = (
    *("tensorflow", "keras", "jax", "torch", "pandas", "matplotlib", "seaborn", "scipy"),
    *("optuna", "sqlalchemy", "sklearn", "pyarrow", "yaml", "psutil", "jinja2", "h5py", "ray"),
)
LIGHT_COMMANDS = (
    "sample --flops 400M -n 3",
    "describe RegNetX-4.0GF",
    "canonical",
    "explain RegNetX-4.0GF",
)


@pytest.fixture(scope="module")
def setuptools() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def folders() -> Iterator[Path]:
    for room in ROOMS:
        for folder in (ROOT / room, *(ROOT / room).rglob("*")):
            if folder.is_dir() and folder.name != "__pycache__":
                yield folder


def test_every_folder_of_modules_is_listed(setuptools: dict[str, Any]) -> None:
    with_modules = {
        ".".join(["regnet_ds", *folder.relative_to(ROOT).parts])
        for folder in folders()
        if list(folder.glob("*.py"))
    }
    assert {"regnet_ds", *with_modules} == set(setuptools["packages"])


def test_every_other_file_is_listed(setuptools: dict[str, Any]) -> None:
    data = setuptools["package-data"]
    assert (ROOT / "py.typed").is_file()
    assert "py.typed" in data["regnet_ds"]
    files = [
        path
        for folder in folders()
        for path in folder.iterdir()
        if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    assert len(files) >= 5
    for path in files:
        parts = path.relative_to(ROOT).parts
        listed = any(
            fnmatch.fnmatch("/".join(parts[i:]), pattern)
            for i in range(1, len(parts))
            for pattern in data.get(".".join(["regnet_ds", *parts[:i]]), ())
        )
        assert listed, f"{path} is in no wheel"


def test_light_commands_need_numpy_and_typer_alone(tmp_path: Path) -> None:
    program = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY!r}:
            raise ImportError(name + " is not there")
sys.meta_path.insert(0, Refuse())
from regnet_ds.cli import run
for line in {LIGHT_COMMANDS!r}:
    assert run(line.split()) == 0, line
assert not set({HEAVY!r}) & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "3 of regnetx with flops 380M to 420M" in done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the wheel and the sdist of a copy of the repository."""
    if shutil.which("uv") is None:
        pytest.skip("needs uv")
    copy, made = tmp_path_factory.mktemp("clone") / "clone", tmp_path_factory.mktemp("dist")
    leave = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "docs")
    shutil.copytree(ROOT, copy, ignore=leave)
    run("uv", "build", "--out-dir", str(made), cwd=copy)
    return made


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_wheel_and_sdist_hold_the_packages_and_nothing_else(built: Path) -> None:
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"regnet_ds"}
    assert "regnet_ds/py.typed" in names
    assert not [name for name in names if name.startswith("regnet_ds/tests")]
    modules = {str(p.relative_to(ROOT)) for room in ROOMS for p in (ROOT / room).rglob("*.py")}
    assert {f"regnet_ds/{name}" for name in modules} <= set(names)
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert modules | {"pyproject.toml", "LICENSE", "README.md"} <= inside


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_a_clean_environment_samples(built: Path, tmp_path: Path, kind: str) -> None:
    """Installed with numpy and typer alone, away from the repository."""
    (package,) = built.glob(kind)
    python = str(tmp_path / "env" / "bin" / "python")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    run("uv", "venv", "-q", "--python", version, str(tmp_path / "env"), cwd=tmp_path)
    run("uv", "pip", "install", "-q", "--python", python, "--no-deps", str(package), cwd=tmp_path)
    run("uv", "pip", "install", "-q", "--python", python, "numpy", "typer", cwd=tmp_path)
    command = str(tmp_path / "env" / "bin" / "regnet-ds")
    out = run(command, "sample", "--flops", "4G", "-n", "5", "--format", "csv", cwd=tmp_path)
    assert len(out.splitlines()) == 6
    here = run(
        sys.executable,
        "-m",
        "regnet_ds",
        "sample",
        "--flops",
        "4G",
        "-n",
        "5",
        "--format",
        "csv",
        cwd=tmp_path,
    )
    assert out == here


@pytest.mark.slow
def test_the_wheel_with_all_its_dependencies(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    python = str(tmp_path / "env" / "bin" / "python")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    run("uv", "venv", "-q", "--python", version, str(tmp_path / "env"), cwd=tmp_path)
    run("uv", "pip", "install", "-q", "--python", python, str(wheel), cwd=tmp_path)
    command = str(tmp_path / "env" / "bin" / "regnet-ds")
    run(command, "edf", "example:imagenet", "--by", "population", "--out", "edf.svg", cwd=tmp_path)
    run(command, "report", "example:imagenet", "--out", "report.html", cwd=tmp_path)
    assert (tmp_path / "report.html").stat().st_size > 100_000
    out = run(command, "flops", "RegNetX-200MF", "--by", "total", "--format", "csv", cwd=tmp_path)
    assert "199040872" in out
