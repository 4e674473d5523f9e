"""The README's tables: the 24 as the command counts them, speeds as docs/speed.md has them.

With REGNET_DS_REWRITE=1 they are written anew instead.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"


def table_after(mark: str) -> str:
    """Return the table that follows a mark."""
    text = README.read_text(encoding="utf-8")
    found = re.search(rf"<!-- {mark} -->\n((?:\|.*\n)+)", text)
    assert found, mark
    return found[1]


def agree(mark: str, made: str) -> None:
    """Compare a table with what it is made of, or write it."""
    shown = table_after(mark)
    if os.environ.get("REGNET_DS_REWRITE"):
        text = README.read_text(encoding="utf-8")
        README.write_text(text.replace(shown, made), encoding="utf-8")
    else:
        assert shown == made


def counted() -> dict[str, list[str]]:
    """Return the flops, params, acts and errors that `regnet-ds canonical` prints, by name."""
    done = subprocess.run(
        [sys.executable, "-m", "regnet_ds", "canonical"], capture_output=True, text=True, check=True
    )
    rows = {}
    for line in done.stdout.splitlines()[1:]:
        name, *_, flops, params, acts, _, _, _, _, error = line.split()
        rows[name] = [flops, params, acts, f"{float(error):.1f}"]
    return rows


def test_the_24() -> None:
    rows = counted()
    assert len(rows) == 24
    heads = [f"{kind}: {what}" for kind in "XY" for what in ("flops", "params", "acts", "error")]
    lines = ["| RegNet | " + " | ".join(heads) + " |", "|---" * 9 + "|"]
    for size in (name.removeprefix("RegNetX-") for name in rows if name.startswith("RegNetX-")):
        cells = [size, *rows[f"RegNetX-{size}"], *rows[f"RegNetY-{size}"]]
        lines.append("| " + " | ".join(cells) + " |")
    assert len(lines) == 14
    agree("24", "\n".join(lines) + "\n")


def test_speeds_are_those_of_the_page() -> None:
    page = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8").splitlines()
    by_promise = {line.split(" | ")[0]: line for line in page if line.startswith("|")}
    head, rule, *rows = table_after("speed").splitlines()
    made = [head, rule, *(by_promise.get(row.split(" | ")[0], "not on the page") for row in rows)]
    assert len(rows) >= 8
    assert any("tf_keras" in row for row in rows)
    assert any("kimm" in row for row in rows)
    assert any("timm" in row for row in rows)
    missed = [any(row.endswith("| missed |") for row in part) for part in (rows, page)]
    assert missed[0] == missed[1]  # the README hides no miss altogether
    agree("speed", "\n".join(made) + "\n")
