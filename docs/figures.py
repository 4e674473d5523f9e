"""A hook of mkdocs: the figures of a page are made by the commands that the page shows.

A picture ``figures/PAGE/NAME.png`` in PAGE.md is the file NAME.png that the command above it,
a line ``$ regnet-ds ... NAME.png``, writes. ``mkdocs build`` makes all of them anew in
build/figures; ``mkdocs serve`` keeps those that are there.
"""

from __future__ import annotations

import io
import os
import re
import shlex
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

MADE = Path(__file__).resolve().parent.parent / "build" / "figures"
_serving = False


def figures_of(page: str, text: str) -> dict[str, list[str]]:
    """Return the arguments of the command that makes each figure of a page, by its name."""
    commands = re.findall(r"^\$ regnet-ds (.* (\S+\.(?:png|svg)))$", text, re.MULTILINE)
    by_name = {name: shlex.split(command) for command, name in commands}
    wanted = re.findall(rf"\]\(figures/{re.escape(page)}/(\S+?)\)", text)
    missing = sorted(set(wanted) - by_name.keys())
    if missing:
        raise ValueError(f"{page}.md shows no command that makes {', '.join(missing)}")
    return {name: by_name[name] for name in wanted}


def make(folder: Path, name: str, arguments: list[str]) -> Path:
    """Run a command that writes the file ``name`` into the folder, and return its path."""
    from regnet_ds.cli import run

    folder.mkdir(parents=True, exist_ok=True)
    said = io.StringIO()
    with chdir(folder), redirect_stdout(said), redirect_stderr(said):
        code = run(arguments)
    path = folder / name
    if code != 0 or not path.exists():
        raise ValueError(f"regnet-ds {shlex.join(arguments)} ended with {code}: {said.getvalue()}")
    return path


def on_startup(*, command: str, dirty: bool) -> None:
    """Remember whether figures that are there are kept."""
    global _serving
    _serving = command == "serve"


def on_files(files: Any, config: Any) -> Any:
    """Add the figures of all pages to the site."""
    from mkdocs.structure.files import File

    os.environ.setdefault("MPLBACKEND", "agg")
    for file in list(files.documentation_pages()):
        page = Path(file.src_uri).stem
        for name, arguments in figures_of(page, file.content_string).items():
            path = MADE / page / name
            if not (_serving and path.exists()):
                path.unlink(missing_ok=True)
                make(path.parent, name, arguments)
            uri = f"figures/{page}/{name}"
            files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files
