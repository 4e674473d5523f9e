"""Fixtures for all tests: where the golden data are, and the command line as a process."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def golden() -> Path:
    return GOLDEN


@pytest.fixture
def regnet_ds(tmp_path: Path) -> Run:
    """Run the command line in a fresh process in ``tmp_path``."""

    def run(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "regnet_ds", *arguments],
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run


def load_benchmark(name: str) -> ModuleType:
    """Return a module of benchmarks/: the peers there serve the tests too."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def benchmark_module() -> Callable[[str], ModuleType]:
    return load_benchmark


@pytest.fixture
def refuses(
    call: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Check that a command gets one line and exit code 2, prints no data and touches no file."""

    def check(arguments: Sequence[str], message: str, files: Mapping[str, str]) -> None:
        monkeypatch.chdir(tmp_path)
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        before = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*"))}
        code, out, err = call(*arguments)
        assert code == 2
        assert out == ""
        assert err.count("\n") == 1
        assert err.startswith("regnet-ds: error: ")
        assert message in err
        assert {path: path.read_bytes() for path in sorted(tmp_path.rglob("*"))} == before

    return check


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process: exit code, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        from regnet_ds.cli import run as run_cli

        code = run_cli([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run
