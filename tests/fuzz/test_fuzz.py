"""The command line under input that is wrong in every way: options, files, weights and images.

Each kind runs in a fresh interpreter (`campaign`), two of them without TensorFlow. The number of
inputs is multiplied by REGNET_DS_FUZZ, its seed is REGNET_DS_FUZZ_SEED: 25 makes 50,000.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CAMPAIGN = Path(__file__).with_name("campaign.py")


def run(kind: str, inputs: int) -> dict[str, Any]:
    number = inputs * int(os.environ.get("REGNET_DS_FUZZ", "1"))
    seed = os.environ.get("REGNET_DS_FUZZ_SEED", "0")
    done = subprocess.run(
        [sys.executable, str(CAMPAIGN), kind, "--inputs", str(number), "--seed", seed],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.smoke
@pytest.mark.parametrize(
    ("kind", "inputs", "endings"),
    [
        ("options", 1_100, {"0", "2", "reached"}),
        ("files", 800, {"0", "2", "reached"}),
        ("tensors", 100, {"0", "2"}),
    ],
)
def test_nothing_but_plain_refusals(kind: str, inputs: int, endings: set[str]) -> None:
    found = run(kind, inputs)
    assert found["inputs"] >= 0.9 * inputs
    assert endings <= set(found["ended"])  # some are accepted, else nothing deep was tried
    assert found["faults"] == {}, json.dumps(found["faults"], indent=1)[:4000]


def test_the_judge_sees_faults(tmp_path: Path) -> None:
    """A call that leaves a file, shows a password or ends with a traceback is not let through."""
    program = f"""
import sys; sys.path.insert(0, {str(CAMPAIGN.parent)!r})
from pathlib import Path
import judge, regnet_ds.cli as cli
outer = Path({str(tmp_path)!r}); (outer / "a").mkdir(); (outer / "b").mkdir()
seen = judge.Judge(outer / "a", outer / "b")
def fake(does):
    cli.run = does
    return sorted(seen(judge.Call(("sample", "--flops", "4Q"), ("4Q",))).faults)
def says(text, code, out=""):
    def does(arguments):
        print(text, file=sys.stderr); print(out, end=""); return code
    return does
def leaves(arguments):
    Path(".half").write_text("x"); return says("regnet-ds: error: no 4Q", 2)(arguments)
def dies(arguments):
    raise RuntimeError("x")
for does in (says("regnet-ds: error: no 4Q", 2), says("regnet-ds: error: bad", 2),
             says("regnet-ds: error: 4Q s3cr3t", 2), says("regnet-ds: error: 4Q\\x1b[2J", 2),
             says("regnet-ds: error: 4Q", 2, "data"), says("regnet-ds: error: 4Q", 0),
             says("KeyError", 1), leaves, dies):
    print(fake(does))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "[]"
    wanted = ("names nothing", "secret", "control", "data were printed", "with an error")
    for line, word in zip(
        lines[1:], (*wanted, "ended with 1", "temporary file", "RuntimeError"), strict=True
    ):
        assert word in line
    assert len(lines) == 9


def test_the_judge_stops_what_takes_long(tmp_path: Path) -> None:
    """Also where the command minds Ctrl-C; time in which nothing is computed does not count."""
    program = f"""
import sys; sys.path.insert(0, {str(CAMPAIGN.parent)!r})
import time
from pathlib import Path
import judge, regnet_ds.cli as cli
from regnet_ds.commands.interruption import insisting
judge.LIMIT = 0.5
outer = Path({str(tmp_path)!r}); (outer / "a").mkdir(); (outer / "b").mkdir()
seen = judge.Judge(outer / "a", outer / "b")
def fake(does):
    cli.run = does
    return seen(judge.Call(("sample",)))
def computes(arguments):
    with insisting():
        while True:
            pass
def waits(arguments):
    time.sleep(1.0)
    return 0
for does in (computes, waits):
    verdict = fake(does)
    print(verdict.ended, list(verdict.faults))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["slow []", "0 []"]
