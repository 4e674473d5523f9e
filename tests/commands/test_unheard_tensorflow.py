"""TensorFlow greets on stderr when it is imported, which no variable silences: nobody hears it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from regnet_ds.search.quiet import QUIET

# Ends the process where TensorFlow is first asked for, and says whether stderr is heard there.
PROBE = """
import os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow":
            silent = os.path.samestat(os.fstat(2), os.stat(os.devnull))
            variable = os.environ.get("TF_CPP_MIN_LOG_LEVEL")
            print("stderr", "silent" if silent else "heard", "level", variable, flush=True)
            os._exit(0)

sys.meta_path.insert(0, Watch())
from regnet_ds.cli import main
main()
"""
NET = "depth=8 w0=16 wa=16 wm=2 group_width=8"


@pytest.mark.parametrize(
    "line",
    [
        f"train {NET} --data digits --epochs 1",
        "train RegNetX-200MF --data photos --epochs 1",
        f"bench {NET}",
        "export RegNetX-200MF --to saved_model --out net",
        "data facts photos",
        "data show photos --out show.png",
        "doctor",
        "study run --space regnetx --flops 4M:5M -n 2 --dry-run",
    ],
)
def test_the_first_import_is_not_heard(line: str, tmp_path: Path) -> None:
    for part in ("train", "val"):
        for name in ("a", "b"):
            (tmp_path / "photos" / part / name).mkdir(parents=True)
            (tmp_path / "photos" / part / name / "1.jpg").write_bytes(b"\xff\xd8\xff")
    env = {name: value for name, value in os.environ.items() if name not in QUIET}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *line.split()],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
    )
    assert "stderr silent level 3" in done.stdout, done.stdout + done.stderr
