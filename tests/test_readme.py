"""Every command of the README runs; what it shows of deterministic ones is what they print.

The two commands for a fresh machine are run by .ci/run.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from regnet_ds.designspace import canonical

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
TRAINS = re.compile(r"regnet-ds (study run|tune|train|bench|export)\b")


def steps(block: str) -> list[tuple[str, str]]:
    """Return the commands of a block and what it shows of their output."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def run(command: str, folder: Path) -> str:
    program, *arguments = shlex.split(command)
    assert program == "regnet-ds"
    done = subprocess.run(
        [sys.executable, "-m", "regnet_ds", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


def check(blocks: list[str], folder: Path) -> None:
    for block in blocks:
        for command, shown in steps(block):
            printed = run(command, folder)
            if shown.strip():
                assert printed == shown, command


def test_light_commands(tmp_path: Path) -> None:
    light = [block for block in BLOCKS if not TRAINS.search(block)]
    assert len(light) >= 4
    check(light, tmp_path)


@pytest.mark.slow
@pytest.mark.smoke
@pytest.mark.parametrize(
    "block", [pytest.param(block, id=block.split()[2]) for block in BLOCKS if TRAINS.search(block)]
)
def test_commands_that_train(tmp_path: Path, block: str) -> None:
    check([block], tmp_path)
    written = re.findall(r"--out (\S+)", block)
    assert all((tmp_path / name).exists() for name in written)


def test_python(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    printed: list[str] = []
    for code in blocks:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout.strip())
    composed, maps, whole = printed
    assert composed == "True"
    stages = canonical("RegNetY-200MF").stages
    assert maps.endswith(str([32, *(stage.width for stage in stages)]))
    assert "Complexity(flops=199519076, params=3162996, acts=2168052)" in whole
    assert whole.endswith("True")


def test_the_two_commands_are_there() -> None:
    shell = re.findall(r"^```sh\n(.*?)\n```", README, re.MULTILINE | re.DOTALL)
    assert shell == [
        "pip install uv && uv run regnet-ds quickstart",
        "pip install uv && uv run pytest -n 2 --dist loadfile",
    ]


def test_pictures_exist_and_are_small() -> None:
    root = Path(__file__).resolve().parent.parent
    for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert 1_000 < (root / name).stat().st_size < 300_000
