"""Claim: all of `regnetx` is enumerated in far under an hour, at a cost that grows linearly.

Enumerates every fourth, every second and every initial width, and the whole, by one process and
by two; prints seconds, seconds of CPU and peak memory. With `--docs FOLDER` it
writes the tables of docs/design-space-sizes.md again: those of `space count`, those that
`space enumerate --out FOLDER/NAME` left for regnetx and regnetx-dds, and its own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from regnet_ds.designspace.counting import sizes
from regnet_ds.designspace.enumeration.tables import markdown

PAGE = Path(__file__).resolve().parent.parent / "docs" / "design-space-sizes.md"
CODE = """
import json, resource, sys, time
from pathlib import Path
from regnet_ds.designspace import find_space
from regnet_ds.designspace.constraints import with_law
from regnet_ds.designspace.enumeration.folder import enumerate_space
from regnet_ds.designspace.laws import Choice

if __name__ == "__main__":
    name, step, workers, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    space = find_space(name)
    kept = tuple(space.laws["w0"].values[step - 1 :: step].tolist())
    began = time.perf_counter()
    found = enumerate_space(space & with_law("w0", Choice(kept)), Path(folder), workers=workers)
    seconds = time.perf_counter() - began
    both = [resource.getrusage(k) for k in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    used = sum(usage.ru_utime + usage.ru_stime for usage in both)
    peak = max(usage.ru_maxrss for usage in both) // 1024
    print(json.dumps([len(kept), found.settings, found.networks, seconds, used, peak]))
"""
COLUMNS = (
    "initial widths",
    "valid settings",
    "networks",
    "processes",
    "seconds",
    "CPU",
    "us",
    "MiB",
)


def measure(name: str, step: int, workers: int) -> list[object]:
    """Return a row of the table: every ``step``-th initial width, by so many processes."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "run.py")
        script.write_text(CODE)
        command = [sys.executable, str(script), name, str(step), str(workers), f"{folder}/e"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    widths, settings, networks, seconds, used, peak = json.loads(done.stdout)
    cost = round(used / networks * 1e6, 2)
    return [widths, settings, networks, workers, round(seconds, 1), round(used, 1), cost, peak]


def replaced(text: str, name: str, table: str) -> str:
    """Return a page with a table between its marks."""
    pattern = rf"(<!-- {re.escape(name)} -->\n).*?(<!-- end -->)"
    found, n = re.subn(pattern, lambda m: f"{m[1]}\n{table.strip()}\n\n{m[2]}", text, flags=re.S)
    if n != 1:
        raise ValueError(f"{PAGE.name} has {n} marks named {name!r}")
    return found


def write_page(folder: Path, measured: str) -> None:
    """Put the tables of a folder, and those measured here, between the marks of the page."""
    text = replaced(PAGE.read_text(), "space count", markdown(sizes()))
    for name in ("regnetx", "regnetx-dds"):
        text = replaced(text, f"space enumerate {name}", (folder / name / "tables.md").read_text())
    PAGE.write_text(replaced(text, "benchmarks/enumeration.py", measured))


if __name__ == "__main__":
    runs = ((4, 1), (2, 1), (1, 1), (1, 2))
    rows = [measure("regnetx", step, workers) for step, workers in runs]
    columns = map(list, zip(*rows, strict=True))
    table = markdown(dict(zip(COLUMNS, columns, strict=True)))
    print("regnetx, whole enumerations; us of CPU a network, MiB of the largest process")
    print(table)
    if sys.argv[1:2] == ["--docs"]:
        write_page(Path(sys.argv[2]), table)
