"""The hook of the documentation finds and makes the figures of every page."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
_spec = importlib.util.spec_from_file_location("docs_figures", DOCS / "figures.py")
assert _spec is not None and _spec.loader is not None
figures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(figures)


@pytest.mark.parametrize("page", sorted(path.stem for path in DOCS.glob("*.md")))
def test_every_figure_has_its_command(page: str) -> None:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    found = figures.figures_of(page, text)
    assert set(re.findall(r"\(figures/(\S+?)\)", text)) == {f"{page}/{name}" for name in found}
    if page in ("concepts", "gallery"):
        assert len(found) >= 4


def test_a_figure_without_a_command_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no command that makes b\.png"):
        figures.figures_of("p", "$ regnet-ds x --out a.png\n![](figures/p/b.png)")


def test_a_figure_is_made_where_it_is_wanted(tmp_path: Path) -> None:
    arguments = ["explain", "RegNetX-200MF", "--figure", "w.png"]
    made = figures.make(tmp_path / "here", "w.png", arguments)
    assert made == tmp_path / "here" / "w.png"
    assert made.read_bytes().startswith(b"\x89PNG")


def test_a_command_that_fails_stops_the_build(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ended with 2: regnet-ds: error: .*RegNetX-3MF"):
        figures.make(tmp_path, "w.png", ["explain", "RegNetX-3MF", "--figure", "w.png"])
