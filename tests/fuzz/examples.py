"""Run every example of every command's help in the sandbox, without TensorFlow; print JSON.

A list a command, of its examples and how they ended: with 0, or "reached" what takes long.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import judge
import sandbox
from campaign import refuse_heavy

# Files that the examples name, as copies of those of the sandbox.
NAMES = {
    "a.csv": "population.csv",
    "b.csv": "population.csv",
    "regnety_004.safetensors": "all.safetensors",
    "regnet_x_400mf.pth": "zip.pth",
    "trained.keras": "model.keras",
    "photo.jpg": "photos/class0/0.jpg",
}
RUN = "runs/2026-11-26_10h00m00s_regnetx"


def main() -> None:
    """Run the examples of all commands."""
    import typer.main
    from regnet_ds.cli import make_app

    root = typer.main.get_command(make_app([]))
    with tempfile.TemporaryDirectory() as made:
        os.chdir(made)
        kept, sys.stdout, sys.stderr = (sys.stdout, sys.stderr), *(open(os.devnull, "w"),) * 2
        sandbox.make(Path(made))
        for name, source in NAMES.items():
            shutil.copy(source, name)
        shutil.copytree("runs/one", RUN)
        table = Path("population.csv").read_text()
        Path("anynetx-a.csv").write_text(re.sub(r",s[01]$", ",anynetx-a", table, flags=re.M))
        for name in ("population", "small", "anynetx-a"):
            file = "anynetx-a.csv" if name == "anynetx-a" else "population.csv"
            sandbox.run("study", "import", file, "--name", name, "--storage", "all.journal")
        Path("all.journal").rename("runs.journal")
        sys.stdout, sys.stderr = kept
        refuse_heavy()
        sandbox.make_waiting("waiting.journal", 20)
        shutil.copy("waiting.journal", "other.journal")
        found = {name: [run(line) for line in lines] for name, lines in examples(root).items()}
        os.chdir("/")
    json.dump(found, kept[0], indent=1)


def examples(group: Any, path: str = "") -> dict[str, list[str]]:
    """Return the examples of all commands of a group, by name."""
    found: dict[str, list[str]] = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= examples(command, f"{path}{name} ")
        else:
            lines = re.findall(rf"Example: regnet-ds ({path}{name}\b.*)", command.help or "")
            found[path + name] = lines
    return found


def run(line: str) -> dict[str, str]:
    """Run an example and say how it ended; a new study begins in a new storage."""
    if re.match("study run|search|tune|quickstart", line):
        Path("regnet-ds.journal").unlink(missing_ok=True)
    else:
        shutil.copy("waiting.journal", "regnet-ds.journal")
    ended, _, err = judge.run(shlex.split(line))
    return {"line": line, "ended": ended, "said": err[-300:]}


if __name__ == "__main__":
    main()
